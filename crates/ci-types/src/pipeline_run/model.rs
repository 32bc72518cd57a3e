//! The record. Field docs are the reference; `docs/reference/pipeline-run.md` has the table.

use serde::{Deserialize, Serialize};

use super::de;
use super::parts::{Autopsy, ChaosTrial, Cost, Job, PolicyOutcome, Tests};
use super::text::{CommitSha, DateTime, ImageDigest, RepoName, RunId, Uri};
use crate::{Environment, Timestamp};

/// The schema id; reading refuses any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PipelineRunSchema {
    /// `pipeline_run.v1.2`
    #[default]
    #[serde(rename = "pipeline_run.v1.2")]
    V1_2,
}

/// One run of a pipeline, `pipeline_run.v1.2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineRun {
    /// Schema id.
    pub schema: PipelineRunSchema,
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
    /// Where the SBOM is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub sbom_uri: Option<Uri>,
    /// Where the provenance is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub provenance_uri: Option<Uri>,
    /// Where the signature is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub signature_uri: Option<Uri>,
    /// Where the evidence bundle is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub release_evidence_uri: Option<Uri>,
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
    /// Flaky runs over total runs, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub flakiness_index: Option<f64>,
    /// What the canary measured.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub canary_metrics: Option<CanaryMetrics>,
    /// What was decided on it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub canary: Option<Canary>,
    /// Why it was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub rollback_reason: Option<String>,
    /// The jobs; at least one.
    pub jobs: Vec<Job>,
    /// Test results.
    pub tests: Tests,
    /// Faults that were injected.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub chaos: Option<Vec<ChaosTrial>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub autopsy: Option<Autopsy>,
    /// What the policies said.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub policies: Option<Vec<PolicyOutcome>>,
    /// What it cost.
    pub cost: Cost,
}

/// The required part of a record; [`PipelineRun::new`] adds the rest as absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Core {
    /// The run.
    pub run_id: RunId,
    /// `owner/name`.
    pub repo: RepoName,
    /// Source revision.
    pub commit_sha: CommitSha,
    /// Branch or tag.
    pub branch: String,
    /// Start.
    pub started_at: Timestamp,
    /// End.
    pub ended_at: Timestamp,
    /// How the run ended.
    pub status: RunStatus,
    /// The jobs; at least one.
    pub jobs: Vec<Job>,
    /// Test results.
    pub tests: Tests,
}

impl PipelineRun {
    /// A record with its required fields; set what else is known, then [`PipelineRun::to_line`].
    #[must_use]
    pub fn new(core: Core) -> Self {
        Self {
            schema: PipelineRunSchema::V1_2,
            run_id: core.run_id,
            repo: core.repo,
            commit_sha: core.commit_sha,
            branch: core.branch,
            pr: None,
            started_at: core.started_at.into(),
            ended_at: core.ended_at.into(),
            status: core.status,
            queue_ms: None,
            artifact_bytes: None,
            environment: None,
            deployment_id: None,
            rollout_step: None,
            strategy: None,
            image_digest: None,
            sbom_uri: None,
            provenance_uri: None,
            signature_uri: None,
            release_evidence_uri: None,
            runner_os: None,
            runner_type: None,
            region: None,
            spot: None,
            carbon_g_co2e: None,
            energy: None,
            cache_keys: None,
            flakiness_index: None,
            canary_metrics: None,
            canary: None,
            rollback_reason: None,
            jobs: core.jobs,
            tests: core.tests,
            chaos: None,
            autopsy: None,
            policies: None,
            cost: Cost::default(),
        }
    }
}

/// How a run or job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RunStatus {
    Success,
    Failed,
    Canceled,
    Skipped,
}

/// An environment of telemetry: [`Environment`] without `local`, which is not released to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RunEnvironment {
    Preview,
    Dev,
    Staging,
    Prod,
    Test,
}

impl RunEnvironment {
    /// The telemetry name of an environment; `None` for `local`.
    #[must_use]
    pub const fn of(environment: Environment) -> Option<Self> {
        match environment {
            Environment::Local => None,
            Environment::Preview => Some(Self::Preview),
            Environment::Test => Some(Self::Test),
            Environment::Dev => Some(Self::Dev),
            Environment::Staging => Some(Self::Staging),
            Environment::Prod => Some(Self::Prod),
        }
    }
}

/// How an artifact is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Strategy {
    Direct,
    Rolling,
    BlueGreen,
    Canary,
}

/// Operating system of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RunnerOs {
    Linux,
    Windows,
    Macos,
}

/// Whose runner it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RunnerType {
    Hosted,
    SelfHosted,
}

/// Energy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Kilowatt hours.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub kwh: Option<f64>,
}

/// Measurements of a canary.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryMetrics {
    /// Errors; a ratio or a rate, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub error_rate: Option<f64>,
    /// Successes over requests, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub success_rate: Option<f64>,
    /// Median latency in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub latency_p95_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub latency_p99_ms: Option<f64>,
    /// Requests a second.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub reqs_per_s: Option<f64>,
}

/// What was decided on a canary, with what an auditor needs to ask again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The decision.
    pub decision: CanaryDecision,
    /// When it was recorded; not before the window ended.
    pub recorded_at: DateTime,
    /// What it looked at.
    pub window: Window,
    /// The query, verbatim.
    pub query: String,
    /// Where the measurements are.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub metrics_uri: Option<Uri>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub notes: Option<String>,
}

/// A decision on a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CanaryDecision {
    Promote,
    Rollback,
}

/// A span of time that is not empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Start.
    pub start: DateTime,
    /// End; after the start.
    pub end: DateTime,
}
