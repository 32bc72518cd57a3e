//! The parts of a record: jobs, tests, chaos trials, autopsy, policies, cost.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::de;
use super::model::RunStatus;
use super::text::{DateTime, Uri};

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// How it ended.
    pub status: RunStatus,
    /// Attempt, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub attempt: Option<u64>,
    /// Wall time in milliseconds.
    #[serde(deserialize_with = "de::count")]
    pub duration_ms: u64,
    /// Time in the queue, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub queue_ms: Option<u64>,
    /// Its cache.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub cache: Option<Cache>,
    /// Its machine.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub machine: Option<Machine>,
    /// Its matrix values.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub matrix: Option<BTreeMap<String, MatrixValue>>,
    /// Where its log is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub logs_uri: Option<Uri>,
}

/// Use of a cache.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Whether it was found.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub hit: Option<bool>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub key: Option<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Class.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub class: Option<String>,
    /// Processors, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub cpu: Option<String>,
    /// Memory in GB.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub ram_gb: Option<f64>,
}

/// A value of a job matrix. Integers beyond ±[`MAX_INTEGER`](super::MAX_INTEGER) belong into a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum MatrixValue {
    Text(String),
    Number(f64),
    Flag(bool),
}

impl<'de> Deserialize<'de> for MatrixValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self::Text(text)),
            serde_json::Value::Bool(flag) => Ok(Self::Flag(flag)),
            serde_json::Value::Number(number) => {
                number.as_f64().map(Self::Number).ok_or_else(|| serde::de::Error::custom("not a finite number"))
            }
            _ => Err(serde::de::Error::custom("a matrix value is a text, a number or a boolean")),
        }
    }
}

/// Test results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
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
    /// Mutation testing; all zero where there was none.
    pub resilience: Resilience,
}

/// Coverage, as ratios from 0 to 1 in spite of the names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Lines.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub lines_pct: Option<f64>,
    /// Branches.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub branches_pct: Option<f64>,
    /// Statements.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub statements_pct: Option<f64>,
}

/// Mutation testing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resilience {
    /// Mutants made.
    #[serde(deserialize_with = "de::count")]
    pub mutants_total: u64,
    /// Killed by a test.
    #[serde(deserialize_with = "de::count")]
    pub killed: u64,
    /// Equivalent to the original: no test can kill them.
    #[serde(deserialize_with = "de::count")]
    pub equiv: u64,
    /// Timed out; not counted as killed.
    #[serde(deserialize_with = "de::count")]
    pub timeout: u64,
    /// `killed / max(1, mutants_total - equiv)`, 0 to 1.
    pub score: f64,
    /// Difference to the main branch, -1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub delta_vs_main: Option<f64>,
    /// Whether equivalent mutants were told apart at all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub equivalent_mutants_dropped: Option<bool>,
}

impl Resilience {
    /// The score by the specification's formula.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // Counts are bounded by MAX_INTEGER, which f64 holds exactly.
    pub fn score_of(mutants_total: u64, killed: u64, equiv: u64) -> f64 {
        killed as f64 / mutants_total.saturating_sub(equiv).max(1) as f64
    }

    /// From counts, with the score computed.
    #[must_use]
    pub fn of(mutants_total: u64, killed: u64, equiv: u64, timeout: u64) -> Self {
        let score = Self::score_of(mutants_total, killed, equiv);
        Self { mutants_total, killed, equiv, timeout, score, delta_vs_main: None, equivalent_mutants_dropped: None }
    }

    /// No mutation testing took place.
    #[must_use]
    pub fn none() -> Self {
        Self::of(0, 0, 0, 0)
    }
}

/// An injected fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChaosTrial {
    /// The fault.
    pub fault: Fault,
    /// What it hit.
    pub target: String,
    /// Seed.
    #[serde(deserialize_with = "de::integer")]
    pub seed: i64,
    /// Rate, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub rate: Option<f64>,
    /// Start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub started_at: Option<DateTime>,
    /// End; not before the start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub ended_at: Option<DateTime>,
    /// How it went.
    pub outcome: FaultOutcome,
    /// Retries.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub retries: Option<u64>,
}

/// Faults that are injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Fault {
    KillJob,
    DelayNet,
    DropNet,
    CorruptCache,
    CpuStress,
    DiskFill,
}

/// How a run bore a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FaultOutcome {
    Recovered,
    Degraded,
    Failed,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autopsy {
    /// Root causes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub root_causes: Option<Vec<RootCause>>,
}

/// A root cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootCause {
    /// Tool whose output it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub tool: Option<String>,
    /// Pattern that matched.
    pub pattern: String,
    /// File.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub line: Option<u64>,
    /// Message.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub message: Option<String>,
    /// What to do.
    pub suggestion: String,
    /// Severity.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub severity: Option<Level>,
    /// Where to read on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub docs_uri: Option<Uri>,
}

/// Severity of a root cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// What a policy said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyOutcome {
    /// Id.
    pub id: String,
    /// Result.
    pub result: PolicyResult,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub reason: Option<String>,
    /// Where to read on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub docs_uri: Option<Uri>,
    /// Time it took, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some_count")]
    pub time_ns: Option<u64>,
}

/// Result of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PolicyResult {
    Allow,
    Deny,
    Warn,
}

/// Cost of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub usd: Option<f64>,
    /// Processor seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub cpu_seconds: Option<f64>,
    /// Accelerator seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "de::some")]
    pub gpu_seconds: Option<f64>,
}
