//! Facts: what verifiers proved. Gates see facts and rejections, never evidence.

use std::collections::BTreeMap;

use ci_types::record::{
    CommandRun, DeterminismMode, Difference, EvidenceKind, GithubClaims, IdentityKind, Isolation, Permission, Producer,
    SecretHit, SourceState, TargetKind,
};
use ci_types::{Digest, Severity, Subject, Timestamp};
use serde::Serialize;

/// A statement that a verifier of this crate proved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedFact<T> {
    fact: T,
    evidence: Vec<Digest>,
}

impl<T> VerifiedFact<T> {
    /// Only verifiers of this crate make facts.
    pub(crate) fn proven(fact: T, mut evidence: Vec<Digest>) -> Self {
        evidence.sort_unstable();
        evidence.dedup();
        Self { fact, evidence }
    }

    /// The statement.
    pub const fn get(&self) -> &T {
        &self.fact
    }

    /// Digests of the evidence files it rests on, sorted.
    pub fn evidence(&self) -> &[Digest] {
        &self.evidence
    }
}

impl<T> std::ops::Deref for VerifiedFact<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fact
    }
}

/// Why there is no fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Which evidence.
    pub kind: EvidenceKind,
    /// Typed reason.
    pub code: RejectionCode,
    /// One sentence with the place.
    pub message: String,
}

impl Rejection {
    /// A rejection.
    #[must_use]
    pub const fn new(kind: EvidenceKind, code: RejectionCode, message: String) -> Self {
        Self { kind, code, message }
    }

    /// `<kind>-<code>`, the stable code shown to users.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.kind, self.code.as_str())
    }
}

/// Typed reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionCode {
    /// Not there.
    Missing,
    /// There more often than it may be.
    Repeated,
    /// Cannot be read, or is of an unknown version.
    Malformed,
    /// Is about another artifact, commit or run.
    WrongSubject,
    /// Contradicts itself or other evidence.
    Inconsistent,
    /// Not signed by whom the verifier trusts.
    Untrusted,
    /// Too old, not yet valid or expired.
    Stale,
    /// Nothing was measured: no tests, no probes, no components.
    Empty,
}

impl RejectionCode {
    /// Name in codes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::Malformed => "malformed",
            Self::WrongSubject => "wrong-subject",
            Self::Inconsistent => "inconsistent",
            Self::Untrusted => "untrusted",
            Self::Stale => "stale",
            Self::Empty => "empty",
        }
    }
}

/// A fact, or why there is none.
pub type Outcome<T> = Result<VerifiedFact<T>, Rejection>;

/// Everything that was proven about one release. Absent evidence is a rejection in its place, so a gate cannot miss it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// Built, published and read-back identity agree with the manifest's bytes.
    #[serde(serialize_with = "outcome")]
    pub image: Outcome<ImageFact>,
    /// Who ran the lane.
    #[serde(serialize_with = "outcome")]
    pub identity: Outcome<IdentityFact>,
    /// What the build could read.
    #[serde(serialize_with = "outcome")]
    pub context: Outcome<ContextFact>,
    /// What was run.
    #[serde(serialize_with = "outcome")]
    pub commands: Outcome<CommandsFact>,
    /// Source, build and artifact are bound in one record.
    #[serde(serialize_with = "outcome")]
    pub packaging: Outcome<PackagingFact>,
    /// Signed SLSA provenance.
    #[serde(serialize_with = "outcome")]
    pub provenance: Outcome<ProvenanceFact>,
    /// Dual build.
    #[serde(serialize_with = "outcome")]
    pub determinism: Outcome<DeterminismFact>,
    /// It starts.
    #[serde(serialize_with = "outcome")]
    pub smoke: Outcome<SmokeFact>,
    /// What is inside.
    #[serde(serialize_with = "outcome")]
    pub sbom: Outcome<SbomFact>,
    /// Tests.
    #[serde(serialize_with = "outcome")]
    pub tests: Outcome<TestsFact>,
    /// Vulnerabilities.
    #[serde(serialize_with = "outcome")]
    pub scan: Outcome<ScanFact>,
    /// Secrets.
    #[serde(serialize_with = "outcome")]
    pub secrets: Outcome<SecretsFact>,
}

fn outcome<T: Serialize, S: serde::Serializer>(value: &Outcome<T>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap as _;
    let mut map = serializer.serialize_map(Some(1))?;
    match value {
        Ok(fact) => map.serialize_entry("proven", fact)?,
        Err(rejection) => map.serialize_entry("rejected", rejection)?,
    }
    map.end()
}

impl Facts {
    /// Every rejection, in field order.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        [
            self.image.as_ref().err(),
            self.identity.as_ref().err(),
            self.context.as_ref().err(),
            self.commands.as_ref().err(),
            self.packaging.as_ref().err(),
            self.provenance.as_ref().err(),
            self.determinism.as_ref().err(),
            self.smoke.as_ref().err(),
            self.sbom.as_ref().err(),
            self.tests.as_ref().err(),
            self.scan.as_ref().err(),
            self.secrets.as_ref().err(),
        ]
        .into_iter()
        .flatten()
    }
}

/// See [`Facts::image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ImageFact {
    pub subject: Subject,
    pub target: TargetKind,
    pub tag_before: Option<Digest>,
    pub config: Digest,
    pub layers: Vec<Digest>,
    pub artifact_bytes: u64,
}

/// See [`Facts::identity`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct IdentityFact {
    pub kind: IdentityKind,
    pub subject: String,
    /// Present only where a token of the issuer proved them, bound to this very digest.
    pub claims: Option<GithubClaims>,
    pub permissions: Vec<Permission>,
}

/// See [`Facts::context`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ContextFact {
    pub source: SourceState,
    pub include: Vec<String>,
    pub files: u64,
    pub total_bytes: u64,
    pub secrets: Vec<SecretHit>,
    pub digest: Digest,
}

/// See [`Facts::commands`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct CommandsFact {
    pub ci_intel_version: String,
    pub trigger: String,
    pub commands: Vec<CommandRun>,
    /// Who made each evidence file, by path: what the manifest says of it is part of what was decided on.
    pub producers: BTreeMap<String, Producer>,
}

/// See [`Facts::packaging`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PackagingFact {
    pub engine: String,
    pub base: Option<Digest>,
}

/// See [`Facts::provenance`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ProvenanceFact {
    pub builder_id: String,
    pub build_type: String,
    pub repository: String,
    pub commit: String,
    pub signed_by: String,
}

/// See [`Facts::determinism`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DeterminismFact {
    pub mode: DeterminismMode,
    pub runs: u64,
    pub first_difference: Option<Difference>,
}

/// See [`Facts::smoke`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct SmokeFact {
    pub isolation: Isolation,
    pub probes: u64,
    /// `target: detail` of the probes that failed.
    pub failed: Vec<String>,
    /// `program needs library` of what nothing in the image satisfies.
    pub unresolved: Vec<String>,
}

/// See [`Facts::sbom`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct SbomFact {
    pub components: u64,
    pub cyclonedx: Digest,
    pub spdx: Digest,
}

/// See [`Facts::tests`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct TestsFact {
    pub total: u64,
    pub failed: u64,
    pub skipped: u64,
    pub flaky: u64,
    /// Names of failed tests, at most 20.
    pub failures: Vec<String>,
    pub exit_code: Option<i32>,
}

/// See [`Facts::scan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ScanFact {
    pub tools: Vec<String>,
    /// Oldest database among the reports that name one.
    pub oldest_db: Option<Timestamp>,
    /// Findings that are not suppressed, each `(id, package, version)` once, worst first.
    pub findings: Vec<Vulnerability>,
}

/// One vulnerability of one package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs)]
pub struct Vulnerability {
    pub severity: Severity,
    pub id: String,
    pub package: String,
    pub version: String,
    pub fixed_in: Option<String>,
}

/// See [`Facts::secrets`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct SecretsFact {
    pub files: u64,
    pub rules: Digest,
    /// What the lane's sweep and the verifier's own sweep found, sorted, each once.
    pub findings: Vec<SecretHit>,
}
