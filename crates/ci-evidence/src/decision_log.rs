//! The decision log: NDJSON, one canonical line a decision, each naming the digest of the line before it.
//!
//! The log is append-only. Removing, reordering or editing a line breaks the chain at a nameable place. That its end was cut
//! off shows by the [`LogHead`] kept beside it; whoever removes both is found by the bundles, each of which carries the
//! entry of its own decision.

use ci_types::record::{Decision, Lane, Verdict};
use ci_types::strict_json::JsonError;
use ci_types::{Digest, Environment, Tag, Timestamp, canonical};
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
    /// Name of the image.
    pub name: String,
    /// Tag that the image was to have.
    pub tag: Tag,
    /// The image; absent where the lane failed before there was one.
    pub digest: Option<Digest>,
    /// The environment.
    pub environment: Environment,
    /// The lane.
    pub lane: Lane,
    /// The verdict.
    pub verdict: Verdict,
    /// Gates that denied.
    pub denied_by: Vec<String>,
    /// Digest of the decision's canonical bytes; absent where the lane failed before it could decide.
    pub decision: Option<Digest>,
    /// Where and why the lane failed before it could decide.
    pub failure: Option<StageFailure>,
}

/// A lane that ended before there was anything to decide about. It is a rejection like any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFailure {
    /// `preflight`, `build`, `publish`, `smoke`, `evidence` or `decision`.
    pub stage: String,
    /// What went wrong, secrets redacted.
    pub message: String,
}

/// Who ran which release: what an entry says besides its outcome.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The run.
    pub run_id: String,
    /// Name of the project.
    pub project: String,
    /// When.
    pub at: Timestamp,
    /// Source revision.
    pub commit: String,
    /// Name of the image.
    pub name: String,
    /// Tag that the image was to have.
    pub tag: Tag,
    /// The environment.
    pub environment: Environment,
    /// The lane.
    pub lane: Lane,
}

impl LogEntry {
    /// The entry for `decision`, whose canonical bytes have digest `digest`.
    #[must_use]
    pub fn decided(
        sequence: u64,
        previous: Option<Digest>,
        project: &str,
        decision: &Decision,
        digest: Digest,
    ) -> Self {
        Self {
            sequence,
            previous,
            run_id: decision.run_id.clone(),
            project: project.to_owned(),
            decided_at: decision.now,
            commit: decision.commit.clone(),
            name: decision.subject.name.clone(),
            tag: decision.subject.tag.clone(),
            digest: Some(decision.subject.digest),
            environment: decision.environment,
            lane: decision.lane.clone(),
            verdict: decision.verdict,
            denied_by: decision.denied_by().map(str::to_owned).collect(),
            decision: Some(digest),
            failure: None,
        }
    }

    /// The line of this entry, with newline.
    ///
    /// # Errors
    /// [`LogError::Encoding`].
    pub fn line(&self) -> Result<Vec<u8>, LogError> {
        let mut line = canonical::to_vec(self).map_err(|error| LogError::Encoding(error.to_string()))?;
        line.push(b'\n');
        Ok(line)
    }
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
    /// The log does not go on from where its head says that it was.
    #[error("it holds {found} entries, its head knows of {expected}: the end was cut off or replaced")]
    Cut {
        /// Entries that are there.
        found: u64,
        /// Entries that were acknowledged.
        expected: u64,
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

/// Where a log was when its last append was acknowledged; kept in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHead {
    /// Number of entries.
    pub entries: u64,
    /// Digest of the last line.
    pub digest: Option<Digest>,
}

impl DecisionLog {
    /// The head to keep.
    #[must_use]
    pub fn head(&self) -> LogHead {
        LogHead { entries: self.entries.len() as u64, digest: self.head }
    }

    /// Demands that the log is the one that `head` was taken of, or one entry further: the entry whose append was cut short
    /// before its head could be written.
    ///
    /// # Errors
    /// [`LogError::Cut`].
    pub fn goes_on_from(&self, head: Option<&LogHead>) -> Result<(), LogError> {
        let found = self.entries.len() as u64;
        let known = head.cloned().unwrap_or(LogHead { entries: 0, digest: None });
        let at_head = if found == known.entries {
            self.head
        } else if found == known.entries + 1 {
            self.entries.last().and_then(|entry| entry.previous)
        } else {
            return Err(LogError::Cut { found, expected: known.entries });
        };
        if at_head == known.digest { Ok(()) } else { Err(LogError::Cut { found, expected: known.entries }) }
    }

    /// The entry that would record `decision` next.
    #[must_use]
    pub fn next(&self, project: &str, decision: &Decision, digest: Digest) -> LogEntry {
        LogEntry::decided(self.entries.len() as u64, self.head, project, decision, digest)
    }

    /// The entry that would record a failed attempt next.
    #[must_use]
    pub fn next_failure(&self, attempt: Attempt, failure: StageFailure) -> LogEntry {
        LogEntry {
            sequence: self.entries.len() as u64,
            previous: self.head,
            run_id: attempt.run_id,
            project: attempt.project,
            decided_at: attempt.at,
            commit: attempt.commit,
            name: attempt.name,
            tag: attempt.tag,
            digest: None,
            environment: attempt.environment,
            lane: attempt.lane,
            verdict: Verdict::Rejected,
            denied_by: Vec::new(),
            decision: None,
            failure: Some(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn log_of(count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..count {
            let attempt = Attempt {
                run_id: number.to_string(),
                project: "app".to_owned(),
                at: Timestamp::from_unix_s(i64::try_from(number).unwrap()).unwrap(),
                commit: "c".to_owned(),
                name: "app".to_owned(),
                tag: "v1".parse().unwrap(),
                environment: Environment::Local,
                lane: Lane { id: "local".to_owned(), actor: "a".to_owned(), authoritative: false },
            };
            let failure = StageFailure { stage: "build".to_owned(), message: "no".to_owned() };
            bytes.extend(read(&bytes).unwrap().next_failure(attempt, failure).line().unwrap());
        }
        bytes
    }

    #[test]
    fn the_chain_holds_and_a_torn_append_is_ignored() {
        let whole = log_of(4);
        assert_eq!(read(&whole).unwrap().entries.len(), 4);
        let torn = read(&whole[..whole.len() - 5]).unwrap();
        assert_eq!(torn.entries.len(), 3);
        assert_eq!(torn.whole_bytes, log_of(3).len());
    }

    #[test]
    fn an_end_that_was_cut_off_or_replaced_shows() {
        let whole = read(&log_of(4)).unwrap();
        let head = whole.head();
        assert_eq!(whole.goes_on_from(Some(&head)), Ok(()));
        assert_eq!(
            whole.goes_on_from(Some(&read(&log_of(3)).unwrap().head())),
            Ok(()),
            "the append was not acknowledged"
        );
        for count in [0, 1, 3] {
            let cut = read(&log_of(count)).unwrap();
            assert!(matches!(cut.goes_on_from(Some(&head)), Err(LogError::Cut { .. })), "{count}");
        }
        assert!(whole.goes_on_from(None).is_err(), "the head was removed");
        let mut other = head;
        other.digest = Some(Digest::of(b"another log"));
        assert!(whole.goes_on_from(Some(&other)).is_err());
    }

    #[test]
    fn a_removed_swapped_or_edited_line_breaks_the_chain() {
        let bytes = log_of(4);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let removed = [lines[0], lines[2], lines[3]].concat();
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        let edited = String::from_utf8(bytes.clone()).unwrap().replacen("\"no\"", "\"ok\"", 1).into_bytes();
        for changed in [removed, swapped, edited] {
            assert!(matches!(read(&changed), Err(LogError::Broken { .. })));
        }
    }
}
