//! No secret in the build context, and none in any evidence byte.

use ci_types::Severity;
use ci_types::record::SecretHit;

use super::Gate;
use crate::check::Check;

const ROTATE: &str = "revoke that credential now, remove it from the file and its history, then release again";

pub(super) const GATE: Gate = Gate {
    id: "secret-hygiene",
    title: "neither the build context nor any evidence holds a secret",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        if let Some(context) = check.fact(&question.facts.context) {
            hits(check, "secret-in-context", &context.secrets);
        }
        let Some(sweep) = check.fact(&question.facts.secrets) else { return };
        hits(check, "secret-in-evidence", &sweep.findings);
        check.because(format!("{} evidence files were searched", sweep.files));
    },
};

fn hits(check: &mut Check, code: &str, found: &[SecretHit]) {
    for hit in found {
        check.deny(code, &format!("{} at {}:{}", hit.rule, hit.path, hit.line), ROTATE);
    }
}
