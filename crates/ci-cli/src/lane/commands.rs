//! The configured commands of the evidence stage: tests, scanners, a foreign SBOM tool.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ci_agent::env::{BuildDirs, BuildEnv};
use ci_agent::process::{Recorded, Recorder, RunError};
use ci_types::Digest;

use super::build::{Built, fresh};
use super::setup::{Run, Setup};
use crate::failure::Failure;
use crate::ui::Progress;

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

    /// Runs a command in the build directory.
    pub(crate) fn run(
        &mut self,
        stage: &'static str,
        argv: &[String],
        placeholders: &[(&str, &Path)],
        timeout_s: u64,
        inputs: &[Digest],
        progress: &Progress,
    ) -> Result<usize, Failure> {
        self.run_in(&self.built.directory, stage, argv, placeholders, timeout_s, inputs, progress)
    }

    /// Runs a command and returns its index in the receipt. That it failed is in its receipt, for a gate to judge; that it
    /// could not even be started is too.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn run_in(
        &mut self,
        directory: &Path,
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
                placeholders
                    .iter()
                    .fold(argument.clone(), |text, (name, path)| text.replace(name, &path.to_string_lossy()))
            })
            .collect();
        let logs = self.run.folder.work(&format!("logs-{stage}-{}", self.recorded.len()));
        fresh(&logs)?;
        let mut redactor = self.setup.scanner.redactor();
        let mut redact = |line: &str| redactor.line(line);
        let mut show = |line: &str| progress.line(line);
        let mut recorder = Recorder::new(stage, &logs, &mut redact, &mut show);
        let timeout = Duration::from_secs(timeout_s);
        progress.command();
        let result = recorder.run(&argv, directory, &self.env, timeout, inputs);
        self.recorded.extend(recorder.into_recorded());
        match result {
            Ok(_) => {}
            // The log moves into the bundle, so its path is not worth showing.
            Err(error @ (RunError::Failed { .. } | RunError::Timeout { .. } | RunError::LeftBehind { .. })) => {
                let text = error.to_string();
                let cause = text
                    .split_once("; read the log")
                    .or_else(|| text.split_once(" (log: "))
                    .map_or(&*text, |(cause, _)| cause);
                progress.failed(&format!("{stage}: {cause}"));
            }
            Err(error @ (RunError::NotFound { .. } | RunError::Empty { .. })) => {
                return Err(Failure::rejected(error).fix("correct the command in .ci-intel/config.yml"));
            }
            Err(error) => return Err(Failure::internal(error)),
        }
        Ok(self.recorded.len() - 1)
    }
}
