//! Where every dependency comes from and under which terms: for the workspace and for the example.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::repo::{capture, root};

/// Terms under which we may pass code on in a binary, with the notices that they ask for.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// `cargo xtask licences`
pub fn run(_: &[String]) -> anyhow::Result<bool> {
    let root = root();
    let mut failures = Vec::new();
    let (mut packages, mut unknown) = (0, 0);
    for folder in ["", "examples/hello-http", "examples/hello-http/scan"] {
        let folder = root.join(folder);
        let json = capture(&folder, "cargo", &["metadata", "--format-version", "1", "--locked"])?;
        let metadata: Value = serde_json::from_str(&json).context("cargo metadata is not JSON")?;
        failures.extend(licences(&metadata));
        let path = folder.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let entries = entries(&lock);
        packages += entries.len();
        for entry in &entries {
            let place = format!("{}: {} {}", path.display(), entry.name, entry.version);
            failures.extend(entry.origin().map(|wrong| format!("{place}: {wrong}")));
            match entry.source.and_then(|_| yanked(entry.name, entry.version)) {
                Some(true) => failures.push(format!("{place}: yanked; run `cargo update -p {}`", entry.name)),
                None if entry.source.is_some() => unknown += 1,
                _ => {}
            }
        }
    }
    for failure in &failures {
        println!("{failure}");
    }
    // The local index is as new as the last fetch; an entry that it lacks was not looked up in this set-up (another platform).
    println!("licences: {packages} packages, {} failures, yank state unknown for {unknown}", failures.len());
    Ok(failures.is_empty() && packages > 0)
}

fn licences(metadata: &Value) -> Vec<String> {
    let mut failures = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let (name, version) = (package["name"].as_str().unwrap_or("?"), package["version"].as_str().unwrap_or("?"));
        let Some(text) = package["license"].as_str() else {
            failures
                .push(format!("{name} {version}: declares no licence; replace it, or ask its author to declare one"));
            continue;
        };
        match allowed(text) {
            Ok(true) => {}
            Ok(false) => {
                failures.push(format!("{name} {version}: `{text}` is not allowed (xtask/src/licences.rs); replace it"))
            }
            Err(error) => failures.push(format!("{name} {version}: `{text}` is no SPDX expression: {error}")),
        }
    }
    failures
}

fn allowed(text: &str) -> Result<bool, String> {
    let expression = Expression::parse_mode(text, ParseMode::LAX).map_err(|error| error.to_string())?;
    Ok(expression.evaluate(|requirement| {
        let id = requirement.license.id().map(|id| id.name);
        // An exception only adds rights.
        id.is_some_and(|id| ALLOWED.contains(&id))
    }))
}

/// One `[[package]]` of a Cargo.lock.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    checksum: Option<&'a str>,
}

impl Entry<'_> {
    fn origin(&self) -> Option<String> {
        match (self.source, self.checksum) {
            // A member of the workspace: cargo itself refuses a path outside of it that is not in the manifest.
            (None, None) => None,
            (Some(CRATES_IO), Some(checksum)) if checksum.len() == 64 => None,
            (Some(CRATES_IO), _) => Some("has no checksum; run `cargo generate-lockfile`".to_owned()),
            (source, _) => Some(format!("comes from {}; only crates.io is allowed", source.unwrap_or("nowhere"))),
        }
    }
}

fn entries(lock: &str) -> Vec<Entry<'_>> {
    lock.split("[[package]]")
        .skip(1)
        .map(|block| {
            let field = |key: &str| {
                let start = format!("{key} = \"");
                block.lines().find_map(|line| line.strip_prefix(start.as_str())?.strip_suffix('"'))
            };
            Entry {
                name: field("name").unwrap_or("?"),
                version: field("version").unwrap_or("?"),
                source: field("source"),
                checksum: field("checksum"),
            }
        })
        .collect()
}

/// Yank state by cargo's own copy of the index; `None` where it has none.
fn yanked(name: &str, version: &str) -> Option<bool> {
    let lower = name.to_lowercase();
    let below = match lower.len() {
        1 | 2 => format!("{}/{lower}", lower.len()),
        3 => format!("3/{}/{lower}", &lower[..1]),
        _ => format!("{}/{}/{lower}", &lower[..2], &lower[2..4]),
    };
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))?;
    std::fs::read_dir(home.join("registry/index")).ok()?.flatten().find_map(|index| {
        let bytes = std::fs::read(index.path().join(".cache").join(&below)).ok()?;
        state(&bytes, version)
    })
}

/// The cache file alternates versions and index lines, NUL separated.
fn state(cache: &[u8], version: &str) -> Option<bool> {
    cache
        .split(|byte| *byte == 0)
        .filter_map(|part| serde_json::from_slice::<Value>(part).ok())
        .find(|line| line["vers"] == version)
        .and_then(|line| line["yanked"].as_bool())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        for text in [
            "MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 OR GPL-3.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(allowed(text), Ok(true), "{text}");
        }
        for text in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "MPL-2.0", "LicenseRef-own"] {
            assert_eq!(allowed(text), Ok(false), "{text}");
        }
        assert!(allowed("do what you like").is_err());
    }

    #[test]
    fn a_package_without_licence_rejects() {
        let metadata = serde_json::json!({ "packages": [{ "name": "a", "version": "1", "license": null }] });
        assert_eq!(licences(&metadata).len(), 1);
    }

    #[test]
    fn other_origins_and_missing_checksums_reject() {
        let lock = format!(
            "[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{CRATES_IO}\"\nchecksum = \"{}\"\n\n\
             [[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"{CRATES_IO}\"\n\n[[package]]\nname = \"c\"\nversion = \"1.0.0\"\nsource = \"git+https://example.org/c#0\"\n",
            "0".repeat(64)
        );
        let wrong: Vec<bool> = entries(&lock).iter().map(|entry| entry.origin().is_some()).collect();
        assert_eq!(wrong, [false, false, true, true]);
    }

    #[test]
    fn the_index_cache_tells_what_is_yanked() {
        let cache = b"\x03\x02\0\0\0etag\x001.0.0\0{\"vers\":\"1.0.0\",\"yanked\":true}\x001.0.1\0{\"vers\":\"1.0.1\",\"yanked\":false}\0";
        assert_eq!(state(cache, "1.0.0"), Some(true));
        assert_eq!(state(cache, "1.0.1"), Some(false));
        assert_eq!(state(cache, "2.0.0"), None);
    }
}
