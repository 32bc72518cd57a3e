//! Tests: JUnit files that the lane's own test command left, all of them, and how that command ended.

use ci_formats::junit::{self, Outcome as CaseOutcome};
use ci_types::record::{CommandReceipt, EvidenceKind};

use super::{Inputs, ensure};
use crate::facts::{Outcome, Rejection, RejectionCode, TestsFact, VerifiedFact};
use crate::template;

const KIND: EvidenceKind = EvidenceKind::TestResults;
/// Names of failed tests that are kept.
const MAX_NAMES: usize = 20;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<TestsFact> {
    let (_, receipt): (_, CommandReceipt) = inputs.set.record(EvidenceKind::Commands)?;
    let (context, _) = inputs.set.one(EvidenceKind::Context)?;
    let mut runs = receipt.commands.iter().enumerate().filter(|(_, run)| run.stage == "tests");
    let (index, run) = match (runs.next(), runs.next()) {
        (Some(only), None) => only,
        (None, _) => return Err(missing("no test command was run")),
        (Some(_), Some(_)) => {
            return Err(Rejection::new(KIND, RejectionCode::Repeated, "more than one test command was run".to_owned()));
        }
    };
    let configured = &inputs.config.tests.command;
    ensure(KIND, RejectionCode::Inconsistent, template::fits_command(configured, &run.argv), || {
        format!("`{}` was run, `{}` is configured", run.argv.join(" "), configured.join(" "))
    })?;
    ensure(KIND, RejectionCode::WrongSubject, run.inputs.contains(&context.digest), || {
        "the tests did not run on this build context".to_owned()
    })?;
    let mut fact =
        TestsFact { total: 0, failed: 0, skipped: 0, flaky: 0, failures: Vec::new(), exit_code: run.exit_code };
    let mut evidence = Vec::new();
    for (file, content) in inputs.set.all(KIND) {
        ensure(KIND, RejectionCode::Inconsistent, file.producer.command == Some(index as u64), || {
            format!("`{}` does not come from the test command", file.path)
        })?;
        let report = junit::read(content)
            .map_err(|error| Rejection::new(KIND, RejectionCode::Malformed, format!("{}: {error}", file.path)))?;
        fact.total += report.total;
        fact.failed += report.failed + report.errored;
        fact.skipped += report.skipped;
        fact.flaky += report.flaky;
        let failures = report
            .cases
            .iter()
            .filter(|case| matches!(case.outcome, CaseOutcome::Failed | CaseOutcome::Errored))
            .map(|case| format!("{} {}", case.suite, case.name).trim().to_owned());
        fact.failures.extend(failures.take(MAX_NAMES.saturating_sub(fact.failures.len())));
        evidence.push(file.digest);
    }
    ensure(KIND, RejectionCode::Missing, !evidence.is_empty(), || "the test command left no results".to_owned())?;
    // A result file that was left out could be the one that failed.
    let complete = run.outputs.iter().all(|output| evidence.contains(&output.digest));
    ensure(KIND, RejectionCode::Missing, complete, || "a result file of the test command is missing".to_owned())?;
    // One result counted twice would make few tests look like many.
    ensure(KIND, RejectionCode::Repeated, evidence.len() <= run.outputs.len(), || {
        format!("{} result files, the test command left {}", evidence.len(), run.outputs.len())
    })?;
    ensure(KIND, RejectionCode::Empty, fact.total > 0, || "the results hold no test".to_owned())?;
    Ok(VerifiedFact::proven(fact, evidence))
}

fn missing(message: &str) -> Rejection {
    Rejection::new(KIND, RejectionCode::Missing, message.to_owned())
}
