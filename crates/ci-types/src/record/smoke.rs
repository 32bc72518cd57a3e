//! Runtime viability: the image was really started.

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::Digest;

schema_id!(SmokeSchema, "https://ci-intel.dev/schema/smoke_report.v1.json");

/// What happened when the image was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SmokeReport {
    /// Schema id.
    pub schema: SmokeSchema,
    /// The image that was started.
    pub image: Digest,
    /// How it was isolated.
    pub isolation: Isolation,
    /// Entrypoint and arguments.
    pub argv: Vec<String>,
    /// The probes, in order. At least one.
    pub probes: Vec<Probe>,
    /// What the entrypoint (and every probe's program) loads.
    pub dependencies: Vec<Dependency>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// The last lines that the process wrote, redacted.
    pub output_tail: Vec<String>,
}

/// How the image was isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Isolation {
    /// bubblewrap, with only the image's files visible.
    Bubblewrap,
    /// `podman run`.
    Podman,
    /// `docker run`.
    Docker,
    /// A plain process in the unpacked root; only static programs can be trusted to prove anything here.
    Process,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Probe {
    /// What was tried.
    pub kind: ProbeKind,
    /// Path, argv or other target of the probe.
    pub target: String,
    /// Whether it succeeded.
    pub passed: bool,
    /// What came back: status, exit code, first differing line, timeout.
    pub detail: String,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
}

/// Kind of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProbeKind {
    /// HTTP GET on the started service.
    Http,
    /// A command inside the image that must exit 0 (imports, `--version`).
    Exec,
    /// The entrypoint itself must exit 0 (jobs, not services).
    Exit,
}

/// Something that a program of the image loads when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dependency {
    /// Program or library that asks, as a path in the image.
    pub of: String,
    /// What it asks for: a soname, an interpreter.
    pub needs: String,
    /// Path in the image that satisfies it. Absent: drift.
    pub resolved: Option<String>,
}
