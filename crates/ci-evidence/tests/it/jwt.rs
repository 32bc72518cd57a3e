//! OIDC tokens: one shape is accepted, everything else is refused for its own reason. Keys and signatures are openssl's.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ci_evidence::jwt::{self, JwtError, MAX_TOKEN_BYTES};
use ci_testkit::oidc::{Issuer, KEY_ID};
use serde_json::{Value, json};

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID })
}

fn token_with(header: &Value) -> String {
    Issuer::shared().token_with(header, &json!({ "sub": "me" }))
}

fn token() -> String {
    token_with(&header())
}

fn verify(token: &str) -> Result<Value, JwtError> {
    jwt::verify(token, &Issuer::shared().jwks())
}

fn keys(change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let mut set: Value = serde_json::from_slice(&Issuer::shared().jwks()).unwrap();
    change(set["keys"].as_array_mut().unwrap());
    serde_json::to_vec(&set).unwrap()
}

fn parts(token: &str) -> Vec<String> {
    token.split('.').map(str::to_owned).collect()
}

fn encode(value: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(value)
}

#[test]
fn a_token_of_the_issuer_gives_its_claims() {
    assert_eq!(verify(&token()), Ok(json!({ "sub": "me" })));
}

#[test]
fn alg_none_rejects_with_and_without_a_signature() {
    let unsigned = token_with(&json!({ "alg": "none", "kid": KEY_ID }));
    let mut parts = parts(&unsigned);
    assert!(matches!(verify(&unsigned), Err(JwtError::Algorithm(_))));
    parts[2].clear();
    assert!(matches!(verify(&parts.join(".")), Err(JwtError::Algorithm(_))));
}

/// The classic confusion: an HMAC keyed with the public key.
#[test]
fn other_algorithms_reject_before_any_key_is_looked_at() {
    for alg in ["HS256", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RS256 ", ""] {
        let token = token_with(&json!({ "alg": alg, "kid": KEY_ID }));
        assert!(matches!(verify(&token), Err(JwtError::Algorithm(_))), "{alg:?}");
        assert!(matches!(jwt::verify::<Value>(&token, b""), Err(JwtError::Algorithm(_))), "{alg:?}");
    }
}

#[test]
fn missing_or_strange_header_fields_reject() {
    for header in [
        json!({ "alg": "RS256" }),
        json!({ "kid": KEY_ID }),
        json!({ "alg": "RS256", "kid": null }),
        json!({ "alg": ["RS256"], "kid": KEY_ID }),
        json!([]),
        json!("RS256"),
    ] {
        assert!(matches!(verify(&token_with(&header)), Err(JwtError::Json { part: "header", .. })), "{header}");
    }
}

#[test]
fn a_repeated_header_key_rejects() {
    let twice = format!(r#"{{"alg":"none","kid":"{KEY_ID}","alg":"RS256"}}"#);
    let mut parts = parts(&token());
    parts[0] = encode(twice.as_bytes());
    assert!(matches!(verify(&parts.join(".")), Err(JwtError::Json { part: "header", .. })));
}

#[test]
fn critical_extensions_reject() {
    for crit in [json!(["b64"]), json!([]), json!("b64")] {
        let token = token_with(&json!({ "alg": "RS256", "kid": KEY_ID, "crit": crit, "b64": false }));
        assert!(matches!(verify(&token), Err(JwtError::Malformed(_))), "{crit}");
    }
}

#[test]
fn a_key_inside_the_token_is_never_used() {
    let thief = Issuer::new();
    let set: Value = serde_json::from_slice(&thief.jwks()).unwrap();
    let header = json!({ "alg": "RS256", "kid": KEY_ID, "jwk": set["keys"][0], "jku": "https://thief.example/jwks" });
    assert_eq!(verify(&thief.token_with(&header, &json!({ "sub": "me" }))), Err(JwtError::BadSignature));
}

#[test]
fn an_unknown_key_and_two_keys_of_one_id_reject() {
    let unknown = token_with(&json!({ "alg": "RS256", "kid": "other" }));
    assert!(matches!(verify(&unknown), Err(JwtError::KeyCount { count: 0, .. })));
    let twice = keys(|keys| keys.push(keys[0].clone()));
    assert!(matches!(jwt::verify::<Value>(&token(), &twice), Err(JwtError::KeyCount { count: 2, .. })));
    let none = keys(Vec::clear);
    assert!(matches!(jwt::verify::<Value>(&token(), &none), Err(JwtError::KeyCount { count: 0, .. })));
}

#[test]
fn a_key_for_something_else_does_not_count() {
    for (field, value) in [("kty", "oct"), ("alg", "RS512"), ("use", "enc")] {
        let other = keys(|keys| keys[0][field] = json!(value));
        assert!(matches!(jwt::verify::<Value>(&token(), &other), Err(JwtError::KeyCount { count: 0, .. })), "{field}");
    }
}

#[test]
fn key_sets_that_are_none_reject() {
    for set in [&b""[..], b"{}", b"[]", br#"{"keys":{}}"#, br#"{"keys":[],"keys":[]}"#] {
        assert!(matches!(jwt::verify::<Value>(&token(), set), Err(JwtError::Json { part: "issuer keys", .. })));
    }
}

#[test]
fn a_small_rsa_key_rejects() {
    let (small, key) = small_key();
    let signed = format!("{}.{}", encode(&serde_json::to_vec(&header()).unwrap()), encode(b"{}"));
    let token = format!("{signed}.{}", encode(&small(signed.as_bytes())));
    let set = serde_json::to_vec(&json!({ "keys": [key] })).unwrap();
    assert_eq!(jwt::verify::<Value>(&token, &set), Err(JwtError::BadSignature));
}

/// With exponent 1 the padded digest is its own signature: anyone can make it.
#[test]
fn a_key_with_exponent_1_rejects() {
    let weak = keys(|keys| keys[0]["e"] = json!(encode(&[1])));
    let signed = format!("{}.{}", encode(&serde_json::to_vec(&header()).unwrap()), encode(b"{}"));
    let digest_info = [
        &[
            0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ][..],
        ci_types::Digest::of(signed.as_bytes()).as_bytes(),
    ]
    .concat();
    let padded = [&[0, 1][..], &vec![0xFF; 256 - 3 - digest_info.len()], &[0], &digest_info].concat();
    let token = format!("{signed}.{}", encode(&padded));
    assert_eq!(jwt::verify::<Value>(&token, &weak), Err(JwtError::BadSignature));
}

#[test]
fn a_changed_payload_header_or_signature_rejects() {
    for part in 0..3 {
        let mut parts = parts(&token());
        let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        parts[part] = encode(&bytes);
        assert!(verify(&parts.join(".")).is_err(), "part {part}");
    }
    let mut parts = parts(&token());
    parts[1] = encode(br#"{"sub":"admin"}"#);
    assert_eq!(verify(&parts.join(".")), Err(JwtError::BadSignature));
}

#[test]
fn every_other_number_of_parts_rejects() {
    let token = token();
    let parts = parts(&token);
    for other in [
        format!("{token}."),
        format!("{token}.."),
        format!(".{token}"),
        format!("{token}.{}", parts[2]),
        parts[..2].join("."),
        parts[0].clone(),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(verify(&other).is_err(), "{other:?}");
    }
}

#[test]
fn other_spellings_of_base64url_reject() {
    let token = token();
    let parts = parts(&token);
    let signature = URL_SAFE_NO_PAD.decode(&parts[2]).unwrap();
    let mut stray_bits = parts[2].clone();
    // 256 bytes leave four unused bits in the last character; only zeros are canonical.
    let last = stray_bits.pop().unwrap();
    stray_bits.push(if last == 'Q' { 'R' } else { char::from(last as u8 + 1) });
    for other in [
        URL_SAFE.encode(&signature),
        format!("{}=", parts[2]),
        format!("{}\n", parts[2]),
        format!(" {}", parts[2]),
        parts[2].replace('-', "+").replace('_', "/") + "+",
        stray_bits,
    ] {
        assert_eq!(
            verify(&format!("{}.{}.{other}", parts[0], parts[1])),
            Err(JwtError::Malformed("base64url")),
            "{other}"
        );
    }
}

#[test]
fn an_oversized_token_rejects() {
    let claims = json!({ "sub": "x".repeat(MAX_TOKEN_BYTES) });
    assert!(matches!(verify(&Issuer::shared().token(&claims)), Err(JwtError::Malformed(_))));
}

#[test]
fn claims_of_another_shape_reject() {
    let token = Issuer::shared().token(&json!({ "sub": 1 }));
    let claims = jwt::verify::<ci_types::record::GithubClaims>(&token, &Issuer::shared().jwks());
    assert!(matches!(claims, Err(JwtError::Json { part: "payload", .. })), "{claims:?}");
}

/// A 1024-bit key: a signer, and its JWK.
fn small_key() -> (impl Fn(&[u8]) -> Vec<u8>, Value) {
    use std::process::Command;

    let folder = tempfile::tempdir().unwrap();
    let made = ci_testkit::run(
        folder.path(),
        "openssl",
        &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "key.pem"],
    );
    assert!(made.status.success());
    let shown = ci_testkit::run(folder.path(), "openssl", &["rsa", "-noout", "-modulus", "-in", "key.pem"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    let hex = text.trim().strip_prefix("Modulus=").unwrap();
    let modulus: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let key = json!({ "kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig", "n": encode(&modulus), "e": "AQAB" });
    let sign = move |message: &[u8]| {
        std::fs::write(folder.path().join("message"), message).unwrap();
        let signed = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign", "key.pem", "message"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(signed.status.success());
        signed.stdout
    };
    (sign, key)
}
