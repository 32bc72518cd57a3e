//! What a repository remembers below `.ci-intel/state/`: the decision log, one folder a release, and which run is unfinished.
//!
//! Every file is written whole or not at all. A stage's record is written after its outputs, so a record that exists is true;
//! a kill in between costs that stage's work and nothing else.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ci_evidence::decision_log::{self, Attempt, DecisionLog, LogEntry, LogHead, StageFailure};
use ci_types::record::Decision;
use ci_types::{Digest, canonical};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::files;

/// The state folder of a repository.
#[derive(Debug, Clone)]
pub(crate) struct State {
    root: PathBuf,
}

/// Held while a lane runs; two lanes in one repository would share the tag and the log.
pub(crate) struct LaneLock {
    _file: fs::File,
}

impl State {
    pub(crate) fn of(repo: &Path) -> Self {
        Self { root: repo.join(".ci-intel/state") }
    }

    /// The state of a repository that is there; it may hold nothing yet.
    pub(crate) fn existing(repo: &Path) -> Result<Self, Failure> {
        match repo.canonicalize() {
            Ok(repo) if repo.is_dir() => Ok(Self::of(&repo)),
            Ok(_) => Err(Failure::file("open", repo, "it is no folder")),
            Err(error) => Err(Failure::file("open", repo, error)),
        }
    }

    /// Takes the lane lock, or says who must end first.
    pub(crate) fn lock(&self) -> Result<LaneLock, Failure> {
        fs::create_dir_all(&self.root).map_err(|error| Failure::file("create", &self.root, error))?;
        self.ignore_myself()?;
        let path = self.root.join("lane.lock");
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Failure::file("open", &path, error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::undecided("another ci-intel release is running in this repository")
                .fix("wait for it to end, then run the command again")
        })?;
        files::sweep(&self.root)?;
        files::sweep(&self.root.join("unfinished"))?;
        Ok(LaneLock { _file: file })
    }

    /// State is never part of the source; a repository need not know that.
    fn ignore_myself(&self) -> Result<(), Failure> {
        let path = self.root.join(".gitignore");
        if path.exists() { Ok(()) } else { files::write(&path, b"*\n") }
    }

    /// Folder of a release.
    pub(crate) fn release(&self, run_id: &str) -> PathBuf {
        self.root.join("releases").join(run_id)
    }

    fn resume_file(&self, key: &Digest) -> PathBuf {
        self.root.join("unfinished").join(key.hex())
    }

    /// The unfinished run for a resume key.
    pub(crate) fn unfinished(&self, key: &Digest) -> Option<String> {
        let text = fs::read_to_string(self.resume_file(key)).ok()?;
        let run_id = text.trim();
        uuid::Uuid::parse_str(run_id).ok()?;
        self.release(run_id).is_dir().then(|| run_id.to_owned())
    }

    /// Remembers a run as unfinished.
    pub(crate) fn begin(&self, key: &Digest, run_id: &str) -> Result<(), Failure> {
        let folder = self.release(run_id);
        fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, error))?;
        files::write(&self.resume_file(key), run_id.as_bytes())
    }

    /// Forgets that a run was unfinished.
    pub(crate) fn finish(&self, key: &Digest) -> Result<(), Failure> {
        match fs::remove_file(self.resume_file(key)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::file("remove", &self.resume_file(key), error)),
        }
    }

    /// The decision log.
    pub(crate) fn log(&self) -> Result<DecisionLog, Failure> {
        let path = self.log_path();
        let broken = |error: &dyn std::fmt::Display| {
            Failure::rejected(format!("{}: {error}", path.display()))
                .fix("restore the log from a backup, or from the entries in the bundles; never edit it")
        };
        let log = decision_log::read(&read_if_there(&path)?.unwrap_or_default()).map_err(|error| broken(&error))?;
        let head: Option<LogHead> = read_if_there(&self.head_path())?
            .map(|bytes| canonical::from_slice(&bytes))
            .transpose()
            .map_err(|error| broken(&error))?;
        log.goes_on_from(head.as_ref()).map_err(|error| broken(&error))?;
        Ok(log)
    }

    fn head_path(&self) -> PathBuf {
        self.root.join("decisions.head")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.root.join("decisions.ndjson")
    }

    /// Appends a decision once: asked again for the same decision, it returns the entry that is there. Where its run was
    /// recorded as failed since, the decision is appended again: the log's last word about a run is the truth about it.
    pub(crate) fn append(&self, project: &str, decision: &Decision, digest: Digest) -> Result<LogEntry, Failure> {
        let log = self.log()?;
        let last = log.entries.iter().rev().find(|entry| entry.run_id == decision.run_id);
        if let Some(entry) = last.filter(|entry| entry.decision == Some(digest)) {
            return Ok(entry.clone());
        }
        let entry = log.next(project, decision, digest);
        self.append_entry(&log, &entry)?;
        Ok(entry)
    }

    /// Appends an attempt that ended before it could be decided.
    pub(crate) fn append_failure(&self, attempt: Attempt, failure: StageFailure) -> Result<(), Failure> {
        let log = self.log()?;
        self.append_entry(&log, &log.next_failure(attempt, failure))
    }

    fn append_entry(&self, log: &DecisionLog, entry: &LogEntry) -> Result<(), Failure> {
        let line = entry.line().map_err(Failure::internal)?;
        let path = self.log_path();
        let failed = |error: std::io::Error| Failure::file("append to", &path, error);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        // An append that a crash cut short was never acknowledged: drop it before the next one.
        file.set_len(log.whole_bytes as u64).map_err(failed)?;
        file.write_all(&line).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::File::open(&self.root).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let head = LogHead { entries: entry.sequence + 1, digest: Some(Digest::of(line.trim_ascii_end())) };
        files::write(&self.head_path(), &canonical::to_vec(&head).map_err(Failure::internal)?)
    }

    /// Removes what a stopped run's commands left, which nobody searched for secrets. Logs stay: they were redacted as they
    /// were written. So does the build, to be resumed.
    pub(crate) fn forget_outputs(&self, run_id: &str) {
        let work = self.release(run_id).join("work");
        for entry in fs::read_dir(&work).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name != "build" && !name.starts_with("logs-") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A file's content; absent is `None`, anything else that hinders reading is a failure.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path, error)),
    }
}

/// A release folder: stage records and content-addressed objects.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseFolder {
    path: PathBuf,
}

impl ReleaseFolder {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what a killed run was writing.
    pub(crate) fn sweep(&self) -> Result<(), Failure> {
        ["", "objects", "stages"].iter().try_for_each(|folder| files::sweep(&self.path.join(folder)))
    }

    /// A scratch folder inside the release.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.path.join("work").join(name)
    }

    fn object(&self, digest: &Digest) -> PathBuf {
        self.path.join("objects").join(digest.hex())
    }

    /// Stores content under its digest.
    pub(crate) fn put(&self, content: &[u8]) -> Result<Digest, Failure> {
        let digest = Digest::of(content);
        let path = self.object(&digest);
        if !path.exists() {
            files::write(&path, content)?;
        }
        Ok(digest)
    }

    /// Reads content by digest; absent or damaged content is no content.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let content = fs::read(self.object(digest)).ok()?;
        (Digest::of(&content) == *digest).then_some(content)
    }

    /// Records a finished stage.
    pub(crate) fn finish_stage<T: Serialize>(&self, stage: &str, record: &T) -> Result<(), Failure> {
        let bytes = canonical::to_vec(record).map_err(Failure::internal)?;
        files::write(&self.stage_path(stage), &bytes)
    }

    /// The record of a finished stage; one that does not read is no record.
    pub(crate) fn stage<T: Serialize + DeserializeOwned>(&self, stage: &str) -> Option<T> {
        canonical::from_slice(&fs::read(self.stage_path(stage)).ok()?).ok()
    }

    fn stage_path(&self, stage: &str) -> PathBuf {
        self.path.join("stages").join(format!("{stage}.json"))
    }

    /// Where the bundle stands.
    pub(crate) fn bundle(&self, tag: &ci_types::Tag) -> PathBuf {
        self.path.join(format!("evidence-{tag}.tar.zst"))
    }
}
