//! The `git` program, asked so that neither the user's nor the machine's configuration changes its answers.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git is not installed or cannot be started.
    #[error("git cannot be started ({0}); install it: apt-get install git")]
    NotStarted(std::io::Error),
    /// git refused.
    #[error("`git {command}` failed: {detail}")]
    Refused {
        /// Arguments.
        command: String,
        /// What git wrote to its error output.
        detail: String,
    },
}

/// Settings of a repository that would run its programs or hide changes from `status`.
const SAFE: [&str; 9] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.fileMode=true",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
    "core.quotePath=false",
    "log.showSignature=false",
];

pub(crate) fn output(root: &Path, args: &[&str]) -> Result<Output, GitError> {
    let mut command = Command::new("git");
    command.env_clear().stdin(Stdio::null()).current_dir(root);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ] {
        command.env(name, value);
    }
    for setting in SAFE {
        command.args(["-c", setting]);
    }
    // Whoever releases from this directory runs its build steps anyway, so git's ownership check would only break CI
    // containers that run as root over a checkout of another user.
    command.arg("-c").arg(format!("safe.directory={}", root.display()));
    command.args(args).output().map_err(GitError::NotStarted)
}

/// The standard output of a git command that must succeed.
pub(crate) fn stdout(root: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
    let output = output(root, args)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let detail = String::from_utf8_lossy(&output.stderr).trim().chars().take(400).collect();
    Err(GitError::Refused { command: args.join(" "), detail })
}

/// The NUL-separated records of an answer.
pub(crate) fn records(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}
