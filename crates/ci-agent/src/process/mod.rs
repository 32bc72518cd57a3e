//! One command: clean environment, umask 022, nothing on stdin, output as redacted lines, a time limit for its whole process group.

mod lines;
mod recorder;

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ci_types::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::clock::{self, ClockError};
use crate::env::BuildEnv;
use lines::Lines;
pub use recorder::{Recorded, Recorder};

/// Most bytes of one command's log; what comes after is read and dropped.
pub const MAX_LOG_BYTES: u64 = 64 << 20;

/// After the command ended, how long its output may be held open by others.
const GRACE: Duration = Duration::from_secs(3);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct CommandSpec<'a> {
    /// Program and arguments; never a shell line.
    pub argv: &'a [String],
    /// Working directory.
    pub directory: &'a Path,
    /// Environment; nothing else is inherited.
    pub env: &'a BuildEnv,
    /// Most wall time.
    pub timeout: Duration,
    /// File to write the redacted output to; must not exist.
    pub log: &'a Path,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Exit code; absent where a signal ended it.
    pub exit_code: Option<i32>,
    /// Start.
    pub started_at: Timestamp,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
}

/// Why a command gave no result, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No program to run.
    #[error("{stage}: the command is empty; name a program in .ci-intel/config.yml")]
    Empty {
        /// Lane stage.
        stage: String,
    },
    /// The program does not exist.
    #[error("`{program}` is not an executable file in PATH; install it or correct the command in .ci-intel/config.yml")]
    NotFound {
        /// Program.
        program: String,
    },
    /// The operating system refused something.
    #[error("`{program}`: {doing}: {cause}")]
    System {
        /// Program.
        program: String,
        /// What was tried.
        doing: &'static str,
        /// Cause.
        cause: std::io::Error,
    },
    /// It took too long and was killed with all that it had started.
    #[error("`{program}` was killed after {after_s} s; make it faster or raise the stage's timeout_s (log: {})", log.display())]
    Timeout {
        /// Program.
        program: String,
        /// Limit in seconds.
        after_s: u64,
        /// Log.
        log: PathBuf,
    },
    /// It left a process behind that holds its output open.
    #[error("`{program}` ended but left a background process with its output; make it wait for its children (log: {})", log.display())]
    LeftBehind {
        /// Program.
        program: String,
        /// Log.
        log: PathBuf,
    },
    /// It did not exit with 0.
    #[error("`{program}` {}; read the log: {}", ended(*exit_code), log.display())]
    Failed {
        /// Program.
        program: String,
        /// Exit code; absent where a signal ended it.
        exit_code: Option<i32>,
        /// Log.
        log: PathBuf,
    },
    /// The machine's clock is unusable.
    #[error(transparent)]
    Clock(#[from] ClockError),
}

fn ended(exit_code: Option<i32>) -> String {
    exit_code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("exited with {code}"))
}

/// Runs a command. Every line of its output goes through `redact`, then to the log and to `on_line`.
///
/// Processes that it leaves in its process group are killed when it ends.
///
/// # Errors
/// See [`RunError`]; an exit code other than 0 is a result here, not an error.
pub fn run(
    spec: &CommandSpec<'_>,
    redact: &mut dyn FnMut(&str) -> String,
    on_line: &mut dyn FnMut(&str),
) -> Result<Finished, RunError> {
    let Some(name) = spec.argv.first() else { return Err(RunError::Empty { stage: "command".to_owned() }) };
    let program = redact(name);
    let failed = |doing| {
        let program = program.clone();
        move |cause| RunError::System { program, doing, cause }
    };
    let found = find_program(name, spec).ok_or_else(|| RunError::NotFound { program: program.clone() })?;
    let mut log =
        Log { file: File::create_new(spec.log).map_err(failed("creating its log"))?, written: 0, error: None };
    let started_at = clock::now()?;
    let start = Instant::now();
    let (mut reader, child) = spawn(spec, &found).map_err(failed("starting it"))?;
    let mut child = Group(child);
    let mut emit = |line: &str| {
        let line = redact(line);
        log.line(&line);
        on_line(&line);
    };
    let outcome = follow(&mut child.0, &mut reader, start, spec.timeout, &mut emit);
    if let Some(cause) = log.error {
        return Err(failed("writing its log")(cause));
    }
    let log = spec.log.to_owned();
    match outcome.map_err(failed("waiting for it"))? {
        Outcome::Exited(exit_code) => {
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(Finished { exit_code, started_at, duration_ms })
        }
        Outcome::TimedOut => Err(RunError::Timeout { program, after_s: spec.timeout.as_secs(), log }),
        Outcome::HeldOpen => Err(RunError::LeftBehind { program, log }),
    }
}

/// The program as an absolute path, looked up in the child's PATH; a relative path counts from the child's directory.
fn find_program(name: &str, spec: &CommandSpec<'_>) -> Option<PathBuf> {
    let runnable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        let path = spec.directory.join(name);
        return runnable(&path).then_some(path);
    }
    let path = spec.env.passed("PATH")?;
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|path| runnable(path))
}

fn spawn(spec: &CommandSpec<'_>, program: &Path) -> std::io::Result<(PipeReader, Child)> {
    let (reader, writer) = std::io::pipe()?;
    // umask(2) and prctl(2) in the child would need unsafe code between fork and exec; programs that replace themselves do it.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 022; exec \"$@\"", "sh"]);
    if let Some(setpriv) = ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| Path::new(path).exists()) {
        // The command is not in the terminal's process group: nothing else would end it when this program is killed.
        command.args([setpriv, "--pdeathsig", "KILL", "--"]);
    }
    command.arg(program).args(&spec.argv[1..]);
    command.current_dir(spec.directory).env_clear().envs(spec.env.vars());
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    Ok((reader, command.spawn()?))
}

/// The child and its process group; killed on every way out, an early return and a panic of a callback too.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            signal_group(&self.0, Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

enum Outcome {
    Exited(Option<i32>),
    TimedOut,
    HeldOpen,
}

fn follow(
    child: &mut Child,
    reader: &mut PipeReader,
    start: Instant,
    timeout: Duration,
    emit: &mut dyn FnMut(&str),
) -> std::io::Result<Outcome> {
    let (mut lines, mut chunk) = (Lines::default(), vec![0; 64 << 10]);
    let (mut open, mut exited) = (true, None);
    while open || exited.is_none() {
        if open && readable(reader, Duration::from_millis(20))? {
            let count = reader.read(&mut chunk)?;
            lines.feed(&chunk[..count], emit);
            open = count > 0;
        } else if !open {
            std::thread::sleep(Duration::from_millis(2));
        }
        match exited {
            None if has_exited(child)? => {
                // Before the group's leader is reaped, so that its id cannot mean another group.
                signal_group(child, Signal::KILL);
                exited = Some((child.wait()?, Instant::now()));
            }
            None if start.elapsed() >= timeout => {
                lines.finish(emit);
                stop(child)?;
                return Ok(Outcome::TimedOut);
            }
            Some((_, at)) if open && at.elapsed() > GRACE => {
                lines.finish(emit);
                return Ok(Outcome::HeldOpen);
            }
            _ => {}
        }
    }
    lines.finish(emit);
    Ok(Outcome::Exited(exited.and_then(|(status, _)| status.code())))
}

fn readable(reader: &PipeReader, wait: Duration) -> std::io::Result<bool> {
    let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
    match poll(&mut [PollFd::new(reader, PollFlags::IN)], Some(&wait)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn has_exited(child: &Child) -> std::io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), options)?.is_some())
}

/// Asks the group to end, then makes it.
fn stop(child: &mut Child) -> std::io::Result<()> {
    signal_group(child, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && !has_exited(child)? {
        std::thread::sleep(Duration::from_millis(10));
    }
    signal_group(child, Signal::KILL);
    child.wait().map(drop)
}

fn signal_group(child: &Child, signal: Signal) {
    // The group may be gone already, which is what is wanted.
    let _ = kill_process_group(Pid::from_child(child), signal);
}

struct Log {
    file: File,
    written: u64,
    error: Option<std::io::Error>,
}

impl Log {
    fn line(&mut self, line: &str) {
        if self.error.is_some() || self.written > MAX_LOG_BYTES {
            return;
        }
        self.written += line.len() as u64 + 1;
        let full = self.written > MAX_LOG_BYTES;
        let line = if full { "[log is full; the rest is left out]" } else { line };
        self.error = writeln!(self.file, "{line}").err();
    }
}
