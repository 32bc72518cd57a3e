//! `pipeline_run`: one NDJSON line of telemetry for each pipeline run. Version 1.2 is written; version 1.1 is read and migrated.
//!
//! The contract is `schema/pipeline_run.v1.2.json`; `docs/adr/0010-pipeline-run-reconciliation.md` says where it had to choose
//! between the specification's schema and its example. Beyond the schema, [`PipelineRun::check`] demands that a record agrees
//! with itself. Invariant: what [`read_line`] returns and [`PipelineRun::to_line`] writes passed both.

mod check;
mod de;
mod model;
mod ndjson;
mod parts;
mod text;
pub mod v1_1;

pub use check::{MAX_INTEGER, Problem, ProblemReason, SCORE_TOLERANCE};
pub use model::{
    Canary, CanaryDecision, CanaryMetrics, Core, Energy, PipelineRun, PipelineRunSchema, RunEnvironment, RunStatus,
    RunnerOs, RunnerType, Strategy, Window,
};
pub use ndjson::{LineError, MAX_LINE_BYTES, Ndjson, ReadLine, read_line, read_ndjson};
pub use parts::{
    Autopsy, Cache, ChaosTrial, Cost, Coverage, Fault, FaultOutcome, Job, Level, Machine, MatrixValue, PolicyOutcome,
    PolicyResult, Resilience, RootCause, Tests,
};
pub use text::{CommitSha, DateTime, ImageDigest, InvalidText, RepoName, RunId, Uri};

#[cfg(test)]
mod tests;
