//! The manifest of a bundle: every file with digest, size, media type, kind and producer.

use serde::{Deserialize, Serialize};

use super::{EvidenceKind, schema_id};
use crate::{Digest, Subject, Timestamp};

schema_id!(ManifestSchema, "https://ci-intel.dev/schema/evidence_manifest.v1.json");

/// Everything that a bundle holds. Signed; a file that is not listed, or listed and absent, is a rejection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EvidenceManifest {
    /// Schema id.
    pub schema: ManifestSchema,
    /// The run.
    pub run_id: String,
    /// When it was packed (the decision's `now`).
    pub created_at: Timestamp,
    /// The artifact that all of it is about.
    pub subject: Subject,
    /// The files, sorted by path (byte order), each once.
    pub files: Vec<EvidenceFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EvidenceFile {
    /// Path below `evidence-pack/release-<tag>/`.
    pub path: String,
    /// What it is.
    pub kind: EvidenceKind,
    /// Media type.
    pub media_type: String,
    /// Content digest.
    pub digest: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// Who made it.
    pub producer: Producer,
}

/// Who made a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Producer {
    /// `ci-intel`, or the program's name.
    pub name: String,
    /// Version, where known.
    pub version: Option<String>,
    /// Index into the command receipt's `commands`, where a command made it.
    pub command: Option<u64>,
}

impl Producer {
    /// ci-intel itself.
    #[must_use]
    pub fn ci_intel(version: &str) -> Self {
        Self { name: "ci-intel".to_owned(), version: Some(version.to_owned()), command: None }
    }
}
