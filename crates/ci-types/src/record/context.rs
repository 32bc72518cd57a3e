//! Build context: exactly which bytes a build may read.

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::{Digest, Timestamp};

schema_id!(ContextSchema, "https://ci-intel.dev/schema/context_manifest.v1.json");

/// The declared build context and every file in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContextManifest {
    /// Schema id.
    pub schema: ContextSchema,
    /// The source revision.
    pub source: SourceState,
    /// The include patterns as declared.
    pub include: Vec<String>,
    /// The files matched, sorted by path (byte order), each once.
    pub files: Vec<ContextFile>,
    /// Sum of `files[].bytes`.
    pub total_bytes: u64,
    /// Secrets found in these files: rule id and place, never the value.
    pub secrets: Vec<super::SecretHit>,
}

/// The source revision that a release starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceState {
    /// `owner/name`, or the project name where no forge is known.
    pub repository: String,
    /// 40 hex digits.
    pub commit: String,
    /// Commit time; the value of `SOURCE_DATE_EPOCH`.
    pub committed_at: Timestamp,
    /// Branch or tag, as git names it (`refs/heads/main`); `HEAD` where detached.
    pub git_ref: String,
    /// Paths that differ from the commit (changed, untracked and not ignored). Empty means clean.
    pub dirty: Vec<String>,
}

/// One file of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContextFile {
    /// Path relative to the repository root, `/` separated.
    pub path: String,
    /// `0644`, `0755`, or `link` for a symbolic link (then the digest is of its target text).
    pub mode: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Content digest.
    pub digest: Digest,
}
