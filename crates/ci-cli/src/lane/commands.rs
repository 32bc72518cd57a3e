//! The configured commands of the evidence stage: tests, scanners, a foreign SBOM tool.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ci_agent::env::{BuildDirs, BuildEnv};
use ci_agent::process::{Recorded, Recorder, RunError};
use ci_types::Digest;

use super::build::{Built, fresh};
use super::setup::{Run, Setup};
use crate::failure::Failure;
use crate::ui::{self, Progress};

/// Runs commands in the build directory, in the environment of the build.
pub(crate) struct Commands<'a> {
    setup: &'a Setup,
    run: &'a Run,
    built: &'a Built,
    env: BuildEnv,
    pub(crate) recorded: Vec<Recorded>,
}

impl<'a> Commands<'a> {
    pub(crate) fn new(setup: &'a Setup, run: &'a Run, built: &'a Built) -> Result<Self, Failure> {
        let folder = run.folder.work("commands");
        fresh(&folder)?;
        let inside = |name: &str| -> Result<PathBuf, Failure> {
            let path = folder.join(name);
            fresh(&path)?;
            Ok(path)
        };
        let dirs = BuildDirs { build: built.directory.clone(), tmp: inside("tmp")?, cache: inside("cache")? };
        let pass = &setup.effective.config.build.pass_env;
        let env = BuildEnv::new(&setup.host_env, pass, setup.source.committed_at, dirs).map_err(Failure::usage)?;
        Ok(Self { setup, run, built, env, recorded: Vec::new() })
    }

    /// An empty folder for what commands write.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.run.folder.work(name);
        fresh(&path)?;
        Ok(path)
    }

    /// Runs a command and returns its index in the receipt. That it failed is in its receipt, for a gate to judge; that it
    /// could not even be started is too.
    pub(crate) fn run(
        &mut self,
        stage: &'static str,
        argv: &[String],
        placeholders: &[(&str, &Path)],
        timeout_s: u64,
        inputs: &[Digest],
        progress: &Progress,
    ) -> Result<usize, Failure> {
        let argv: Vec<String> = argv
            .iter()
            .map(|argument| {
                placeholders.iter().fold(argument.clone(), |text, (name, path)| {
                    text.replace(name, &path.to_string_lossy())
                })
            })
            .collect();
        let logs = self.run.folder.work(&format!("logs-{stage}-{}", self.recorded.len()));
        fresh(&logs)?;
        let mut redactor = self.setup.scanner.redactor();
        let mut redact = |line: &str| redactor.line(line);
        let mut show = |line: &str| progress.line(line);
        let mut recorder = Recorder::new(stage, &logs, &mut redact, &mut show);
        let timeout = Duration::from_secs(timeout_s);
        let result = recorder.run(&argv, &self.built.directory, &self.env, timeout, inputs);
        self.recorded.extend(recorder.into_recorded());
        match result {
            Ok(_) => {}
            Err(RunError::Failed { .. } | RunError::Timeout { .. } | RunError::LeftBehind { .. }) => {
                self.show_end(stage, progress);
            }
            Err(error @ (RunError::NotFound { .. } | RunError::Empty { .. })) => return Err(Failure::rejected(error)),
            Err(error) => return Err(Failure::internal(error)),
        }
        Ok(self.recorded.len() - 1)
    }

    /// The end of what a command that failed printed: a gate will say that it failed, the user wants to see why. The log was
    /// redacted as it was written.
    fn show_end(&self, stage: &str, progress: &Progress) {
        const LINES: usize = 15;
        let Some(last) = self.recorded.last() else { return };
        let how = last.run.exit_code.map_or_else(|| "did not end by itself".to_owned(), |code| format!("exited with {code}"));
        progress.aside(&format!("{stage}: `{}` {how}", ui::plain(&last.run.argv.join(" "))));
        let log = std::fs::read(&last.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            progress.aside(&format!("  | {}", ui::plain(line)));
        }
    }
}
