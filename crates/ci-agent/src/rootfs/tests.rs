#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;

/// Compression of a test layer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pack {
    Tar,
    Gzip,
    Zstd,
}

/// One entry of a test layer, written without any check so that hostile archives can be made.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Dir(&'static str, u32),
    File(&'static str, u32, Vec<u8>),
    Link(&'static str, &'static str),
    Hard(&'static str, &'static str),
    Device(&'static str),
}

pub(crate) fn file(path: &'static str, text: &str) -> Item {
    Item::File(path, 0o644, text.as_bytes().to_vec())
}

pub(crate) fn tar_of(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        let (path, kind, mode, content, link) = match item {
            Item::Dir(path, mode) => (path, tar::EntryType::Directory, *mode, Vec::new(), ""),
            Item::File(path, mode, content) => (path, tar::EntryType::Regular, *mode, content.clone(), ""),
            Item::Link(path, target) => (path, tar::EntryType::Symlink, 0o777, Vec::new(), *target),
            Item::Hard(path, target) => (path, tar::EntryType::Link, 0o644, Vec::new(), *target),
            Item::Device(path) => (path, tar::EntryType::Char, 0o666, Vec::new(), ""),
        };
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn put(layout: &Path, content: &[u8]) -> Digest {
    let digest = Digest::of(content);
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(digest.hex()), content).unwrap();
    digest
}

pub(crate) fn descriptor(media_type: &str, digest: Digest, size: usize) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size: size as u64,
        artifact_type: None,
        annotations: BTreeMap::new(),
    }
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes an image of uncompressed layer archives; `run` is the `config` object of the image config.
pub(crate) fn image_of(layout: &Path, layers: &[Vec<u8>], pack: Pack, run: serde_json::Value) -> ImageOnDisk {
    let mut diff_ids = Vec::new();
    let mut blobs = Vec::new();
    for content in layers {
        diff_ids.push(Digest::of(content));
        let (bytes, suffix) = match pack {
            Pack::Tar => (content.clone(), ""),
            Pack::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(content).unwrap();
                (encoder.finish().unwrap(), "+gzip")
            }
            Pack::Zstd => (zstd::encode_all(content.as_slice(), 1).unwrap(), "+zstd"),
        };
        let digest = put(layout, &bytes);
        blobs.push(descriptor(&format!("application/vnd.oci.image.layer.v1.tar{suffix}"), digest, bytes.len()));
    }
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let config = serde_json::json!({ "architecture": architecture, "os": "linux", "config": run,
        "rootfs": { "type": "layers", "diff_ids": diff_ids } })
    .to_string();
    let config = descriptor("application/vnd.oci.image.config.v1+json", put(layout, config.as_bytes()), config.len());
    let manifest =
        serde_json::json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs }).to_string();
    let digest = put(layout, manifest.as_bytes());
    ImageOnDisk { layout: layout.to_owned(), manifest: descriptor(MANIFEST, digest, manifest.len()) }
}

fn open(layers: &[&[Item]]) -> (tempfile::TempDir, Result<Image, RootfsError>) {
    let dir = tempfile::tempdir().unwrap();
    let layers: Vec<_> = layers.iter().map(|items| tar_of(items)).collect();
    let image = image_of(dir.path(), &layers, Pack::Gzip, serde_json::Value::Null);
    let opened = Image::open(&image, Limits::default());
    (dir, opened)
}

/// Path to content (or link target), as the walk and the unpacked directory both must show it.
fn contents(image: &Image) -> BTreeMap<String, String> {
    let mut walked = BTreeMap::new();
    image
        .files(
            |_, _, _| true,
            |path, bytes| {
                assert!(walked.insert(path.to_owned(), String::from_utf8_lossy(bytes).into_owned()).is_none())
            },
        )
        .unwrap();
    let dest = tempfile::tempdir().unwrap();
    let root = dest.path().join("root");
    image.unpack(&root, false).unwrap();
    for (path, entry) in image.tree.iter() {
        let path = String::from_utf8(path.to_vec()).unwrap();
        let on_disk = root.join(&path);
        match &entry.kind {
            EntryKind::File { .. } => {
                assert!(on_disk.symlink_metadata().unwrap().is_file());
                assert_eq!(std::fs::read(&on_disk).unwrap(), walked[&path].as_bytes());
            }
            EntryKind::Symlink(target) => {
                assert_eq!(std::fs::read_link(&on_disk).unwrap().as_os_str().as_encoded_bytes(), target);
                walked.insert(path, format!("-> {}", String::from_utf8_lossy(target)));
            }
            EntryKind::Dir => assert!(on_disk.symlink_metadata().unwrap().is_dir()),
            EntryKind::Special => assert!(!on_disk.exists()),
        }
    }
    walked
}

fn merged(layers: &[&[Item]]) -> BTreeMap<String, String> {
    let (_dir, image) = open(layers);
    contents(&image.unwrap())
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn upper_layers_replace_and_whiteouts_hide() {
    let lower = [
        file("etc/a", "1"),
        file("etc/b", "1"),
        file("opt/x/old", "1"),
        file("opt/x/deep/old", "1"),
        file("var/f", "1"),
    ];
    let upper = [
        file("etc/a", "2"),
        file("etc/.wh.b", ""),
        file("opt/x/new", "2"),
        // After an entry of the same layer, which must stay.
        file("opt/x/.wh..wh..opq", ""),
        file("var/.wh.f", ""),
        file("var/f/now-a-dir", "2"),
    ];
    assert_eq!(merged(&[&lower, &upper]), map(&[("etc/a", "2"), ("opt/x/new", "2"), ("var/f/now-a-dir", "2")]));
}

#[test]
fn a_whiteout_spares_its_own_layer() {
    let merged = merged(&[&[file("d/old", "1")], &[file("d/new", "2"), file(".wh.d", "")]]);
    assert_eq!(merged, map(&[("d/new", "2")]));
}

#[test]
fn a_parent_that_is_a_link_is_followed_inside_the_root() {
    let merged = merged(&[
        &[
            Item::Dir("usr/lib", 0o755),
            Item::Link("lib", "usr/lib"),
            Item::Link("up", "../../../../usr"),
            Item::Link("abs", "/usr"),
        ],
        &[file("lib/libx.so", "x"), file("up/one", "1"), file("abs/two", "2")],
    ]);
    assert_eq!(
        merged,
        map(&[
            ("abs", "-> /usr"),
            ("lib", "-> usr/lib"),
            ("up", "-> ../../../../usr"),
            ("usr/lib/libx.so", "x"),
            ("usr/one", "1"),
            ("usr/two", "2")
        ])
    );
}

#[test]
fn hard_links_share_content_across_layers() {
    let merged = merged(&[&[file("a", "1"), Item::Hard("b", "a")], &[Item::Hard("c", "/b"), file("a", "2")]]);
    assert_eq!(merged, map(&[("a", "2"), ("b", "1"), ("c", "1")]));
}

#[test]
fn every_compression_gives_the_same_tree() {
    let layers = [tar_of(&[file("a", "1"), Item::Dir("d", 0o750)]), tar_of(&[file("d/b", "2")])];
    let trees: Vec<_> = [Pack::Tar, Pack::Gzip, Pack::Zstd]
        .into_iter()
        .map(|pack| {
            let dir = tempfile::tempdir().unwrap();
            let image =
                Image::open(&image_of(dir.path(), &layers, pack, serde_json::json!({})), Limits::default()).unwrap();
            (contents(&image), image.tree)
        })
        .collect();
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[1], trees[2]);
    assert_eq!(trees[0].1.get(b"d").unwrap().mode, 0o750);
}

#[test]
fn hostile_entries_reject() {
    let long = "x".repeat(90);
    assert!(long.len() < 100);
    for (items, reason) in [
        (vec![file("../evil", "x")], "climbs"),
        (vec![file("a/../../evil", "x")], "climbs"),
        (vec![Item::Hard("x", "../../etc/passwd")], "climbs"),
        (vec![Item::Hard("x", "etc/passwd")], "not there"),
        (vec![Item::Link("l", "/tmp"), file("l/evil", "x")], "dangling"),
        (vec![Item::Link("a", "b"), Item::Link("b", "a"), file("a/evil", "x")], "loop"),
        (vec![file("f", "x"), file("f/evil", "x")], "not a directory"),
        (vec![file(".wh...", "x")], "whiteout of nothing"),
    ] {
        let (_dir, opened) = open(&[&items]);
        let error = opened.unwrap_err();
        assert!(
            matches!(&error, RootfsError::Hostile { reason: found, .. } if found.contains(reason)),
            "{items:?}: {error}"
        );
    }
}

#[test]
fn links_out_of_the_root_are_kept_but_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    let target: &'static str = Box::leak(outside.path().to_str().unwrap().to_owned().into_boxed_str());
    let (_dir, image) =
        open(&[&[Item::Link("out", target)], &[Item::Dir("out", 0o755), file("out/evil", "x"), file("/abs", "y")]]);
    assert_eq!(contents(&image.unwrap()), map(&[("abs", "y"), ("out/evil", "x")]));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn devices_and_set_user_id_bits_stay_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, image) = open(&[&[Item::Device("dev/null"), Item::File("bin/su", 0o4755, b"x".to_vec())]]);
    let image = image.unwrap();
    let dest = tempfile::tempdir().unwrap();
    image.unpack(&dest.path().join("r"), false).unwrap();
    assert!(!dest.path().join("r/dev/null").exists());
    assert_eq!(dest.path().join("r/bin/su").metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(matches!(image.unpack(dest.path(), false), Err(RootfsError::NotEmpty(_))));
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().unwrap();
    let image = image_of(
        dir.path(),
        &[tar_of(&[Item::File("zero", 0o644, vec![0; 4 << 20])])],
        Pack::Gzip,
        serde_json::Value::Null,
    );
    let bytes = Image::open(&image, Limits { bytes: 1 << 20, ..Limits::default() });
    assert!(matches!(bytes, Err(RootfsError::TooLarge { what: "bytes", .. })), "{bytes:?}");
    let entries = Image::open(&image, Limits { entries: 0, ..Limits::default() });
    assert!(matches!(entries, Err(RootfsError::TooLarge { what: "entries", .. })));
}

#[test]
fn changed_bytes_reject() {
    let dir = tempfile::tempdir().unwrap();
    let image = image_of(dir.path(), &[tar_of(&[file("a", "1")])], Pack::Tar, serde_json::Value::Null);
    let blobs: Vec<_> =
        std::fs::read_dir(dir.path().join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(blobs.len(), 3);
    for blob in blobs {
        let good = std::fs::read(&blob).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&blob, &bad).unwrap();
            assert!(Image::open(&image, Limits::default()).is_err(), "{} byte {at}", blob.display());
        }
        std::fs::write(&blob, [good.as_slice(), b"x"].concat()).unwrap();
        assert!(Image::open(&image, Limits::default()).is_err());
        std::fs::remove_file(&blob).unwrap();
        assert!(Image::open(&image, Limits::default()).is_err());
        std::fs::write(&blob, &good).unwrap();
    }
    assert!(Image::open(&image, Limits::default()).is_ok());
}

#[test]
fn another_content_than_the_config_says_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let image = image_of(dir.path(), &[tar_of(&[file("a", "1")])], Pack::Gzip, serde_json::Value::Null);
    let path = layer::blob_path(dir.path(), &image.manifest.digest);
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // A well-formed layer with right digests that the config does not know.
    let other = tar_of(&[file("a", "2")]);
    let digest = put(dir.path(), &other);
    manifest["layers"][0] =
        serde_json::to_value(descriptor("application/vnd.oci.image.layer.v1.tar", digest, other.len())).unwrap();
    let text = manifest.to_string();
    let forged = ImageOnDisk { manifest: descriptor(MANIFEST, put(dir.path(), text.as_bytes()), text.len()), ..image };
    assert!(matches!(Image::open(&forged, Limits::default()), Err(RootfsError::WrongDiffId { layer: 0, .. })));
}

#[test]
fn unknown_media_types_reject() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = image_of(dir.path(), &[], Pack::Tar, serde_json::Value::Null);
    image.manifest.media_type = "application/vnd.oci.image.index.v1+json".to_owned();
    assert!(matches!(Image::open(&image, Limits::default()), Err(RootfsError::UnsupportedMediaType(_))));
}

#[test]
fn resolving_follows_links_like_a_process_in_the_root() {
    let (_dir, image) = open(&[&[
        file("usr/bin/dash", "x"),
        Item::Link("bin", "usr/bin"),
        Item::Link("usr/bin/sh", "dash"),
        Item::Link("etc/alternatives/shell", "/bin/sh"),
        Item::Link("loop", "loop"),
    ]]);
    let tree = image.unwrap().tree;
    for path in ["/bin/sh", "bin/../../bin/./sh", "/etc/alternatives/shell"] {
        assert_eq!(tree.resolve(path).unwrap().0, "usr/bin/dash", "{path}");
    }
    for path in ["/loop", "/bin/none", "/usr/bin/dash/x", "/none/../bin/sh"] {
        assert!(tree.resolve(path).is_none(), "{path}");
    }
}

#[test]
fn archives_of_gnu_tar_unpack_alike() {
    use std::os::unix::fs::symlink;
    let source = tempfile::tempdir().unwrap();
    let at = |path: &str| source.path().join(path);
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    std::fs::create_dir_all(at(&long).parent().unwrap()).unwrap();
    std::fs::write(at(&long), "long").unwrap();
    std::fs::write(at("caf\u{e9} \u{fc}ber"), "named").unwrap();
    symlink("x".repeat(150), at("long-link")).unwrap();
    std::fs::hard_link(at(&long), at("hard")).unwrap();
    let sparse = std::fs::File::create(at("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (1 << 20) - 3).unwrap();
    for (format, with_sparse) in [("gnu", true), ("pax", true), ("pax", false), ("posix", false)] {
        let excluded = if with_sparse { "--exclude=no-such-name" } else { "--exclude=sparse" };
        let archive = source.path().with_extension("tar");
        let output = std::process::Command::new("tar")
            .args(["--sparse", "--sparse-version=1.0", "--sort=name", excluded, &format!("--format={format}"), "-cf"])
            .args([archive.as_path(), Path::new("-C"), source.path(), Path::new(".")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dir = tempfile::tempdir().unwrap();
        let image = image_of(dir.path(), &[std::fs::read(&archive).unwrap()], Pack::Zstd, serde_json::Value::Null);
        std::fs::remove_file(&archive).unwrap();
        let opened = Image::open(&image, Limits::default());
        if format != "gnu" && with_sparse {
            // Read as something else than a runtime would read it, so not read at all.
            assert!(
                matches!(&opened, Err(RootfsError::Hostile { reason, .. }) if reason.contains("sparse")),
                "{opened:?}"
            );
            continue;
        }
        let found = contents(&opened.unwrap());
        assert_eq!(found[&long], "long", "{format}");
        assert_eq!(found["hard"], "long");
        assert_eq!(found["caf\u{e9} \u{fc}ber"], "named");
        assert_eq!(found["long-link"], format!("-> {}", "x".repeat(150)));
        if !with_sparse {
            continue;
        }
        let content = found.get("sparse").map(|text| (text.len(), text.ends_with("\0end")));
        assert_eq!(content, Some((1 << 20, true)), "{format}: {:?}", found.keys());
    }
}
