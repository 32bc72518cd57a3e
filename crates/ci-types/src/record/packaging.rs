//! `packaging_provenance.json`: source, build and artifact bound together in one short record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SourceState, schema_id};
use crate::{Digest, Subject};

schema_id!(PackagingSchema, "https://ci-intel.dev/schema/packaging_provenance.v1.json");

/// Source, build and artifact identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PackagingProvenance {
    /// Schema id.
    pub schema: PackagingSchema,
    /// The run.
    pub run_id: String,
    /// Source revision.
    pub source: SourceState,
    /// Build engine.
    pub engine: String,
    /// Digest of the context manifest (the evidence file).
    pub context: Digest,
    /// Digest of the command receipt (the evidence file).
    pub commands: Digest,
    /// The determinism environment.
    pub env: BTreeMap<String, String>,
    /// The base image; absent for `scratch`.
    pub base: Option<Digest>,
    /// The artifact.
    pub artifact: Subject,
    /// Digest of the image config.
    pub image_config: Digest,
    /// Digests of the layers, bottom first.
    pub layers: Vec<Digest>,
}
