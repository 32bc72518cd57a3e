//! Images in a registry (OCI distribution-spec 1.1).
//!
//! "Not there" is what the specification calls so, and nothing else: a refusal, a limit, a broken or a late answer is an
//! error of its own kind.

mod auth;
mod blobs;
mod credentials;
mod fallback;
mod manifests;
mod probe;
mod referrers;

use std::path::Path;
use std::time::Duration;

use ci_execute::{Attachment, ImageStore, StoreError, StoredManifest};
use ci_types::record::{Permission, RegistryAction, TargetKind};
use ci_types::{Descriptor, Digest, Tag};
use serde::Deserialize;
use ureq::http::Method;

use self::auth::{Scope, Session};
pub use self::credentials::{Credentials, CredentialsError, Login};
use crate::http::{Answer, Body, Call, Client, HttpError, Limits, Url};
use crate::secret::{Secret, clean};

/// How to talk to a registry.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Speak plain HTTP; loopback hosts only.
    pub plain_http: bool,
    /// Logins.
    pub credentials: Credentials,
    /// PEM certificates to trust instead of Mozilla's (what `SSL_CERT_FILE` names).
    pub ca_pem: Option<Vec<u8>>,
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time for one request with a small answer. It grows with the bytes to move (1 s per 256 KiB) and is always bounded.
    pub request_timeout: Duration,
    /// How often an idempotent request is sent at most after broken connections, 502, 503 and 504.
    pub attempts: u32,
    /// Pause before the second attempt; doubles.
    pub backoff: Duration,
    /// Blobs above this many bytes are uploaded in chunks of this size.
    pub chunk_bytes: u64,
    /// How long to wait before reading back the fallback tag a second time, to notice another writer.
    pub settle: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            plain_http: false,
            credentials: Credentials::none(),
            ca_pem: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            attempts: 3,
            backoff: Duration::from_millis(200),
            chunk_bytes: 64 << 20,
            settle: Duration::from_millis(50),
        }
    }
}

/// One repository of a registry as an image store.
#[derive(Debug)]
pub struct Registry {
    host: String,
    /// `NAME`.
    repository: String,
    /// `HOST[:PORT]/NAME`.
    name: String,
    origin: Url,
    client: Client,
    session: Session,
    options: RegistryOptions,
}

/// Why a registry cannot even be addressed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Not `HOST[:PORT]/NAME`.
    #[error("`{0}` is not HOST[:PORT]/NAME with a lower-case NAME (OCI distribution-spec, `<name>`)")]
    Name(String),
    /// Plain HTTP to another machine.
    #[error("plain HTTP to `{0}` is refused: it is not this machine; remove `publish.plain_http` or use 127.0.0.1")]
    PlainHttp(String),
    /// The login cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The extra CA certificates cannot be used.
    #[error("extra CA certificates: {0}")]
    Certificates(String),
}

#[derive(Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

impl Registry {
    /// Addresses the repository `HOST[:PORT]/NAME`. Opens no connection; may ask a credential helper.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn new(repository: &str, options: RegistryOptions) -> Result<Self, RegistryError> {
        let invalid = || RegistryError::Name(repository.chars().take(300).collect());
        let (host, name) = repository.split_once('/').filter(|(_, name)| is_name(name)).ok_or_else(invalid)?;
        // Docker Hub's API has another host than its name.
        let api_host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let origin = Url::origin_of(api_host, options.plain_http).map_err(|_| invalid())?;
        if host.contains(['?', '#']) {
            return Err(invalid());
        }
        if options.plain_http && !origin.is_loopback() {
            return Err(RegistryError::PlainHttp(host.to_owned()));
        }
        let limits = Limits {
            connect: options.connect_timeout,
            overall: options.request_timeout,
            attempts: options.attempts,
            backoff: options.backoff,
        };
        let client = Client::new(limits, options.ca_pem.as_deref(), origin.is_loopback())
            .map_err(|error| RegistryError::Certificates(error.to_string()))?;
        let login = options.credentials.login(host, name)?;
        Ok(Self {
            host: host.to_owned(),
            repository: name.to_owned(),
            name: repository.to_owned(),
            origin,
            client,
            session: Session::new(login),
            options,
        })
    }

    fn target(&self) -> String {
        format!("registry:{}", self.name)
    }

    /// `/v2/NAME/rest`.
    fn url(&self, rest: &str) -> Url {
        self.origin.with_path(&format!("/v2/{}/{rest}", self.repository))
    }

    /// Sends with the rights of `scope`, logging in where the registry asks for it.
    fn send(&self, request: Request<'_>, action: &str) -> Result<Answer, StoreError> {
        let mut logged_in = false;
        loop {
            // A foreign origin (an upload location elsewhere) never sees the login.
            let authorization = self.session.header(request.scope).filter(|_| request.url.same_origin(&self.origin));
            let answer = self
                .client
                .send(&Call {
                    method: request.method.clone(),
                    url: request.url,
                    authorization: authorization.as_ref().map(Secret::expose),
                    headers: request.headers,
                    body: request.body.reborrow(),
                    limit_bytes: request.limit_bytes,
                    idempotent: request.idempotent,
                })
                .map_err(|error| self.no_answer(action, &error))?;
            if answer.status != 401 || logged_in || !answer.url.same_origin(&self.origin) {
                return Ok(answer);
            }
            self.log_in(&answer, request.scope, action)?;
            logged_in = true;
        }
    }

    fn no_answer(&self, action: &str, error: &HttpError) -> StoreError {
        let (target, action) = (self.target(), action.to_owned());
        let detail = clean(&error.to_string(), &self.session.secrets());
        if error.is_protocol() {
            StoreError::Protocol { target, action, detail }
        } else {
            StoreError::Unreachable { target, action, detail }
        }
    }

    /// The typed error of an answer that is not what was asked for.
    fn refusal(&self, answer: &Answer, scope: Scope, action: &str) -> StoreError {
        let (target, action) = (self.target(), action.to_owned());
        let said = self.said(answer);
        let needs = scope.needs(&self.repository);
        match answer.status {
            401 if auth::lacks_scope(answer) => {
                StoreError::Forbidden { target, action, detail: format!("{said}; the token lacks {needs}") }
            }
            401 => StoreError::Unauthenticated { target, action, detail: format!("{said}; needs {needs}") },
            403 => StoreError::Forbidden { target, action, detail: format!("{said}; needs {needs}") },
            429 => {
                let retry_after_s = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
                StoreError::RateLimited { target, action, retry_after_s }
            }
            500..=599 => {
                let times =
                    if answer.attempts > 1 { format!(" ({} attempts)", answer.attempts) } else { String::new() };
                StoreError::Unreachable { target, action, detail: format!("{said}{times}") }
            }
            // A 404 that speaks of rights is a refusal in disguise.
            404 if codes(answer).iter().any(|code| code == "DENIED" || code == "UNAUTHORIZED") => {
                StoreError::Forbidden { target, action, detail: format!("{said}; needs {needs}") }
            }
            404 if codes(answer).iter().any(|code| code.ends_with("_UNKNOWN")) => {
                StoreError::Missing { target, what: format!("what was needed to {action} ({said})") }
            }
            _ => StoreError::Protocol { target, action, detail: format!("unexpected {said}") },
        }
    }

    /// `403 DENIED: requested access to the resource is denied`.
    fn said(&self, answer: &Answer) -> String {
        let mut text = format!("HTTP {}", answer.status);
        if let Some(first) = errors(answer).into_iter().next() {
            text = format!("{text} {}", first.code);
            if let Some(message) = first.message {
                text = format!("{text}: {message}");
            }
        }
        clean(&text, &self.session.secrets())
    }
}

/// A request inside the registry.
struct Request<'a> {
    method: Method,
    url: &'a Url,
    scope: Scope,
    headers: &'a [(&'static str, &'a str)],
    body: Body<'a>,
    limit_bytes: u64,
    idempotent: bool,
}

/// Most bytes of an answer that is not content.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

impl<'a> Request<'a> {
    const fn new(method: Method, url: &'a Url, scope: Scope) -> Self {
        let idempotent = !matches!(method, Method::POST | Method::PATCH);
        Self { method, url, scope, headers: &[], body: Body::None, limit_bytes: MAX_ANSWER_BYTES, idempotent }
    }

    const fn headers(mut self, headers: &'a [(&'static str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    const fn body(mut self, body: Body<'a>) -> Self {
        self.body = body;
        self
    }

    const fn limit(mut self, bytes: u64) -> Self {
        self.limit_bytes = bytes;
        self
    }

    const fn once(mut self) -> Self {
        self.idempotent = false;
        self
    }
}

fn errors(answer: &Answer) -> Vec<ErrorEntry> {
    serde_json::from_slice::<ErrorBody>(&answer.body).map(|body| body.errors).unwrap_or_default()
}

fn codes(answer: &Answer) -> Vec<String> {
    errors(answer).into_iter().map(|entry| entry.code).collect()
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*`, at most 255 bytes.
fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let component = |part: &str| {
        let separators_ok = part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'));
        separators_ok && part.bytes().next().is_some_and(word) && part.bytes().last().is_some_and(word)
    };
    name.len() <= 255 && name.split('/').all(component)
}

impl ImageStore for Registry {
    fn kind(&self) -> TargetKind {
        TargetKind::Registry
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn probe(&self, action: RegistryAction) -> Permission {
        self.try_action(action)
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.blob_bytes(digest).map(|bytes| bytes.is_some())
    }

    fn put_blob(&self, digest: &Digest, bytes: u64, path: &Path) -> Result<(), StoreError> {
        self.push_file(digest, bytes, path)
    }

    fn put_blob_bytes(&self, content: &[u8]) -> Result<Digest, StoreError> {
        self.push_bytes(content)
    }

    fn get_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.pull_blob(digest, limit_bytes)
    }

    fn put_manifest(&self, media_type: &str, content: &[u8]) -> Result<Digest, StoreError> {
        self.push_manifest(media_type, content).map(|pushed| pushed.digest)
    }

    fn get_manifest(&self, digest: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        self.pull_manifest(digest)
    }

    fn resolve_tag(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        Ok(self.pull_tag(tag)?.map(|stored| Digest::of(&stored.content)))
    }

    fn set_tag(&self, tag: &Tag, digest: &Digest) -> Result<(), StoreError> {
        self.push_tag(tag, digest)
    }

    fn attach(&self, subject: &Descriptor, artifact: &Attachment) -> Result<Descriptor, StoreError> {
        self.push_attachment(subject, artifact)
    }

    fn referrers(&self, subject: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>, StoreError> {
        self.list_referrers(subject, artifact_type)
    }
}

impl Registry {
    /// `HOST[:PORT]` as configured.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_follow_the_distribution_spec() {
        for good in ["app", "org/app", "a.b_c__d--e/f0", "0"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "App", "a//b", "/a", "a/", "a..b", "a___b", ".a", "a.", "a:b", "a@b", "a b", "../a", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn plain_http_to_another_machine_rejects() {
        let plain = || RegistryOptions { plain_http: true, ..RegistryOptions::default() };
        for host in ["registry.example/app", "10.0.0.1:5000/app", "localhost.example/app", "127.0.0.1.example:1/app"] {
            assert!(matches!(Registry::new(host, plain()), Err(RegistryError::PlainHttp(_))), "{host}");
        }
        assert!(Registry::new("127.0.0.1:5000/app", plain()).is_ok());
        assert!(Registry::new("[::1]:5000/app", plain()).is_ok());
    }

    #[test]
    fn odd_repositories_reject() {
        for text in ["", "host", "host/", "/app", "u:p@host/app", "host:x/app", "host/App", "host?x/app", "host#/app"] {
            assert!(matches!(Registry::new(text, RegistryOptions::default()), Err(RegistryError::Name(_))), "{text}");
        }
    }
}
