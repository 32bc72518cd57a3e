//! OIDC tokens (RFC 7519) of one shape: RS256 (RFC 7518, 3.3), with a `kid`, verified against a given JWKS (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ci_types::strict_json::{self, JsonError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Largest token accepted, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not `header.payload.signature` in canonical base64url.
    #[error("not a compact JWT ({0})")]
    Malformed(&'static str),
    /// Header or payload is not the expected JSON.
    #[error("{part}: {reason}")]
    Json {
        /// `header`, `payload` or `issuer keys`.
        part: &'static str,
        /// What is wrong.
        reason: JsonError,
    },
    /// Another algorithm; `none` and HMAC among them.
    #[error("algorithm `{0}` is not accepted, only RS256")]
    Algorithm(String),
    /// The key set has no key, or more than one, with this id.
    #[error("the issuer's keys hold {count} RS256 keys with id `{kid}`, expected exactly one")]
    KeyCount {
        /// Key id.
        kid: String,
        /// How many.
        count: usize,
    },
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    BadSignature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    /// Extensions that must be understood (RFC 7515, 4.1.11); none is.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

/// Verifies `token` against `issuer_keys` and returns its claims.
///
/// # Errors
/// See [`JwtError`].
pub fn verify<T: DeserializeOwned>(token: &str, issuer_keys: &[u8]) -> Result<T, JwtError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed("parts"))?;
    let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed("parts"))?;
    if token.len() > MAX_TOKEN_BYTES || payload.contains('.') {
        return Err(JwtError::Malformed("size or parts"));
    }
    let header: Header = json("header", &decode(header)?)?;
    if header.alg != "RS256" {
        return Err(JwtError::Algorithm(header.alg.chars().take(16).collect()));
    }
    if header.crit.is_some() {
        return Err(JwtError::Malformed("`crit` names extensions that are not known"));
    }
    let keys: KeySet = json("issuer keys", issuer_keys)?;
    let usable = |key: &&Key| {
        key.kid == header.kid
            && key.kty == "RSA"
            && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && key.usage.as_deref().is_none_or(|usage| usage == "sig")
    };
    let found: Vec<&Key> = keys.keys.iter().filter(usable).collect();
    let [key] = found.as_slice() else {
        return Err(JwtError::KeyCount { kid: header.kid, count: found.len() });
    };
    let (n, e) = (decode(&key.n)?, decode(&key.e)?);
    ring::signature::RsaPublicKeyComponents { n: &n, e: &e }
        .verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)?)
        .map_err(|_| JwtError::BadSignature)?;
    json("payload", &decode(payload)?)
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed("base64url"))
}

fn json<T: DeserializeOwned>(part: &'static str, bytes: &[u8]) -> Result<T, JwtError> {
    strict_json::from_slice(bytes).map_err(|reason| JwtError::Json { part, reason })
}
