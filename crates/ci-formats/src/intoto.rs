//! in-toto Statement v1 with the predicates that the lane writes and reads: SLSA provenance v1 and SLSA verification summary
//! (VSA) v1. Own types for what gates need; the published crates accept too much.
//!
//! Sources: in-toto Attestation Framework, `spec/v1/statement.md`, `digest_set.md`, `resource_descriptor.md`;
//! <https://slsa.dev/spec/v1.0/provenance>; <https://slsa.dev/spec/v1.0/verification_summary>.
//!
//! The envelope is closed (no unknown keys); predicates are open where their specification says "consumers ignore unknown
//! fields" (provenance, VSA), because a newer minor version must stay readable. Signatures are none of this module's business.

use std::collections::BTreeMap;

use ci_types::strict_json::{self, JsonError};
use ci_types::{Digest, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `_type` of a Statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of SLSA provenance v1.
pub const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// `predicateType` of a SLSA verification summary v1.
pub const SUMMARY_TYPE: &str = "https://slsa.dev/verification_summary/v1";
/// DSSE `payloadType` of a Statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Algorithm name to lower-case hex digits (in-toto `DigestSet`).
pub type DigestSet = BTreeMap<String, String>;

/// An in-toto Statement v1 with predicate `P`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement<P> {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about. At least one; each with a digest.
    pub subject: Vec<ResourceDescriptor>,
    /// Type of the predicate.
    pub predicate_type: String,
    /// The predicate.
    pub predicate: P,
}

/// A predicate type that this module knows.
pub trait Predicate: Serialize + DeserializeOwned {
    /// Its `predicateType`.
    const TYPE: &'static str;

    /// What the shape alone does not say.
    ///
    /// # Errors
    /// The first field that breaks its specification.
    fn check(&self) -> Result<(), StatementError>;
}

/// A resource (in-toto `ResourceDescriptor`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceDescriptor {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: DigestSet,
    /// Content, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Where it was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_location: Option<String>,
    /// Media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

impl ResourceDescriptor {
    /// A named resource with a SHA-256 digest.
    #[must_use]
    pub fn named(name: impl Into<String>, digest: &Digest) -> Self {
        Self { name: Some(name.into()), digest: digest_set(digest), ..Self::default() }
    }

    /// A resource with a URI and a SHA-256 digest.
    #[must_use]
    pub fn at(uri: impl Into<String>, digest: &Digest) -> Self {
        Self { uri: Some(uri.into()), digest: digest_set(digest), ..Self::default() }
    }

    /// Its SHA-256 digest, where it has a well-formed one.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        self.digest.get("sha256").and_then(|hex| Digest::from_hex(hex).ok())
    }
}

/// `{"sha256": "<hex>"}`.
#[must_use]
pub fn digest_set(digest: &Digest) -> DigestSet {
    BTreeMap::from([("sha256".to_owned(), digest.hex())])
}

/// SLSA provenance v1: how an artifact was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The inputs.
    pub build_definition: BuildDefinition,
    /// The run.
    pub run_details: RunDetails,
}

/// The inputs of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// URI of the template that says how to read the rest.
    pub build_type: String,
    /// Parameters under external control. Complete at SLSA build level 3.
    pub external_parameters: serde_json::Map<String, Value>,
    /// Parameters under the builder's control.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub internal_parameters: serde_json::Map<String, Value>,
    /// Artifacts needed at build time: source, base images, tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// One run of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who built.
    pub builder: Builder,
    /// When and as what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BuildMetadata>,
    /// Further artifacts of the run, such as logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ResourceDescriptor>,
}

/// The builder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Builder {
    /// URI of the transitive closure of what is trusted to have run the build.
    pub id: String,
    /// Versions of its components.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
    /// Dependencies of the orchestrator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builder_dependencies: Vec<ResourceDescriptor>,
}

/// Metadata of a build run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildMetadata {
    /// Id of the run; unique for a builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// Start.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant")]
    pub started_on: Option<Timestamp>,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant")]
    pub finished_on: Option<Timestamp>,
}

impl Predicate for Provenance {
    const TYPE: &'static str = PROVENANCE_TYPE;

    fn check(&self) -> Result<(), StatementError> {
        uri("predicate.buildDefinition.buildType", &self.build_definition.build_type)?;
        uri("predicate.runDetails.builder.id", &self.run_details.builder.id)?;
        let groups = [
            ("predicate.buildDefinition.resolvedDependencies", &self.build_definition.resolved_dependencies),
            ("predicate.runDetails.byproducts", &self.run_details.byproducts),
            ("predicate.runDetails.builder.builderDependencies", &self.run_details.builder.builder_dependencies),
        ];
        for (field, resources) in groups {
            for (index, resource) in resources.iter().enumerate() {
                check_resource(&format!("{field}[{index}]"), resource)?;
            }
        }
        if let Some(BuildMetadata { started_on: Some(start), finished_on: Some(end), .. }) = &self.run_details.metadata
            && end < start
        {
            let place = "predicate.runDetails.metadata.finishedOn";
            return Err(StatementError::field(place, end.to_string(), "not before startedOn"));
        }
        Ok(())
    }
}

/// A SLSA verification summary v1: what a verifier decided about an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationSummary {
    /// Who verified.
    pub verifier: Verifier,
    /// When.
    #[serde(with = "instant_required")]
    pub time_verified: Timestamp,
    /// What was verified: a URI of the artifact.
    pub resource_uri: String,
    /// By which policy.
    pub policy: PolicyReference,
    /// The attestations that were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_attestations: Vec<InputAttestation>,
    /// The result.
    pub verification_result: VerificationResult,
    /// Levels reached, like `SLSA_BUILD_LEVEL_2`; own levels are URIs.
    pub verified_levels: Vec<String>,
    /// Number of dependencies that reached each level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependency_levels: BTreeMap<String, u64>,
    /// Version of SLSA, `1.0` or `1.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slsa_version: Option<String>,
}

/// A verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// URI that names it.
    pub id: String,
    /// Versions of its components.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
}

/// The policy of a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReference {
    /// URI.
    pub uri: String,
    /// Digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: DigestSet,
}

/// An attestation that a summary rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputAttestation {
    /// URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Digests.
    pub digest: DigestSet,
}

/// The result of a verification. There is no third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum VerificationResult {
    Passed,
    Failed,
}

impl Predicate for VerificationSummary {
    const TYPE: &'static str = SUMMARY_TYPE;

    fn check(&self) -> Result<(), StatementError> {
        uri("predicate.verifier.id", &self.verifier.id)?;
        uri("predicate.resourceUri", &self.resource_uri)?;
        uri("predicate.policy.uri", &self.policy.uri)?;
        check_digests("predicate.policy.digest", &self.policy.digest)?;
        for (index, input) in self.input_attestations.iter().enumerate() {
            let place = format!("predicate.inputAttestations[{index}].digest");
            check_digests(&place, &input.digest)?;
            if input.digest.is_empty() {
                return Err(StatementError::field(&place, "{}", "at least one digest"));
            }
        }
        match self.verification_result {
            VerificationResult::Passed if self.verified_levels.is_empty() => Err(StatementError::field(
                "predicate.verifiedLevels",
                "[]",
                "at least one level where the result is PASSED",
            )),
            VerificationResult::Failed if self.verified_levels.iter().any(|level| level != "FAILED") => {
                let levels = self.verified_levels.join(", ");
                Err(StatementError::field(
                    "predicate.verifiedLevels",
                    levels,
                    "no level but FAILED where the result is FAILED",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Why a Statement was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not JSON of the expected shape.
    #[error("in-toto Statement: {0}")]
    Json(JsonError),
    /// Another `_type`.
    #[error("in-toto Statement: `_type` is `{0}`; expected {STATEMENT_TYPE}")]
    StatementType(String),
    /// Another `predicateType`.
    #[error("in-toto Statement: `predicateType` is `{found}`; expected {expected}")]
    PredicateType {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// No subject: the statement is about nothing.
    #[error("in-toto Statement: `subject` is empty; a statement about nothing proves nothing")]
    NoSubject,
    /// A subject without digest: anything could be meant.
    #[error("in-toto Statement: `subject[{0}]` has no digest")]
    SubjectWithoutDigest(usize),
    /// A field breaks its specification.
    #[error("in-toto Statement: `{place}` is `{value}`; expected {expected}")]
    Field {
        /// JSON path.
        place: String,
        /// What stands there, cut.
        value: String,
        /// What should.
        expected: &'static str,
    },
}

impl StatementError {
    fn field(place: &str, value: impl AsRef<str>, expected: &'static str) -> Self {
        Self::Field { place: place.to_owned(), value: value.as_ref().chars().take(200).collect(), expected }
    }
}

impl<P: Predicate> Statement<P> {
    /// A Statement about `subject`.
    #[must_use]
    pub fn about(subject: Vec<ResourceDescriptor>, predicate: P) -> Self {
        Self { statement_type: STATEMENT_TYPE.to_owned(), subject, predicate_type: P::TYPE.to_owned(), predicate }
    }

    /// Reads and checks a Statement of this predicate type.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn read(bytes: &[u8]) -> Result<Self, StatementError> {
        // The envelope first, so that another type of predicate is named as such and not as a missing field.
        let envelope: Statement<Value> = strict_json::from_slice(bytes).map_err(StatementError::Json)?;
        if envelope.statement_type != STATEMENT_TYPE {
            return Err(StatementError::StatementType(envelope.statement_type.chars().take(200).collect()));
        }
        if envelope.predicate_type != P::TYPE {
            let found = envelope.predicate_type.chars().take(200).collect();
            return Err(StatementError::PredicateType { found, expected: P::TYPE });
        }
        let statement: Self = strict_json::from_slice(bytes).map_err(StatementError::Json)?;
        statement.check()?;
        Ok(statement)
    }

    /// What the shape alone does not say; call it before signing.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn check(&self) -> Result<(), StatementError> {
        if self.statement_type != STATEMENT_TYPE {
            return Err(StatementError::StatementType(self.statement_type.chars().take(200).collect()));
        }
        if self.predicate_type != P::TYPE {
            let found = self.predicate_type.chars().take(200).collect();
            return Err(StatementError::PredicateType { found, expected: P::TYPE });
        }
        if self.subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        for (index, subject) in self.subject.iter().enumerate() {
            if subject.digest.is_empty() {
                return Err(StatementError::SubjectWithoutDigest(index));
            }
            check_resource(&format!("subject[{index}]"), subject)?;
        }
        self.predicate.check()
    }

    /// Whether one of the subjects has this SHA-256 digest.
    #[must_use]
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subject.iter().any(|subject| subject.sha256() == Some(*digest))
    }
}

/// A descriptor must identify something: by name, URI, digest or content.
fn check_resource(place: &str, resource: &ResourceDescriptor) -> Result<(), StatementError> {
    if resource.uri.is_none() && resource.digest.is_empty() && resource.content.is_none() {
        return Err(StatementError::field(place, "{}", "a uri, digest or content (ResourceDescriptor)"));
    }
    check_digests(&format!("{place}.digest"), &resource.digest)
}

/// Known algorithms must have their length; others at least hex digits.
fn check_digests(place: &str, digests: &DigestSet) -> Result<(), StatementError> {
    for (algorithm, value) in digests {
        let length = match algorithm.as_str() {
            "sha1" | "gitCommit" | "gitTree" | "gitBlob" | "gitTag" => Some(40),
            "sha224" => Some(56),
            "sha256" => Some(64),
            "sha384" => Some(96),
            "sha512" => Some(128),
            _ => None,
        };
        // git objects may be named by SHA-256 too.
        let git = algorithm.starts_with("git") && value.len() == 64;
        let hex = !value.is_empty() && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if length.is_some_and(|length| value.len() != length || !hex) && !(git && hex) {
            let place = format!("{place}.{algorithm}");
            return Err(StatementError::field(&place, value, "lower-case hex digits of the algorithm's length"));
        }
        if value.is_empty() {
            return Err(StatementError::field(&format!("{place}.{algorithm}"), value, "a digest"));
        }
    }
    Ok(())
}

/// in-toto `TypeURI` and `ResourceURI`: `scheme:rest`, no white space.
fn uri(place: &str, text: &str) -> Result<(), StatementError> {
    let sound = text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !rest.contains(|character: char| character.is_whitespace() || character.is_control())
    });
    if sound { Ok(()) } else { Err(StatementError::field(place, text, "a URI")) }
}

/// Reads any RFC 3339 time, because foreign provenance has fractions; writes whole seconds in UTC.
mod instant {
    use ci_types::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        super::instant_required::deserialize(deserializer).map(Some)
    }

    pub(super) fn parse(text: &str) -> Option<Timestamp> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Timestamp::from_unix_s(instant.as_second()).ok()
    }

    pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 time between 1970 and 9999"))
    }
}

mod instant_required {
    use ci_types::Timestamp;
    use serde::{Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        super::instant::read(deserializer)
    }
}

#[cfg(test)]
mod tests;
