//! Runs the commands of a stage and keeps the receipt of each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ci_types::Digest;
use ci_types::record::CommandRun;

use super::{CommandSpec, Finished, RunError, run};
use crate::env::BuildEnv;

/// One command's receipt and log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The receipt.
    pub run: CommandRun,
    /// The redacted log.
    pub log: PathBuf,
}

/// Runs commands for one stage of the lane. Logs are `<logs>/<stage>-<n>.log`, n from 1.
pub struct Recorder<'a> {
    stage: String,
    logs: PathBuf,
    redact: &'a mut dyn FnMut(&str) -> String,
    on_line: &'a mut dyn FnMut(&str),
    runs: Vec<Recorded>,
}

impl<'a> Recorder<'a> {
    /// A recorder for `stage` (a plain word) that writes logs into the existing directory `logs`. Every line of output and every
    /// argument passes `redact` before anyone sees it.
    #[must_use]
    pub fn new(
        stage: &str,
        logs: &Path,
        redact: &'a mut dyn FnMut(&str) -> String,
        on_line: &'a mut dyn FnMut(&str),
    ) -> Self {
        Self { stage: stage.to_owned(), logs: logs.to_owned(), redact, on_line, runs: Vec::new() }
    }

    /// Runs a command and keeps its receipt, also when it fails. `inputs` are digests of what it is given.
    ///
    /// # Errors
    /// See [`RunError`]; an exit code other than 0 is [`RunError::Failed`].
    pub fn run(
        &mut self,
        argv: &[String],
        directory: &Path,
        env: &BuildEnv,
        timeout: Duration,
        inputs: &[Digest],
    ) -> Result<Finished, RunError> {
        let Some(program) = argv.first() else { return Err(RunError::Empty { stage: self.stage.clone() }) };
        let log = self.logs.join(format!("{}-{}.log", self.stage, self.runs.len() + 1));
        let started_at = crate::clock::now()?;
        let result = run(&CommandSpec { argv, directory, env, timeout, log: &log }, self.redact, self.on_line);
        let finished = match &result {
            Ok(finished) => *finished,
            Err(RunError::Timeout { .. }) => {
                let duration_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Finished { exit_code: None, started_at, duration_ms }
            }
            Err(_) => Finished { exit_code: None, started_at, duration_ms: 0 },
        };
        let run = CommandRun {
            stage: self.stage.clone(),
            argv: argv.iter().map(|argument| (self.redact)(argument)).collect(),
            env: env.recorded(),
            env_passed: env.passed_names(),
            started_at: finished.started_at,
            duration_ms: finished.duration_ms,
            exit_code: finished.exit_code,
            inputs: inputs.to_vec(),
            outputs: Vec::new(),
        };
        self.runs.push(Recorded { run, log: log.clone() });
        match result? {
            Finished { exit_code: Some(0), .. } => Ok(finished),
            Finished { exit_code, .. } => Err(RunError::Failed { program: (self.redact)(program), exit_code, log }),
        }
    }

    /// Passes a text through the redactor.
    pub fn redact(&mut self, text: &str) -> String {
        (self.redact)(text)
    }

    /// The receipts so far, in the order the commands ran.
    #[must_use]
    pub fn recorded(&self) -> &[Recorded] {
        &self.runs
    }

    /// The receipts, in the order the commands ran.
    #[must_use]
    pub fn into_recorded(self) -> Vec<Recorded> {
        self.runs
    }
}
