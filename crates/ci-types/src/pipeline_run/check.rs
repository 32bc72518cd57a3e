//! What a record must satisfy beyond its shape: the ranges of the schema, then agreement with itself.

use super::model::PipelineRun;
use super::parts::{MatrixValue, Resilience};
use super::text::DateTime;

/// Largest integer: 2^53 - 1. RFC 8785 writes numbers as IEEE 754 doubles; a larger integer would be written as another one.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// How far a score may be from its formula: half a unit of the third decimal, so that rounding to three decimals passes.
pub const SCORE_TOLERANCE: f64 = 5e-4;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct Problem {
    /// JSON path of the field: `tests.resilience.score`, `jobs[0].attempt`.
    pub field: String,
    /// What is wrong with it.
    pub reason: ProblemReason,
}

impl Problem {
    /// Whether the JSON Schema refuses it too; the other problems are consistency rules.
    #[must_use]
    pub const fn breaks_schema(&self) -> bool {
        matches!(self.reason, ProblemReason::OutOfRange { .. } | ProblemReason::Empty)
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemReason {
    /// Outside the schema's range.
    #[error("is {value}; expected a number from {min} to {max}")]
    OutOfRange {
        /// Value.
        value: f64,
        /// Least.
        min: f64,
        /// Most; infinite for "no limit".
        max: f64,
    },
    /// A list that must not be empty.
    #[error("is empty; at least one entry is required")]
    Empty,
    /// The score does not follow from the counts.
    #[error("is {score}, but killed / max(1, mutants_total - equiv) is {expected}; compute it from the counts")]
    Score {
        /// Value.
        score: f64,
        /// What the counts say.
        expected: f64,
    },
    /// Parts are more than the whole.
    #[error("is {whole}, but {parts} add up to {sum}")]
    MoreThanTotal {
        /// The whole.
        whole: u64,
        /// Names of the parts.
        parts: &'static str,
        /// Their sum.
        sum: u64,
    },
    /// Before something that comes first.
    #[error("is {value}, before `{first}` {first_value}")]
    TooEarly {
        /// Value.
        value: String,
        /// The field that comes first.
        first: &'static str,
        /// Its value.
        first_value: String,
    },
    /// A window without extent.
    #[error("spans no time; a canary that looked at nothing decides nothing")]
    EmptyWindow,
}

impl PipelineRun {
    /// Everything that is wrong with the record; empty for a good one.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.ranges(&mut problems);
        self.agreement(&mut problems);
        problems
    }

    fn ranges(&self, out: &mut Vec<Problem>) {
        count(out, "pr", self.pr, 1);
        count(out, "queue_ms", self.queue_ms, 0);
        count(out, "artifact_bytes", self.artifact_bytes, 0);
        count(out, "rollout_step", self.rollout_step, 0);
        positive(out, "carbon_g_co2e", self.carbon_g_co2e);
        positive(out, "energy.kwh", self.energy.as_ref().and_then(|energy| energy.kwh));
        ratio(out, "flakiness_index", self.flakiness_index);
        if let Some(metrics) = &self.canary_metrics {
            positive(out, "canary_metrics.error_rate", metrics.error_rate);
            ratio(out, "canary_metrics.success_rate", metrics.success_rate);
            positive(out, "canary_metrics.latency_p50_ms", metrics.latency_p50_ms);
            positive(out, "canary_metrics.latency_p95_ms", metrics.latency_p95_ms);
            positive(out, "canary_metrics.latency_p99_ms", metrics.latency_p99_ms);
            positive(out, "canary_metrics.reqs_per_s", metrics.reqs_per_s);
        }
        if self.jobs.is_empty() {
            out.push(Problem { field: "jobs".to_owned(), reason: ProblemReason::Empty });
        }
        for (index, job) in self.jobs.iter().enumerate() {
            let field = |name: &str| format!("jobs[{index}].{name}");
            count(out, &field("attempt"), job.attempt, 1);
            count(out, &field("duration_ms"), Some(job.duration_ms), 0);
            count(out, &field("queue_ms"), job.queue_ms, 0);
            positive(out, &field("machine.ram_gb"), job.machine.as_ref().and_then(|machine| machine.ram_gb));
            for (key, value) in job.matrix.iter().flatten() {
                if let MatrixValue::Number(number) = value {
                    #[allow(clippy::cast_precision_loss)] // 2^53 - 1 is exact.
                    let limit = MAX_INTEGER as f64;
                    between(out, &field(&format!("matrix.{key}")), Some(*number), -limit, limit);
                }
            }
        }
        self.test_ranges(out);
        for (index, trial) in self.chaos.iter().flatten().enumerate() {
            ratio(out, &format!("chaos[{index}].rate"), trial.rate);
            count(out, &format!("chaos[{index}].retries"), trial.retries, 0);
            if trial.seed.unsigned_abs() > MAX_INTEGER {
                #[allow(clippy::cast_precision_loss)] // Shown only.
                let (value, max) = (trial.seed as f64, MAX_INTEGER as f64);
                let reason = ProblemReason::OutOfRange { value, min: -max, max };
                out.push(Problem { field: format!("chaos[{index}].seed"), reason });
            }
        }
        let causes = self.autopsy.iter().flat_map(|autopsy| autopsy.root_causes.iter().flatten());
        for (index, cause) in causes.enumerate() {
            count(out, &format!("autopsy.root_causes[{index}].line"), cause.line, 1);
        }
        for (index, policy) in self.policies.iter().flatten().enumerate() {
            count(out, &format!("policies[{index}].time_ns"), policy.time_ns, 0);
        }
        positive(out, "cost.usd", self.cost.usd);
        positive(out, "cost.cpu_seconds", self.cost.cpu_seconds);
        positive(out, "cost.gpu_seconds", self.cost.gpu_seconds);
    }

    fn test_ranges(&self, out: &mut Vec<Problem>) {
        let tests = &self.tests;
        count(out, "tests.total", Some(tests.total), 0);
        count(out, "tests.failed", Some(tests.failed), 0);
        count(out, "tests.skipped", tests.skipped, 0);
        count(out, "tests.duration_ms", Some(tests.duration_ms), 0);
        if let Some(coverage) = &tests.coverage {
            ratio(out, "tests.coverage.lines_pct", coverage.lines_pct);
            ratio(out, "tests.coverage.branches_pct", coverage.branches_pct);
            ratio(out, "tests.coverage.statements_pct", coverage.statements_pct);
        }
        let resilience = &tests.resilience;
        count(out, "tests.resilience.mutants_total", Some(resilience.mutants_total), 0);
        count(out, "tests.resilience.killed", Some(resilience.killed), 0);
        count(out, "tests.resilience.equiv", Some(resilience.equiv), 0);
        count(out, "tests.resilience.timeout", Some(resilience.timeout), 0);
        ratio(out, "tests.resilience.score", Some(resilience.score));
        between(out, "tests.resilience.delta_vs_main", resilience.delta_vs_main, -1.0, 1.0);
    }

    fn agreement(&self, out: &mut Vec<Problem>) {
        not_before(out, "ended_at", Some(&self.ended_at), "started_at", Some(&self.started_at));
        if let Some(canary) = &self.canary {
            let window = &canary.window;
            if window.end.is_before(&window.start) {
                not_before(out, "canary.window.end", Some(&window.end), "canary.window.start", Some(&window.start));
            } else if !window.start.is_before(&window.end) {
                out.push(Problem { field: "canary.window".to_owned(), reason: ProblemReason::EmptyWindow });
            }
            not_before(out, "canary.recorded_at", Some(&canary.recorded_at), "canary.window.end", Some(&window.end));
        }
        for (index, trial) in self.chaos.iter().flatten().enumerate() {
            let field = format!("chaos[{index}].ended_at");
            not_before(out, &field, trial.ended_at.as_ref(), "started_at", trial.started_at.as_ref());
        }
        let tests = &self.tests;
        let sum = tests.failed.saturating_add(tests.skipped.unwrap_or(0));
        parts(out, "tests.total", tests.total, "failed and skipped", sum);
        let resilience = &tests.resilience;
        let sum = resilience.killed.saturating_add(resilience.equiv).saturating_add(resilience.timeout);
        parts(out, "tests.resilience.mutants_total", resilience.mutants_total, "killed, equiv and timeout", sum);
        let expected = Resilience::score_of(resilience.mutants_total, resilience.killed, resilience.equiv);
        if (0.0..=1.0).contains(&resilience.score) && (resilience.score - expected).abs() > SCORE_TOLERANCE {
            let reason = ProblemReason::Score { score: resilience.score, expected };
            out.push(Problem { field: "tests.resilience.score".to_owned(), reason });
        }
    }
}

fn parts(out: &mut Vec<Problem>, field: &str, whole: u64, parts: &'static str, sum: u64) {
    if sum > whole {
        out.push(Problem { field: field.to_owned(), reason: ProblemReason::MoreThanTotal { whole, parts, sum } });
    }
}

fn not_before(
    out: &mut Vec<Problem>,
    field: &str,
    value: Option<&DateTime>,
    first: &'static str,
    first_value: Option<&DateTime>,
) {
    if let (Some(value), Some(first_value)) = (value, first_value)
        && value.is_before(first_value)
    {
        let reason = ProblemReason::TooEarly { value: value.to_string(), first, first_value: first_value.to_string() };
        out.push(Problem { field: field.to_owned(), reason });
    }
}

#[allow(clippy::cast_precision_loss)] // Shown only.
fn count(out: &mut Vec<Problem>, field: &str, value: Option<u64>, min: u64) {
    if let Some(value) = value
        && !(min..=MAX_INTEGER).contains(&value)
    {
        let reason = ProblemReason::OutOfRange { value: value as f64, min: min as f64, max: MAX_INTEGER as f64 };
        out.push(Problem { field: field.to_owned(), reason });
    }
}

fn positive(out: &mut Vec<Problem>, field: &str, value: Option<f64>) {
    between(out, field, value, 0.0, f64::INFINITY);
}

pub(super) fn ratio(out: &mut Vec<Problem>, field: &str, value: Option<f64>) {
    between(out, field, value, 0.0, 1.0);
}

pub(super) fn between(out: &mut Vec<Problem>, field: &str, value: Option<f64>, min: f64, max: f64) {
    if let Some(value) = value
        && !(value.is_finite() && value >= min && value <= max)
    {
        out.push(Problem { field: field.to_owned(), reason: ProblemReason::OutOfRange { value, min, max } });
    }
}
