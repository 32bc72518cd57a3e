//! The decision as a SLSA Verification Summary Attestation (slsa.dev/verification_summary/v1).

use ci_evidence::set::EvidenceSet;
use ci_types::record::{CommandReceipt, Decision, EvidenceKind, Verdict};
use ci_types::{Digest, canonical};
use serde_json::json;

/// `verifier.id`.
pub const VERIFIER_ID: &str = "https://ci-intel.dev/verifier/v1";

/// Version of the ci-intel that ran the lane, by its command receipt; `unknown` where that cannot be read.
#[must_use]
pub fn lane_version(set: &EvidenceSet) -> String {
    set.record::<CommandReceipt>(EvidenceKind::Commands)
        .map_or_else(|_| "unknown".to_owned(), |(_, receipt)| receipt.ci_intel_version)
}

/// Canonical bytes of the in-toto Statement that summarises `decision` over the evidence in `set`.
///
/// # Errors
/// Never in practice: the statement always has a canonical form.
pub fn statement(
    decision: &Decision,
    decision_digest: Digest,
    set: &EvidenceSet,
) -> Result<Vec<u8>, serde_json::Error> {
    let version = lane_version(set);
    let inputs: Vec<_> = [EvidenceKind::Provenance, EvidenceKind::SbomCyclonedx, EvidenceKind::SbomSpdx]
        .into_iter()
        .filter_map(|kind| set.one(kind).ok())
        .map(|(entry, _)| json!({ "uri": entry.path, "digest": { "sha256": entry.digest.hex() } }))
        .collect();
    // Level 1 is what a lane can claim whose provenance is signed by a key that the lane itself holds.
    let (result, levels) = match decision.verdict {
        Verdict::Accepted => ("PASSED", ["SLSA_BUILD_LEVEL_1"]),
        Verdict::Rejected => ("FAILED", ["FAILED"]),
    };
    canonical::to_vec(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": decision.subject.name, "digest": { "sha256": decision.subject.digest.hex() } }],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": { "id": VERIFIER_ID, "version": { "ci-intel": version } },
            "timeVerified": decision.now,
            "resourceUri": format!("oci://{}@{}", decision.subject.name, decision.subject.digest),
            "policy": {
                "uri": format!("https://ci-intel.dev/policy/builtin#{}", decision.environment),
                "digest": { "sha256": decision.policy.hex() },
            },
            "inputAttestations": inputs,
            "verificationResult": result,
            "verifiedLevels": levels,
            "slsaVersion": "1.0",
            "ci-intel.dev/decision": { "digest": { "sha256": decision_digest.hex() } },
        },
    }))
}
