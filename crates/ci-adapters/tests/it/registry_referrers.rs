//! Lists that lie, end early or are written by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ci_adapters::Registry;
use ci_execute::{ImageStore, StoreError};
use ci_testkit::{DebianRegistry, ReferrersRegistry, Request, Response, Server, forward};
use ci_types::{Descriptor, Digest, Tag};

use crate::support::{INDEX, Image, attachment, descriptor, json, registry};

fn index_of(entries: &[Descriptor]) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":{}}}"#, json(&entries))
}

fn index_answer(entries: &[Descriptor]) -> Response {
    Response { body: index_of(entries).into_bytes(), ..Response::status(200) }.with("content-type", INDEX)
}

fn fallback_tag(subject: &Digest) -> Tag {
    format!("sha256-{}", subject.hex()).parse().unwrap()
}

/// A real registry with two referrers, behind one whose referrers API answers as told.
fn lying(
    listing: impl Fn(&Request, &[Descriptor]) -> Response + Send + Sync + 'static,
) -> (ReferrersRegistry, Server, Registry, Image, Vec<Descriptor>) {
    let real = ReferrersRegistry::start();
    let direct = registry(&real.host(), "org/app");
    let image = Image::new("subject");
    image.push(&direct);
    let mut attached: Vec<Descriptor> =
        ["a/one", "a/two"].map(|kind| direct.attach(&image.descriptor(), &attachment(kind, kind)).unwrap()).to_vec();
    attached.sort_by_key(|entry| entry.digest);
    let (upstream, entries) = (real.host(), attached.clone());
    let server = Server::start(move |request| {
        if request.path.contains("/referrers/") {
            listing(request, &entries)
        } else {
            forward(&upstream, request).unwrap()
        }
    });
    let store = registry(&server.host(), "org/app");
    (real, server, store, image, attached)
}

#[test]
fn with_the_api_no_fallback_tag_is_written() {
    let real = ReferrersRegistry::start();
    let store = registry(&real.host(), "org/app");
    let image = Image::new("native");
    image.push(&store);
    let attached = store.attach(&image.descriptor(), &attachment("a/b", "x")).unwrap();
    assert_eq!(store.referrers(&image.digest(), None).unwrap(), [attached]);
    assert_eq!(store.resolve_tag(&fallback_tag(&image.digest())).unwrap(), None);
}

#[test]
fn all_pages_are_read() {
    let (_real, _server, store, image, attached) = lying(|request, entries| {
        let path = request.path.split('?').next().unwrap();
        if request.path.ends_with("?page=2") {
            index_answer(&entries[1..])
        } else {
            index_answer(&entries[..1]).with("link", &format!("<{path}?page=2>; rel=\"next\""))
        }
    });
    assert_eq!(store.referrers(&image.digest(), None).unwrap(), attached);
}

#[test]
fn a_filter_that_the_server_claims_is_applied_again() {
    let (_real, server, store, image, attached) =
        lying(|_, entries| index_answer(entries).with("oci-filters-applied", "artifactType"));
    let expected: Vec<_> =
        attached.into_iter().filter(|entry| entry.artifact_type.as_deref() == Some("a/two")).collect();
    assert_eq!(store.referrers(&image.digest(), Some("a/two")).unwrap(), expected);
    // Nor may the server filter at all: what it dropped could not be missed.
    assert!(server.requests().iter().all(|request| !request.path.contains("artifactType")));
}

#[test]
fn lists_that_cannot_be_trusted_reject() {
    type Listing = fn(&Request, &[Descriptor]) -> Response;
    let cases: [(&str, Listing); 12] = [
        ("a page that loops", |request, entries| {
            index_answer(entries).with("link", &format!("<{}>; rel=next", request.path))
        }),
        ("a link elsewhere", |_, entries| index_answer(entries).with("link", "<http://127.0.0.1:9/x>; rel=next")),
        ("a link of another kind", |_, entries| index_answer(entries).with("link", "</x>; rel=prev")),
        ("a broken link", |_, entries| index_answer(entries).with("link", "next please")),
        ("a missing page", |request, entries| {
            if request.path.ends_with("?2") {
                return Response::status(404);
            }
            index_answer(entries).with("link", &format!("<{}?2>; rel=next", request.path))
        }),
        ("another content type", |_, entries| Response::json(200, &index_of(entries))),
        ("no index", |_, _| Response::json(200, "{}").with("content-type", INDEX)),
        ("an empty body", |_, _| Response::status(200).with("content-type", INDEX)),
        ("a refusal", |_, _| Response::json(403, &index_of(&[])).with("content-type", INDEX)),
        ("a limit", |_, _| Response::json(429, &index_of(&[])).with("content-type", INDEX)),
        ("an entry that is not there", |_, entries| {
            index_answer(&[&[descriptor(crate::support::MANIFEST, b"ghost")], entries].concat())
        }),
        ("a size that is wrong", |_, entries| {
            index_answer(&[Descriptor { size: entries[0].size + 1, ..entries[0].clone() }])
        }),
    ];
    for (case, listing) in cases {
        let (_real, _server, store, image, _) = lying(listing);
        let outcome = store.referrers(&image.digest(), None);
        assert!(outcome.is_err(), "{case}: {outcome:?}");
    }
}

#[test]
fn a_listed_manifest_of_another_subject_rejects() {
    let (_real, _server, store, _, _) = lying(|_, entries| index_answer(entries));
    let error = store.referrers(&Digest::of(b"another image"), None).unwrap_err();
    assert!(matches!(&error, StoreError::Protocol { detail, .. } if detail.contains("does not name it")), "{error:?}");
}

#[test]
fn the_fallback_tag_keeps_what_others_wrote() {
    let Some(server) = DebianRegistry::start() else { return };
    let store = registry(&server.host(), "org/app");
    let image = Image::new("shared");
    image.push(&store);
    let first = store.attach(&image.descriptor(), &attachment("a/one", "1")).unwrap();
    // Another tool adds an annotation of its own and a field we do not know.
    let tag = fallback_tag(&image.digest());
    let before = store.get_manifest(&store.resolve_tag(&tag).unwrap().unwrap()).unwrap().unwrap();
    let mut theirs: serde_json::Value = serde_json::from_slice(&before.content).unwrap();
    theirs["annotations"] = serde_json::json!({ "their": "note" });
    theirs["manifests"][0]["unknown"] = serde_json::json!(1);
    let theirs = store.put_manifest(INDEX, &serde_json::to_vec(&theirs).unwrap()).unwrap();
    store.set_tag(&tag, &theirs).unwrap();
    let second = store.attach(&image.descriptor(), &attachment("a/two", "2")).unwrap();
    let after = store.get_manifest(&store.resolve_tag(&tag).unwrap().unwrap()).unwrap().unwrap();
    let after: serde_json::Value = serde_json::from_slice(&after.content).unwrap();
    assert_eq!(after["annotations"]["their"], "note");
    assert_eq!(after["manifests"][0]["unknown"], 1);
    assert_eq!(after["manifests"][1]["artifactType"], "a/two");
    assert_eq!(after["manifests"][1]["annotations"]["dev.ci-intel.kind"], "test");
    let mut expected = vec![first, second];
    expected.sort_by_key(|entry| entry.digest);
    assert_eq!(store.referrers(&image.digest(), None).unwrap(), expected);
}

#[test]
fn attaching_again_writes_nothing() {
    let Some(server) = DebianRegistry::start() else { return };
    let store = registry(&server.host(), "org/app");
    let image = Image::new("again");
    image.push(&store);
    let tag = fallback_tag(&image.digest());
    store.attach(&image.descriptor(), &attachment("a/b", "1")).unwrap();
    let before = store.resolve_tag(&tag).unwrap();
    store.attach(&image.descriptor(), &attachment("a/b", "1")).unwrap();
    assert_eq!(store.resolve_tag(&tag).unwrap(), before);
}

#[test]
fn an_update_that_a_rival_overwrote_is_written_again() {
    let Some(real) = DebianRegistry::start() else { return };
    let direct = registry(&real.host(), "org/app");
    let image = Image::new("rival");
    image.push(&direct);
    // The rival's index, as it will stand after overwriting ours.
    let theirs = direct.attach(&image.descriptor(), &attachment("a/theirs", "t")).unwrap();
    let tag = fallback_tag(&image.digest());
    let index = direct.resolve_tag(&tag).unwrap().unwrap();
    let struck = Arc::new(AtomicBool::new(false));
    let (upstream, once, rival, line) =
        (real.host(), Arc::clone(&struck), registry(&real.host(), "org/app"), tag.to_string());
    let server = Server::start(move |request| {
        let answer = forward(&upstream, request).unwrap();
        if request.method == "PUT" && request.path.ends_with(&line) && !once.swap(true, Ordering::Relaxed) {
            rival.set_tag(&line.parse().unwrap(), &index).unwrap();
        }
        answer
    });
    let store = registry(&server.host(), "org/app");
    let ours = store.attach(&image.descriptor(), &attachment("a/ours", "o")).unwrap();
    assert!(struck.load(Ordering::Relaxed));
    let mut expected = vec![ours, theirs];
    expected.sort_by_key(|entry| entry.digest);
    assert_eq!(store.referrers(&image.digest(), None).unwrap(), expected);
}

#[test]
fn a_fallback_tag_that_is_no_index_rejects() {
    let Some(server) = DebianRegistry::start() else { return };
    let store = registry(&server.host(), "org/app");
    let image = Image::new("squatted");
    image.push(&store);
    store.set_tag(&fallback_tag(&image.digest()), &image.digest()).unwrap();
    assert!(matches!(store.referrers(&image.digest(), None), Err(StoreError::Protocol { .. })));
    assert!(store.attach(&image.descriptor(), &attachment("a/b", "x")).is_err());
    assert_eq!(store.resolve_tag(&fallback_tag(&image.digest())).unwrap(), Some(image.digest()));
}
