//! Trivy JSON (`trivy image|fs|repo|sbom --format json`), schema version 2.
//!
//! Trivy leaves `Results` out where it found nothing to scan; that is refused. So is a report without one package source:
//! it comes from a run with other scanners only, and says nothing about vulnerabilities.

use serde::Deserialize;
use serde_json::Value;

use super::{
    FindingKind, ScanError, ScanFormat, ScanReport, ScanTarget, ScanTargetKind, VulnFinding, digest, parse,
    severity_word, some,
};

const FORMAT: &str = "trivy";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    schema_version: Option<Value>,
    trivy: Option<Tool>,
    artifact_name: Option<String>,
    artifact_type: Option<String>,
    metadata: Option<Metadata>,
    results: Option<Vec<Section>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tool {
    version: Option<String>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    #[serde(rename = "RepoTags")]
    repo_tags: Option<Vec<String>>,
    #[serde(rename = "RepoDigests")]
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Section {
    target: Option<String>,
    class: Option<String>,
    vulnerabilities: Option<Vec<Vulnerability>>,
    misconfigurations: Option<Vec<Misconfiguration>>,
    secrets: Option<Vec<Secret>>,
    licenses: Option<Vec<License>>,
    #[serde(alias = "ModifiedFindings")]
    experimental_modified_findings: Option<Vec<Modified>>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(rename = "PkgName")]
    package: String,
    #[serde(rename = "PkgPath")]
    path: Option<String>,
    #[serde(rename = "PkgIdentifier")]
    identifier: Option<Identifier>,
    #[serde(rename = "InstalledVersion")]
    version: Option<String>,
    #[serde(rename = "FixedVersion")]
    fixed: Option<String>,
    #[serde(rename = "Severity")]
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "PURL")]
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Misconfiguration {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Severity")]
    severity: Option<String>,
    #[serde(rename = "Status")]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "RuleID")]
    id: String,
    #[serde(rename = "Severity")]
    severity: Option<String>,
    #[serde(rename = "StartLine")]
    line: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct License {
    name: String,
    severity: Option<String>,
    pkg_name: Option<String>,
    file_path: Option<String>,
}

/// A finding that an ignore file or a VEX document took out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modified {
    r#type: Option<String>,
    status: Option<String>,
    statement: Option<String>,
    source: Option<String>,
    finding: Value,
}

/// Reads a Trivy report.
///
/// # Errors
/// See [`ScanError`].
pub fn read(bytes: &[u8]) -> Result<ScanReport, ScanError> {
    let document: Document = parse(bytes, FORMAT)?;
    match &document.schema_version {
        Some(version) if *version == 2 => {}
        other => {
            return Err(ScanError::UnknownVersion {
                format: FORMAT,
                found: other
                    .as_ref()
                    .map_or_else(|| "missing".to_owned(), |value| value.to_string().chars().take(40).collect()),
                expected: "SchemaVersion 2",
            });
        }
    }
    let sections =
        document.results.ok_or_else(|| ScanError::NoSection { format: FORMAT, section: "Results".to_owned() })?;
    let covers = |section: &Section| {
        matches!(section.class.as_deref(), Some("os-pkgs" | "lang-pkgs")) || section.vulnerabilities.is_some()
    };
    if !sections.iter().any(covers) {
        let classes: Vec<_> = sections.iter().filter_map(|section| section.class.as_deref()).take(8).collect();
        return Err(ScanError::NothingScanned {
            format: FORMAT,
            detail: format!("{} results of class [{}]", sections.len(), classes.join(", ")),
        });
    }
    let metadata = document.metadata.unwrap_or_default();
    let target = ScanTarget {
        kind: match document.artifact_type.as_deref() {
            Some("container_image") => ScanTargetKind::Image,
            Some("filesystem" | "vm") => ScanTargetKind::Directory,
            Some("repository") => ScanTargetKind::Repository,
            Some("cyclonedx" | "spdx") => ScanTargetKind::Sbom,
            _ => ScanTargetKind::Unknown,
        },
        name: some(document.artifact_name),
        tags: metadata.repo_tags.unwrap_or_default(),
        manifest_digests: Vec::new(),
        image_ids: digest(FORMAT, "Metadata.ImageID", metadata.image_id.as_deref())?.into_iter().collect(),
        repo_digests: metadata.repo_digests.unwrap_or_default(),
    };
    let mut findings = Vec::new();
    for (index, section) in sections.into_iter().enumerate() {
        read_section(index, section, &mut findings)?;
    }
    if let Some(at) = findings.iter().position(|finding: &VulnFinding| finding.id.is_empty()) {
        return Err(bad(format!("finding {at}"), "", "a finding with an id"));
    }
    Ok(ScanReport {
        format: ScanFormat::Trivy,
        tool: "trivy".to_owned(),
        tool_version: document.trivy.and_then(|tool| some(tool.version)),
        target,
        db_built: None,
        findings,
    })
}

fn read_section(index: usize, section: Section, findings: &mut Vec<VulnFinding>) -> Result<(), ScanError> {
    let target = some(section.target);
    let place = |path: Option<String>| some(path).or_else(|| target.clone());
    let plain = |kind, id, severity: Option<&str>, location| VulnFinding {
        kind,
        id,
        severity: severity_word(severity),
        package: None,
        version: None,
        purl: None,
        fixed_in: Vec::new(),
        location,
        suppressed: false,
        suppression: None,
    };
    let vulnerability = |found: Vulnerability| VulnFinding {
        package: some(Some(found.package)),
        version: some(found.version),
        purl: found.identifier.and_then(|identifier| some(identifier.purl)),
        fixed_in: found
            .fixed
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|version| !version.is_empty())
            .map(str::to_owned)
            .collect(),
        ..plain(FindingKind::Vulnerability, found.id, found.severity.as_deref(), place(found.path))
    };
    findings.extend(section.vulnerabilities.unwrap_or_default().into_iter().map(vulnerability));
    // PASS is listed with `--include-non-failures`; a status that is missing or unknown counts as a failure.
    let failures = section
        .misconfigurations
        .unwrap_or_default()
        .into_iter()
        .filter(|found| found.status.as_deref() != Some("PASS"));
    findings.extend(
        failures.map(|found| plain(FindingKind::Misconfiguration, found.id, found.severity.as_deref(), place(None))),
    );
    findings.extend(section.secrets.unwrap_or_default().into_iter().map(|found| {
        let at = target.as_ref().map(|file| found.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")));
        plain(FindingKind::Secret, found.id, found.severity.as_deref(), at)
    }));
    findings.extend(section.licenses.unwrap_or_default().into_iter().map(|found| VulnFinding {
        package: some(found.pkg_name),
        ..plain(FindingKind::License, found.name, found.severity.as_deref(), place(found.file_path))
    }));
    for modified in section.experimental_modified_findings.unwrap_or_default() {
        let why =
            [modified.status, modified.statement, modified.source].into_iter().filter_map(some).collect::<Vec<_>>();
        let malformed = |error: serde_json::Error| {
            bad(format!("Results[{index}].ExperimentalModifiedFindings"), &error.to_string(), "a finding")
        };
        let finding = match modified.r#type.as_deref() {
            Some("vulnerability") => vulnerability(serde_json::from_value(modified.finding).map_err(malformed)?),
            other => {
                let id = ["ID", "RuleID", "Name"].iter().find_map(|key| modified.finding.get(*key)?.as_str());
                let kind = match other {
                    Some("misconfiguration") => FindingKind::Misconfiguration,
                    Some("secret") => FindingKind::Secret,
                    Some("license") => FindingKind::License,
                    _ => FindingKind::Rule,
                };
                let severity = modified.finding.get("Severity").and_then(Value::as_str);
                plain(kind, id.unwrap_or_default().to_owned(), severity, place(None))
            }
        };
        findings.push(VulnFinding { suppressed: true, suppression: some(Some(why.join(": "))), ..finding });
    }
    Ok(())
}

fn bad(place: String, value: &str, expected: &'static str) -> ScanError {
    ScanError::BadValue { format: FORMAT, place, value: value.chars().take(200).collect(), expected }
}
