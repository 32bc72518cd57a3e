//! The image starts, answers, and holds everything it loads.

use ci_types::Severity;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "runtime-viability",
    title: "the image was started, every probe passed, and nothing it loads is missing",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        let Some(smoke) = check.fact(&question.facts.smoke) else { return };
        for failure in &smoke.failed {
            check.deny(
                "probe-failed",
                failure,
                "start the image yourself and compare; the output is in smoke/report.json of the bundle",
            );
        }
        for missing in &smoke.unresolved {
            check.deny(
                "dependency-drift",
                &format!("{missing}, which the image does not hold"),
                "add it to the image, or stop depending on it, and release again",
            );
        }
        check.because(format!("{} probes passed ({:?})", smoke.probes, smoke.isolation).to_lowercase());
    },
};
