//! How a gate collects its reasons.

use ci_evidence::facts::{Outcome, Rejection, VerifiedFact};
use ci_types::Digest;
use ci_types::record::{EvidenceKind, GateReason};

/// The reasons and evidence that a gate collects. A gate passes when it has collected no reason to deny.
#[derive(Debug, Default)]
pub struct Check {
    pub(crate) denials: Vec<GateReason>,
    pub(crate) evidence: Vec<Digest>,
    pub(crate) basis: Vec<String>,
}

impl Check {
    /// The fact, or a denial with the reason why there is none.
    pub fn fact<'a, T>(&mut self, outcome: &'a Outcome<T>) -> Option<&'a VerifiedFact<T>> {
        match outcome {
            Ok(fact) => {
                self.evidence.extend_from_slice(fact.evidence());
                Some(fact)
            }
            Err(rejection) => {
                self.reject(rejection);
                None
            }
        }
    }

    /// The fact, where there is one; its absence is another line's business.
    pub fn fact_if<'a, T>(&mut self, outcome: &'a Outcome<T>) -> Option<&'a VerifiedFact<T>> {
        let fact = outcome.as_ref().ok()?;
        self.evidence.extend_from_slice(fact.evidence());
        Some(fact)
    }

    /// A denial for evidence that proved nothing.
    pub fn reject(&mut self, rejection: &Rejection) {
        self.deny(&rejection.id(), &rejection.message, remedy(rejection.kind));
    }

    /// A denial.
    pub fn deny(&mut self, code: &str, message: &str, remediation: &str) {
        self.denials.push(GateReason {
            code: code.to_owned(),
            message: message.to_owned(),
            remediation: remediation.to_owned(),
        });
    }

    /// A denial unless `holds`.
    pub fn require(&mut self, holds: bool, code: &str, message: impl FnOnce() -> String, remediation: &str) {
        if !holds {
            self.deny(code, &message(), remediation);
        }
    }

    /// What a pass rests on, for people.
    pub fn because(&mut self, message: String) {
        self.basis.push(message);
    }
}

/// The next command where evidence of a kind is missing or unusable.
const fn remedy(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Identity | EvidenceKind::IssuerKeys => {
            "run the lane in the workflow that `lane` names, with `permissions: id-token: write`"
        }
        EvidenceKind::TestResults => {
            "set `tests.command` so that it writes JUnit XML into {results}, then: ci-intel release"
        }
        EvidenceKind::ScanResults => {
            "set `scan.commands` so that each writes its report to {output}, then: ci-intel release"
        }
        EvidenceKind::Smoke => "set `smoke.http`, `smoke.exec` or `smoke.exits`, then: ci-intel release",
        EvidenceKind::SbomCyclonedx | EvidenceKind::SbomSpdx => {
            "let the built-in cataloguer run (remove `sbom.command`) or fix that tool, then: ci-intel release"
        }
        _ => "run the whole lane again on a clean checkout: ci-intel release --fresh",
    }
}
