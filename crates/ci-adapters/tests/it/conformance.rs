//! One suite for every store.

use ci_adapters::RegistryOptions;
use ci_execute::{ImageStore, StoreError};
use ci_testkit::{DebianRegistry, ReferrersRegistry};
use ci_types::record::RegistryAction;
use ci_types::{Digest, Tag};

use crate::support::{INDEX, Image, MANIFEST, attachment, descriptor, json, layout, manifest_of, options, registry};

#[test]
fn layout_conforms() {
    let dir = tempfile::tempdir().unwrap();
    suite(&layout(&dir.path().join("images")));
}

#[test]
fn registry_without_referrers_api_conforms() {
    let Some(server) = DebianRegistry::start() else { return };
    suite(&registry(&server.host(), "org/app"));
}

#[test]
fn registry_with_referrers_api_conforms() {
    let server = ReferrersRegistry::start();
    suite(&registry(&server.host(), "org/app"));
}

#[test]
fn registry_conforms_with_chunked_uploads() {
    let Some(server) = DebianRegistry::start() else { return };
    let chunked = RegistryOptions { chunk_bytes: 700, ..options() };
    suite(&ci_adapters::Registry::new(&format!("{}/org/app", server.host()), chunked.clone()).unwrap());
    let server = ReferrersRegistry::start();
    suite(&ci_adapters::Registry::new(&format!("{}/org/app", server.host()), chunked).unwrap());
}

fn suite(store: &dyn ImageStore) {
    every_right_is_granted(store);
    what_is_not_there_is_none_or_missing(store);
    content_comes_back(store);
    wrong_content_rejects(store);
    manifests_without_their_content_reject(store);
    tags_move_and_only_to_what_is_stored(store);
    attachments_are_listed_once(store);
    an_index_and_its_images_come_back(store);
    let nothing = Digest::of(b"nothing of this kind");
    assert_eq!(store.get_manifest(&nothing).unwrap(), None);
}

fn every_right_is_granted(store: &dyn ImageStore) {
    for action in RegistryAction::ALL {
        let permission = store.probe(action);
        assert!(permission.granted, "{permission:?}");
    }
    assert_eq!(store.resolve_tag(&"ci-intel-permission-probe".parse().unwrap()).unwrap(), None);
}

fn what_is_not_there_is_none_or_missing(store: &dyn ImageStore) {
    let nothing = Digest::of(b"nothing");
    assert!(!store.has_blob(&nothing).unwrap());
    assert_eq!(store.get_manifest(&nothing).unwrap(), None);
    assert_eq!(store.resolve_tag(&"nothing".parse().unwrap()).unwrap(), None);
    assert!(store.referrers(&nothing, None).unwrap().is_empty());
    assert!(matches!(store.get_blob(&nothing, 100), Err(StoreError::Missing { .. })));
    assert!(matches!(store.set_tag(&"v0".parse().unwrap(), &nothing), Err(StoreError::Missing { .. })));
    let ghost = descriptor(MANIFEST, b"ghost");
    assert!(matches!(store.attach(&ghost, &attachment("a/b", "x")), Err(StoreError::Missing { .. })));
}

fn content_comes_back(store: &dyn ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
    let file = dir.path().join("blob");
    std::fs::write(&file, &content).unwrap();
    let digest = Digest::of(&content);
    for _ in 0..2 {
        store.put_blob(&digest, content.len() as u64, &file).unwrap();
    }
    assert!(store.has_blob(&digest).unwrap());
    assert_eq!(store.get_blob(&digest, content.len() as u64).unwrap(), content);
    let short = store.get_blob(&digest, content.len() as u64 - 1);
    assert!(matches!(short, Err(StoreError::Protocol { .. })), "{short:?}");
    let empty = store.put_blob_bytes(b"").unwrap();
    assert_eq!(store.get_blob(&empty, 10).unwrap(), b"");

    let image = Image::new("content");
    assert_eq!(image.push(store), image.digest());
    assert_eq!(image.push(store), image.digest());
    let stored = store.get_manifest(&image.digest()).unwrap().unwrap();
    assert_eq!((stored.media_type.as_str(), stored.content), (MANIFEST, image.manifest));
}

fn wrong_content_rejects(store: &dyn ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("blob");
    std::fs::write(&file, b"actual").unwrap();
    let other = Digest::of(b"stated");
    assert!(matches!(store.put_blob(&other, 6, &file), Err(StoreError::WrongDigest { .. })));
    assert!(!store.has_blob(&other).unwrap());
    let actual = Digest::of(b"actual");
    assert!(matches!(store.put_blob(&actual, 7, &file), Err(StoreError::Protocol { .. })));
    assert!(!store.has_blob(&actual).unwrap());
    assert!(matches!(store.put_blob(&actual, 6, &dir.path().join("none")), Err(StoreError::Unreachable { .. })));
}

fn manifests_without_their_content_reject(store: &dyn ImageStore) {
    let orphan = manifest_of(b"config never pushed", b"layer never pushed");
    let error = store.put_manifest(MANIFEST, &orphan).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. } | StoreError::Protocol { .. }), "{error}");
    assert_eq!(store.get_manifest(&Digest::of(&orphan)).unwrap(), None);
    for (media_type, content) in [
        (MANIFEST, b"{}".to_vec()),
        (MANIFEST, b"not json".to_vec()),
        ("text/plain", Image::new("x").manifest),
        (INDEX, Image::new("x").manifest),
    ] {
        assert!(matches!(store.put_manifest(media_type, &content), Err(StoreError::Protocol { .. })));
    }
}

fn tags_move_and_only_to_what_is_stored(store: &dyn ImageStore) {
    let tag: Tag = "v1".parse().unwrap();
    let (one, two) = (Image::new("one"), Image::new("two"));
    one.push(store);
    two.push(store);
    assert_eq!(store.resolve_tag(&tag).unwrap(), None);
    for image in [&one, &one, &two] {
        store.set_tag(&tag, &image.digest()).unwrap();
        assert_eq!(store.resolve_tag(&tag).unwrap(), Some(image.digest()));
    }
    assert!(store.get_manifest(&one.digest()).unwrap().is_some());
    let blob = store.put_blob_bytes(b"no manifest").unwrap();
    store.set_tag(&tag, &blob).unwrap_err();
    assert_eq!(store.resolve_tag(&tag).unwrap(), Some(two.digest()));
}

fn attachments_are_listed_once(store: &dyn ImageStore) {
    let image = Image::new("attached");
    image.push(store);
    let subject = image.descriptor();
    let sbom = attachment("application/vnd.cyclonedx+json", "{\"sbom\":1}");
    let verdict = attachment("application/vnd.ci-intel.decision.v1+json", "{\"verdict\":1}");
    let first = store.attach(&subject, &sbom).unwrap();
    assert_eq!(store.attach(&subject, &sbom).unwrap(), first);
    let second = store.attach(&subject, &verdict).unwrap();
    let mut expected = vec![first.clone(), second];
    expected.sort_by_key(|entry| entry.digest);
    assert_eq!(store.referrers(&subject.digest, None).unwrap(), expected);
    assert_eq!(store.referrers(&subject.digest, Some(&sbom.artifact_type)).unwrap(), std::slice::from_ref(&first));
    assert!(store.referrers(&subject.digest, Some("no/type")).unwrap().is_empty());
    assert_eq!(first.artifact_type.as_deref(), Some("application/vnd.cyclonedx+json"));
    assert_eq!(first.annotations, sbom.annotations);
    let stored = store.get_manifest(&first.digest).unwrap().unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&stored.content).unwrap();
    assert_eq!(manifest["subject"]["digest"], subject.digest.to_string());
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    let layer: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    assert_eq!(store.get_blob(&layer, 100).unwrap(), b"{\"sbom\":1}");
    // Attachments of attachments: a signature of the decision.
    let signature = store.attach(&first_as_subject(&first), &attachment("a/signature", "s")).unwrap();
    assert_eq!(store.referrers(&first.digest, None).unwrap(), [signature]);
    let lying = ci_types::Descriptor { size: subject.size + 1, ..subject.clone() };
    assert!(matches!(store.attach(&lying, &sbom), Err(StoreError::Protocol { .. })));
    let untyped = store.attach(&subject, &attachment("", "x"));
    assert!(matches!(untyped, Err(StoreError::Protocol { .. })));
}

fn first_as_subject(first: &ci_types::Descriptor) -> ci_types::Descriptor {
    ci_types::Descriptor { artifact_type: None, annotations: std::collections::BTreeMap::new(), ..first.clone() }
}

fn an_index_and_its_images_come_back(store: &dyn ImageStore) {
    let (amd64, arm64) = (Image::new("amd64"), Image::new("arm64"));
    amd64.push(store);
    arm64.push(store);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{},{}]}}"#,
        json(&amd64.descriptor()),
        json(&arm64.descriptor())
    )
    .into_bytes();
    let digest = store.put_manifest(INDEX, &index).unwrap();
    let stored = store.get_manifest(&digest).unwrap().unwrap();
    assert_eq!((stored.media_type.as_str(), stored.content), (INDEX, index));
    store.set_tag(&"multi".parse().unwrap(), &digest).unwrap();
    assert_eq!(store.resolve_tag(&"multi".parse().unwrap()).unwrap(), Some(digest));
    let orphan = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        json(&Image::new("never").descriptor())
    );
    assert!(store.put_manifest(INDEX, orphan.as_bytes()).is_err());
}
