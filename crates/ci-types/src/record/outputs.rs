//! `ci_m1_outputs.json`: what later jobs read. Derived from the decision, byte for byte.

use serde::{Deserialize, Serialize};

use super::{Decision, Verdict, schema_id};
use crate::{Digest, Environment, Subject, Timestamp};

schema_id!(OutputsSchema, "https://ci-intel.dev/schema/ci_m1_outputs.v1.json");

/// The summary of a release that other jobs consume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseOutputs {
    /// Schema id.
    pub schema: OutputsSchema,
    /// The run.
    pub run_id: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Source revision, 40 hex digits.
    pub commit: String,
    /// The artifact.
    pub artifact: Subject,
    /// `name:tag@digest`.
    pub reference: String,
    /// Environment decided for.
    pub environment: Environment,
    /// Accepted or rejected.
    pub verdict: Verdict,
    /// Ids of the gates that denied.
    pub denied_by: Vec<String>,
    /// Digest of the decision.
    pub decision: Digest,
}

impl ReleaseOutputs {
    /// The outputs of `decision`, whose canonical bytes have digest `decision_digest`.
    #[must_use]
    pub fn of(decision: &Decision, decision_digest: Digest) -> Self {
        Self {
            schema: OutputsSchema::V1,
            run_id: decision.run_id.clone(),
            decided_at: decision.now,
            commit: decision.commit.clone(),
            artifact: decision.subject.clone(),
            reference: decision.subject.reference(),
            environment: decision.environment,
            verdict: decision.verdict,
            denied_by: decision.denied_by().map(str::to_owned).collect(),
            decision: decision_digest,
        }
    }
}
