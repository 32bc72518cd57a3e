//! Planted differences: each is named as what it is, and nothing else is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use ci_agent::dual::first_difference;
use ci_agent::engine::{LayoutReason, verify_layout};
use ci_types::Digest;
use ci_types::record::Difference;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixture::have;

/// One entry of a layer; `content` of a link is its target.
#[derive(Clone)]
struct Entry {
    path: &'static str,
    kind: tar::EntryType,
    mode: u32,
    mtime: u64,
    uid: u64,
    content: Vec<u8>,
}

fn entry(path: &'static str, content: impl Into<Vec<u8>>) -> Entry {
    Entry { path, kind: tar::EntryType::Regular, mode: 0o644, mtime: 5, uid: 0, content: content.into() }
}

fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_mtime(entry.mtime);
        header.set_uid(entry.uid);
        header.set_gid(0);
        if entry.kind == tar::EntryType::Symlink {
            header.set_size(0);
            let target = std::str::from_utf8(&entry.content).unwrap();
            builder.append_link(&mut header, entry.path, target).unwrap();
        } else {
            header.set_size(entry.content.len() as u64);
            builder.append_data(&mut header, entry.path, entry.content.as_slice()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8], mtime: u32, name: &str, level: u32) -> Vec<u8> {
    let builder = GzBuilder::new().mtime(mtime).filename(name);
    let mut encoder = builder.write(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layout by hand, so that anything can be wrong with it.
fn layout(dir: &Path, layers: &[Vec<u8>], level: u32, config: &Value) {
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let put = |bytes: &[u8], media_type: &str| {
        let digest = Digest::of(bytes);
        fs::write(dir.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    };
    let mut document = config.clone();
    if document.get("rootfs").is_none() {
        document["rootfs"] =
            json!({ "type": "layers", "diff_ids": layers.iter().map(|tar| Digest::of(tar)).collect::<Vec<_>>() });
    }
    let config = put(&serde_json::to_vec(&document).unwrap(), "application/vnd.oci.image.config.v1+json");
    let layers: Vec<Value> =
        layers.iter().map(|tar| put(&gzip(tar, 0, "", level), "application/vnd.oci.image.layer.v1.tar+gzip")).collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers });
    let manifest = put(&serde_json::to_vec(&manifest).unwrap(), media_type);
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(
        dir.join("index.json"),
        serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": [manifest] })).unwrap(),
    )
    .unwrap();
}

fn config() -> Value {
    json!({ "architecture": "amd64", "os": "linux", "config": { "Env": ["A=1"] }, "created": "2023-11-14T22:13:20Z" })
}

fn compare(one: (&[Vec<u8>], u32, &Value), two: (&[Vec<u8>], u32, &Value)) -> Difference {
    let temp = TempDir::new().unwrap();
    let (a, b) = (temp.path().join("a"), temp.path().join("b"));
    layout(&a, one.0, one.1, one.2);
    layout(&b, two.0, two.1, two.2);
    verify_layout(&a).unwrap();
    first_difference(&a, &b).unwrap()
}

/// Both images have an equal layer below the one that differs.
fn in_layer(one: &[Entry], two: &[Entry]) -> Difference {
    let below = tar_of(&[entry("same", "same")]);
    let found = compare((&[below.clone(), tar_of(one)], 6, &config()), (&[below, tar_of(two)], 6, &config()));
    assert_eq!(found.part, "layer 2");
    found
}

/// Two contents of one file between files that agree.
fn in_file(one: impl Into<Vec<u8>>, two: impl Into<Vec<u8>>) -> Difference {
    let around = |content: Vec<u8>| [entry("a", "1"), entry("bin/f", content), entry("z", "1")];
    let found = in_layer(&around(one.into()), &around(two.into()));
    assert_eq!(found.path.as_deref(), Some("bin/f"));
    found
}

#[track_caller]
fn expect(found: &Difference, member: Option<&str>, what: &str, first: &str, second: &str) {
    let actual = (found.member.as_deref(), found.what.as_str(), found.first.as_str(), found.second.as_str());
    assert_eq!(actual, (member, what, first, second));
}

#[test]
fn a_config_field_is_named() {
    let layer = [tar_of(&[entry("a", "1")])];
    let mut other = config();
    other["config"]["Env"] = json!(["A=2"]);
    let found = compare((&layer, 6, &config()), (&layer, 6, &other));
    assert_eq!(found.part, "config");
    expect(&found, None, "field /config/Env/0", "A=1", "A=2");
    other = config();
    other["created"] = json!("2023-11-14T22:13:21Z");
    let found = compare((&layer, 6, &config()), (&layer, 6, &other));
    expect(&found, None, "field /created", "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z");
    other = config();
    other["author"] = json!("x");
    expect(&compare((&layer, 6, &config()), (&layer, 6, &other)), None, "field /author", "absent", "x");
}

#[test]
fn the_number_of_layers_and_their_compression_are_named() {
    let (a, b) = (tar_of(&[entry("a", vec![b'x'; 9000])]), tar_of(&[entry("b", "1")]));
    let found = compare((std::slice::from_ref(&a), 6, &config()), (&[a.clone(), b], 6, &config()));
    expect(&found, None, "number of layers", "1", "2");
    let found = compare((std::slice::from_ref(&a), 6, &config()), (std::slice::from_ref(&a), 1, &config()));
    assert_eq!((found.part.as_str(), found.path.as_deref(), found.what.as_str()), ("layer 1", None, "compression"));
}

#[test]
fn a_file_that_only_one_run_has_is_named() {
    let (a, b) = (entry("a", "1"), entry("b", "1"));
    let found = in_layer(&[a.clone(), b.clone()], std::slice::from_ref(&a));
    assert_eq!((found.path.as_deref(), found.what.as_str()), (Some("b"), "only in run 1"));
    let found = in_layer(std::slice::from_ref(&a), &[a.clone(), b]);
    assert_eq!((found.path.as_deref(), found.what.as_str()), (Some("b"), "only in run 2"));
}

#[test]
fn what_a_header_says_is_named() {
    let base = entry("f", "1");
    let change = |change: fn(&mut Entry)| {
        let mut other = base.clone();
        change(&mut other);
        in_layer(std::slice::from_ref(&base), &[other])
    };
    expect(&change(|e| e.mode = 0o755), None, "mode", "0644", "0755");
    expect(&change(|e| e.mtime = 6), None, "mtime", "5", "6");
    expect(&change(|e| e.uid = 7), None, "owner", "0:0 :", "7:0 :");
    let link = |target: &str| Entry { kind: tar::EntryType::Symlink, ..entry("f", target) };
    expect(&in_layer(&[link("a")], &[link("b")]), None, "link target", "a", "b");
    assert_eq!(in_layer(std::slice::from_ref(&base), &[link("a")]).what, "type");
}

#[test]
fn the_order_of_entries_is_named() {
    let (a, b) = (entry("a", "1"), entry("b", "1"));
    let found = in_layer(&[a.clone(), b.clone()], &[b, a]);
    assert_eq!((found.path.as_deref(), found.what.as_str()), (Some("a"), "order"));
}

#[test]
fn bytes_that_no_entry_accounts_for_are_named() {
    let plain = tar_of(&[entry("a", "1")]);
    let mut padded = plain.clone();
    padded.extend([0; 1024]);
    assert_eq!(compare((&[plain], 6, &config()), (&[padded], 6, &config())).what, "archive bytes");
}

#[test]
fn a_line_of_a_text_is_named() {
    let found = in_file("one\ntwo /w/a/x\nthree", "one\ntwo /w/b/x\nthree");
    expect(&found, None, "content", "line 2: two /w/a/x", "line 2: two /w/b/x");
    expect(&in_file("one\n", "one\ntwo"), None, "content", "line 2: ", "line 2: two");
    let found = in_file(format!("{}a", "x".repeat(500)), format!("{}b", "x".repeat(500)));
    assert!(found.first.ends_with("xa") && found.second.ends_with("xb") && found.first.len() < 200, "{found:?}");
}

#[test]
fn a_byte_of_a_binary_is_named() {
    expect(&in_file(vec![0, 1, 0xfe, 3], vec![0, 1, 0xff, 3]), None, "content", "at byte 2: fe03", "at byte 2: ff03");
    let found = in_file(*b"\0\0built in /w/a\0", *b"\0\0built in /w/b\0");
    expect(&found, None, "content", "at byte 14: built in /w/a", "at byte 14: built in /w/b");
    assert_eq!(in_file(vec![0, 1], vec![0, 1, 2]).first, "ends at byte 2");
}

#[test]
fn a_member_of_a_tar_in_a_gzip_is_named() {
    let packed =
        |mtime, content: &str| gzip(&tar_of(&[entry("x", "1"), Entry { mtime, ..entry("y", content) }]), 0, "", 6);
    expect(&in_file(packed(5, "1"), packed(6, "1")), Some("y"), "mtime", "5", "6");
    expect(&in_file(packed(5, "1"), packed(5, "2")), Some("y"), "content", "line 1: 1", "line 1: 2");
}

#[test]
fn a_gzip_header_is_named() {
    expect(&in_file(gzip(b"x", 7, "", 6), gzip(b"x", 8, "", 6)), None, "gzip mtime", "7", "8");
    expect(&in_file(gzip(b"x", 7, "a", 6), gzip(b"x", 7, "b", 6)), None, "gzip file name", "a", "b");
    let text = "the same text again and again ".repeat(400);
    assert_eq!(in_file(gzip(text.as_bytes(), 0, "", 1), gzip(text.as_bytes(), 0, "", 9)).what, "compression");
}

/// What a program writes to `out` in a directory of its own.
fn made(program: &str, args: &[&str], files: &[(&str, &str)]) -> Vec<u8> {
    let temp = TempDir::new().unwrap();
    for (path, content) in files {
        fs::write(temp.path().join(path), content).unwrap();
    }
    let output = Command::new(program).args(args).current_dir(temp.path()).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    fs::read(temp.path().join("out")).unwrap()
}

/// Writes `out` as a zip with members a (stored) and b (deflated), the second as told.
fn zip(date: &str, mode: &str, content: &str) -> Vec<u8> {
    let script = format!(
        "import zipfile\nz = zipfile.ZipFile('out', 'w')\nz.writestr(zipfile.ZipInfo('a', (2020,1,1,0,0,0)), 'same')\n\
         i = zipfile.ZipInfo('b', {date})\ni.external_attr = {mode} << 16\ni.compress_type = zipfile.ZIP_DEFLATED\n\
         z.writestr(i, {content})\nz.close()\n"
    );
    made("python3", &["-c", &script], &[])
}

#[test]
fn a_member_of_a_zip_is_named() {
    if !have("python3", "apt-get install python3") {
        return;
    }
    let (date, mode, content) = ("(2021,2,3,4,5,6)", "0o100644", "'x' * 500 + '1'");
    let one = zip(date, mode, content);
    let found = in_file(one.clone(), zip("(2021,2,3,4,5,8)", mode, content));
    expect(&found, Some("b"), "mtime", "2021-02-03 04:05:06", "2021-02-03 04:05:08");
    let found = in_file(one.clone(), zip(date, "0o100755", content));
    expect(&found, Some("b"), "mode", "100644", "100755");
    let found = in_file(one, zip(date, mode, "'x' * 500 + '2'"));
    assert_eq!((found.member.as_deref(), found.what.as_str()), (Some("b"), "content"));
    assert!(found.first.ends_with("x1") && found.second.ends_with("x2"), "{found:?}");
}

#[test]
fn a_damaged_zip_or_ar_is_named_by_its_bytes() {
    let broken = |tail: u8| [b"PK\x03\x04".as_slice(), &[0, 0, 0, 0, tail]].concat();
    assert_eq!(in_file(broken(1), broken(2)).first, "at byte 8: 01");
    let broken = |tail: &str| format!("!<arch>\nnot a header {tail}");
    assert_eq!(in_file(broken("1"), broken("2")).first, "line 2: not a header 1");
}

#[test]
fn a_member_of_an_ar_archive_is_named() {
    if !have("ar", "apt-get install binutils") {
        return;
    }
    let long = "a-name-that-is-longer-than-sixteen.txt";
    let ar = |mode: &str, content: &str| made("ar", &[mode, "out", "x", long], &[("x", "same"), (long, content)]);
    expect(&in_file(ar("rcD", "1"), ar("rcD", "2")), Some(long), "content", "line 1: 1", "line 1: 2");
    let found = in_file(ar("rcD", "1"), ar("rcU", "1"));
    assert_eq!((found.member.as_deref(), found.what.as_str(), found.first.as_str()), (Some(long), "mtime", "0"));
}

#[test]
fn an_elf_section_or_build_id_is_named() {
    if !have("gcc", "apt-get install gcc") {
        return;
    }
    let source = "const char where[] = WHERE; int main(void) { return where[0]; }";
    let elf = |place: &str, id: &str| {
        let define = format!("-DWHERE=\"{place}\"");
        let id = format!("-Wl,--build-id={id}");
        made("gcc", &["-o", "out", &define, &id, "m.c"], &[("m.c", source)])
    };
    let (id_1, id_2) = ("0x11111111", "0x22222222");
    let found = in_file(elf("/w/a", id_1), elf("/w/a", id_2));
    expect(&found, Some(".note.gnu.build-id"), "build-id", "11111111", "22222222");
    // The build id differs too (it is a hash of the rest), but the cause is named.
    let found = in_file(elf("/w/a", "sha1"), elf("/w/b", "sha1"));
    assert_eq!((found.member.as_deref(), found.what.as_str()), (Some(".rodata"), "content"));
    assert!(found.first.ends_with("/w/a") && found.second.ends_with("/w/b"), "{found:?}");
}

#[test]
fn an_elf_section_in_an_ar_in_a_tar_in_a_gzip_is_named() {
    if !have("gcc", "apt-get install gcc") {
        return;
    }
    let archive = |place: &str| {
        let script = format!("gcc -c -DWHERE='\"{place}\"' m.c -o m.o && ar rcD out m.o");
        let lib = made("sh", &["-c", &script], &[("m.c", "const char where[] = WHERE;")]);
        gzip(&tar_of(&[entry("lib/l.a", lib)]), 0, "", 6)
    };
    let found = in_file(archive("/w/a"), archive("/w/b"));
    assert_eq!((found.member.as_deref(), found.what.as_str()), (Some("lib/l.a!m.o!.rodata"), "content"));
}

#[test]
fn a_layer_that_is_no_tar_cannot_be_compared() {
    let temp = TempDir::new().unwrap();
    let dirs: Vec<PathBuf> = ["a", "b"].iter().map(|name| temp.path().join(name)).collect();
    layout(&dirs[0], &[tar_of(&[entry("a", "1")])], 6, &config());
    layout(&dirs[1], &[vec![b'x'; 700]], 6, &config());
    assert!(first_difference(&dirs[0], &dirs[1]).is_err());
}

#[test]
fn layers_that_the_config_does_not_name_reject() {
    let temp = TempDir::new().unwrap();
    let tar = tar_of(&[entry("a", "1")]);
    let verify = |name: &str, diff_ids: Value| {
        let mut config = config();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        let dir = temp.path().join(name);
        layout(&dir, std::slice::from_ref(&tar), 6, &config);
        verify_layout(&dir).map_err(|error| error.reason)
    };
    assert!(verify("good", json!([Digest::of(&tar)])).is_ok());
    assert!(matches!(verify("other", json!([Digest::of(b"x")])), Err(LayoutReason::WrongDiffId { layer: 1, .. })));
    for (name, wrong) in
        [("none", json!([])), ("two", json!([Digest::of(&tar), Digest::of(&tar)])), ("text", json!(["x"]))]
    {
        assert!(matches!(verify(name, wrong), Err(LayoutReason::Malformed { .. })), "{name}");
    }
}
