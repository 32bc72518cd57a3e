//! Only the lane that the configuration names may release, and only with the rights it needs. Anyone may for `local`.

use ci_types::record::{GithubClaims, IdentityKind};
use ci_types::{Environment, Severity};

use super::Gate;
use crate::check::Check;
use crate::decide::{Question, lane_mismatches};

const RUN_IN_LANE: &str = "run the workflow that `lane` in .ci-intel/config.yml names, or decide for `--env local`";

pub(super) const GATE: Gate = Gate {
    id: "lane-authority",
    title: "the run is proven to come from the authoritative lane, or is for `local` only",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        let Some(identity) = check.fact(&question.facts.identity) else { return };
        for permission in identity.permissions.iter().filter(|permission| !permission.granted) {
            check.deny(
                "permission-missing",
                &format!("`{}` at the target is not permitted: {}", permission.action.as_str(), permission.detail),
                &format!("grant `{}` on the target to {}", permission.action.as_str(), identity.subject),
            );
        }
        if question.environment == Environment::Local {
            check.because(format!("{} may release for local", identity.subject));
            return;
        }
        match (&identity.kind, &identity.claims) {
            (IdentityKind::GithubActions, Some(claims)) => authoritative(question, claims, check),
            _ => check.deny(
                "lane-not-authoritative",
                &format!(
                    "{} is a developer; a developer never releases for {}",
                    identity.subject, question.environment
                ),
                RUN_IN_LANE,
            ),
        }
    },
};

fn authoritative(question: &Question<'_>, claims: &GithubClaims, check: &mut Check) {
    let Some(policy) = &question.config.lane else {
        check.deny(
            "lane-undeclared",
            "the configuration declares no authoritative lane",
            "declare `lane` in .ci-intel/config.yml: ci-intel config explain lane",
        );
        return;
    };
    for mismatch in lane_mismatches(policy, claims, question.now) {
        check.deny("lane-mismatch", &mismatch, RUN_IN_LANE);
    }
    if let Ok(context) = &question.facts.context {
        check.require(
            context.source.commit == claims.sha,
            "lane-other-commit",
            || format!("the token is for commit {}, the build for {}", claims.sha, context.source.commit),
            "check out the commit that started the workflow; do not move HEAD during the job",
        );
        check.require(
            context.source.git_ref == claims.git_ref,
            "lane-other-ref",
            || format!("the token is for {}, the source names {}", claims.git_ref, context.source.git_ref),
            "run the whole lane again: ci-intel release --fresh",
        );
        check.require(
            context.source.repository == claims.repository,
            "lane-other-repository",
            || format!("the token is for {}, the build for {}", claims.repository, context.source.repository),
            &format!("set `project.repository: {}` in .ci-intel/config.yml", claims.repository),
        );
    }
    check.because(format!("{} released as {}", claims.job_workflow_ref, claims.sub));
}
