//! The same input gave the same bytes twice.

use ci_types::record::DeterminismMode;
use ci_types::{Environment, Severity};

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "determinism",
    title: "two builds in different places and at different times gave the same digest",
    severity: Severity::High,
    version: 1,
    check: |question, check| {
        let Some(report) = check.fact(&question.facts.determinism) else { return };
        if let Some(difference) = &report.first_difference {
            let place = [Some(&difference.part), difference.path.as_ref(), difference.member.as_ref()];
            let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
            check.deny(
                "not-deterministic",
                &format!(
                    "two builds differ in {}: {} is `{}` and `{}`",
                    place.join(" > "),
                    difference.what,
                    difference.first,
                    difference.second
                ),
                "make the build honour SOURCE_DATE_EPOCH and not record its directory; docs/guide/determinism.md",
            );
        }
        match report.mode {
            DeterminismMode::Dual => check.because("two builds agree".to_owned()),
            DeterminismMode::Single if question.environment == Environment::Local => {
                check.because("built once, which is enough for local".to_owned());
            }
            DeterminismMode::Single => check.deny(
                "determinism-unproven",
                &format!("built once; {} needs two builds that agree", question.environment),
                "set `build.determinism: dual`",
            ),
        }
    },
};
