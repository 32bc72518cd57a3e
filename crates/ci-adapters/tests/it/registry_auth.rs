//! Logins: right, wrong, missing, by token; and no secret in any text.

use std::fs;

use ci_adapters::{Credentials, Login, Registry, RegistryOptions, Secret};
use ci_execute::{ImageStore, StoreError};
use ci_testkit::{DebianRegistry, RegistrySetup, Response, Server, forward};
use ci_types::Digest;
use ci_types::record::RegistryAction;

use crate::support::{Image, attachment, options};

fn store(host: &str, login: Option<Login>) -> Registry {
    let credentials = login.map_or_else(Credentials::none, |login| Credentials::none().with(host, login));
    Registry::new(&format!("{host}/org/app"), RegistryOptions { credentials, ..options() }).unwrap()
}

fn basic(user: &str, password: &str) -> Login {
    Login::Basic { user: user.to_owned(), password: Secret::new(password) }
}

fn with_password() -> Option<DebianRegistry> {
    DebianRegistry::start_with(RegistrySetup { password: true, tls: false })
}

#[test]
fn the_right_password_is_let_in() {
    let Some(server) = with_password() else { return };
    let (user, password) = server.login();
    let store = store(&server.host(), Some(basic(user, password)));
    for action in RegistryAction::ALL {
        assert!(store.probe(action).granted, "{:?}", store.probe(action));
    }
    let image = Image::new("auth");
    image.push(&store);
    store.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
    store.attach(&image.descriptor(), &attachment("a/b", "x")).unwrap();
    assert_eq!(store.referrers(&image.digest(), None).unwrap().len(), 1);
}

/// base64("ci:correct-horse"), put together here: this file is released by our own lane.
fn login() -> String {
    ["Y2k6Y29ycmVj", "dC1ob3JzZQ=="].concat()
}

#[test]
fn a_login_file_of_docker_is_used() {
    let Some(server) = with_password() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, format!(r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#, server.host(), login())).unwrap();
    let credentials = Credentials::from_docker_config(Some(&path)).unwrap();
    let store =
        Registry::new(&format!("{}/org/app", server.host()), RegistryOptions { credentials, ..options() }).unwrap();
    assert!(store.probe(RegistryAction::Push).granted);
}

#[test]
fn wrong_and_missing_passwords_reject_everything_and_show_nothing() {
    let Some(server) = with_password() else { return };
    let image = Image::new("auth");
    for login in [Some(basic("ci", "hunter2-wrong")), Some(Login::IdentityToken(Secret::new("hunter2-id"))), None] {
        let store = store(&server.host(), login.clone());
        let layer = Digest::of(&image.layer);
        let refusals = [
            store.resolve_tag(&"v1".parse().unwrap()).map(|_| ()),
            store.get_manifest(&image.digest()).map(|_| ()),
            store.get_blob(&layer, 10).map(|_| ()),
            store.has_blob(&layer).map(|_| ()),
            store.put_blob_bytes(&image.layer).map(|_| ()),
            store.set_tag(&"v1".parse().unwrap(), &image.digest()),
            store.attach(&image.descriptor(), &attachment("a/b", "x")).map(|_| ()),
            store.referrers(&image.digest(), None).map(|_| ()),
        ];
        for refusal in refusals {
            let error = refusal.unwrap_err();
            assert!(matches!(error, StoreError::Unauthenticated { .. }), "{login:?}: {error:?}");
            assert_hidden(&format!("{error} {error:?}"));
        }
        for action in RegistryAction::ALL {
            let permission = store.probe(action);
            assert!(!permission.granted);
            assert_hidden(&permission.detail);
        }
        assert_hidden(&format!("{store:?} {login:?}"));
    }
}

fn assert_hidden(text: &str) {
    // The password, and what base64 makes of `ci:hunter2-wrong`.
    for secret in ["hunter2", "Y2k6aHVudGVy", "issued-token"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// A token service and a registry that wants its tokens, in front of a real registry.
fn with_tokens(upstream: String, grants: &'static str) -> Server {
    let host = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let own = std::sync::Arc::clone(&host);
    let server = Server::start(move |request| {
        let own = own.get().unwrap();
        if request.path.starts_with("/token") {
            let is_basic = request.header("authorization") == Some("Basic Y2k6aHVudGVyMg==");
            let is_refresh = request.method == "POST" && request.body.ends_with(b"refresh_token=hunter2-refresh");
            if !is_basic && !is_refresh {
                return Response::json(
                    401,
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"Basic Y2k6aHVudGVyMg== is bad"}]}"#,
                );
            }
            let wanted = format!("{}{}", request.path, String::from_utf8_lossy(&request.body));
            let scope = if wanted.contains("pull%2Cpush") { grants } else { "pull" };
            return Response::json(200, &format!(r#"{{"token":"issued-token-{scope}","expires_in":60}}"#));
        }
        let writes = !matches!(request.method.as_str(), "GET" | "HEAD");
        let challenge = format!("Bearer realm=\"http://{own}/token\",service=\"reg\"");
        match request.header("authorization") {
            Some("Bearer issued-token-pull,push") => forward(&upstream, request).unwrap(),
            Some("Bearer issued-token-pull") if !writes => forward(&upstream, request).unwrap(),
            Some("Bearer issued-token-pull") => {
                Response::json(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"issued-token-pull"}]}"#)
                    .with("www-authenticate", &format!("{challenge},error=\"insufficient_scope\""))
            }
            _ => Response::status(401).with("www-authenticate", &challenge),
        }
    });
    host.set(server.host()).unwrap();
    server
}

#[test]
fn tokens_are_fetched_for_the_scope_and_kept() {
    let Some(upstream) = DebianRegistry::start() else { return };
    for login in [basic("ci", "hunter2"), Login::IdentityToken(Secret::new("hunter2-refresh"))] {
        let server = with_tokens(upstream.host(), "pull,push");
        let store = store(&server.host(), Some(login));
        let image = Image::new("token");
        image.push(&store);
        store.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
        assert_eq!(store.resolve_tag(&"v1".parse().unwrap()).unwrap(), Some(image.digest()));
        let tokens = server.requests().iter().filter(|request| request.path.starts_with("/token")).count();
        assert_eq!(tokens, 2, "one token for pull, one for push");
        // The password goes to the token service only.
        for request in server.requests().iter().filter(|request| !request.path.starts_with("/token")) {
            assert!(request.header("authorization").is_none_or(|value| value.starts_with("Bearer ")));
        }
    }
}

#[test]
fn an_expired_token_is_replaced_once() {
    let Some(upstream) = DebianRegistry::start() else { return };
    let image = Image::new("expired");
    image.push(&store(&upstream.host(), None));
    let own = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let (host, issued, real) = (std::sync::Arc::clone(&own), std::sync::atomic::AtomicU32::new(0), upstream.host());
    // Each token is good until the next one is issued; the first is dead on arrival of the second request.
    let uses = std::sync::atomic::AtomicU32::new(0);
    let server = Server::start(move |request| {
        use std::sync::atomic::Ordering::Relaxed;
        if request.path.starts_with("/token") {
            let number = issued.fetch_add(1, Relaxed);
            return Response::json(200, &format!(r#"{{"access_token":"token-{number}"}}"#));
        }
        let challenge = format!("Bearer realm=\"http://{}/token\"", host.get().unwrap());
        match request.header("authorization") {
            Some("Bearer token-0") if uses.fetch_add(1, Relaxed) == 0 => forward(&real, request).unwrap(),
            Some("Bearer token-1") => forward(&real, request).unwrap(),
            _ => Response::status(401).with("www-authenticate", &challenge),
        }
    });
    own.set(server.host()).unwrap();
    let with_login = store;
    let store = store(&server.host(), None);
    for _ in 0..3 {
        assert!(store.get_manifest(&image.digest()).unwrap().is_some());
    }
    assert_eq!(server.count("GET /token"), 2);
    // A ready token that is refused is not silently replaced by an anonymous one.
    let refused = with_login(&server.host(), Some(Login::RegistryToken(Secret::new("hunter2"))));
    let error = refused.get_manifest(&image.digest()).unwrap_err();
    assert!(matches!(error, StoreError::Unauthenticated { .. }), "{error:?}");
    assert_eq!(server.count("GET /token"), 2);
}

const CHILD: &str = "CI_ADAPTERS_TEST_LOGIN_HOST";

/// Runs in a process of its own, whose environment the parent test chooses: 0 means that the login was found and let in.
#[test]
fn login_child() {
    let Ok(host) = std::env::var(CHILD) else { return };
    let credentials = Credentials::from_docker_config(None).unwrap();
    let store = Registry::new(&format!("{host}/org/app"), RegistryOptions { credentials, ..options() }).unwrap();
    let permission = store.probe(RegistryAction::Push);
    assert!(permission.granted, "{permission:?}");
}

#[test]
fn logins_are_found_where_docker_and_podman_keep_them() {
    use std::os::unix::fs::PermissionsExt;
    let Some(server) = with_password() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.into_os_string()
    };
    let host = server.host();
    let auths = format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, login());
    file(
        "bin/docker-credential-good",
        "#!/bin/sh\nread s; echo '{\"ServerURL\":\"'$s'\",\"Username\":\"ci\",\"Secret\":\"correct-horse\"}'\n",
    );
    file("bin/docker-credential-none", "#!/bin/sh\necho credentials not found in native keychain; exit 1\n");
    file("bin/docker-credential-bad", "#!/bin/sh\necho hunter2; exit 2\n");
    file("docker/config.json", &auths);
    file("home/.docker/config.json", &auths);
    file("run/containers/auth.json", &auths);
    for helper in ["good", "none", "bad"] {
        file(&format!("{helper}/config.json"), &format!(r#"{{"credHelpers":{{"{host}":"{helper}"}}}}"#));
        file(&format!("{helper}-store/config.json"), &format!(r#"{{"credsStore":"{helper}"}}"#));
    }
    file("empty/config.json", "{}");
    for (variable, value, found) in [
        ("DOCKER_CONFIG", "docker", true),
        ("REGISTRY_AUTH_FILE", "docker/config.json", true),
        ("HOME", "home", true),
        ("XDG_RUNTIME_DIR", "run", true),
        ("DOCKER_CONFIG", "good", true),
        ("DOCKER_CONFIG", "good-store", true),
        ("DOCKER_CONFIG", "none", false),
        ("DOCKER_CONFIG", "none-store", false),
        ("DOCKER_CONFIG", "bad", false),
        ("DOCKER_CONFIG", "empty", false),
        ("DOCKER_CONFIG", "missing", false),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "registry_auth::login_child"])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", dir.path().join("bin").display()))
            .env(CHILD, &host)
            .env(variable, dir.path().join(value))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), found, "{variable}={value}: {text}");
        assert_hidden(&text);
    }
}

#[test]
fn a_token_without_the_right_names_the_right() {
    let Some(upstream) = DebianRegistry::start() else { return };
    let server = with_tokens(upstream.host(), "pull");
    let store = store(&server.host(), Some(basic("ci", "hunter2")));
    assert!(store.probe(RegistryAction::Pull).granted);
    assert_eq!(store.resolve_tag(&"v1".parse().unwrap()).unwrap(), None);
    for action in [RegistryAction::Push, RegistryAction::Tag] {
        let permission = store.probe(action);
        assert!(!permission.granted && permission.detail.contains("lacks org/app:push"), "{permission:?}");
        assert_hidden(&permission.detail);
    }
    let error = store.put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(error, StoreError::Forbidden { .. }), "{error:?}");
    assert_hidden(&format!("{error:?} {store:?}"));
}

#[test]
fn a_wrong_password_at_the_token_service_rejects_and_its_echo_is_hidden() {
    let Some(upstream) = DebianRegistry::start() else { return };
    let server = with_tokens(upstream.host(), "pull,push");
    let error = store(&server.host(), Some(basic("ci", "hunter2-wrong"))).put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(error, StoreError::Unauthenticated { .. }), "{error:?}");
    let error = store(&server.host(), None).put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(error, StoreError::Unauthenticated { .. }), "{error:?}");
    // A server that echoes the very header it got.
    let echo = Server::start(|request| {
        let header = request.header("authorization").unwrap_or_default();
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"{header} hunter2-wrong"}}]}}"#);
        Response::json(401, &body).with("www-authenticate", "Basic realm=\"x\"")
    });
    let error = store(&echo.host(), Some(basic("ci", "hunter2-wrong"))).put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(error, StoreError::Unauthenticated { .. }), "{error:?}");
    assert_hidden(&format!("{error} {error:?}"));
}

#[test]
fn odd_token_services_reject() {
    for (realm, answer) in [
        ("http://registry.example/token", Response::status(500)),
        ("nonsense", Response::status(500)),
        ("", Response::status(500)),
        ("SELF", Response::json(200, "{}")),
        ("SELF", Response::json(200, r#"{"token":""}"#)),
        ("SELF", Response::json(200, r#"{"token":"a\r\nX-Evil: 1"}"#)),
        ("SELF", Response::json(200, "not json")),
        ("SELF", Response::status(403)),
        ("SELF", Response::status(429)),
        ("SELF", Response::status(503)),
    ] {
        let host = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
        let own = std::sync::Arc::clone(&host);
        let server = Server::start(move |request| {
            if request.path.starts_with("/token") {
                return answer.clone();
            }
            let realm = realm.replace("SELF", &format!("http://{}/token", own.get().unwrap()));
            Response::status(401).with("www-authenticate", &format!("Bearer realm=\"{realm}\""))
        });
        host.set(server.host()).unwrap();
        let error =
            store(&server.host(), Some(basic("ci", "hunter2"))).resolve_tag(&"v1".parse().unwrap()).unwrap_err();
        assert_hidden(&format!("{error} {error:?}"));
    }
}

#[test]
fn a_private_ca_must_be_named() {
    let Some(server) = DebianRegistry::start_with(RegistrySetup { password: true, tls: true }) else { return };
    let (user, password) = server.login();
    let credentials = Credentials::none().with(&server.host(), basic(user, password));
    let with_ca = |ca_pem| {
        let options = RegistryOptions { plain_http: false, ca_pem, credentials: credentials.clone(), ..options() };
        Registry::new(&format!("{}/org/app", server.host()), options)
    };
    let error = with_ca(None).unwrap().put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(&error, StoreError::Unreachable { detail, .. } if detail.contains("TLS")), "{error:?}");
    let store = with_ca(Some(server.tls().unwrap().ca_pem.clone())).unwrap();
    let image = Image::new("tls");
    assert_eq!(image.push(&store), image.digest());
    assert!(with_ca(Some(b"no certificate".to_vec())).is_err());
}
