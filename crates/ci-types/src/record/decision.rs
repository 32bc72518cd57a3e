//! The decision: a pure function of facts, configuration and an explicit `now`.

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::{Digest, Environment, Severity, Subject, Timestamp};

schema_id!(DecisionSchema, "https://ci-intel.dev/schema/decision.v1.json");

/// What was decided about one artifact for one environment, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Decision {
    /// Schema id.
    pub schema: DecisionSchema,
    /// The run that asked.
    pub run_id: String,
    /// The time that the decision was made with. It explains the decision; it never authorises another.
    pub now: Timestamp,
    /// The artifact.
    pub subject: Subject,
    /// Source repository.
    pub repository: String,
    /// Source revision, 40 hex digits.
    pub commit: String,
    /// The environment decided for.
    pub environment: Environment,
    /// The lane that asked.
    pub lane: Lane,
    /// Accepted only where every gate passed.
    pub verdict: Verdict,
    /// Every gate, in the registry's order.
    pub gates: Vec<GateOutcome>,
    /// Digest of the canonical JSON of all verified facts.
    pub facts: Digest,
    /// Digest of the canonical JSON of the effective configuration.
    pub config: Digest,
    /// Digest of the organisation overlay's bytes, where one applied.
    pub overlay: Option<Digest>,
    /// Digest of the gate registry: ids, versions and severities.
    pub policy: Digest,
}

impl Decision {
    /// Ids of the gates that denied.
    pub fn denied_by(&self) -> impl Iterator<Item = &str> {
        self.gates.iter().filter(|gate| gate.verdict == GateVerdict::Deny).map(|gate| gate.gate.as_str())
    }
}

/// Who asked, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lane {
    /// `org/app/.github/workflows/release.yml`, or `local`.
    pub id: String,
    /// The identity's subject.
    pub actor: String,
    /// Whether the identity was proven and is the one that the configuration names.
    pub authoritative: bool,
}

/// The verdict on an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum Verdict {
    Accepted,
    Rejected,
}

/// What one gate said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GateOutcome {
    /// Gate id; also the file name of its source and of its reference page.
    pub gate: String,
    /// How bad a denial is.
    pub severity: Severity,
    /// Pass or deny. There is nothing in between.
    pub verdict: GateVerdict,
    /// Why: at least one reason for a denial; for a pass, what it rests on.
    pub reasons: Vec<GateReason>,
    /// Digests of the evidence it rests on, sorted.
    pub evidence: Vec<Digest>,
}

/// Pass or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum GateVerdict {
    Pass,
    Deny,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GateReason {
    /// Stable code, for example `provenance-missing`.
    pub code: String,
    /// One sentence with the facts.
    pub message: String,
    /// The exact next command or edit that would fix it; empty for a pass.
    pub remediation: String,
}
