//! What the user sees while work goes on: a spinner on a terminal, groups in CI logs, plain lines in a pipe.
//! Progress goes to standard error; standard output holds only the report.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;

use crate::failure::Failure;

/// Prints to standard output; a closed pipe ends quietly.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints a failure with its fix, and whatever else failed with it.
pub(crate) fn error(failure: &Failure) {
    note(&format!("{} {}", "error:".red().bold(), failure.message));
    if let Some(fix) = &failure.fix {
        note(&format!("  {} {fix}", "fix:".cyan().bold()));
    }
    failure.more.iter().for_each(error);
}

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
        Self { style, bar: None, stage: "", started: Instant::now() }
    }

    /// A stage begins.
    pub(crate) fn begin(&mut self, stage: &'static str, what: &str) {
        self.stage = stage;
        self.started = Instant::now();
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
        match (&self.style, &self.bar) {
            (Style::Terminal, Some(bar)) => bar.set_message(text.chars().take(200).collect::<String>()),
            (Style::Groups, _) => note(text),
            _ => {}
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
