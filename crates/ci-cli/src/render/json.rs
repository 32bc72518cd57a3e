//! For programs. The decision is nested as recorded.

use ci_types::record::{GateVerdict, Verdict};
use serde::Serialize;
use serde_json::json;

use super::View;
use crate::failure::Failure;

pub(super) fn decision(view: &View<'_>) -> Result<String, Failure> {
    let denied: Vec<&str> = view
        .decision
        .gates
        .iter()
        .filter(|gate| gate.verdict == GateVerdict::Deny)
        .map(|gate| gate.gate.as_str())
        .collect();
    pretty(&json!({
        "verdict": match view.decision.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
        },
        "reference": view.decision.subject.reference(),
        "denied_by": denied,
        "bundle": view.bundle,
        "signed_by": view.signed_by,
        "verified_files": view.verified_files,
        "decision": view.decision,
    }))
}

pub(crate) fn pretty<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(Failure::internal)
}
