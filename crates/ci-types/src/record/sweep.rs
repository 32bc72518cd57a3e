//! `security_secret_injection_checks.json`: what was searched for secrets, and what was found.

use serde::{Deserialize, Serialize};

use super::FileDigest;
use super::schema_id;
use crate::Digest;

schema_id!(SweepSchema, "https://ci-intel.dev/schema/security_secret_injection_checks.v1.json");

/// The sweep over every evidence byte and over the lane's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecretSweep {
    /// Schema id.
    pub schema: SweepSchema,
    /// Digest of the rule set.
    pub rules: Digest,
    /// Number of rules.
    pub rule_count: u64,
    /// The files searched: every evidence file that is an input to the decision, except this one.
    pub scanned: Vec<FileDigest>,
    /// Names (never values) of environment variables that were withheld from commands because they hold credentials.
    pub withheld_env: Vec<String>,
    /// What was found. Empty is the only acceptable state.
    pub findings: Vec<SecretHit>,
}

/// A secret's kind and place; never the secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecretHit {
    /// Rule id, for example `github-pat`.
    pub rule: String,
    /// File.
    pub path: String,
    /// 1-based line.
    pub line: u64,
}
