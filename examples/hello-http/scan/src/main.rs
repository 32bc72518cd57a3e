//! `scan --sbom CYCLONEDX --advisories OSV --output SARIF`
//!
//! Compares the packages of a CycloneDX SBOM with advisories in OSV format and writes SARIF 2.1.0. It opens no socket and
//! knows only the advisories it is given: a stand-in for grype or trivy, for demonstrations and tests. Findings are no
//! failure (exit 0: the report tells); anything that it cannot read is (exit 2).

mod cvss;
mod osv;
mod sarif;

use std::process::ExitCode;

use serde_json::Value;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(findings) => {
            eprintln!("scan: {findings} findings");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("scan: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<usize, String> {
    let (mut sbom, mut advisories, mut output) = (None, None, None);
    while let Some(flag) = args.next() {
        let slot = match flag.as_str() {
            "--sbom" => &mut sbom,
            "--advisories" => &mut advisories,
            "--output" => &mut output,
            other => {
                return Err(format!("`{other}` is not known; expected --sbom FILE --advisories FILE --output FILE"));
            }
        };
        *slot = Some(args.next().ok_or(format!("{flag} needs a file"))?);
    }
    let need = |file: Option<String>, flag: &str| file.ok_or(format!("{flag} FILE is missing"));
    let (sbom, advisories) = (need(sbom, "--sbom")?, need(advisories, "--advisories")?);
    let output = need(output, "--output")?;
    let packages = packages(&read(&sbom)?).map_err(|error| format!("{sbom}: {error}"))?;
    let advisories = osv::read(&read(&advisories)?).map_err(|error| format!("{advisories}: {error}"))?;
    let findings = osv::matches(&packages, &advisories);
    let report = sarif::report(&findings, packages.len(), advisories.len());
    std::fs::write(&output, report.to_string()).map_err(|error| format!("{output}: {error}"))?;
    Ok(findings.len())
}

fn read(path: &str) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}

/// A package of the SBOM.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Package {
    /// Type of the package URL: `cargo`, `deb`.
    kind: String,
    name: String,
    version: String,
    purl: String,
}

/// The packages of a CycloneDX document. None at all is an error: nothing looked at is not "nothing found".
fn packages(sbom: &Value) -> Result<Vec<Package>, String> {
    if sbom["bomFormat"] != "CycloneDX" {
        return Err("not a CycloneDX document".to_owned());
    }
    let components = sbom["components"].as_array().ok_or("no `components`")?;
    let mut packages = Vec::new();
    for component in components {
        // Files and the operating system have no package URL and no advisories here.
        let Some(purl) = component["purl"].as_str() else { continue };
        let kind = purl.strip_prefix("pkg:").and_then(|rest| rest.split('/').next());
        let (Some(kind), Some(name), Some(version)) = (kind, component["name"].as_str(), component["version"].as_str())
        else {
            return Err(format!("component {purl} has no type, name or version"));
        };
        packages.push(Package {
            kind: kind.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            purl: purl.to_owned(),
        });
    }
    if packages.is_empty() { Err("lists no packages".to_owned()) } else { Ok(packages) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sbom_without_packages_rejects() {
        for text in [r#"{}"#, r#"{"bomFormat":"CycloneDX"}"#, r#"{"bomFormat":"CycloneDX","components":[]}"#] {
            assert!(packages(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_vulnerable_package_is_reported_as_critical() {
        let dir = std::env::temp_dir().join(format!("scan-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        let sbom = |version: &str| {
            serde_json::json!({ "bomFormat": "CycloneDX", "components": [
                { "name": "smallvec", "version": version, "purl": format!("pkg:cargo/smallvec@{version}") }
            ]})
        };
        let advisories = concat!(env!("CARGO_MANIFEST_DIR"), "/advisories.json");
        for (version, expected) in [("1.6.0", 1), ("1.6.1", 0)] {
            std::fs::write(path("sbom"), sbom(version).to_string()).unwrap();
            let args =
                ["--sbom", &path("sbom"), "--advisories", advisories, "--output", &path("out")].map(str::to_owned);
            assert_eq!(run(args.into_iter()), Ok(expected), "{version}");
            let report = read(&path("out")).unwrap();
            assert_eq!(report["runs"][0]["results"].as_array().unwrap().len(), expected);
            if expected == 1 {
                assert_eq!(report["runs"][0]["tool"]["driver"]["rules"][0]["properties"]["security-severity"], "9.8");
            }
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_missing_argument_rejects() {
        assert!(run(["--sbom".to_owned()].into_iter()).is_err());
        assert!(run(std::iter::empty()).is_err());
    }
}
