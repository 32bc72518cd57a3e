//! The decision log: NDJSON, one canonical line a decision, each naming the digest of the line before it.
//!
//! The log is append-only. Removing, reordering or editing a line breaks the chain at a nameable place; only the newest
//! lines can be cut off unseen, which is why every bundle carries the entry of its own decision.

use ci_types::record::{Decision, Lane, Verdict};
use ci_types::strict_json::JsonError;
use ci_types::{Digest, Environment, Subject, Timestamp, canonical};
use serde::{Deserialize, Serialize};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// 0 for the first line.
    pub sequence: u64,
    /// Digest of the line before, without its newline; absent for the first.
    pub previous: Option<Digest>,
    /// The run.
    pub run_id: String,
    /// Name of the project.
    pub project: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Source revision.
    pub commit: String,
    /// The artifact.
    pub subject: Subject,
    /// The environment.
    pub environment: Environment,
    /// The lane.
    pub lane: Lane,
    /// The verdict.
    pub verdict: Verdict,
    /// Gates that denied.
    pub denied_by: Vec<String>,
    /// Digest of the decision's canonical bytes.
    pub decision: Digest,
}

/// Why a log was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A line is not an entry.
    #[error("line {line}: {reason}")]
    Malformed {
        /// 1-based line.
        line: u64,
        /// What is wrong.
        reason: JsonError,
    },
    /// A line does not follow from the one before.
    #[error("line {line}: the chain is broken ({what}); lines before it are intact")]
    Broken {
        /// 1-based line.
        line: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// A value cannot be written.
    #[error("an entry cannot be written: {0}")]
    Encoding(String),
}

/// A log that was read and whose chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionLog {
    /// The entries, oldest first.
    pub entries: Vec<LogEntry>,
    /// Digest of the last line.
    pub head: Option<Digest>,
    /// Bytes up to which the file is whole. What follows is an append that a crash cut short; it was never acknowledged.
    pub whole_bytes: usize,
}

/// Reads a log and checks its chain.
///
/// # Errors
/// See [`LogError`].
pub fn read(bytes: &[u8]) -> Result<DecisionLog, LogError> {
    let mut log = DecisionLog::default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index as u64 + 1;
        let line = &line[..line.len() - 1];
        let entry: LogEntry =
            canonical::from_slice(line).map_err(|reason| LogError::Malformed { line: number, reason })?;
        if entry.sequence != index as u64 {
            return Err(LogError::Broken { line: number, what: "sequence" });
        }
        if entry.previous != log.head {
            return Err(LogError::Broken { line: number, what: "digest of the line before" });
        }
        log.head = Some(Digest::of(line));
        log.entries.push(entry);
    }
    log.whole_bytes = whole;
    Ok(log)
}

impl DecisionLog {
    /// The entry that would record `decision` next, and its line with newline.
    ///
    /// # Errors
    /// [`LogError::Encoding`].
    pub fn next(&self, project: &str, decision: &Decision, digest: Digest) -> Result<(LogEntry, Vec<u8>), LogError> {
        let entry = LogEntry {
            sequence: self.entries.len() as u64,
            previous: self.head,
            run_id: decision.run_id.clone(),
            project: project.to_owned(),
            decided_at: decision.now,
            commit: decision.commit.clone(),
            subject: decision.subject.clone(),
            environment: decision.environment,
            lane: decision.lane.clone(),
            verdict: decision.verdict,
            denied_by: decision.denied_by().map(str::to_owned).collect(),
            decision: digest,
        };
        let mut line = canonical::to_vec(&entry).map_err(|error| LogError::Encoding(error.to_string()))?;
        line.push(b'\n');
        Ok((entry, line))
    }
}
