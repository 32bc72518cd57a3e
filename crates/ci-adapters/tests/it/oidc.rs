//! GitHub's OIDC service, as documented and as broken as it gets.

use std::sync::{Arc, OnceLock};

use ci_adapters::Secret;
use ci_adapters::github_oidc::{OidcError, fetch_issuer_keys, request_token};
use ci_testkit::{Request, Response, Server};

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln";

fn bearer() -> Secret {
    Secret::new("hunter2-request-token")
}

fn service(answer: Response) -> (Server, String) {
    let server = Server::start(move |_| answer.clone());
    let url = format!("http://{}/idtoken?api-version=2.0&run=hunter2-run", server.host());
    (server, url)
}

#[test]
fn a_token_is_asked_for_as_documented() {
    let (server, url) = service(Response::json(200, &format!(r#"{{"count":1,"value":"{JWT}"}}"#)));
    assert_eq!(request_token(&url, &bearer(), "ci-intel:sha256:0 0&x").unwrap(), JWT);
    let request = &server.requests()[0];
    assert_eq!(request.line(), "GET /idtoken?api-version=2.0&run=hunter2-run&audience=ci-intel%3Asha256%3A0%200%26x");
    assert_eq!(request.header("authorization"), Some("bearer hunter2-request-token"));
}

#[test]
fn anything_but_a_token_rejects_and_shows_no_secret() {
    let cases = [
        Response::json(200, "{}"),
        Response::json(200, r#"{"value":""}"#),
        Response::json(200, r#"{"value":"hunter2"}"#),
        Response::json(200, r#"{"value":"a.b."}"#),
        Response::json(200, r#"{"value":"a b.c.d"}"#),
        Response::json(200, "hunter2 not json"),
        Response::json(401, "hunter2-request-token is bad"),
        Response::status(403),
        Response::status(404),
        Response::status(429).with("retry-after", "3"),
        Response::status(500),
        Response::status(0),
        Response::status(302).with("location", "http://127.0.0.1:9/hunter2"),
        Response { body: vec![b'x'; 2 << 20], ..Response::status(200) },
        Response { truncate_to: Some(4), ..Response::json(200, &format!(r#"{{"value":"{JWT}"}}"#)) },
    ];
    for case in cases {
        let status = case.status;
        let (_server, url) = service(case);
        let error = request_token(&url, &bearer(), "x").unwrap_err();
        match status {
            401 | 403 => assert!(matches!(error, OidcError::Refused { .. }), "{error:?}"),
            429 => assert!(matches!(error, OidcError::RateLimited { retry_after_s: Some(3), .. }), "{error:?}"),
            404 | 500 => assert!(matches!(error, OidcError::Status { .. }), "{error:?}"),
            200 => assert!(matches!(error, OidcError::Malformed { .. }), "{error:?}"),
            _ => {}
        }
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn plain_http_to_another_machine_rejects() {
    for url in ["http://token.example/x", "http://127.0.0.1.example/x", "ftp://x", ""] {
        assert!(matches!(request_token(url, &bearer(), "x"), Err(OidcError::Address { .. })), "{url}");
        assert!(matches!(fetch_issuer_keys(url), Err(OidcError::Address { .. })), "{url}");
    }
}

/// An issuer whose discovery document and keys are made from its own address.
fn issuer(document: fn(&str) -> String, keys: Response) -> Server {
    let own = Arc::new(OnceLock::<String>::new());
    let host = Arc::clone(&own);
    let server = Server::start(move |request: &Request| match request.path.as_str() {
        "/.well-known/openid-configuration" => Response::json(200, &document(host.get().unwrap())),
        "/keys" => keys.clone(),
        _ => Response::status(404),
    });
    own.set(format!("http://{}", server.host())).unwrap();
    server
}

fn good(own: &str) -> String {
    format!(r#"{{"issuer":"{own}","jwks_uri":"{own}/keys"}}"#)
}

#[test]
fn keys_are_fetched_from_the_issuer() {
    let keys = r#"{"keys":[{"kty":"RSA"}]}"#;
    let server = issuer(good, Response::json(200, keys));
    assert_eq!(fetch_issuer_keys(&format!("http://{}", server.host())).unwrap(), keys.as_bytes());
}

#[test]
fn keys_of_elsewhere_and_no_keys_reject() {
    let keys = || Response::json(200, r#"{"keys":[{"kty":"RSA"}]}"#);
    type Document = fn(&str) -> String;
    let cases: [(Document, Response); 9] = [
        (|own| format!(r#"{{"issuer":"{own}","jwks_uri":"http://127.0.0.1:9/keys"}}"#), keys()),
        (|own| format!(r#"{{"issuer":"{own}","jwks_uri":"http://keys.example/keys"}}"#), keys()),
        (|own| format!(r#"{{"issuer":"{own}/","jwks_uri":"{own}/keys"}}"#), keys()),
        (|own| format!(r#"{{"issuer":"https://evil.example","jwks_uri":"{own}/keys"}}"#), keys()),
        (|_| "{}".to_owned(), keys()),
        (good, Response::json(200, r#"{"keys":[]}"#)),
        (good, Response::json(200, "[]")),
        (good, Response::status(403)),
        (good, Response::status(302).with("location", "http://127.0.0.1:9/keys")),
    ];
    for (document, keys) in cases {
        let server = issuer(document, keys);
        let outcome = fetch_issuer_keys(&format!("http://{}", server.host()));
        assert!(outcome.is_err(), "{outcome:?}");
    }
}
