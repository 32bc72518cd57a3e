//! Provenance links source, build invocation and artifact, is signed, and agrees with itself.

use ci_types::Severity;
use ci_types::record::CommandRun;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "provenance-complete",
    title: "signed SLSA provenance and packaging provenance bind this source and build to this digest",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        let provenance = check.fact(&question.facts.provenance);
        let packaging = check.fact(&question.facts.packaging);
        let commands = check.fact(&question.facts.commands);
        if let (Some(provenance), Ok(context)) = (provenance, &question.facts.context) {
            check.require(
                provenance.commit == context.source.commit,
                "provenance-other-commit",
                || format!("provenance names {}, the context {}", provenance.commit, context.source.commit),
                "run the whole lane again: ci-intel release --fresh",
            );
        }
        let (Some(provenance), Some(_), Some(commands)) = (provenance, packaging, commands) else { return };
        // How tests and scanners ended is judged where their results are.
        let judged_elsewhere = |run: &&CommandRun| matches!(run.stage.as_str(), "tests" | "scan");
        for run in commands.commands.iter().filter(|run| !judged_elsewhere(run) && run.exit_code != Some(0)) {
            let ended = match run.exit_code {
                Some(code) => format!("exited with {code}"),
                None => "did not end by itself".to_owned(),
            };
            check.deny(
                if run.stage == "build" { "build-failed" } else { "command-failed" },
                &format!("{}: `{}` {ended}", run.stage, run.argv.join(" ")),
                "fix that command; its log is in the release folder",
            );
        }
        check.because(format!("built by {} at {}", provenance.builder_id, provenance.commit));
    },
};
