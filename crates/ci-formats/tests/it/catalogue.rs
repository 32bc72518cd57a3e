//! The cataloguer on what real tools left, compared with the tools' own listings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use ci_formats::catalogue::{Catalogue, CatalogueError, Malformed, Problem, catalogue, wants};
use proptest::prelude::*;

use crate::elf::elf;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) const RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
                         Files: *\nCopyright: FSF\nLicense: GPL-3+\n\nFiles: lib/*\nCopyright: x\nLicense: Expat or ISC\n";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/catalogue/", $name))
    };
}

fn files_of(json: &[u8]) -> Files {
    let map: BTreeMap<String, String> = serde_json::from_slice(json).unwrap();
    map.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

/// An image with something of every ecosystem.
pub(crate) fn image() -> Files {
    let mut files = files_of(fixture!("npm-express.json"));
    files.extend(files_of(fixture!("pip-venv.json")));
    for (path, bytes) in [
        ("etc/os-release", RELEASE.as_bytes().to_vec()),
        ("var/lib/dpkg/status", fixture!("debian.status").to_vec()),
        ("usr/share/doc/bash/copyright", COPYRIGHT.as_bytes().to_vec()),
        ("usr/bin/hello", elf(Some(".go.buildinfo"), fixture!("hello.go.buildinfo"))),
        ("usr/bin/audited", elf(Some(".dep-v0"), fixture!("audited.dep-v0"))),
        ("src/Cargo.lock", fixture!("audited.Cargo.lock").to_vec()),
        ("usr/bin/plain", elf(Some(".text"), b"nothing here")),
        ("usr/bin/script", b"#!/bin/sh\n".to_vec()),
    ] {
        files.insert(path.to_owned(), bytes);
    }
    files
}

pub(crate) fn of(files: &Files) -> Result<Catalogue, CatalogueError> {
    catalogue(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))
}

fn one(path: &str, bytes: &[u8]) -> Result<Catalogue, CatalogueError> {
    of(&Files::from([(path.to_owned(), bytes.to_vec()), ("etc/os-release".to_owned(), RELEASE.into())]))
}

/// `name@version` of the packages of an ecosystem.
fn names(catalogue: &Catalogue, ecosystem: &str) -> BTreeSet<String> {
    let of_it = catalogue.packages.iter().filter(|package| package.ecosystem == ecosystem);
    of_it.map(|package| format!("{}@{}", package.name, package.version)).collect()
}

fn lines(text: &[u8]) -> BTreeSet<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

fn package<'a>(catalogue: &'a Catalogue, purl: &str) -> &'a ci_formats::package::Package {
    catalogue.packages.iter().find(|package| package.purl == purl).unwrap_or_else(|| panic!("no {purl}"))
}

#[test]
fn npm_packages_are_those_of_npm_ls() {
    let catalogue = of(&image()).unwrap();
    assert_eq!(names(&catalogue, "npm"), lines(fixture!("npm-express.npm-ls.txt")));
    // Found installed and in the lock file: one package with both places and the lock's hash.
    let express = catalogue.packages.iter().find(|package| package.name == "express").unwrap();
    assert_eq!(express.found_in, ["app/node_modules/express/package.json", "app/package-lock.json"]);
    assert_eq!(express.hashes["SHA-512"].len(), 128);
    assert!(catalogue.packages.iter().any(|package| package.purl.starts_with("pkg:npm/%40types/node@")));
}

#[test]
fn python_packages_are_those_of_pip_list() {
    let listed: BTreeSet<String> =
        lines(fixture!("pip-venv.pip-list.txt")).iter().map(|line| line.replace("==", "@")).collect();
    assert_eq!(names(&of(&image()).unwrap(), "pypi"), listed);
}

#[test]
fn go_modules_are_those_of_go_version() {
    let catalogue = of(&image()).unwrap();
    let purls: Vec<&str> = catalogue
        .packages
        .iter()
        .filter(|package| package.ecosystem == "golang")
        .map(|package| &*package.purl)
        .collect();
    // What `hello.go-version-m.txt` says: toml v1.6.0 replaced by v1.5.0, local replaced by a directory.
    assert_eq!(
        purls,
        [
            "pkg:golang/example.org/hello",
            "pkg:golang/example.org/local@v1.2.3",
            "pkg:golang/github.com/burntsushi/toml@v1.5.0",
            "pkg:golang/stdlib@1.26.8",
        ]
    );
}

#[test]
fn crates_come_from_executables_and_lock_files() {
    let catalogue = of(&image()).unwrap();
    let places = |name: &str| &catalogue.packages.iter().find(|package| package.name == name).unwrap().found_in;
    assert_eq!(*places("memchr"), ["src/Cargo.lock", "usr/bin/audited"]);
    assert_eq!(*places("autocfg"), ["src/Cargo.lock"]);
    assert_eq!(package(&catalogue, "pkg:cargo/memchr@2.8.3").hashes["SHA-256"].len(), 64);
}

#[test]
fn debian_packages_have_architecture_distribution_source_and_licence() {
    let catalogue = of(&image()).unwrap();
    assert_eq!(names(&catalogue, "deb").len(), 12);
    assert!(!names(&catalogue, "deb").contains("removed@1.0-1"));
    let bash = catalogue.packages.iter().find(|package| package.name == "bash").unwrap();
    assert_eq!(bash.license.as_deref(), Some("GPL-3.0-or-later AND (MIT OR ISC)"));
    let library = catalogue.packages.iter().find(|package| package.name == "libstdc++6").unwrap();
    let version = library.version.replace('+', "%2B");
    let expected = format!("pkg:deb/debian/libstdc%2B%2B6@{version}?arch=amd64&distro=debian-12&upstream=gcc-12");
    assert_eq!(library.purl, expected);
}

#[test]
fn images_without_dpkg_list_status_d() {
    let paragraph = b"Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n";
    let mut files = Files::from([
        ("usr/lib/os-release".to_owned(), RELEASE.as_bytes().to_vec()),
        ("var/lib/dpkg/status.d/tzdata".to_owned(), paragraph.to_vec()),
        ("var/lib/dpkg/status.d/tzdata.md5sums".to_owned(), b"not a paragraph".to_vec()),
        ("var/lib/dpkg/status".to_owned(), Vec::new()),
    ]);
    let purl = "pkg:deb/debian/tzdata@2024a-0%2Bdeb12u1?arch=all&distro=debian-12";
    assert_eq!(package(&of(&files).unwrap(), purl).found_in, ["var/lib/dpkg/status.d/tzdata"]);
    files.remove("var/lib/dpkg/status.d/tzdata");
    assert_eq!(of(&files).unwrap_err(), CatalogueError::EmptyDatabase { path: "var/lib/dpkg/status".to_owned() });
}

#[test]
fn alpine_packages_carry_their_release() {
    let files = Files::from([
        ("etc/os-release".to_owned(), b"ID=alpine\nVERSION_ID=3.18.4\n".to_vec()),
        ("lib/apk/db/installed".to_owned(), b"P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\n\n".to_vec()),
    ]);
    let musl = "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4";
    assert_eq!(package(&of(&files).unwrap(), musl).license.as_deref(), Some("MIT"));
}

#[test]
fn packages_of_an_unknown_distribution_reject() {
    let mut files = image();
    files.remove("etc/os-release");
    assert_eq!(of(&files).unwrap_err(), CatalogueError::NoRelease { path: "var/lib/dpkg/status".to_owned() });
}

#[test]
fn one_malformed_file_rejects_the_whole_image() {
    for path in [
        "app/node_modules/express/package.json",
        "app/package-lock.json",
        "src/Cargo.lock",
        "var/lib/dpkg/status",
        "etc/os-release",
        "venv/lib/python3.11/site-packages/flask-3.1.3.dist-info/METADATA",
    ] {
        let mut files = image();
        let bytes = files.get_mut(path).unwrap_or_else(|| panic!("no {path}"));
        bytes.truncate(3);
        match of(&files) {
            Err(CatalogueError::Malformed { path: place, .. }) => assert_eq!(place, path),
            other => panic!("{path}: {:?}", other.map(|catalogue| catalogue.packages.len())),
        }
    }
}

#[test]
fn executables_with_broken_build_information_reject() {
    let reject = |bytes: &[u8]| match one("usr/bin/x", bytes) {
        Err(CatalogueError::Malformed { reason: Malformed::BuildInfo(reason), .. }) => reason,
        other => panic!("{other:?}"),
    };
    let info = fixture!("hello.go.buildinfo");
    assert_eq!(reject(&elf(Some(".go.buildinfo"), &info[..40])), "Go build information is cut off");
    assert_eq!(reject(&elf(Some(".go.buildinfo"), b"wiped")), "section .go.buildinfo has no Go build information");
    assert_eq!(reject(&elf(Some(".dep-v0"), b"wiped")), "section .dep-v0 is not a zlib stream");
    let mut outside = elf(Some(".dep-v0"), b"data");
    let at = outside.len() - 128 + 24;
    outside[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(reject(&outside), "section .dep-v0 lies outside of the file");
}

#[test]
fn go_executables_without_section_table_are_searched() {
    let padded = [&[0; 32], fixture!("hello.go.buildinfo").as_slice()].concat();
    assert_eq!(names(&one("usr/bin/x", &elf(None, &padded)).unwrap(), "golang").len(), 4);
    assert_eq!(one("usr/bin/x", &elf(None, b"nothing")).unwrap().packages, []);
}

#[test]
fn what_cannot_be_told_is_a_problem() {
    let cut = one("usr/bin/x", b"\x7fELF and then nothing").unwrap();
    assert_eq!(cut.problems, [Problem::UnreadableExecutable { path: "usr/bin/x".to_owned() }]);
    let mut files = image();
    let checksum = b"cf8baf1c".to_vec();
    let lock = String::from_utf8(files["src/Cargo.lock"].clone()).unwrap();
    files
        .insert("other/Cargo.lock".to_owned(), lock.replace(&*String::from_utf8(checksum).unwrap(), "00000000").into());
    let catalogue = of(&files).unwrap();
    let purl = "pkg:cargo/memchr@2.8.3";
    assert_eq!(catalogue.problems, [Problem::HashConflict { purl: purl.to_owned(), algorithm: "SHA-256".to_owned() }]);
    assert!(package(&catalogue, purl).hashes.is_empty());
}

#[test]
fn a_path_given_twice_rejects() {
    let status = fixture!("debian.status").as_slice();
    let twice = catalogue([("var/lib/dpkg/status", status), ("./var/lib/dpkg/status", status)]);
    assert_eq!(twice.unwrap_err(), CatalogueError::RepeatedFile { path: "var/lib/dpkg/status".to_owned() });
}

#[test]
fn only_telling_files_are_wanted() {
    for path in image().keys().filter(|path| !path.starts_with("usr/bin/")) {
        assert!(wants(path, 0o644, 10) && wants(&format!("/{path}"), 0o644, 10), "{path}");
    }
    assert!(wants("usr/bin/x", 0o755, 10) && !wants("usr/bin/x", 0o644, 10) && !wants("usr/bin/x", 0o755, 0));
    assert!(!wants("usr/bin/x", 0o755, 257 << 20));
    for path in ["etc/passwd", "app/package.json", "a/node_modules/b/lib/package.json", "usr/share/doc/a/b/copyright"] {
        assert!(!wants(path, 0o644, 10), "{path}");
    }
}

/// This machine against its own package manager.
#[test]
fn this_machine_lists_what_dpkg_lists() {
    let status = Path::new("/var/lib/dpkg/status");
    let query = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status} ${Package}@${Version} ${Architecture}\n"])
        .output();
    let (Ok(query), true) = (query, status.exists()) else {
        eprintln!("skipped: this machine has no dpkg");
        return;
    };
    let installed = lines(&query.stdout).into_iter();
    let listed: BTreeSet<String> =
        installed.filter_map(|line| Some(line.strip_prefix("installed ")?.to_owned())).collect();
    let mut files = Files::from([("etc/os-release".to_owned(), std::fs::read("/etc/os-release").unwrap())]);
    files.insert("var/lib/dpkg/status".to_owned(), std::fs::read(status).unwrap());
    for entry in std::fs::read_dir("/usr/share/doc").unwrap() {
        let path = entry.unwrap().path().join("copyright");
        if path.is_file() {
            files.insert(path.strip_prefix("/").unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap());
        }
    }
    let catalogue = of(&files).unwrap();
    let found = catalogue.packages.iter().map(|package| {
        let purl: ci_formats::purl::Purl = package.purl.parse().unwrap();
        format!("{}@{} {}", package.name, package.version, purl.qualifier("arch").unwrap())
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), listed);
    for package in catalogue.packages.iter().filter_map(|package| package.license.as_ref()) {
        assert!(ci_formats::license::expression(package).is_some(), "{package}");
    }
}

/// The real linker's output, not the extracted section.
#[test]
#[ignore = "runs the Go compiler, which takes a minute where its cache is cold"]
fn a_program_built_by_go_lists_its_modules() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    std::fs::create_dir_all(directory.join("dep")).unwrap();
    for (path, text) in [
        (
            "go.mod",
            "module example.org/App\n\ngo 1.20\n\nrequire example.org/dep v1.2.3\n\nreplace example.org/dep => ./dep\n",
        ),
        ("main.go", "package main\n\nimport \"example.org/dep\"\n\nfunc main() { println(dep.Name()) }\n"),
        ("dep/go.mod", "module example.org/dep\n\ngo 1.20\n"),
        ("dep/dep.go", "package dep\n\nfunc Name() string { return \"x\" }\n"),
    ] {
        std::fs::write(directory.join(path), text).unwrap();
    }
    let build = |linker_flags: &str| {
        let flags = format!("-ldflags={linker_flags}");
        let mut go = Command::new("go");
        go.args(["build", flags.as_str(), "-o", "app", "."]).current_dir(directory);
        let status = go.env("GOPROXY", "off").env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").status();
        assert!(status.expect("go is on the path").success());
        let catalogue = one("usr/bin/app", &std::fs::read(directory.join("app")).unwrap()).unwrap();
        names(&catalogue, "golang")
    };
    for linker_flags in ["", "-s -w"] {
        let modules = build(linker_flags);
        assert!(
            modules.contains("example.org/App@(devel)") && modules.contains("example.org/dep@v1.2.3"),
            "{modules:?}"
        );
        assert!(modules.iter().any(|module| module.starts_with("stdlib@1.")), "{modules:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_gives_the_same_catalogue(seed in any::<u64>()) {
        let files = image();
        let mut order: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        order.sort_by_key(|(path, _)| ci_types::Digest::of(format!("{seed}{path}").as_bytes()));
        prop_assert_eq!(catalogue(order).unwrap(), of(&files).unwrap());
    }

    #[test]
    fn arbitrary_bytes_never_panic(which in 0_usize..10, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        const PATHS: [&str; 10] = ["etc/os-release", "var/lib/dpkg/status", "var/lib/dpkg/status.d/x", "usr/share/doc/x/copyright",
            "lib/apk/db/installed", "Cargo.lock", "node_modules/x/package.json", "package-lock.json", "x.dist-info/METADATA", "bin/x"];
        let bytes = if which == 9 { [b"\x7fELF\x02\x01\x01".as_slice(), &bytes].concat() } else { bytes };
        let _ = catalogue([(PATHS[which], bytes.as_slice())]);
    }

    #[test]
    fn damaged_files_never_panic(pick in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut files = image();
        let path = pick.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = files.get_mut(&path).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = of(&files);
    }
}
