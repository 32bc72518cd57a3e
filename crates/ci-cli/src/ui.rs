//! What the user sees while work goes on: a spinner on a terminal, groups in CI logs, plain lines in a pipe.
//! Progress goes to standard error; standard output holds only the report.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use ci_formats::secrets::Scanner;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;

use crate::failure::Failure;

/// Prints to standard output; a closed pipe ends quietly. Any other failure ends the process with the code of an internal
/// fault: whoever reads half a report must not take it for a whole one.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        note(&format!("error: cannot write to standard output: {error}"));
        std::process::exit(4);
    }
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints a failure with its fix. Causes quote files, arguments and servers, so secrets are taken out here, at the last moment.
pub(crate) fn error(failure: &Failure) {
    note(&format!("{} {}", "error:".red().bold(), redacted(&failure.message)));
    if let Some(fix) = &failure.fix {
        note(&format!("  {} {}", "fix:".cyan().bold(), redacted(fix)));
    }
    failure.more.iter().for_each(error);
}

/// Text without secrets: those that look like one, and the values of this process's credentials.
pub(crate) fn redacted(text: &str) -> String {
    let held: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, value)| ci_agent::env::is_credential(name, value))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect();
    let scanner = Scanner::with_values(&held).unwrap_or_else(|_| Scanner::builtin());
    String::from_utf8_lossy(&scanner.redact(text.as_bytes())).into_owned()
}

/// Text of others on a terminal or in a CI log: one line, and nothing that the terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // Besides control characters, those that reorder text (Unicode TR 36, section 2.10.1).
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            control if control.is_control() => out.extend(control.escape_default()),
            other => out.push(other),
        }
    }
    out
}

/// A path as the shell in this folder would want it: relative where that is shorter.
pub(crate) fn path(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    below.filter(|below| !below.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}

/// Lines of a failing command that are shown; its log has all.
const TAIL_LINES: usize = 20;

enum Style {
    Terminal,
    Groups,
    Plain,
}

/// Progress of a lane.
pub(crate) struct Progress {
    style: Style,
    bar: Option<ProgressBar>,
    stage: &'static str,
    started: Instant,
    /// The last lines of the running command, for when it fails.
    tail: RefCell<VecDeque<String>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let style = if std::env::var_os("GITHUB_ACTIONS").is_some() {
            Style::Groups
        } else if std::io::stderr().is_terminal() {
            Style::Terminal
        } else {
            Style::Plain
        };
        Self { style, bar: None, stage: "", started: Instant::now(), tail: RefCell::default() }
    }

    /// A stage begins.
    pub(crate) fn begin(&mut self, stage: &'static str, what: &str) {
        self.stage = stage;
        self.started = Instant::now();
        self.command();
        match self.style {
            Style::Terminal => {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<10} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(stage);
                bar.set_message(what.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar = Some(bar);
            }
            Style::Groups => note(&format!("::group::{stage}: {what}")),
            Style::Plain => note(&format!("{stage:<10} {what}")),
        }
    }

    /// A line of output of the running stage; it was redacted by the caller.
    pub(crate) fn line(&self, text: &str) {
        let mut tail = self.tail.borrow_mut();
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(text.trim_end().to_owned());
        match (&self.style, &self.bar) {
            (Style::Terminal, Some(bar)) => bar.set_message(text.chars().take(200).collect::<String>()),
            // The runner obeys lines that start with `::` and any `##[`; a build must not speak to it through us.
            (Style::Groups, _) => note(&format!("| {}", text.replace("##[", "## ["))),
            _ => {}
        }
    }

    /// A command of the running stage begins: what came before it is of no interest when it fails.
    pub(crate) fn command(&self) {
        self.tail.borrow_mut().clear();
    }

    /// A command of the running stage failed: shows what it said last.
    pub(crate) fn failed(&self, what: &str) {
        let show = || {
            note(&format!("{} {:<10} {what}", "!!".red(), self.stage));
            self.show_tail();
        };
        match &self.bar {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }

    /// The stage failed, and the lane with it: shows what its command said last.
    pub(crate) fn stopped(&mut self) {
        self.end("stopped", false);
        self.show_tail();
    }

    /// CI logs have every line already.
    fn show_tail(&self) {
        let tail: Vec<String> = self.tail.borrow_mut().drain(..).collect();
        if !matches!(self.style, Style::Groups) {
            tail.iter().for_each(|line| note(&format!("   | {line}")));
        }
    }

    /// The stage ended.
    pub(crate) fn end(&mut self, outcome: &str, good: bool) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let mark = if good { "ok".green().to_string() } else { "!!".red().to_string() };
        match self.style {
            Style::Groups => note(&format!("{outcome} ({seconds:.1} s)\n::endgroup::")),
            _ => note(&format!("{mark} {:<10} {outcome} {}", self.stage, format!("({seconds:.1} s)").dimmed())),
        }
    }
}
