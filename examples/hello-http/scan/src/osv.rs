//! Advisories (OSV schema 1.6): which versions of which package, how bad.

use serde_json::Value;

use crate::{Package, cvss};

/// One advisory for one package.
#[derive(Debug)]
pub struct Advisory {
    /// For example `RUSTSEC-2021-0003`.
    pub id: String,
    /// What it is about.
    pub summary: String,
    /// CVSS base score; absent where the advisory has no vector that we can read.
    pub score: Option<f64>,
    /// Type of the package URL.
    kind: &'static str,
    name: String,
    /// `introduced` and `fixed`, by range.
    ranges: Vec<(Version, Option<Version>)>,
}

type Version = (u64, u64, u64);

/// A package with an advisory.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The package.
    pub package: &'a Package,
    /// The advisory.
    pub advisory: &'a Advisory,
}

/// Reads an array of OSV records. Whatever is not understood is an error: skipping it would read as "not affected".
pub fn read(document: &Value) -> Result<Vec<Advisory>, String> {
    let records = document.as_array().filter(|records| !records.is_empty()).ok_or("no advisories")?;
    let mut advisories = Vec::new();
    for record in records {
        let id = record["id"].as_str().ok_or("an advisory has no id")?;
        let score = record["severity"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|severity| severity["score"].as_str().and_then(cvss::base_score));
        for affected in record["affected"].as_array().ok_or(format!("{id}: no `affected`"))? {
            let kind = match affected["package"]["ecosystem"].as_str() {
                Some("crates.io") => "cargo",
                other => return Err(format!("{id}: ecosystem {other:?} is not known")),
            };
            let name = affected["package"]["name"].as_str().ok_or(format!("{id}: no package name"))?;
            let mut ranges = Vec::new();
            for range in affected["ranges"].as_array().ok_or(format!("{id}: no `ranges`"))? {
                if range["type"] != "SEMVER" {
                    return Err(format!("{id}: range type {} is not known", range["type"]));
                }
                ranges.extend(events(&range["events"]).ok_or(format!("{id}: events are not in order"))?);
            }
            advisories.push(Advisory {
                id: id.to_owned(),
                summary: record["summary"].as_str().unwrap_or(id).to_owned(),
                score,
                kind,
                name: name.to_owned(),
                ranges,
            });
        }
    }
    Ok(advisories)
}

fn events(events: &Value) -> Option<Vec<(Version, Option<Version>)>> {
    let mut ranges: Vec<(Version, Option<Version>)> = Vec::new();
    for event in events.as_array()? {
        if let Some(introduced) = event["introduced"].as_str() {
            let introduced = if introduced == "0" { (0, 0, 0) } else { version(introduced)? };
            ranges.push((introduced, None));
        } else {
            let fixed = version(event["fixed"].as_str()?)?;
            let open = ranges.last_mut().filter(|(from, to)| to.is_none() && *from < fixed)?;
            open.1 = Some(fixed);
        }
    }
    if ranges.is_empty() { None } else { Some(ranges) }
}

/// `1.2.3`, build metadata ignored. Pre-releases have no triple here.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('+').next()?.split('.').map(str::parse::<u64>);
    let triple = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    parts.next().is_none().then_some(triple)
}

/// Every pair of package and advisory that fits. A version that cannot be compared counts as affected.
pub fn matches<'a>(packages: &'a [Package], advisories: &'a [Advisory]) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    for package in packages {
        for advisory in advisories {
            let named = advisory.kind == package.kind && advisory.name == package.name;
            let affected = || match version(&package.version) {
                None => true,
                Some(version) => advisory
                    .ranges
                    .iter()
                    .any(|(introduced, fixed)| *introduced <= version && fixed.is_none_or(|fixed| version < fixed)),
            };
            if named && affected() {
                findings.push(Finding { package, advisory });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affected(version: &str) -> bool {
        let document = serde_json::json!([{
            "id": "X-1",
            "affected": [{
                "package": { "ecosystem": "crates.io", "name": "a" },
                "ranges": [{ "type": "SEMVER", "events": [
                    { "introduced": "0.6.3" }, { "fixed": "0.6.14" }, { "introduced": "1.0.0" }, { "fixed": "1.6.1" }
                ]}]
            }]
        }]);
        let advisories = read(&document).unwrap();
        let package = |kind: &str| Package {
            kind: kind.to_owned(),
            name: "a".to_owned(),
            version: version.to_owned(),
            purl: String::new(),
        };
        assert!(matches(&[package("npm")], &advisories).is_empty());
        !matches(&[package("cargo")], &advisories).is_empty()
    }

    #[test]
    fn ranges_include_their_start_and_exclude_their_fix() {
        for version in ["0.6.3", "0.6.13", "1.0.0", "1.6.0"] {
            assert!(affected(version), "{version}");
        }
        for version in ["0.6.2", "0.6.14", "0.9.9", "1.6.1", "2.0.0"] {
            assert!(!affected(version), "{version}");
        }
    }

    #[test]
    fn a_version_that_cannot_be_compared_counts_as_affected() {
        for version in ["2.0.0-rc.1", "next", ""] {
            assert!(affected(version), "{version}");
        }
    }

    #[test]
    fn what_is_not_understood_rejects() {
        for text in [
            "[]",
            "{}",
            r#"[{"id":"A"}]"#,
            r#"[{"id":"A","affected":[{"package":{"ecosystem":"Alpine","name":"a"},"ranges":[]}]}]"#,
            r#"[{"id":"A","affected":[{"package":{"ecosystem":"crates.io","name":"a"},"ranges":[{"type":"GIT","events":[]}]}]}]"#,
            r#"[{"id":"A","affected":[{"package":{"ecosystem":"crates.io","name":"a"},"ranges":[{"type":"SEMVER","events":[{"fixed":"1.0.0"}]}]}]}]"#,
        ] {
            assert!(read(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }
}
