//! `build_command_surface_receipt.json`: every command the lane ran, how, and what came out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::{Digest, Timestamp};

schema_id!(CommandReceiptSchema, "https://ci-intel.dev/schema/build_command_surface_receipt.v1.json");

/// How the release was invoked and which commands it ran, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandReceipt {
    /// Schema id.
    pub schema: CommandReceiptSchema,
    /// Version of ci-intel that ran the lane.
    pub ci_intel_version: String,
    /// What started the lane: `manual`, or the CI's event name.
    pub trigger: String,
    /// Operating system, architecture and kernel of the machine.
    pub host: Host,
    /// The commands in the order they ran.
    pub commands: Vec<CommandRun>,
}

/// The machine that ran the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Host {
    /// For example `linux`.
    pub os: String,
    /// For example `x86_64`.
    pub arch: String,
    /// Kernel release.
    pub kernel: String,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandRun {
    /// Lane stage: `build`, `tests`, `scan`, …
    pub stage: String,
    /// Program and arguments, secrets redacted.
    pub argv: Vec<String>,
    /// The determinism environment it was given. Names of other variables are in `env_passed`.
    pub env: BTreeMap<String, String>,
    /// Names (never values) of further variables passed on.
    pub env_passed: Vec<String>,
    /// Start.
    pub started_at: Timestamp,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Exit code; absent where a signal ended it or it never started.
    pub exit_code: Option<i32>,
    /// Digests of what it was given: the context, an image, an SBOM.
    pub inputs: Vec<Digest>,
    /// Files it left that became evidence.
    pub outputs: Vec<FileDigest>,
}

/// A file and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileDigest {
    /// Path relative to the repository or bundle.
    pub path: String,
    /// Content digest.
    pub digest: Digest,
}
