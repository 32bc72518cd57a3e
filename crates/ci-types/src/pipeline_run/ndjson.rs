//! NDJSON: one record a line. A bad line is told with its number; it neither hides nor spoils the good ones.

use std::fmt::Write as _;

use serde::Deserialize;

use super::check::Problem;
use super::model::PipelineRun;
use super::v1_1::{Change, PipelineRunV11, migrate};
use crate::canonical;
use crate::strict_json::{self, JsonError};

/// Longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// Why a line was refused, or a record not written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LineError {
    /// Nothing stands there.
    #[error("the line is empty; every line is one record")]
    Empty,
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("the line has {bytes} bytes, the limit is {MAX_LINE_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Another `schema`, or none.
    #[error("`schema` is `{0}`; expected pipeline_run.v1.2 or pipeline_run.v1.1")]
    UnknownSchema(String),
    /// Not JSON of the record's shape.
    #[error("{0}")]
    Json(JsonError),
    /// Outside a range, or in contradiction with itself.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let mut out = String::new();
    for (index, problem) in problems.iter().enumerate() {
        let _ = write!(out, "{}{problem}", if index == 0 { "" } else { "; " });
    }
    out
}

/// A record and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadLine {
    /// Line, from 1.
    pub line: u64,
    /// The record.
    pub run: PipelineRun,
    /// What the migration changed; empty for a record of version 1.2.
    pub changes: Vec<Change>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ndjson {
    /// Good lines, in order.
    pub runs: Vec<ReadLine>,
    /// Bad lines, by number.
    pub errors: Vec<(u64, LineError)>,
}

impl Ndjson {
    /// Whether there is at least one record and every line is good: an empty file is no telemetry.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty() && !self.runs.is_empty()
    }
}

/// Reads a file of records, of version 1.2 or 1.1. The last line may end without a newline.
#[must_use]
pub fn read_ndjson(bytes: &[u8]) -> Ndjson {
    let mut out = Ndjson::default();
    if bytes.is_empty() {
        return out;
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for (line, text) in (1..).zip(body.split(|&byte| byte == b'\n')) {
        match read_any(text) {
            Ok((run, changes)) => out.runs.push(ReadLine { line, run, changes }),
            Err(error) => out.errors.push((line, error)),
        }
    }
    out
}

/// Reads one record of version 1.2.
///
/// # Errors
/// See [`LineError`].
pub fn read_line(bytes: &[u8]) -> Result<PipelineRun, LineError> {
    sized(bytes)?;
    let run: PipelineRun = strict_json::from_slice(bytes).map_err(LineError::Json)?;
    let problems = run.check();
    if problems.is_empty() { Ok(run) } else { Err(LineError::Invalid(problems)) }
}

fn sized(bytes: &[u8]) -> Result<(), LineError> {
    if bytes.trim_ascii().is_empty() {
        return Err(LineError::Empty);
    }
    if bytes.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong { bytes: bytes.len() });
    }
    Ok(())
}

fn read_any(bytes: &[u8]) -> Result<(PipelineRun, Vec<Change>), LineError> {
    #[derive(Deserialize)]
    struct Mark {
        #[serde(default)]
        schema: serde_json::Value,
    }
    sized(bytes)?;
    let mark: Mark = strict_json::from_slice(bytes).map_err(LineError::Json)?;
    match mark.schema.as_str() {
        Some("pipeline_run.v1.2") => read_line(bytes).map(|run| (run, Vec::new())),
        Some("pipeline_run.v1.1") => {
            let old: PipelineRunV11 = strict_json::from_slice(bytes).map_err(LineError::Json)?;
            let problems = old.check();
            if !problems.is_empty() {
                return Err(LineError::Invalid(problems));
            }
            let migration = migrate(old);
            Ok((migration.run, migration.changes))
        }
        Some(other) => Err(LineError::UnknownSchema(other.chars().take(96).collect())),
        None => Err(LineError::UnknownSchema("missing".to_owned())),
    }
}

impl PipelineRun {
    /// The record as one line of canonical JSON (RFC 8785) with its newline.
    ///
    /// # Errors
    /// [`LineError::Invalid`]: what would be refused when read is not written.
    pub fn to_line(&self) -> Result<Vec<u8>, LineError> {
        let problems = self.check();
        if !problems.is_empty() {
            return Err(LineError::Invalid(problems));
        }
        let mut line =
            canonical::to_vec(self).map_err(|error| LineError::Json(JsonError::Malformed(error.to_string())))?;
        line.push(b'\n');
        Ok(line)
    }
}
