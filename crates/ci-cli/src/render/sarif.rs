//! SARIF 2.1.0: one result for each reason to deny.

use ci_types::record::GateVerdict;
use serde_json::{Value, json};

use super::View;
use crate::failure::Failure;

pub(super) fn decision(view: &View<'_>) -> Result<String, Failure> {
    let denied = view.decision.gates.iter().filter(|gate| gate.verdict == GateVerdict::Deny);
    let results = denied
        .flat_map(|gate| {
            gate.reasons.iter().map(|reason| {
                let message = format!("{}: {}. Fix: {}", reason.code, reason.message, reason.remediation);
                result(&gate.gate, &message, ".ci-intel/config.yml")
            })
        })
        .collect();
    document(results)
}

pub(super) fn result(rule: &str, message: &str, uri: &str) -> Value {
    json!({
        "ruleId": rule,
        "level": "error",
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": { "startLine": 1 },
        } }],
    })
}

pub(super) fn document(results: Vec<Value>) -> Result<String, Failure> {
    let gates = ci_policy::gates::all();
    let own = [("lane", "the lane runs to its decision"), ("bundle", "the bundle is what its signer sealed")];
    let rules: Vec<Value> = gates
        .iter()
        .map(|gate| (gate.id, gate.title))
        .chain(own)
        .map(|(id, title)| json!({ "id": id, "shortDescription": { "text": title } }))
        .collect();
    super::json::pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ci-intel",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    }))
}
