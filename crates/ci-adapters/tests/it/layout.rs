//! Damage, strangers and rivals in a layout.

use std::fs;

use ci_adapters::OciLayout;
use ci_execute::{ImageStore, StoreError};
use ci_types::Digest;
use ci_types::record::RegistryAction;

use crate::support::{Image, attachment, layout};

fn blob(dir: &std::path::Path, digest: &Digest) -> std::path::PathBuf {
    dir.join("blobs/sha256").join(digest.hex())
}

#[test]
fn a_damaged_blob_rejects_and_is_repaired_by_storing_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = layout(dir.path());
    let image = Image::new("damaged");
    image.push(&store);
    let layer = Digest::of(&image.layer);
    for damage in [&b"other"[..], b"", &image.layer[..100]] {
        fs::write(blob(dir.path(), &layer), damage).unwrap();
        assert!(matches!(store.get_blob(&layer, 10_000), Err(StoreError::WrongDigest { .. })));
        assert!(matches!(store.has_blob(&layer), Err(StoreError::WrongDigest { .. })));
        store.put_blob_bytes(&image.layer).unwrap();
        assert_eq!(store.get_blob(&layer, 10_000).unwrap(), image.layer);
    }
    fs::write(blob(dir.path(), &image.digest()), b"{}").unwrap();
    assert!(matches!(store.get_manifest(&image.digest()), Err(StoreError::WrongDigest { .. })));
    assert!(matches!(store.set_tag(&"v1".parse().unwrap(), &image.digest()), Err(StoreError::WrongDigest { .. })));
}

#[test]
fn a_listed_manifest_without_its_blob_is_not_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = layout(dir.path());
    let image = Image::new("gone");
    image.push(&store);
    store.set_tag(&"v1".parse().unwrap(), &image.digest()).unwrap();
    fs::remove_file(blob(dir.path(), &image.digest())).unwrap();
    assert!(matches!(store.get_manifest(&image.digest()), Err(StoreError::Missing { .. })));
    assert!(matches!(store.resolve_tag(&"v1".parse().unwrap()), Err(StoreError::Missing { .. })));
    assert!(matches!(store.referrers(&Digest::of(b"any"), None), Err(StoreError::Missing { .. })));
}

#[test]
fn a_damaged_referrer_is_not_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = layout(dir.path());
    let image = Image::new("subject");
    image.push(&store);
    let attached = store.attach(&image.descriptor(), &attachment("a/b", "x")).unwrap();
    fs::write(blob(dir.path(), &attached.digest), b"{}").unwrap();
    assert!(matches!(store.referrers(&image.digest(), None), Err(StoreError::WrongDigest { .. })));
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_in_place_of_a_blob_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let store = layout(dir.path());
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), b"outside").unwrap();
    let digest = Digest::of(b"outside");
    std::os::unix::fs::symlink(outside.path(), blob(dir.path(), &digest)).unwrap();
    assert!(store.get_blob(&digest, 100).is_err());
}

#[test]
fn an_unreadable_index_rejects_everything_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = layout(dir.path());
    let image = Image::new("index");
    image.push(&store);
    let index = dir.path().join("index.json");
    for damage in ["", "{", "[]", r#"{"schemaVersion":2}"#, r#"{"schemaVersion":2,"manifests":[{"digest":"x"}]}"#] {
        fs::write(&index, damage).unwrap();
        assert!(store.resolve_tag(&"v1".parse().unwrap()).is_err(), "{damage}");
        assert!(store.referrers(&image.digest(), None).is_err());
        assert!(store.put_manifest(crate::support::MANIFEST, &image.manifest).is_err());
        for action in RegistryAction::ALL {
            assert!(!store.probe(action).granted);
        }
        assert_eq!(fs::read_to_string(&index).unwrap(), damage);
    }
    fs::remove_file(&index).unwrap();
    assert!(matches!(store.resolve_tag(&"v1".parse().unwrap()), Err(StoreError::Missing { .. })));
}

#[test]
fn a_directory_that_is_no_layout_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let missing = OciLayout::open(&dir.path().join("none"), "app");
    assert!(matches!(missing, Err(StoreError::Missing { .. })));
    assert!(!dir.path().join("none").exists());
    fs::write(dir.path().join("photo.jpg"), b"x").unwrap();
    assert!(matches!(OciLayout::open_or_create(dir.path(), "app"), Err(StoreError::Protocol { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("oci-layout"), br#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(OciLayout::open_or_create(other.path(), "app"), Err(StoreError::Protocol { .. })));
}

#[test]
fn a_creation_that_was_killed_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".ci-intel/tmp")).unwrap();
    fs::write(dir.path().join(".ci-intel/tmp/1-1"), b"{\"image").unwrap();
    let store = layout(dir.path());
    Image::new("x").push(&store);
    assert_eq!(fs::read_dir(dir.path().join(".ci-intel/tmp")).unwrap().count(), 0);
}

#[test]
fn ten_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let subject = Image::new("shared");
    subject.push(&layout(dir.path()));
    let (dir, subject) = (dir.path(), &subject);
    std::thread::scope(|scope| {
        for writer in 0..10 {
            scope.spawn(move || {
                let store = layout(dir);
                for round in 0..5 {
                    let image = Image::new(&format!("{writer}-{round}"));
                    image.push(&store);
                    store.set_tag(&format!("w{writer}-{round}").parse().unwrap(), &image.digest()).unwrap();
                    store.attach(&subject.descriptor(), &attachment("a/b", &format!("{writer}-{round}"))).unwrap();
                }
            });
        }
    });
    let store = layout(dir);
    for writer in 0..10 {
        for round in 0..5 {
            let image = Image::new(&format!("{writer}-{round}"));
            let tag = format!("w{writer}-{round}").parse().unwrap();
            assert_eq!(store.resolve_tag(&tag).unwrap(), Some(image.digest()));
        }
    }
    assert_eq!(store.referrers(&subject.digest(), Some("a/b")).unwrap().len(), 50);
}

#[test]
fn every_spelling_of_a_target_opens_or_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let options = ci_adapters::OpenOptions {
        image_name: "org/app".to_owned(),
        create: true,
        registry: crate::support::options(),
    };
    let store = ci_adapters::open("oci-layout:state/images", dir.path(), &options).unwrap();
    assert_eq!(store.name(), "org/app");
    assert!(dir.path().join("state/images/oci-layout").exists());
    let store = ci_adapters::open("registry:127.0.0.1:5000/org/app", dir.path(), &options).unwrap();
    assert_eq!(store.name(), "127.0.0.1:5000/org/app");
    for bad in ["", "oci-layout", "oci-layout:", "registry:", "registry:host", "docker://h/a", "/path", "registry:h/A"]
    {
        assert!(ci_adapters::open(bad, dir.path(), &options).is_err(), "{bad}");
    }
    let reading = ci_adapters::OpenOptions { create: false, ..options };
    assert!(ci_adapters::open("oci-layout:elsewhere", dir.path(), &reading).is_err());
    assert!(!dir.path().join("elsewhere").exists());
}
