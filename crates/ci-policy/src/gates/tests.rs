//! Tests ran and passed.

use ci_types::Severity;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "tests",
    title: "the tests of this commit ran, enough of them, and none failed",
    severity: Severity::High,
    version: 1,
    check: |question, check| {
        let Some(tests) = check.fact(&question.facts.tests) else { return };
        check.require(
            tests.failed == 0,
            "tests-failed",
            || format!("{} of {} tests failed: {}", tests.failed, tests.total, tests.failures.join(", ")),
            "fix the tests and release again",
        );
        check.require(
            tests.exit_code == Some(0),
            "test-command-failed",
            || match tests.exit_code {
                Some(code) => format!("the test command exited with {code}"),
                None => "the test command did not end by itself".to_owned(),
            },
            "run `tests.command` of .ci-intel/config.yml and fix it",
        );
        let least = question.config.tests.min_total.max(1);
        let ran = tests.total.saturating_sub(tests.skipped);
        check.require(
            ran >= least,
            "too-few-tests",
            || format!("{ran} tests ran, at least {least} must"),
            "make `tests.command` run the tests; skipped ones do not count",
        );
        check.because(format!("{ran} tests passed, {} skipped", tests.skipped));
    },
};
