//! GitHub Actions' OIDC service (GitHub docs, "OpenID Connect reference"; OpenID Connect Discovery 1.0).
//!
//! Fetches bytes; what a token is worth is decided elsewhere.

use std::time::Duration;

use serde::Deserialize;
use ureq::http::Method;

use crate::http::{Answer, Body, Call, Client, HttpError, Limits, Url};
use crate::secret::{Secret, clean};

const MAX_BYTES: u64 = 1 << 20;

/// Why there is no token or no keys.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The address cannot be used.
    #[error("{what} is refused: {cause}")]
    Address {
        /// Which.
        what: &'static str,
        /// Cause.
        cause: &'static str,
    },
    /// The request token was refused (401, 403).
    #[error(
        "{host} refuses to issue an OIDC token (HTTP {status}: {said}); give the job `permissions: id-token: write`"
    )]
    Refused {
        /// Host.
        host: String,
        /// Status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// Rate limited (429).
    #[error("{host} is rate limiting; retry after {retry_after_s:?} s")]
    RateLimited {
        /// Host.
        host: String,
        /// `Retry-After` in seconds, where given.
        retry_after_s: Option<u64>,
    },
    /// Any other status.
    #[error("{host} answered HTTP {status} when asked for {what}: {said}")]
    Status {
        /// Host.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// Status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The answer is not what the documentation says.
    #[error("{host}: {what}: {cause}")]
    Malformed {
        /// Host.
        host: String,
        /// What was read.
        what: &'static str,
        /// Cause.
        cause: String,
    },
    /// No answer.
    #[error("no answer when asking for {what}: {cause}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// Cause.
        cause: String,
    },
}

#[derive(Deserialize)]
struct TokenAnswer {
    value: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Asks for an ID token with `audience`. `url` and `bearer` are the job's `ACTIONS_ID_TOKEN_REQUEST_URL` and
/// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`. Returns the compact JWT, unverified.
///
/// # Errors
/// See [`OidcError`]; no text holds the bearer, the token or the URL's query.
pub fn request_token(url: &str, bearer: &Secret, audience: &str) -> Result<String, OidcError> {
    let what = "an ID token";
    let url = address(url, "ACTIONS_ID_TOKEN_REQUEST_URL")?.with_query("audience", audience);
    let authorization = format!("bearer {}", bearer.expose());
    let answer = get(&url, what, Some(&authorization), "application/json; api-version=2.0")?;
    let host = url.host_and_port();
    let said = || clean(&String::from_utf8_lossy(&answer.body), std::slice::from_ref(bearer));
    match answer.status {
        200 => {}
        status @ (401 | 403) => return Err(OidcError::Refused { host, status, said: said() }),
        _ => return Err(refused(&answer, host, what, said())),
    }
    let malformed = |cause: &str| OidcError::Malformed { host: host.clone(), what, cause: cause.to_owned() };
    let token: TokenAnswer =
        serde_json::from_slice(&answer.body).map_err(|_| malformed("no JSON object with `value`"))?;
    let parts: Vec<&str> = token.value.split('.').collect();
    let is_base64url = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if parts.len() != 3 || !parts.iter().all(is_base64url) {
        return Err(malformed("`value` is not a compact JWT (RFC 7519)"));
    }
    Ok(token.value)
}

/// Fetches the keys of `issuer`: `/.well-known/openid-configuration`, then its `jwks_uri`, which must be on the issuer's own
/// host. Returns the JWKS bytes as served.
///
/// # Errors
/// See [`OidcError`].
pub fn fetch_issuer_keys(issuer: &str) -> Result<Vec<u8>, OidcError> {
    let what = "the OIDC discovery document";
    let base = address(issuer, "the issuer")?;
    let host = base.host_and_port();
    let path = format!("{}/.well-known/openid-configuration", base.path().trim_end_matches('/'));
    let answer = get(&base.with_path(&path), what, None, "application/json")?;
    let malformed = |what, cause: String| OidcError::Malformed { host: host.clone(), what, cause };
    if answer.status != 200 {
        let said = clean(&String::from_utf8_lossy(&answer.body), &[]);
        return Err(refused(&answer, host, what, said));
    }
    let discovery: Discovery =
        serde_json::from_slice(&answer.body).map_err(|error| malformed(what, error.to_string()))?;
    // OpenID Connect Discovery 1.0, section 4.3: must be identical.
    if discovery.issuer != issuer {
        let other = clean(&discovery.issuer, &[]);
        return Err(malformed(what, format!("it speaks for `{other}`, not for `{issuer}`")));
    }
    let keys = address(&discovery.jwks_uri, "jwks_uri")?;
    if !keys.same_origin(&base) {
        return Err(malformed(what, format!("jwks_uri is on {}, not on the issuer's host", keys.host_and_port())));
    }
    let what = "the issuer's keys";
    let answer = get(&keys, what, None, "application/json")?;
    if answer.status != 200 {
        let said = clean(&String::from_utf8_lossy(&answer.body), &[]);
        return Err(refused(&answer, host, what, said));
    }
    let set: serde_json::Value =
        serde_json::from_slice(&answer.body).map_err(|error| malformed(what, error.to_string()))?;
    if set.get("keys").and_then(|keys| keys.as_array()).is_none_or(Vec::is_empty) {
        return Err(malformed(what, "no keys".to_owned()));
    }
    Ok(answer.body)
}

fn address(text: &str, what: &'static str) -> Result<Url, OidcError> {
    let url = Url::parse(text).map_err(|_| OidcError::Address { what, cause: "not an http or https URL" })?;
    if url.is_safe(true) {
        return Ok(url);
    }
    Err(OidcError::Address { what, cause: "plain HTTP to another machine" })
}

fn get(url: &Url, what: &'static str, authorization: Option<&str>, accept: &str) -> Result<Answer, OidcError> {
    let unreachable = |error: HttpError| OidcError::Unreachable { what, cause: error.to_string() };
    let limits = Limits {
        connect: Duration::from_secs(10),
        overall: Duration::from_secs(30),
        attempts: 3,
        backoff: Duration::from_millis(200),
    };
    let client = Client::new(limits, None, url.is_loopback()).map_err(unreachable)?;
    let answer = client
        .send(&Call {
            method: Method::GET,
            url,
            authorization,
            headers: &[("accept", accept)],
            body: Body::None,
            limit_bytes: MAX_BYTES,
            idempotent: true,
        })
        .map_err(|error| {
            if error.is_protocol() {
                OidcError::Malformed { host: url.host_and_port(), what, cause: error.to_string() }
            } else {
                unreachable(error)
            }
        })?;
    // Tokens and keys of an issuer come from that issuer, not from where it sends us.
    if answer.url.same_origin(url) {
        return Ok(answer);
    }
    Err(OidcError::Malformed { host: url.host_and_port(), what, cause: "it redirects to another host".to_owned() })
}

fn refused(answer: &Answer, host: String, what: &'static str, said: String) -> OidcError {
    if answer.status == 429 {
        let retry_after_s = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
        return OidcError::RateLimited { host, retry_after_s };
    }
    OidcError::Status { host, what, status: answer.status, said }
}
