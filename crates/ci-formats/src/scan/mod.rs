//! Scanner reports: Grype JSON, Trivy JSON and SARIF 2.1.0 in one model.
//!
//! A report that lists nothing is believed only where its format says that something was looked at: a missing section is an
//! error, never "zero findings", and a severity that is missing or not understood is [`Severity::Unknown`].

use ci_types::strict_json::{self, JsonError};
use ci_types::{Digest, Severity, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub mod grype;
pub mod sarif;
pub mod trivy;

/// Largest report that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;

/// A scanner's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanReport {
    /// The document's format.
    pub format: ScanFormat,
    /// Name of the tool, as it writes it. Several runs of a SARIF log: the names, joined by ` + `.
    pub tool: String,
    /// Its version, where the report says it.
    pub tool_version: Option<String>,
    /// What the report itself claims to be about. Whether that is the artifact at hand is for a verifier to say.
    pub target: ScanTarget,
    /// When the vulnerability database was built. Only Grype says it.
    pub db_built: Option<Timestamp>,
    /// All findings, suppressed ones included, in the report's order.
    pub findings: Vec<VulnFinding>,
}

impl ScanReport {
    /// Findings that nothing suppresses.
    pub fn active(&self) -> impl Iterator<Item = &VulnFinding> {
        self.findings.iter().filter(|finding| !finding.suppressed)
    }

    /// Number of findings that are not suppressed and draw on the budget of `severity` ([`Severity::budgeted_as`]).
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        self.active().filter(|finding| finding.severity.budgeted_as() == severity).count() as u64
    }
}

/// Formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanFormat {
    /// `grype -o json`.
    Grype,
    /// `trivy --format json`, schema version 2.
    Trivy,
    /// OASIS SARIF 2.1.0.
    Sarif,
}

impl ScanFormat {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grype => "grype",
            Self::Trivy => "trivy",
            Self::Sarif => "sarif",
        }
    }
}

/// What was scanned, in the report's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanTarget {
    /// Kind of target.
    pub kind: ScanTargetKind,
    /// Name, path or reference that the scanner was given.
    pub name: Option<String>,
    /// Tags (`name:tag`).
    pub tags: Vec<String>,
    /// Digests of the image manifest.
    pub manifest_digests: Vec<Digest>,
    /// Image ids: digests of the image config.
    pub image_ids: Vec<Digest>,
    /// `name@sha256:…`; the digest is that of a manifest or an index.
    pub repo_digests: Vec<String>,
}

impl ScanTarget {
    /// Whether the report claims to be about the image with this manifest digest (or index digest).
    #[must_use]
    pub fn claims_manifest(&self, digest: &Digest) -> bool {
        let named = self.repo_digests.iter().chain(&self.name).filter_map(|reference| digest_of(reference));
        self.manifest_digests.iter().copied().chain(named).any(|claimed| claimed == *digest)
    }

    /// Whether the report claims to be about the image with this config digest.
    #[must_use]
    pub fn claims_image_id(&self, digest: &Digest) -> bool {
        self.image_ids.contains(digest)
    }
}

fn digest_of(reference: &str) -> Option<Digest> {
    reference.rsplit_once('@').and_then(|(_, digest)| digest.parse().ok())
}

/// Kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanTargetKind {
    /// A container image.
    Image,
    /// An SBOM document.
    Sbom,
    /// A directory tree.
    Directory,
    /// A single file.
    File,
    /// A source repository.
    Repository,
    /// The report does not say, or says something else.
    #[default]
    Unknown,
}

/// What kind of thing a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// A known vulnerability of a package.
    Vulnerability,
    /// A configuration that breaks a rule.
    Misconfiguration,
    /// A secret.
    Secret,
    /// A licence.
    License,
    /// A SARIF result: the format does not say what its rules are about.
    Rule,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnFinding {
    /// Kind.
    pub kind: FindingKind,
    /// Id of the vulnerability or rule: `CVE-2024-1234`, `GHSA-…`, `py/sql-injection`.
    pub id: String,
    /// Severity; [`Severity::Unknown`] where the report has none that is understood.
    pub severity: Severity,
    /// Package name.
    pub package: Option<String>,
    /// Installed version.
    pub version: Option<String>,
    /// Package URL.
    pub purl: Option<String>,
    /// Versions that fix it.
    pub fixed_in: Vec<String>,
    /// File, or `file:line`.
    pub location: Option<String>,
    /// Whether the scanner was told to ignore it. Kept: what is ignored must stay visible.
    pub suppressed: bool,
    /// Why it is suppressed, where the report says it.
    pub suppression: Option<String>,
}

/// Why a scanner report was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Larger than [`MAX_BYTES`].
    #[error("the report has {bytes} bytes, the limit is {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, not of the format's shape, or a repeated key.
    #[error("{format} report: {cause}")]
    Json {
        /// `scan`, or the format's name.
        format: &'static str,
        /// The cause, with line and column.
        cause: JsonError,
    },
    /// None of the known formats.
    #[error("not a scanner report that is known; expected `grype -o json`, `trivy --format json` or SARIF 2.1.0")]
    UnknownFormat,
    /// Looks like more than one format.
    #[error("the report looks like {first} and like {second}; one document is one format")]
    AmbiguousFormat {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A version of the format that is not known.
    #[error("{format} report of version `{found}`; expected {expected}")]
    UnknownVersion {
        /// Format.
        format: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// The section that lists findings is missing: this is not "no findings".
    #[error(
        "{format} report has no `{section}` section; a scan that listed nothing proves nothing: scan again and keep the whole output"
    )]
    NoSection {
        /// Format.
        format: &'static str,
        /// Name of the section, with its place: `runs[0].results`.
        section: String,
    },
    /// The report says that nothing was looked at for vulnerabilities.
    #[error(
        "{format} report covers no package source ({detail}); nothing was scanned for vulnerabilities: check the target and the scanner's options"
    )]
    NothingScanned {
        /// Format.
        format: &'static str,
        /// What the report has instead.
        detail: String,
    },
    /// The scanner says that it failed.
    #[error("{format} report, {place}: the scanner says that it failed: {detail}")]
    ToolFailed {
        /// Format.
        format: &'static str,
        /// Where it says so.
        place: String,
        /// What it says.
        detail: String,
    },
    /// A value that is needed is missing or malformed.
    #[error("{format} report, {place}: `{value}` is not {expected}")]
    BadValue {
        /// Format.
        format: &'static str,
        /// Where.
        place: String,
        /// What stands there, cut.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// Part of the findings stand in another file.
    #[error("{format} report keeps {section} in another document; write one self-contained report")]
    External {
        /// Format.
        format: &'static str,
        /// What is elsewhere.
        section: String,
    },
}

/// Finds out the format by the document's own marks and reads it.
///
/// # Errors
/// See [`ScanError`].
pub fn read(bytes: &[u8]) -> Result<ScanReport, ScanError> {
    match detect(bytes)? {
        ScanFormat::Grype => grype::read(bytes),
        ScanFormat::Trivy => trivy::read(bytes),
        ScanFormat::Sarif => sarif::read(bytes),
    }
}

/// The format of a report, by its top-level keys.
///
/// # Errors
/// [`ScanError::UnknownFormat`], [`ScanError::AmbiguousFormat`], or what makes it no JSON.
pub fn detect(bytes: &[u8]) -> Result<ScanFormat, ScanError> {
    #[derive(Deserialize)]
    struct Marks {
        matches: Option<IgnoredAny>,
        descriptor: Option<IgnoredAny>,
        runs: Option<IgnoredAny>,
        #[serde(rename = "$schema")]
        schema: Option<serde_json::Value>,
        #[serde(rename = "SchemaVersion")]
        trivy_version: Option<IgnoredAny>,
        #[serde(rename = "ArtifactName")]
        trivy_name: Option<IgnoredAny>,
        #[serde(rename = "Results")]
        trivy_results: Option<IgnoredAny>,
    }
    let marks: Marks = parse(bytes, "scan")?;
    let sarif_schema = marks.schema.as_ref().and_then(serde_json::Value::as_str).is_some_and(|id| id.contains("sarif"));
    let mut found = [
        (ScanFormat::Grype, marks.matches.is_some() || marks.descriptor.is_some()),
        (
            ScanFormat::Trivy,
            marks.trivy_version.is_some() || marks.trivy_name.is_some() || marks.trivy_results.is_some(),
        ),
        (ScanFormat::Sarif, marks.runs.is_some() || sarif_schema),
    ]
    .into_iter()
    .filter_map(|(format, marked)| marked.then_some(format));
    match (found.next(), found.next()) {
        (Some(format), None) => Ok(format),
        (Some(first), Some(second)) => {
            Err(ScanError::AmbiguousFormat { first: first.as_str(), second: second.as_str() })
        }
        (None, _) => Err(ScanError::UnknownFormat),
    }
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], format: &'static str) -> Result<T, ScanError> {
    if bytes.len() > MAX_BYTES {
        return Err(ScanError::TooLarge { bytes: bytes.len() });
    }
    strict_json::from_slice(bytes).map_err(|cause| ScanError::Json { format, cause })
}

/// The severity words of Grype and Trivy.
fn severity_word(word: Option<&str>) -> Severity {
    match word.unwrap_or_default().to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" => Severity::High,
        "medium" => Severity::Medium,
        "low" => Severity::Low,
        "negligible" => Severity::Info,
        _ => Severity::Unknown,
    }
}

/// A digest that a report claims: absent and empty are none, anything else must be one.
fn digest(format: &'static str, place: &str, text: Option<&str>) -> Result<Option<Digest>, ScanError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ScanError::BadValue {
        format,
        place: place.to_owned(),
        value: text.chars().take(96).collect(),
        expected: "a sha256 digest",
    })
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
