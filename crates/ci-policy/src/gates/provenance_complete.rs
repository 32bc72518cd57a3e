//! Provenance links source, build invocation and artifact, is signed, and agrees with itself.

use ci_types::Severity;

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
        let (Some(provenance), Some(_), Some(commands)) = (provenance, packaging, commands) else { return };
        if let Ok(context) = &question.facts.context {
            check.require(
                provenance.commit == context.source.commit,
                "provenance-other-commit",
                || format!("provenance names {}, the context {}", provenance.commit, context.source.commit),
                "run the whole lane again: ci-intel release --fresh",
            );
        }
        for run in commands.commands.iter().filter(|run| run.stage == "build" && run.exit_code != Some(0)) {
            check.deny(
                "build-failed",
                &format!("`{}` exited with {:?}", run.argv.join(" "), run.exit_code),
                "fix the build; its log is in the release folder",
            );
        }
        check.because(format!("built by {} at {}", provenance.builder_id, provenance.commit));
    },
};
