//! `pipeline_run.v1.1`: read only, and migrated. It is version 1.2 without what 1.2 added (`canary`, `policies`, the four
//! evidence URIs), with `flakiness_index` inside `tests.resilience`, and with a score that may leave equivalent mutants in the
//! denominator. Reasons: `docs/adr/0010-pipeline-run-reconciliation.md`.

use serde::{Deserialize, Serialize};

use super::check::{Problem, ProblemReason, SCORE_TOLERANCE};
use super::de;
use super::model::{
    CanaryMetrics, Energy, PipelineRun, PipelineRunSchema, RunEnvironment, RunStatus, RunnerOs, RunnerType, Strategy,
};
use super::parts::{Autopsy, ChaosTrial, Cost, Coverage, Job, Resilience, Tests};
use super::text::{CommitSha, DateTime, ImageDigest, RepoName, RunId};

/// The schema id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PipelineRunV11Schema {
    /// `pipeline_run.v1.1`
    #[default]
    #[serde(rename = "pipeline_run.v1.1")]
    V1_1,
}

/// One run of a pipeline, `pipeline_run.v1.1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineRunV11 {
    /// Schema id.
    pub schema: PipelineRunV11Schema,
    /// The run.
    pub run_id: RunId,
    /// `owner/name`.
    pub repo: RepoName,
    /// Source revision.
    pub commit_sha: CommitSha,
    /// Branch or tag.
    pub branch: String,
    /// Pull request number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::nullable_count")]
    pub pr: Option<u64>,
    /// Start.
    pub started_at: DateTime,
    /// End; not before the start.
    pub ended_at: DateTime,
    /// How the run ended.
    pub status: RunStatus,
    /// Time in the queue, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub queue_ms: Option<u64>,
    /// Size of the artifact in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub artifact_bytes: Option<u64>,
    /// Where it was released to.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub environment: Option<RunEnvironment>,
    /// Id of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub deployment_id: Option<String>,
    /// Step of the rollout, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::nullable_count")]
    pub rollout_step: Option<u64>,
    /// How it was rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub strategy: Option<Strategy>,
    /// The artifact.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub image_digest: Option<ImageDigest>,
    /// Operating system of the runner.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub runner_os: Option<RunnerOs>,
    /// Whose runner.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub runner_type: Option<RunnerType>,
    /// Cloud region.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub region: Option<String>,
    /// Whether the machine could be reclaimed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub spot: Option<bool>,
    /// Emissions in grams of CO2 equivalent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub carbon_g_co2e: Option<f64>,
    /// Energy used.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub energy: Option<Energy>,
    /// Keys of the caches used.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub cache_keys: Option<Vec<String>>,
    /// What the canary measured.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub canary_metrics: Option<CanaryMetrics>,
    /// Why it was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub rollback_reason: Option<String>,
    /// The jobs; at least one.
    pub jobs: Vec<Job>,
    /// Test results.
    pub tests: TestsV11,
    /// Faults that were injected.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub chaos: Option<Vec<ChaosTrial>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub autopsy: Option<Autopsy>,
    /// What it cost.
    pub cost: Cost,
}

/// Test results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestsV11 {
    /// Number of tests.
    #[serde(deserialize_with = "de::count")]
    pub total: u64,
    /// Failed or errored.
    #[serde(deserialize_with = "de::count")]
    pub failed: u64,
    /// Skipped.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub skipped: Option<u64>,
    /// Time in milliseconds.
    #[serde(deserialize_with = "de::count")]
    pub duration_ms: u64,
    /// Coverage.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub coverage: Option<Coverage>,
    /// Mutation testing.
    pub resilience: ResilienceV11,
}

/// Mutation testing, with the flakiness index that 1.2 moved to the top.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResilienceV11 {
    /// Mutants made.
    #[serde(deserialize_with = "de::count")]
    pub mutants_total: u64,
    /// Killed by a test.
    #[serde(deserialize_with = "de::count")]
    pub killed: u64,
    /// Equivalent to the original.
    #[serde(deserialize_with = "de::count")]
    pub equiv: u64,
    /// Timed out.
    #[serde(deserialize_with = "de::count")]
    pub timeout: u64,
    /// `killed / max(1, mutants_total)` or `killed / max(1, mutants_total - equiv)`.
    pub score: f64,
    /// Difference to the main branch, -1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub delta_vs_main: Option<f64>,
    /// Whether equivalent mutants were told apart at all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub equivalent_mutants_dropped: Option<bool>,
    /// Flaky runs over total runs, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub flakiness_index: Option<f64>,
}

/// What a migration changed beyond the schema id.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `tests.resilience.flakiness_index` moved to the top.
    FlakinessMoved,
    /// `policies` became an empty list: none is recorded. That is not "all allowed".
    PoliciesUnknown,
    /// The score was computed again by the formula of 1.2.
    ScoreRecomputed {
        /// Score of the 1.1 record.
        from: f64,
        /// Score of the 1.2 record.
        to: f64,
    },
    /// `delta_vs_main` was dropped: it compares scores of the old formula.
    DeltaDropped {
        /// Its value.
        was: f64,
    },
}

/// A migrated record and what changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// The record.
    pub run: PipelineRun,
    /// The changes.
    pub changes: Vec<Change>,
}

/// Turns a 1.1 record into a 1.2 record. Evidence that 1.1 had no field for stays absent: a migration proves nothing.
#[must_use]
pub fn migrate(old: PipelineRunV11) -> Migration {
    let mut changes = vec![Change::PoliciesUnknown];
    let was = old.tests.resilience;
    if was.flakiness_index.is_some() {
        changes.push(Change::FlakinessMoved);
    }
    let mut resilience = Resilience {
        mutants_total: was.mutants_total,
        killed: was.killed,
        equiv: was.equiv,
        timeout: was.timeout,
        score: was.score,
        delta_vs_main: was.delta_vs_main,
        equivalent_mutants_dropped: was.equivalent_mutants_dropped,
    };
    let score = Resilience::score_of(was.mutants_total, was.killed, was.equiv);
    if (score - was.score).abs() > SCORE_TOLERANCE {
        changes.push(Change::ScoreRecomputed { from: was.score, to: score });
        resilience.score = score;
        resilience.equivalent_mutants_dropped = Some(true);
        if let Some(delta) = resilience.delta_vs_main.take() {
            changes.push(Change::DeltaDropped { was: delta });
        }
    }
    let run = PipelineRun {
        schema: PipelineRunSchema::V1_2,
        run_id: old.run_id,
        repo: old.repo,
        commit_sha: old.commit_sha,
        branch: old.branch,
        pr: old.pr,
        started_at: old.started_at,
        ended_at: old.ended_at,
        status: old.status,
        queue_ms: old.queue_ms,
        artifact_bytes: old.artifact_bytes,
        environment: old.environment,
        deployment_id: old.deployment_id,
        rollout_step: old.rollout_step,
        strategy: old.strategy,
        image_digest: old.image_digest,
        sbom_uri: None,
        provenance_uri: None,
        signature_uri: None,
        release_evidence_uri: None,
        runner_os: old.runner_os,
        runner_type: old.runner_type,
        region: old.region,
        spot: old.spot,
        carbon_g_co2e: old.carbon_g_co2e,
        energy: old.energy,
        cache_keys: old.cache_keys,
        flakiness_index: was.flakiness_index,
        canary_metrics: old.canary_metrics,
        canary: None,
        rollback_reason: old.rollback_reason,
        jobs: old.jobs,
        tests: Tests {
            total: old.tests.total,
            failed: old.tests.failed,
            skipped: old.tests.skipped,
            duration_ms: old.tests.duration_ms,
            coverage: old.tests.coverage,
            resilience,
        },
        chaos: old.chaos,
        autopsy: old.autopsy,
        policies: Some(Vec::new()),
        cost: old.cost,
    };
    Migration { run, changes }
}

impl PipelineRunV11 {
    /// What is wrong with the record, by the rules of 1.2 but for the score, which may follow either formula.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = migrate(self.clone()).run.check();
        // The migrated record has a score and delta of its own; these two are judged as they were written.
        problems.retain(|problem| !problem.field.starts_with("tests.resilience.score"));
        for problem in &mut problems {
            if problem.field == "flakiness_index" {
                "tests.resilience.flakiness_index".clone_into(&mut problem.field);
            }
        }
        let resilience = &self.tests.resilience;
        super::check::ratio(&mut problems, "tests.resilience.score", Some(resilience.score));
        if let Some(delta) = resilience.delta_vs_main
            && !problems.iter().any(|problem| problem.field == "tests.resilience.delta_vs_main")
        {
            super::check::between(&mut problems, "tests.resilience.delta_vs_main", Some(delta), -1.0, 1.0);
        }
        let formulas = [0, resilience.equiv]
            .map(|dropped| Resilience::score_of(resilience.mutants_total, resilience.killed, dropped));
        if (0.0..=1.0).contains(&resilience.score)
            && formulas.iter().all(|formula| (formula - resilience.score).abs() > SCORE_TOLERANCE)
        {
            let reason = ProblemReason::Score { score: resilience.score, expected: formulas[1] };
            problems.push(Problem { field: "tests.resilience.score".to_owned(), reason });
        }
        problems
    }
}
