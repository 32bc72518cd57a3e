//! An OIDC issuer's key, made by openssl once a process: real RS256 tokens and the JWKS that verifies them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An issuer.
pub struct Issuer {
    key: tempfile::NamedTempFile,
    modulus: Vec<u8>,
    /// Tokens by what was signed: PKCS#1 v1.5 is deterministic, and starting openssl takes longer than all else.
    tokens: Mutex<BTreeMap<String, String>>,
}

/// The key id of every issuer's one key.
pub const KEY_ID: &str = "test-key";

impl Issuer {
    /// One shared issuer.
    pub fn shared() -> &'static Self {
        static ISSUER: OnceLock<Issuer> = OnceLock::new();
        ISSUER.get_or_init(Self::new)
    }

    /// A new issuer with a key of its own.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let mut key = tempfile::NamedTempFile::new().unwrap();
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .stderr(Stdio::null())
            .output()
            .expect("openssl is installed");
        assert!(made.status.success());
        key.write_all(&made.stdout).unwrap();
        let shown =
            Command::new("openssl").args(["rsa", "-noout", "-modulus", "-in"]).arg(key.path()).output().unwrap();
        let text = String::from_utf8(shown.stdout).unwrap();
        let hex = text.trim().strip_prefix("Modulus=").unwrap();
        let modulus = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        Self { key, modulus, tokens: Mutex::default() }
    }

    /// The public keys (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Vec<u8> {
        let key = json!({
            "kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(&self.modulus), "e": "AQAB",
        });
        serde_json::to_vec(&json!({ "keys": [key] })).unwrap()
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID }), claims)
    }

    /// A token with this header and these claims.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut tokens = self.tokens.lock().unwrap();
        if let Some(token) = tokens.get(&signed) {
            return token.clone();
        }
        let mut child = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(self.key.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
        let signature = child.wait_with_output().unwrap();
        assert!(signature.status.success());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.stdout));
        tokens.insert(signed, token.clone());
        token
    }
}
