//! Every kind of evidence is there and proved something. Other gates judge content; this one judges absence.

use ci_types::Severity;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "evidence-complete",
    title: "all evidence is present, readable, and about this digest",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        let rejections: Vec<_> = question.facts.rejections().collect();
        for rejection in &rejections {
            check.reject(rejection);
        }
        if let Some(sbom) = check.fact_if(&question.facts.sbom) {
            check.require(
                sbom.components > 0,
                "sbom-empty",
                || "the SBOM lists no component".to_owned(),
                "ship the package database or lock file in the image, or set `sbom.command`",
            );
        }
        let facts = ci_evidence::verifiers::all().len();
        check.because(format!("{} of {facts} facts are proven", facts.saturating_sub(rejections.len())));
    },
};
