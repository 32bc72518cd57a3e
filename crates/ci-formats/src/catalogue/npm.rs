//! npm packages: what stands installed under `node_modules`, and lock files outside of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_types::digest::hex;
use serde::Deserialize;
use serde_json::Value;

use super::Reading;
use super::error::{Malformed, Place, Problem};
use super::found::{Found, text};

/// The package directory's name, `lodash` or `@scope/name`, of the `package.json` of an installed package. Other files of
/// that name (module type markers, templates, tests) describe no package.
pub(super) fn installed_name(path: &str) -> Option<&str> {
    let directory = path.strip_suffix("/package.json")?;
    let from = if directory.starts_with("node_modules/") { Some(0) } else { None };
    let from = directory.rfind("/node_modules/").map(|at| at + 1).or(from)?;
    let name = &directory[from + "node_modules/".len()..];
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
    let ok = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| plain(scope) && plain(name)),
        None => plain(name),
    };
    ok.then_some(name)
}

/// Whether a path is a lock file of a project (not of an installed package).
pub(super) fn is_lock(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let inside = path.starts_with("node_modules/") || path.contains("/node_modules/");
    matches!(name, "package-lock.json" | "npm-shrinkwrap.json") && !inside
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
    license: Option<Value>,
    licenses: Option<Value>,
}

/// The package of an installed `package.json`; `directory` is its [`installed_name`].
pub(super) fn manifest(path: &str, directory: &str, bytes: &[u8]) -> Result<Reading, Place> {
    // npm takes the last of repeated keys, so do packages in the wild; a repeated name or version is refused by serde.
    let manifest: Manifest = serde_json::from_str(text(bytes)?).map_err(|error| Malformed::Json(error.to_string()))?;
    let mut problems = Vec::new();
    let path = || path.to_owned();
    let name = manifest.name.as_deref().filter(|name| !name.is_empty());
    if name.is_none() {
        problems.push(Problem::NoName { path: path() });
    }
    let version = manifest.version.as_deref().unwrap_or_default();
    if version.is_empty() {
        problems.push(Problem::NoVersion { path: path() });
    }
    let license = license(manifest.license.as_ref()).or_else(|| license(manifest.licenses.as_ref()));
    let found = package(name.unwrap_or(directory), version)?.licensed(license.as_deref());
    Ok(Reading { found: vec![found], problems })
}

/// npm, "package.json", `license`: an expression; in older packages `{type, url}`, or a list of those to choose from.
fn license(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("type")?.as_str().map(str::to_owned),
        Value::Array(several) => {
            let names: Vec<String> = several.iter().filter_map(|one| license(Some(one))).collect();
            (!names.is_empty()).then(|| names.join(" OR "))
        }
        _ => None,
    }
}

fn package(name: &str, version: &str) -> Result<Found, Place> {
    let (scope, bare) = match name.split_once('/') {
        Some((scope, bare)) if scope.starts_with('@') => (scope, bare),
        _ => ("", name),
    };
    let ok = |text: &str| !text.is_empty() && !text.contains(['/', '\\']) && !text.contains(char::is_whitespace);
    if !ok(bare) || (!scope.is_empty() && (scope == "@" || !ok(scope))) {
        return Err(Malformed::value("name", name).into());
    }
    if version.contains(char::is_whitespace) {
        return Err(Malformed::value("version", version).into());
    }
    Ok(Found::new("npm", scope, bare, version).map_err(Malformed::from)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    lockfile_version: Option<u64>,
    packages: Option<BTreeMap<String, Entry>>,
    dependencies: Option<BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    integrity: Option<String>,
    license: Option<Value>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    dev: bool,
    /// Format 1 only: packages nested below this one.
    #[serde(default)]
    dependencies: Value,
}

/// The packages of a lock file (npm, "package-lock.json", formats 1 to 3), without those that only development needs.
pub(super) fn lock(path: &str, bytes: &[u8]) -> Result<Reading, Place> {
    let lock: Lock = ci_types::strict_json::from_slice(text(bytes)?.as_bytes())
        .map_err(|error| Malformed::Json(error.to_string()))?;
    let mut reading = Reading::default();
    match lock.lockfile_version {
        None => return Err(Malformed::Missing("lockfileVersion").into()),
        Some(1) => nested(path, &lock.dependencies.unwrap_or_default(), &mut reading)?,
        Some(2 | 3) => {
            // The key "" is the project itself; its absence means that this is no whole lock file.
            let packages = lock.packages.filter(|packages| packages.contains_key(""));
            for (key, entry) in &packages.ok_or(Malformed::Missing("packages"))? {
                let name = key.rsplit_once("node_modules/").map(|(_, name)| name);
                if let Some(name) = name.filter(|_| !entry.link && !entry.dev) {
                    reading.push(path, entry.found(entry.name.as_deref().unwrap_or(name))?);
                }
            }
        }
        Some(other) => return Err(Malformed::FormatVersion(other.to_string()).into()),
    }
    Ok(reading)
}

fn nested(path: &str, entries: &BTreeMap<String, Entry>, reading: &mut Reading) -> Result<(), Place> {
    for (name, entry) in entries.iter().filter(|(_, entry)| !entry.dev) {
        reading.push(path, entry.found(name)?);
        // Format 2 lists names to versions here; only format 1 nests entries, and only as an object of objects.
        if entry.dependencies.is_object() {
            let below =
                BTreeMap::deserialize(&entry.dependencies).map_err(|error| Malformed::Json(error.to_string()))?;
            nested(path, &below, reading)?;
        }
    }
    Ok(())
}

impl Entry {
    fn found(&self, name: &str) -> Result<Found, Place> {
        let mut found = package(name, self.version.as_deref().unwrap_or_default())?;
        found = found.licensed(license(self.license.as_ref()).as_deref());
        for hash in self.integrity.as_deref().unwrap_or_default().split_whitespace() {
            let bad = || Malformed::value("integrity", hash);
            let (algorithm, value) = hash.split_once('-').ok_or_else(bad)?;
            let value = STANDARD.decode(value.split('?').next().unwrap_or_default()).map_err(|_| bad())?;
            let (algorithm, bytes) = match algorithm {
                "sha1" => ("SHA-1", 20),
                "sha256" => ("SHA-256", 32),
                "sha384" => ("SHA-384", 48),
                "sha512" => ("SHA-512", 64),
                _ => return Err(bad().into()),
            };
            if value.len() != bytes {
                return Err(bad().into());
            }
            found.hashes.insert(algorithm.to_owned(), hex(&value));
        }
        Ok(found)
    }
}

impl Reading {
    fn push(&mut self, path: &str, found: Found) {
        if found.version.is_empty() {
            self.problems.push(Problem::NoVersion { path: format!("{path}: {}", found.name) });
        }
        self.found.push(found);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_package_directories_count() {
        for (path, name) in [
            ("app/node_modules/lodash/package.json", Some("lodash")),
            ("node_modules/@a/b/package.json", Some("@a/b")),
            ("app/node_modules/.pnpm/x@1.0.0/node_modules/x/package.json", Some("x")),
            ("app/node_modules/a/node_modules/b/package.json", Some("b")),
            ("app/node_modules/lodash/lib/esm/package.json", None),
            ("app/node_modules/@a/package.json", None),
            ("app/node_modules/@a/b/c/package.json", None),
            ("app/node_modules/.cache/package.json", None),
            ("app/my_node_modules/x/package.json", None),
            ("app/package.json", None),
            ("app/node_modules/package.json", None),
        ] {
            assert_eq!(installed_name(path), name, "{path}");
        }
        assert!(is_lock("app/package-lock.json") && !is_lock("app/node_modules/x/package-lock.json"));
    }

    fn read(json: &str) -> Reading {
        manifest("p", "dir", json.as_bytes()).unwrap()
    }

    #[test]
    fn licences_in_their_three_forms() {
        for (json, expected) in [
            (r#"{"name":"x","version":"1","license":"MIT"}"#, Some("MIT")),
            (r#"{"name":"x","version":"1","license":{"type":"ISC","url":"u"}}"#, Some("ISC")),
            (r#"{"name":"x","version":"1","licenses":[{"type":"MIT"},{"type":"BSD"}]}"#, Some("MIT OR BSD")),
            (r#"{"name":"x","version":"1","license":7}"#, None),
        ] {
            assert_eq!(read(json).found[0].license.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn nameless_and_versionless_packages_are_listed_and_told_of() {
        let reading = read("\u{feff}{}");
        assert_eq!(reading.found[0].purl.to_string(), "pkg:npm/dir");
        assert_eq!(reading.problems.len(), 2);
    }

    #[test]
    fn broken_manifests_reject() {
        for json in ["", "[]", "{", r#"{"name":1}"#, r#"{"name":"a","name":"b"}"#] {
            assert!(matches!(manifest("p", "d", json.as_bytes()).unwrap_err().reason, Malformed::Json(_)), "{json}");
        }
        for json in
            [r#"{"name":"a b","version":"1"}"#, r#"{"name":"@a/b/c","version":"1"}"#, r#"{"name":"@/x","version":"1"}"#]
        {
            assert!(
                matches!(manifest("p", "d", json.as_bytes()).unwrap_err().reason, Malformed::Value { .. }),
                "{json}"
            );
        }
    }

    #[test]
    fn locks_list_what_production_installs() {
        let reading = lock(
            "l",
            br#"{"lockfileVersion":3,"packages":{"":{"name":"app","version":"1"},
            "node_modules/a":{"version":"1.0.0","integrity":"sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=","license":"MIT"},
            "node_modules/a/node_modules/@s/b":{"version":"2.0.0","optional":true},
            "node_modules/alias":{"name":"real","version":"3.0.0"},
            "node_modules/dev":{"version":"4.0.0","dev":true},
            "node_modules/linked":{"link":true,"resolved":"packages/linked"},"packages/linked":{"version":"0.0.1"}}}"#,
        )
        .unwrap();
        let purls: Vec<String> = reading.found.iter().map(|found| found.purl.to_string()).collect();
        assert_eq!(purls, ["pkg:npm/a@1.0.0", "pkg:npm/%40s/b@2.0.0", "pkg:npm/real@3.0.0"]);
        assert_eq!(reading.found[0].hashes["SHA-1"], "0".repeat(40));
    }

    #[test]
    fn format_1_nests() {
        let reading = lock(
            "l",
            br#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","requires":{"b":"^2"},
            "dependencies":{"b":{"version":"2.0.0"}}},"c":{"version":"1.0.0","dev":true}}}"#,
        )
        .unwrap();
        let names: Vec<&str> = reading.found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn broken_locks_reject() {
        for (json, expected) in [
            (r#"{}"#, Malformed::Missing("lockfileVersion")),
            (r#"{"lockfileVersion":4,"packages":{"":{}}}"#, Malformed::FormatVersion("4".to_owned())),
            (r#"{"lockfileVersion":3}"#, Malformed::Missing("packages")),
            (r#"{"lockfileVersion":3,"packages":{}}"#, Malformed::Missing("packages")),
            (
                r#"{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1","integrity":"sha1-AA"}}}"#,
                Malformed::value("integrity", "sha1-AA"),
            ),
            (
                r#"{"lockfileVersion":3,"packages":{"":{},"":{}}}"#,
                Malformed::Json("key `` stands twice in one object".to_owned()),
            ),
        ] {
            assert_eq!(lock("l", json.as_bytes()).unwrap_err(), expected.into(), "{json}");
        }
    }
}
