//! `pipeline_run.v1.2` of a release: a function of its evidence and decision, so it can neither flatter nor drift.

use ci_evidence::set::EvidenceSet;
use ci_formats::junit;
use ci_types::canonical;
use ci_types::pipeline_run::{self, LineError};
use ci_types::record::{
    CommandReceipt, CommandRun, ContextManifest, Decision, DeterminismReport, EvidenceKind, GateVerdict, IdentityKind,
    IdentityRecord, Publication, SmokeReport, Verdict,
};
use ci_types::{Environment, Timestamp};
use serde_json::{Map, Value, json};

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// No canonical JSON.
    #[error("pipeline_run: {0}")]
    Canonical(#[from] serde_json::Error),
    /// The record would break its own schema or contradict itself; such a record is never written.
    #[error("pipeline_run: {0}")]
    Unsound(#[from] LineError),
}

/// The record as one NDJSON line, valid by schema and consistent.
///
/// # Errors
/// See [`TelemetryError`].
pub fn record(set: &EvidenceSet, decision: &Decision) -> Result<Vec<u8>, TelemetryError> {
    let accepted = decision.verdict == Verdict::Accepted;
    let commands = set.record::<CommandReceipt>(EvidenceKind::Commands).map(|(_, record)| record).ok();
    let runs = commands.as_ref().map(|receipt| receipt.commands.as_slice()).unwrap_or_default();
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| {
        record.insert(key.to_owned(), value);
    };
    put("schema", json!("pipeline_run.v1.2"));
    put("run_id", json!(decision.run_id));
    put("repo", json!(repository(&decision.repository)));
    put("commit_sha", json!(commit(&decision.commit)));
    put("branch", json!(branch(set)));
    put("started_at", json!(started(set, runs, decision.now)));
    put("ended_at", json!(decision.now));
    put("status", json!(if accepted { "success" } else { "failed" }));
    put("image_digest", json!(decision.subject.digest));
    put("runner_os", json!("linux"));
    put("strategy", json!("direct"));
    if decision.environment != Environment::Local {
        put("environment", json!(decision.environment));
    }
    if let Ok((_, publication)) = set.record::<Publication>(EvidenceKind::Publication) {
        put("artifact_bytes", json!(publication.artifact_bytes));
    }
    if let Ok((_, identity)) = set.record::<IdentityRecord>(EvidenceKind::Identity)
        && identity.kind == IdentityKind::GithubActions
    {
        let hosted = identity.claims.is_some_and(|claims| claims.runner_environment == "github-hosted");
        put("runner_type", json!(if hosted { "hosted" } else { "self-hosted" }));
    }
    put("jobs", json!(jobs(set, runs, accepted)));
    put("tests", tests(set, runs));
    put("policies", json!(policies(decision)));
    put("cost", json!({}));
    let mut line = canonical::to_vec(&record)?;
    pipeline_run::read_line(&line)?;
    line.push(b'\n');
    Ok(line)
}

/// `owner/name` as the schema demands; a project that no forge knows belongs to `local`.
fn repository(repository: &str) -> String {
    let mut parts = repository.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(owner), Some(name), None) if !owner.is_empty() && !name.is_empty() => repository.to_owned(),
        _ if repository.is_empty() => "local/unknown".to_owned(),
        _ => format!("local/{}", repository.replace('/', "-")),
    }
}

/// A commit that is not known is all zeros, git's own way to say so.
fn commit(commit: &str) -> String {
    if commit.is_empty() { "0".repeat(40) } else { commit.to_owned() }
}

fn branch(set: &EvidenceSet) -> String {
    let context = set.record::<ContextManifest>(EvidenceKind::Context);
    let git_ref = context.map(|(_, record)| record.source.git_ref).unwrap_or_default();
    let short = git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/"));
    short.unwrap_or(&git_ref).to_owned()
}

fn started(set: &EvidenceSet, runs: &[CommandRun], now: Timestamp) -> Timestamp {
    let builds = set.record::<DeterminismReport>(EvidenceKind::Determinism);
    let builds = builds.map(|(_, report)| report.runs).unwrap_or_default();
    let times = runs.iter().map(|run| run.started_at).chain(builds.iter().map(|run| run.started_at));
    times.filter(|time| *time <= now).min().unwrap_or(now)
}

fn jobs(set: &EvidenceSet, runs: &[CommandRun], accepted: bool) -> Vec<Value> {
    let status = |good: bool| if good { "success" } else { "failed" };
    let mut jobs: Vec<Value> = runs
        .iter()
        .enumerate()
        .map(|(index, run)| {
            json!({
                "id": format!("{}-{}", run.stage, index + 1),
                "name": run.argv.first().map(String::as_str).unwrap_or_default(),
                "status": status(run.exit_code == Some(0)),
                "duration_ms": run.duration_ms,
            })
        })
        .collect();
    if let Ok((_, smoke)) = set.record::<SmokeReport>(EvidenceKind::Smoke) {
        let good = smoke.probes.iter().all(|probe| probe.passed);
        jobs.push(json!({ "id": "smoke", "name": "smoke", "status": status(good), "duration_ms": smoke.duration_ms }));
    }
    jobs.push(json!({ "id": "gates", "name": "gates", "status": status(accepted), "duration_ms": 0 }));
    jobs
}

fn tests(set: &EvidenceSet, runs: &[CommandRun]) -> Value {
    let reports: Vec<_> = set.all(EvidenceKind::TestResults).filter_map(|(_, bytes)| junit::read(bytes).ok()).collect();
    let sum = |count: fn(&junit::TestReport) -> u64| reports.iter().map(count).sum::<u64>();
    let durations = runs.iter().filter(|run| run.stage == "tests").map(|run| run.duration_ms);
    let duration = durations.fold(0, u64::saturating_add);
    json!({
        "total": sum(|report| report.total),
        "failed": sum(|report| report.failed + report.errored),
        "skipped": sum(|report| report.skipped),
        "duration_ms": duration,
        // No mutation run is part of a release; the schema demands the object, and 0 of 0 scores 0.
        "resilience": { "mutants_total": 0, "killed": 0, "equiv": 0, "timeout": 0, "score": 0 },
    })
}

fn policies(decision: &Decision) -> Vec<Value> {
    decision
        .gates
        .iter()
        .map(|gate| {
            let reasons: Vec<&str> = gate.reasons.iter().map(|reason| reason.message.as_str()).collect();
            json!({
                "id": gate.gate,
                "result": if gate.verdict == GateVerdict::Pass { "allow" } else { "deny" },
                "reason": reasons.join("; "),
            })
        })
        .collect()
}
