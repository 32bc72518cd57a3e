//! Each fault has its own error, and none reads as "nothing there".

use std::time::Duration;

use ci_adapters::{Credentials, Login, Registry, RegistryOptions, Secret};
use ci_execute::{ImageStore, StoreError};
use ci_testkit::{DebianRegistry, Fault, FaultProxy, Response, Server};
use ci_types::Digest;
use ci_types::record::RegistryAction;

use crate::support::{Image, MANIFEST, attachment, options, registry};

type Operation = (&'static str, bool, fn(&Registry, &Image) -> Result<String, StoreError>);

/// Every method of the port; the flag says whether the answer has content that can be damaged.
const OPERATIONS: [Operation; 9] = [
    ("resolve_tag", true, |store, _| store.resolve_tag(&"v1".parse().unwrap()).map(|found| format!("{found:?}"))),
    ("get_manifest", true, |store, image| store.get_manifest(&image.digest()).map(|found| format!("{found:?}"))),
    ("get_blob", true, |store, image| {
        store.get_blob(&Digest::of(&image.layer), 1 << 20).map(|found| format!("{found:?}"))
    }),
    ("referrers", true, |store, image| store.referrers(&image.digest(), None).map(|found| format!("{found:?}"))),
    ("set_tag", true, |store, image| store.set_tag(&"v2".parse().unwrap(), &image.digest()).map(|()| String::new())),
    ("attach", true, |store, image| {
        store.attach(&image.descriptor(), &attachment("a/b", "late")).map(|found| format!("{found:?}"))
    }),
    ("has_blob", false, |store, image| store.has_blob(&Digest::of(&image.layer)).map(|found| format!("{found}"))),
    ("put_blob", false, |store, _| store.put_blob_bytes(b"new").map(|found| format!("{found}"))),
    ("put_manifest", false, |store, image| {
        store.put_manifest(MANIFEST, &image.manifest).map(|found| format!("{found}"))
    }),
];

struct Stage {
    proxy: FaultProxy,
    store: Registry,
    image: Image,
    _server: DebianRegistry,
}

/// A registry behind a proxy, holding an image with a tag and a referrer.
fn stage() -> Option<Stage> {
    let server = DebianRegistry::start()?;
    let image = Image::new("faults");
    let direct = registry(&server.host(), "org/app");
    image.push(&direct);
    direct.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
    direct.attach(&image.descriptor(), &attachment("a/b", "early")).unwrap();
    let proxy = FaultProxy::start(&server.host());
    let impatient = RegistryOptions { request_timeout: Duration::from_millis(400), ..options() };
    let store = Registry::new(&format!("{}/org/app", proxy.server().host()), impatient).unwrap();
    Some(Stage { proxy, store, image, _server: server })
}

fn json_error(status: u16, code: &str) -> Fault {
    Fault::Answer(Response::json(status, &format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#)))
}

#[test]
fn every_operation_names_every_refusal() {
    let Some(stage) = stage() else { return };
    type Expected = fn(&StoreError) -> bool;
    let html = Response { body: b"<html>not found</html>".to_vec(), ..Response::status(404) };
    let limited = Response::json(429, r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#).with("retry-after", "7");
    let faults: [(Fault, Expected); 12] = [
        (json_error(401, "UNAUTHORIZED"), |error| matches!(error, StoreError::Unauthenticated { .. })),
        (
            json_error(403, "DENIED"),
            |error| matches!(error, StoreError::Forbidden { detail, .. } if detail.contains("needs org/app:pu")),
        ),
        (Fault::Answer(limited), |error| matches!(error, StoreError::RateLimited { retry_after_s: Some(7), .. })),
        (json_error(500, "UNKNOWN"), |error| matches!(error, StoreError::Unreachable { .. })),
        (json_error(503, "UNAVAILABLE"), |error| matches!(error, StoreError::Unreachable { .. })),
        (json_error(418, "TEAPOT"), |error| matches!(error, StoreError::Protocol { .. })),
        (Fault::Answer(Response::status(204)), |error| matches!(error, StoreError::Protocol { .. })),
        (Fault::Answer(Response::status(206)), |error| matches!(error, StoreError::Protocol { .. })),
        (Fault::Answer(Response::status(302)), |error| matches!(error, StoreError::Protocol { .. })),
        (Fault::Drop, |error| matches!(error, StoreError::Unreachable { .. })),
        (
            Fault::Delay(Duration::from_millis(1500)),
            |error| matches!(error, StoreError::Unreachable { detail, .. } if detail.contains("did not answer")),
        ),
        (Fault::Answer(html), |error| matches!(error, StoreError::Protocol { .. } | StoreError::Missing { .. })),
    ];
    let mut cells = 0;
    for (fault, expected) in faults {
        for (name, _, operation) in OPERATIONS {
            // A bare 404 to HEAD is the specification's "not there".
            if name == "has_blob" && matches!(&fault, Fault::Answer(response) if response.status == 404) {
                continue;
            }
            stage.proxy.clear();
            stage.proxy.inject("", u32::MAX, fault.clone());
            let error = operation(&stage.store, &stage.image).expect_err(&format!("{name} under {fault:?}"));
            assert!(expected(&error), "{name} under {fault:?}: {error:?}");
            cells += 1;
        }
    }
    println!("{cells} cells of operation and fault rejected");
}

#[test]
fn damaged_content_rejects() {
    let Some(stage) = stage() else { return };
    for fault in [Fault::Truncate(0), Fault::Truncate(40), Fault::SwapByte] {
        for (name, _, operation) in OPERATIONS.into_iter().filter(|(_, has_content, _)| *has_content) {
            stage.proxy.clear();
            stage.proxy.inject("GET ", u32::MAX, fault.clone());
            let error = operation(&stage.store, &stage.image).expect_err(&format!("{name} under {fault:?}"));
            let expected = matches!(error, StoreError::WrongDigest { .. } | StoreError::Protocol { .. });
            assert!(expected, "{name} under {fault:?}: {error:?}");
        }
    }
}

#[test]
fn a_digest_header_that_disagrees_rejects() {
    let Some(stage) = stage() else { return };
    for (value, wrong_digest) in [(Digest::of(b"other").to_string(), true), ("sha512:00".to_owned(), false)] {
        for (name, _, operation) in OPERATIONS.into_iter().filter(|(name, ..)| !matches!(*name, "get_blob")) {
            stage.proxy.clear();
            stage.proxy.inject("", u32::MAX, Fault::Header("docker-content-digest", value.clone()));
            let error = operation(&stage.store, &stage.image).expect_err(name);
            assert_eq!(matches!(error, StoreError::WrongDigest { .. }), wrong_digest, "{name}: {error:?}");
        }
    }
    // Absent, it is computed; after a push it is read back.
    stage.proxy.clear();
    stage.proxy.inject("", u32::MAX, Fault::Header("docker-content-digest", String::new()));
    assert_eq!(stage.store.resolve_tag(&"v1".parse().unwrap()).unwrap(), Some(stage.image.digest()));
    assert_eq!(stage.store.put_manifest(MANIFEST, &stage.image.manifest).unwrap(), stage.image.digest());
}

#[test]
fn a_404_that_speaks_of_rights_is_a_refusal() {
    let Some(stage) = stage() else { return };
    stage.proxy.inject("GET ", u32::MAX, json_error(404, "DENIED"));
    assert!(matches!(stage.store.resolve_tag(&"v1".parse().unwrap()), Err(StoreError::Forbidden { .. })));
    assert!(matches!(stage.store.referrers(&stage.image.digest(), None), Err(StoreError::Forbidden { .. })));
    assert!(matches!(stage.store.get_blob(&stage.image.digest(), 9), Err(StoreError::Forbidden { .. })));
}

#[test]
fn only_what_is_safe_is_sent_again() {
    let Some(stage) = stage() else { return };
    let tag = "v1".parse().unwrap();
    for fault in [Fault::Drop, json_error(502, "X"), json_error(503, "X"), json_error(504, "X"), Fault::Truncate(9)] {
        stage.proxy.clear();
        stage.proxy.inject("GET ", 2, fault);
        assert_eq!(stage.store.resolve_tag(&tag).unwrap(), Some(stage.image.digest()));
    }
    let asked = |line: &str, fault: Fault, times: usize| {
        // Writes of the rounds that break reads go through, so each kind of request writes its own blob.
        stage.proxy.clear();
        stage.proxy.inject(line, u32::MAX, fault.clone());
        let before = stage.proxy.server().count(line);
        let (read, written) = (stage.store.resolve_tag(&tag), stage.store.put_blob_bytes(line.as_bytes()));
        assert!(read.is_err() || written.is_err());
        assert_eq!(stage.proxy.server().count(line) - before, times, "{line} {fault:?}");
    };
    asked("GET ", Fault::Drop, 3);
    for status in [401, 403, 429, 500] {
        asked("GET ", json_error(status, "X"), 1);
    }
    asked("POST ", Fault::Drop, 1);
    asked("POST ", json_error(503, "X"), 1);
    asked("PUT ", Fault::LoseAnswer, 1);
    // The lost answer was a success: the next push finds the blob.
    stage.proxy.clear();
    assert!(stage.store.has_blob(&Digest::of(b"PUT ")).unwrap());
    stage.store.put_blob_bytes(b"PUT ").unwrap();
}

#[test]
fn a_probe_names_the_missing_right() {
    let Some(stage) = stage() else { return };
    for (line, action, needs) in [
        ("GET /v2/", RegistryAction::Pull, "org/app:pull"),
        ("POST ", RegistryAction::Push, "org/app:push"),
        ("PUT ", RegistryAction::Tag, "org/app:push"),
        ("GET ", RegistryAction::ListReferrers, "org/app:pull"),
    ] {
        stage.proxy.clear();
        stage.proxy.inject(line, u32::MAX, json_error(403, "DENIED"));
        let permission = stage.store.probe(action);
        assert!(!permission.granted && permission.detail.contains(needs), "{permission:?}");
        assert!(permission.detail.contains("HTTP 403 DENIED"), "{permission:?}");
        for fault in
            [json_error(500, "UNKNOWN"), Fault::Drop, Fault::Answer(Response::status(200)), json_error(404, "X")]
        {
            stage.proxy.clear();
            stage.proxy.inject(line, u32::MAX, fault.clone());
            let permission = stage.store.probe(action);
            assert!(!permission.granted, "{fault:?}: {permission:?}");
        }
    }
}

#[test]
fn a_registry_that_is_not_there_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = registry(&free.to_string(), "org/app");
    for (name, _, operation) in OPERATIONS {
        let error = operation(&store, &Image::new("x")).expect_err(name);
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    }
    for action in RegistryAction::ALL {
        assert!(!store.probe(action).granted);
    }
}

#[test]
fn a_larger_answer_than_allowed_rejects() {
    let server = Server::start(|_| Response { unannounced: true, body: vec![b' '; 5 << 20], ..Response::status(200) });
    let store = registry(&server.host(), "org/app");
    assert!(matches!(store.get_blob(&Digest::of(b"x"), 1000), Err(StoreError::Protocol { .. })));
    assert!(matches!(store.get_manifest(&Digest::of(b"x")), Err(StoreError::Protocol { .. })));
    let encoded = Server::start(|_| Response::json(200, "{}").with("content-encoding", "gzip"));
    let store = registry(&encoded.host(), "org/app");
    assert!(matches!(store.get_blob(&Digest::of(b"{}"), 1000), Err(StoreError::Protocol { .. })));
}

#[test]
fn a_login_never_follows_a_redirect_to_another_host() {
    let content = b"blob at a content network";
    let elsewhere = Server::start(|_| Response { body: content.to_vec(), ..Response::status(200) });
    let location = format!("http://{}/signed?signature=s3cr3t", elsewhere.host());
    let home = Server::start(move |request| match request.header("authorization") {
        None => Response::status(401).with("www-authenticate", "Basic realm=\"x\""),
        Some(_) => Response::status(307).with("location", &location),
    });
    let login = Login::Basic { user: "ci".to_owned(), password: Secret::new("hunter2") };
    let with_login = RegistryOptions { credentials: Credentials::none().with(&home.host(), login), ..options() };
    let store = Registry::new(&format!("{}/org/app", home.host()), with_login).unwrap();
    assert_eq!(store.get_blob(&Digest::of(content), 100).unwrap(), content);
    assert_eq!(home.requests().last().unwrap().header("authorization"), Some("Basic Y2k6aHVudGVyMg=="));
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(elsewhere.requests()[0].header("authorization"), None);
    // A write is never redirected, and the signature of the location stays out of the message.
    let error = store.put_manifest(MANIFEST, &Image::new("x").manifest).unwrap_err();
    assert!(matches!(error, StoreError::Protocol { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cr3t"));
}

#[test]
fn redirects_to_plain_http_elsewhere_or_in_circles_reject() {
    for location in ["http://registry.example/blob", "ftp://x/", "", "/v2/org/app/blobs/again"] {
        let server = Server::start(move |_| Response::status(302).with("location", location));
        let error = registry(&server.host(), "org/app").get_blob(&Digest::of(b"x"), 10).unwrap_err();
        assert!(matches!(error, StoreError::Protocol { .. }), "{location}: {error:?}");
    }
}

#[test]
fn an_upload_location_elsewhere_gets_no_login_and_plain_http_none_at_all() {
    let elsewhere = Server::start(|_| Response::status(201));
    let location = format!("http://{}/upload?state=1", elsewhere.host());
    let server = Server::start(move |request| match (request.method.as_str(), request.header("authorization")) {
        (_, None) => Response::status(401).with("www-authenticate", "Basic realm=\"x\""),
        ("POST", _) => Response::status(202).with("location", &location),
        _ => Response::status(404),
    });
    let login = Login::Basic { user: "ci".to_owned(), password: Secret::new("hunter2") };
    let with_login = RegistryOptions { credentials: Credentials::none().with(&server.host(), login), ..options() };
    let store = Registry::new(&format!("{}/org/app", server.host()), with_login).unwrap();
    // It says 201 and still does not have the blob: an acknowledgement is not believed.
    let error = store.put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(&error, StoreError::Protocol { detail, .. } if detail.contains("does not have it")), "{error:?}");
    let uploads = elsewhere.requests();
    assert_eq!(uploads.len(), 1);
    assert_eq!((uploads[0].header("authorization"), uploads[0].body.as_slice()), (None, &b"x"[..]));
    assert!(uploads[0].path.starts_with("/upload?state=1&digest=sha256%3A"));

    let server = Server::start(|request| match request.method.as_str() {
        "POST" => Response::status(202).with("location", "http://registry.example/upload"),
        _ => Response::status(404),
    });
    let error = registry(&server.host(), "org/app").put_blob_bytes(b"x").unwrap_err();
    assert!(matches!(&error, StoreError::Protocol { detail, .. } if detail.contains("plain HTTP")), "{error:?}");
}
