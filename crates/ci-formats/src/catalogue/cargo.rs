//! Rust crates: `Cargo.lock` files in the image, and the list that cargo-auditable puts into executables.

use std::io::Read as _;

use serde::Deserialize;

use super::error::{Malformed, Place};
use super::found::{Found, check, text};

/// Largest decompressed crate list; cargo-auditable's own reader has the same limit.
const MAX_AUDIT_BYTES: u64 = 8 << 20;

#[derive(Deserialize)]
struct Lock {
    version: Option<u64>,
    #[serde(default)]
    package: Vec<LockedCrate>,
}

#[derive(Deserialize)]
struct LockedCrate {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// All crates of a `Cargo.lock`, the workspace's own included.
pub(super) fn lock(bytes: &[u8]) -> Result<Vec<Found>, Place> {
    let lock: Lock = toml::from_str(text(bytes)?).map_err(|error| Malformed::Toml(error.message().to_owned()))?;
    // Formats 1 and 2 carry no version.
    if let Some(version) = lock.version.filter(|version| !(1..=4).contains(version)) {
        return Err(Malformed::FormatVersion(version.to_string()).into());
    }
    if lock.package.is_empty() {
        return Err(Malformed::Missing("package").into());
    }
    lock.package.iter().map(LockedCrate::found).collect()
}

impl LockedCrate {
    fn found(&self) -> Result<Found, Place> {
        let mut found = crate_of(&self.name, &self.version)?;
        if let Some((scheme, url)) = self.source.as_deref().and_then(|source| source.split_once('+')) {
            let (key, value) = match scheme {
                "git" => ("vcs_url", vcs_url(url)),
                _ if is_crates_io(url) => ("repository_url", String::new()),
                _ => ("repository_url", url.to_owned()),
            };
            found = found.qualified(key, &value).map_err(Malformed::from)?;
        }
        if let Some(checksum) = &self.checksum {
            let hex = checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !hex {
                return Err(Malformed::value("checksum", checksum).into());
            }
            found.hashes.insert("SHA-256".to_owned(), checksum.to_ascii_lowercase());
        }
        Ok(found)
    }
}

fn is_crates_io(url: &str) -> bool {
    matches!(url.trim_end_matches('/'), "https://github.com/rust-lang/crates.io-index" | "https://index.crates.io")
}

/// `https://host/x?branch=main#commit` as `git+https://host/x@commit` (SPDX 2.3, 7.7, "version control system").
fn vcs_url(url: &str) -> String {
    let (address, commit) = url.split_once('#').unwrap_or((url, ""));
    let address = address.split('?').next().unwrap_or_default();
    if commit.is_empty() { format!("git+{address}") } else { format!("git+{address}@{commit}") }
}

fn crate_of(name: &str, version: &str) -> Result<Found, Place> {
    check("name", name, "-_")?;
    check("version", version, ".-+")?;
    Ok(Found::new("cargo", "", name, version).map_err(Malformed::from)?)
}

#[derive(Deserialize)]
struct AuditData {
    packages: Vec<AuditedCrate>,
}

#[derive(Deserialize)]
struct AuditedCrate {
    name: String,
    version: String,
    #[serde(default)]
    kind: AuditKind,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum AuditKind {
    #[default]
    Runtime,
    Build,
}

/// The crates linked into an executable: section `.dep-v0`, zlib-compressed JSON (cargo-auditable, "PARSING"). Crates
/// that only took part in building (`kind: build`) are not in the executable and not listed.
pub(super) fn audited(section: &[u8]) -> Result<Vec<Found>, Place> {
    let mut json = Vec::new();
    let mut reader = flate2::read::ZlibDecoder::new(section).take(MAX_AUDIT_BYTES + 1);
    reader.read_to_end(&mut json).map_err(|_| Malformed::BuildInfo("section .dep-v0 is not a zlib stream"))?;
    if json.len() as u64 > MAX_AUDIT_BYTES {
        return Err(Malformed::TooLarge { limit: MAX_AUDIT_BYTES }.into());
    }
    let data: AuditData =
        serde_json::from_slice(&json).map_err(|error| Malformed::Json(format!("section .dep-v0: {error}")))?;
    let linked = data.packages.iter().filter(|package| package.kind == AuditKind::Runtime);
    linked.map(|package| crate_of(&package.name, &package.version)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["serde"]
[[package]]
name = "serde"
version = "1.0.200"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "ddc6f9cc94d67c0e21aaf7eda3a010fd3af78ebf6e096aa6e2e13c79749cce4f"
[[package]]
name = "forked"
version = "2.0.0+x"
source = "git+https://example.org/a/forked?branch=main#0123abcd"
"#;

    #[test]
    fn sources_show_in_the_url() {
        let purls: Vec<String> = lock(LOCK.as_bytes()).unwrap().iter().map(|found| found.purl.to_string()).collect();
        let forked = "pkg:cargo/forked@2.0.0%2Bx?vcs_url=git%2Bhttps:%2F%2Fexample.org%2Fa%2Fforked%400123abcd";
        assert_eq!(purls, ["pkg:cargo/app@0.1.0", "pkg:cargo/serde@1.0.200", forked]);
    }

    #[test]
    fn broken_locks_reject() {
        for (text, expected) in [
            (LOCK.replace("= 4", "= 5"), Malformed::FormatVersion("5".to_owned())),
            ("version = 4\n".to_owned(), Malformed::Missing("package")),
            (
                LOCK.replace("\"ddc6", "\"zzc6"),
                Malformed::value("checksum", "zzc6f9cc94d67c0e21aaf7eda3a010fd3af78ebf6e096aa6e2e13c79749cce4f"),
            ),
            (LOCK.replace("\"serde\"\nv", "\"ser de\"\nv"), Malformed::value("name", "ser de")),
        ] {
            assert_eq!(lock(text.as_bytes()).unwrap_err(), expected.into(), "{text}");
        }
        for text in ["[[package]]\nname = \"x\"\n", "[[package]", "<<<<<<< ours\n"] {
            assert!(matches!(lock(text.as_bytes()).unwrap_err().reason, Malformed::Toml(_)), "{text}");
        }
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::ZlibEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn audited_crates_are_those_linked() {
        let json = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[1]},
            {"name":"libc","version":"0.2.150","source":"crates.io"},{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#;
        let purls: Vec<String> = audited(&zlib(json)).unwrap().iter().map(|found| found.purl.to_string()).collect();
        assert_eq!(purls, ["pkg:cargo/app@0.1.0", "pkg:cargo/libc@0.2.150"]);
    }

    #[test]
    fn broken_audit_data_rejects() {
        assert!(matches!(audited(b"no zlib").unwrap_err().reason, Malformed::BuildInfo(_)));
        let whole = zlib(br#"{"packages":[]}"#);
        assert!(matches!(audited(&whole[..whole.len() - 6]).unwrap_err().reason, Malformed::BuildInfo(_)));
        assert!(matches!(audited(&zlib(b"{}")).unwrap_err().reason, Malformed::Json(_)));
        let kind = br#"{"packages":[{"name":"a","version":"1","kind":"later"}]}"#;
        assert!(matches!(audited(&zlib(kind)).unwrap_err().reason, Malformed::Json(_)));
        let bomb = zlib(&vec![b' '; 9 << 20]);
        assert_eq!(audited(&bomb).unwrap_err().reason, Malformed::TooLarge { limit: MAX_AUDIT_BYTES });
    }
}
