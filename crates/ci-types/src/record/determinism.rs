//! Dual builds: the same input built twice under different circumstances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::{Digest, Timestamp};

schema_id!(DeterminismSchema, "https://ci-intel.dev/schema/determinism_report.v1.json");

/// How often the artifact was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DeterminismMode {
    /// Once. Good for environment `local` only.
    Single,
    /// Twice, in different directories and at different times, and compared.
    Dual,
}

/// What was built and whether both builds agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeterminismReport {
    /// Schema id.
    pub schema: DeterminismSchema,
    /// Requested mode.
    pub mode: DeterminismMode,
    /// Build engine: `assemble`, `buildah`, `docker`, `command`.
    pub engine: String,
    /// One run in single mode, two in dual mode.
    pub runs: Vec<BuildRun>,
    /// The first difference found, outermost first; absent where the runs agree.
    pub first_difference: Option<Difference>,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuildRun {
    /// Directory it was built in, relative to the lane's work directory.
    pub directory: String,
    /// Start.
    pub started_at: Timestamp,
    /// Digest of the image manifest.
    pub manifest: Digest,
    /// Digest of the image config.
    pub config: Digest,
    /// Digests of the layers, bottom first.
    pub layers: Vec<Digest>,
    /// The determinism environment.
    pub env: BTreeMap<String, String>,
}

/// Where two builds differ first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// `config`, or `layer 2`.
    pub part: String,
    /// File inside the layer.
    pub path: Option<String>,
    /// Member inside that file where it is an archive, or the ELF section.
    pub member: Option<String>,
    /// What differs: `content`, `mtime`, `mode`, `owner`, `build-id`, `only in run 1`, …
    pub what: String,
    /// Value in run 1.
    pub first: String,
    /// Value in run 2.
    pub second: String,
}
