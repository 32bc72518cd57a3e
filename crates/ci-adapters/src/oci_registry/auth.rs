//! `WWW-Authenticate` and the token flow (distribution "Token Authentication Specification", RFC 7235, RFC 7617).

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_execute::StoreError;
use serde::Deserialize;
use ureq::http::Method;

use super::Registry;
use super::credentials::Login;
use crate::http::{Answer, Body, Call, Url};
use crate::secret::Secret;

const MAX_TOKEN_BYTES: u64 = 1 << 20;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Pull,
    Push,
}

impl Scope {
    /// `repository:NAME:ACTIONS`.
    fn text(self, name: &str) -> String {
        format!("repository:{name}:{}", if self == Self::Pull { "pull" } else { "pull,push" })
    }

    /// What to grant, for people.
    pub(super) fn needs(self, name: &str) -> String {
        format!("{name}:{}", if self == Self::Pull { "pull" } else { "push" })
    }
}

/// Login and the header values it led to, by scope.
#[derive(Debug, Default)]
pub(super) struct Session {
    login: Option<Login>,
    headers: Mutex<BTreeMap<Scope, Secret>>,
    tokens: Mutex<Vec<Secret>>,
}

/// One challenge of `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<Secret>,
    access_token: Option<Secret>,
}

impl Session {
    pub(super) fn new(login: Option<Login>) -> Self {
        let session = Self { login, ..Self::default() };
        if let Some(Login::RegistryToken(token)) = &session.login {
            for scope in [Scope::Pull, Scope::Push] {
                session.remember(scope, Secret::new(format!("Bearer {}", token.expose())));
            }
        }
        session
    }

    pub(super) fn header(&self, scope: Scope) -> Option<Secret> {
        self.headers.lock().ok()?.get(&scope).cloned()
    }

    fn remember(&self, scope: Scope, header: Secret) {
        if let Ok(mut tokens) = self.tokens.lock() {
            tokens.extend(header.expose().split_once(' ').map(|(_, token)| Secret::new(token)));
        }
        if let Ok(mut headers) = self.headers.lock() {
            headers.insert(scope, header);
        }
    }

    /// Everything that must not appear in a message.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets = self.tokens.lock().map(|tokens| tokens.clone()).unwrap_or_default();
        match &self.login {
            Some(Login::Basic { user, password }) => secrets.extend([password.clone(), basic(user, password)]),
            Some(Login::IdentityToken(token) | Login::RegistryToken(token)) => secrets.push(token.clone()),
            None => {}
        }
        secrets
    }
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(STANDARD.encode(format!("{user}:{}", password.expose())))
}

impl Registry {
    /// Answers the challenge of a 401 with a header for `scope`.
    pub(super) fn log_in(&self, refused: &Answer, scope: Scope, action: &str) -> Result<(), StoreError> {
        let unauthenticated = |detail: &str| StoreError::Unauthenticated {
            target: self.target(),
            action: action.to_owned(),
            detail: format!("{detail}; needs {}", scope.needs(&self.repository)),
        };
        let challenges: Vec<Challenge> = refused
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(parse_challenges)
            .collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        if matches!(self.session.login, Some(Login::RegistryToken(_))) {
            return Err(unauthenticated("401; the registry token of the login file is not accepted, log in again"));
        }
        if let Some(bearer) = of("bearer") {
            let token = self.fetch_token(bearer, scope, action)?;
            self.session.remember(scope, Secret::new(format!("Bearer {}", token.expose())));
            return Ok(());
        }
        match (of("basic"), &self.session.login) {
            (Some(_), Some(Login::Basic { user, password })) => {
                let header = Secret::new(format!("Basic {}", basic(user, password).expose()));
                self.session.remember(scope, header);
                Ok(())
            }
            (Some(_), Some(_)) => {
                Err(unauthenticated("401; it wants a user name and a password, there is only a token"))
            }
            (Some(_), None) => Err(unauthenticated("401 and no login is known; run `skopeo login` for it")),
            (None, _) => Err(unauthenticated("401 with no challenge that we know (Bearer, Basic)")),
        }
    }

    fn fetch_token(&self, challenge: &Challenge, scope: Scope, action: &str) -> Result<Secret, StoreError> {
        let protocol = |detail: &str| StoreError::Protocol {
            target: self.target(),
            action: format!("get a token to {action}"),
            detail: detail.to_owned(),
        };
        let realm = challenge.parameters.get("realm").ok_or_else(|| protocol("the challenge names no realm"))?;
        let realm = Url::parse(realm).map_err(|_| protocol("the realm is not a URL"))?;
        // The realm receives the password: encrypted, or on this machine where plain HTTP was asked for.
        if !realm.is_safe(self.options.plain_http) {
            return Err(protocol("the realm is plain HTTP; the login is not sent there"));
        }
        let service = challenge.parameters.get("service").map_or("", String::as_str);
        let scope_text = scope.text(&self.repository);
        let mut form = String::new();
        let mut authorization = None;
        let mut url = realm.clone();
        if let Some(Login::IdentityToken(token)) = &self.session.login {
            // OAuth2 refresh, the only way that takes identity tokens.
            let query = realm
                .with_path("/")
                .with_query("grant_type", "refresh_token")
                .with_query("service", service)
                .with_query("client_id", "ci-intel")
                .with_query("scope", &scope_text)
                .with_query("refresh_token", token.expose());
            form = query.query().unwrap_or_default().to_owned();
        } else {
            if !service.is_empty() {
                url = url.with_query("service", service);
            }
            url = url.with_query("scope", &scope_text);
            if let Some(Login::Basic { user, password }) = &self.session.login {
                authorization = Some(Secret::new(format!("Basic {}", basic(user, password).expose())));
            }
        }
        let answer = self
            .client
            .send(&Call {
                method: if form.is_empty() { Method::GET } else { Method::POST },
                url: &url,
                authorization: authorization.as_ref().map(Secret::expose),
                headers: if form.is_empty() { &[] } else { &[("content-type", "application/x-www-form-urlencoded")] },
                body: if form.is_empty() { Body::None } else { Body::Bytes(form.as_bytes()) },
                limit_bytes: MAX_TOKEN_BYTES,
                idempotent: true,
            })
            .map_err(|error| self.no_answer(&format!("get a token to {action}"), &error))?;
        if answer.status != 200 {
            return Err(self.refusal(
                &answer,
                scope,
                &format!("get a token from {} to {action}", realm.host_and_port()),
            ));
        }
        let token: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| protocol("the token service did not answer as specified"))?;
        let token = token.token.or(token.access_token).filter(|token| !token.expose().is_empty());
        let token = token.ok_or_else(|| protocol("the token service gave no token"))?;
        if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(protocol("the token cannot stand in a header"));
        }
        Ok(token)
    }
}

/// Whether a 401 says that the token is valid but lacks the right (RFC 6750 section 3.1).
pub(super) fn lacks_scope(answer: &Answer) -> bool {
    let values = answer.headers.get_all("www-authenticate").iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse_challenges)
        .any(|challenge| challenge.parameters.get("error").is_some_and(|error| error == "insufficient_scope"))
}

/// `Bearer realm="…",service="…", Basic realm="…"` (RFC 7235 section 2.1). What does not follow the grammar ends the list.
fn parse_challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.!~*'+".contains(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let Some(value) = after.trim_start().strip_prefix('=') else {
            found.push(Challenge { scheme: word.to_owned(), parameters: BTreeMap::new() });
            rest = after;
            continue;
        };
        let Some((value, after)) = take_value(value.trim_start()) else { return found };
        if let Some(challenge) = found.last_mut() {
            challenge.parameters.insert(word.to_ascii_lowercase(), value);
        }
        rest = after;
    }
}

fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &quoted[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn challenges_are_read_as_rfc_7235_writes_them() {
        let header = r#"Bearer realm="https://auth/token",service="reg \"x\"",scope="repository:a:pull,push", error=insufficient_scope, Basic realm="r""#;
        let found = parse_challenges(header);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].scheme, "Bearer");
        assert_eq!(found[0].parameters["service"], r#"reg "x""#);
        assert_eq!(found[0].parameters["scope"], "repository:a:pull,push");
        assert_eq!(found[0].parameters["error"], "insufficient_scope");
        assert_eq!(found[1].parameters["realm"], "r");
    }

    #[test]
    fn a_broken_challenge_yields_nothing_more() {
        assert!(parse_challenges("").is_empty());
        assert!(parse_challenges("=x").is_empty());
        assert!(parse_challenges(r#"Bearer realm="never closed"#)[0].parameters.is_empty());
    }
}
