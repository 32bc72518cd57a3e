//! The decision.

use ci_evidence::facts::Facts;
use ci_types::config::{Config, LanePolicy};
use ci_types::record::{
    Decision, GateOutcome, GateReason, GateVerdict, GithubClaims, IdentityKind, Lane, Verdict, decision::DecisionSchema,
};
use ci_types::{Digest, Environment, Subject, Timestamp, canonical};

use crate::check::Check;
use crate::gates;

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The run that asks.
    pub run_id: &'a str,
    /// The artifact.
    pub subject: &'a Subject,
    /// The environment it is for.
    pub environment: Environment,
    /// What was proven.
    pub facts: &'a Facts,
    /// The effective configuration.
    pub config: &'a Config,
    /// Digest of the organisation overlay, where one applies.
    pub overlay: Option<Digest>,
    /// The time.
    pub now: Timestamp,
}

/// Why no decision could be written down. Callers treat it as a rejection.
#[derive(Debug, thiserror::Error)]
#[error("the decision has no canonical form: {0}")]
pub struct DecideError(#[from] serde_json::Error);

/// Decides. Same question, same bytes.
///
/// # Errors
/// Where facts or configuration have no canonical JSON.
pub fn decide(question: &Question<'_>) -> Result<Decision, DecideError> {
    let outcomes: Vec<GateOutcome> = gates::all().iter().map(|gate| ask(gate, question)).collect();
    let accepted = !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.verdict == GateVerdict::Pass);
    let source = question.facts.context.as_ref().ok().map(|context| &context.source);
    Ok(Decision {
        schema: DecisionSchema::V1,
        run_id: question.run_id.to_owned(),
        now: question.now,
        subject: question.subject.clone(),
        repository: source.map(|source| source.repository.clone()).unwrap_or_default(),
        commit: source.map(|source| source.commit.clone()).unwrap_or_default(),
        environment: question.environment,
        lane: lane(question),
        verdict: if accepted { Verdict::Accepted } else { Verdict::Rejected },
        gates: outcomes,
        facts: Digest::of(&canonical::to_vec(question.facts)?),
        config: Digest::of(&canonical::to_vec(question.config)?),
        overlay: question.overlay,
        policy: policy_digest()?,
    })
}

/// Digest of the gate registry: ids, versions and severities.
///
/// # Errors
/// Never in practice; the registry is static.
pub fn policy_digest() -> Result<Digest, DecideError> {
    let rows: Vec<_> = gates::all().iter().map(|gate| (gate.id, gate.version, gate.severity.as_str())).collect();
    Ok(Digest::of(&canonical::to_vec(&rows)?))
}

fn ask(gate: &gates::Gate, question: &Question<'_>) -> GateOutcome {
    let mut check = Check::default();
    (gate.check)(question, &mut check);
    check.evidence.sort_unstable();
    check.evidence.dedup();
    // A gate that neither denies nor says what it rests on has proven nothing.
    if check.denials.is_empty() && check.basis.is_empty() {
        check.deny("gate-undecided", "the gate reached no conclusion", "report this as a defect of ci-intel");
    }
    let denied = !check.denials.is_empty();
    let pass = |message| GateReason { code: "pass".to_owned(), message, remediation: String::new() };
    GateOutcome {
        gate: gate.id.to_owned(),
        severity: gate.severity,
        verdict: if denied { GateVerdict::Deny } else { GateVerdict::Pass },
        reasons: if denied { check.denials } else { check.basis.into_iter().map(pass).collect() },
        evidence: check.evidence,
    }
}

fn lane(question: &Question<'_>) -> Lane {
    let Ok(identity) = &question.facts.identity else {
        return Lane { id: "unproven".to_owned(), actor: "unproven".to_owned(), authoritative: false };
    };
    let claims = identity.claims.as_ref().filter(|_| identity.kind == IdentityKind::GithubActions);
    let Some(claims) = claims else {
        return Lane { id: "local".to_owned(), actor: identity.subject.clone(), authoritative: false };
    };
    let authoritative =
        question.config.lane.as_ref().is_some_and(|policy| lane_mismatches(policy, claims, question.now).is_empty());
    Lane { id: workflow_of(claims).to_owned(), actor: claims.sub.clone(), authoritative }
}

fn workflow_of(claims: &GithubClaims) -> &str {
    claims.job_workflow_ref.split_once('@').map_or(claims.job_workflow_ref.as_str(), |(workflow, _)| workflow)
}

/// Where a proven identity does not match a lane policy; empty where it matches in all of it.
#[must_use]
pub fn lane_mismatches(policy: &LanePolicy, claims: &GithubClaims, now: Timestamp) -> Vec<String> {
    let mut out = Vec::new();
    let mut differs = |what: &str, found: &str, expected: &str| {
        out.push(format!("{what} is `{found}`, the lane demands `{expected}`"));
    };
    if claims.iss != policy.issuer {
        differs("issuer", &claims.iss, &policy.issuer);
    }
    if claims.repository_id != policy.repository_id {
        differs("repository_id", &claims.repository_id, &policy.repository_id);
    }
    if workflow_of(claims) != policy.workflow {
        differs("workflow", &claims.job_workflow_ref, &policy.workflow);
    }
    // A reusable workflow is code too: it must come from an allowed ref, or be of the very commit that is released. Any other
    // commit could be one that nobody reviewed.
    let workflow_ref = claims.job_workflow_ref.split_once('@').map_or("", |(_, git_ref)| git_ref);
    if workflow_ref != claims.sha && !policy.refs.iter().any(|pattern| matches_ref(pattern, workflow_ref)) {
        differs("workflow ref", workflow_ref, &policy.refs.join(", "));
    }
    if !policy.refs.iter().any(|pattern| matches_ref(pattern, &claims.git_ref)) {
        differs("ref", &claims.git_ref, &policy.refs.join(", "));
    }
    if !policy.events.contains(&claims.event_name) {
        differs("event", &claims.event_name, &policy.events.join(", "));
    }
    if !policy.environments.is_empty()
        && !claims.environment.as_ref().is_some_and(|environment| policy.environments.contains(environment))
    {
        differs("environment", claims.environment.as_deref().unwrap_or("none"), &policy.environments.join(", "));
    }
    let age_s = now.unix_s().saturating_sub(claims.iat);
    if u64::try_from(age_s.max(0)).unwrap_or(u64::MAX) > policy.max_token_age_s {
        differs("token age", &format!("{age_s} s"), &format!("at most {} s", policy.max_token_age_s));
    }
    out
}

/// A ref pattern is exact, or a prefix with one trailing `*`. A bare `*` matches nothing.
fn matches_ref(pattern: &str, git_ref: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => !prefix.is_empty() && !prefix.contains('*') && git_ref.starts_with(prefix),
        None => pattern == git_ref,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use ci_testkit::release::{RUN_ID, Release};
    use ci_types::Severity;

    use super::*;

    fn asked(check: fn(&Question<'_>, &mut Check)) -> GateOutcome {
        let release = Release::local();
        let (facts, config) = (release.facts(), release.effective());
        let question = Question {
            run_id: RUN_ID,
            subject: &release.publication.subject,
            environment: Environment::Local,
            facts: &facts,
            config: &config,
            overlay: None,
            now: release.now,
        };
        ask(&gates::Gate { id: "g", title: "t", severity: Severity::Low, version: 1, check }, &question)
    }

    #[test]
    fn a_gate_without_a_conclusion_denies() {
        let outcome = asked(|_, _| {});
        assert_eq!(outcome.verdict, GateVerdict::Deny);
        assert_eq!(outcome.reasons[0].code, "gate-undecided");
        assert!(!outcome.reasons[0].remediation.is_empty());
    }

    #[test]
    fn a_reason_to_pass_does_not_outweigh_a_reason_to_deny() {
        let outcome = asked(|_, check| {
            check.because("all is well".to_owned());
            check.deny("no", "it is not", "fix it");
        });
        assert_eq!(outcome.verdict, GateVerdict::Deny);
        assert_eq!(outcome.reasons.len(), 1);
    }

    #[test]
    fn ref_patterns_are_exact_or_a_prefix() {
        for (pattern, git_ref, expected) in [
            ("refs/heads/main", "refs/heads/main", true),
            ("refs/heads/main", "refs/heads/main2", false),
            ("refs/tags/v*", "refs/tags/v1", true),
            ("refs/tags/v*", "refs/heads/v1", false),
            ("*", "refs/heads/main", false),
            ("refs/*/v*", "refs/tags/v1", false),
        ] {
            assert_eq!(matches_ref(pattern, git_ref), expected, "{pattern} {git_ref}");
        }
    }
}
