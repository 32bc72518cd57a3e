//! From a built layout to its place.

use std::fs;

use ci_adapters::copy_layout;
use ci_execute::{ImageStore, StoreError};
use ci_testkit::{DebianRegistry, require, run};
use ci_types::Digest;

use crate::support::{INDEX, Image, json, layout, registry};

#[test]
fn an_image_built_by_buildah_reaches_layout_and_registry_unchanged() {
    if !require("buildah", "buildah") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("hello"), b"hello").unwrap();
    fs::write(dir.path().join("Dockerfile"), "FROM scratch\nCOPY hello /hello\n").unwrap();
    let storage = ["--root", "storage", "--runroot", "run", "--storage-driver", "vfs"];
    let build = ["bud", "--isolation", "chroot", "--timestamp", "0", "--iidfile", "iid", "."];
    let _ = run(dir.path(), "buildah", &[&storage[..], &build[..]].concat());
    let id = fs::read_to_string(dir.path().join("iid")).unwrap();
    let push = ["push", "--digestfile", "digest", id.trim(), "oci:built:x"];
    let _ = run(dir.path(), "buildah", &[&storage[..], &push[..]].concat());
    let digest: Digest = fs::read_to_string(dir.path().join("digest")).unwrap().trim().parse().unwrap();

    let target = layout(&dir.path().join("images"));
    let published = copy_layout(&dir.path().join("built"), &digest, &target).unwrap();
    assert_eq!(published.digest, digest);
    assert_eq!(target.get_manifest(&digest).unwrap().unwrap().content.len() as u64, published.size);
    assert!(!dir.path().join("built/.ci-intel").exists(), "the built layout is only read");
    if let Some(server) = DebianRegistry::start() {
        let target = registry(&server.host(), "org/app");
        assert_eq!(copy_layout(&dir.path().join("built"), &digest, &target).unwrap(), published);
        assert!(target.get_manifest(&digest).unwrap().is_some());
    }
}

#[test]
fn an_image_index_brings_its_images() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = layout(from.path());
    let (one, two) = (Image::new("one"), Image::new("two"));
    one.push(&source);
    two.push(&source);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{},{}]}}"#,
        json(&one.descriptor()),
        json(&two.descriptor())
    );
    let digest = source.put_manifest(INDEX, index.as_bytes()).unwrap();
    let target = layout(to.path());
    assert_eq!(copy_layout(from.path(), &digest, &target).unwrap().digest, digest);
    assert_eq!(target.get_manifest(&two.digest()).unwrap().unwrap().content, two.manifest);
}

#[test]
fn a_damaged_or_incomplete_build_publishes_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = layout(from.path());
    let image = Image::new("x");
    let digest = image.push(&source);
    let target = layout(to.path());
    let layer = from.path().join("blobs/sha256").join(Digest::of(&image.layer).hex());

    let mut damaged = image.layer.clone();
    damaged[0] ^= 1;
    fs::write(&layer, damaged).unwrap();
    assert!(matches!(copy_layout(from.path(), &digest, &target), Err(StoreError::WrongDigest { .. })));
    fs::remove_file(&layer).unwrap();
    copy_layout(from.path(), &digest, &target).unwrap_err();
    assert_eq!(target.get_manifest(&digest).unwrap(), None);
    let nothing = Digest::of(b"nothing");
    assert!(matches!(copy_layout(from.path(), &nothing, &target), Err(StoreError::Missing { .. })));
    assert!(copy_layout(&from.path().join("none"), &digest, &target).is_err());
}
