//! skopeo and umoci on what we wrote, we on what they wrote.

use std::fs;

use ci_execute::ImageStore;
use ci_testkit::{DebianRegistry, ReferrersRegistry, require, run};
use ci_types::Digest;

use crate::support::{Image, attachment, layout, registry};

fn first_digest(layout: &std::path::Path) -> Digest {
    let index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
fn skopeo_pulls_from_a_layout_by_digest_and_by_tag() {
    if !require("skopeo", "skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = layout(&dir.path().join("images"));
    for seed in ["one", "two", "three"] {
        let image = Image::new(seed);
        image.push(&store);
        store.attach(&image.descriptor(), &attachment("a/b", seed)).unwrap();
    }
    let image = Image::new("two");
    store.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
    for name in ["v1".to_owned(), image.digest().to_string()] {
        let out = format!("out-{}", name.len());
        let _ = run(
            dir.path(),
            "skopeo",
            &["copy", "--preserve-digests", &format!("oci:images:{name}"), &format!("oci:{out}:x")],
        );
        assert_eq!(first_digest(&dir.path().join(out)), image.digest());
    }
}

#[test]
fn umoci_lists_and_collects_a_layout_without_harm() {
    if !require("umoci", "umoci") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = layout(&dir.path().join("images"));
    let image = Image::new("umoci");
    image.push(&store);
    store.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
    let listed = run(dir.path(), "umoci", &["list", "--layout", "images"]).stdout;
    assert!(String::from_utf8(listed).unwrap().lines().any(|line| line == "v1"));
    let _ = run(dir.path(), "umoci", &["stat", "--image", "images:v1"]);
    let _ = run(dir.path(), "umoci", &["gc", "--layout", "images"]);
    assert_eq!(store.get_blob(&Digest::of(&image.layer), 1 << 20).unwrap(), image.layer);
    assert_eq!(store.resolve_tag(&"v1".parse().unwrap()).unwrap(), Some(image.digest()));
}

#[test]
fn a_layout_made_by_umoci_is_read_and_extended() {
    if !require("umoci", "umoci") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("images");
    let _ = run(dir.path(), "umoci", &["init", "--layout", "images"]);
    assert_eq!(layout(&path).resolve_tag(&"v1".parse().unwrap()).unwrap(), None);
    let _ = run(dir.path(), "umoci", &["new", "--image", "images:v1"]);
    let store = layout(&path);
    let theirs = store.resolve_tag(&"v1".parse().unwrap()).unwrap().unwrap();
    assert!(store.get_manifest(&theirs).unwrap().is_some());
    Image::new("ours").push(&store);
    store.set_tag(&"v2".parse().unwrap(), &Image::new("ours").digest()).unwrap();
    assert_eq!(store.resolve_tag(&"v1".parse().unwrap()).unwrap(), Some(theirs));
    let _ = run(dir.path(), "umoci", &["stat", "--image", "images:v2"]);
}

#[test]
fn skopeo_pulls_from_registries_by_digest() {
    if !require("skopeo", "skopeo") {
        return;
    }
    let debian = DebianRegistry::start();
    let other = ReferrersRegistry::start();
    for host in debian.iter().map(DebianRegistry::host).chain([other.host()]) {
        let dir = tempfile::tempdir().unwrap();
        let image = Image::new("registry");
        let digest = image.push(&registry(&host, "org/app"));
        let from = format!("docker://{host}/org/app@{digest}");
        let _ =
            run(dir.path(), "skopeo", &["copy", "--preserve-digests", "--src-tls-verify=false", &from, "oci:out:x"]);
        assert_eq!(first_digest(&dir.path().join("out")), digest);
    }
}

#[test]
fn what_skopeo_pushed_is_resolved_and_pulled() {
    let Some(server) = DebianRegistry::start() else { return };
    if !require("skopeo", "skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = layout(&dir.path().join("images"));
    let image = Image::new("pushed");
    image.push(&store);
    let from = format!("oci:images:{}", image.digest());
    let to = format!("docker://{}/org/app:v1", server.host());
    let _ = run(dir.path(), "skopeo", &["copy", "--preserve-digests", "--dest-tls-verify=false", &from, &to]);
    let store = registry(&server.host(), "org/app");
    assert_eq!(store.resolve_tag(&"v1".parse().unwrap()).unwrap(), Some(image.digest()));
    assert_eq!(store.get_manifest(&image.digest()).unwrap().unwrap().content, image.manifest);
}
