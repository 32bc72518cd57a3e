//! Reports: one view, several formats.

mod github;
mod html;
mod json;
mod markdown;
mod sarif;
mod text;

use std::path::Path;

use ci_policy::replay::Refusal;
use ci_types::record::{Decision, GateVerdict};

use crate::args::Format;
use crate::failure::Failure;
use crate::ui;

pub(crate) use html::history as history_page;
pub(crate) use json::pretty;

/// What is shown about one release.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) decision: &'a Decision,
    pub(crate) bundle: Option<String>,
    pub(crate) signed_by: Option<String>,
    /// Number of files, where the bundle was verified.
    pub(crate) verified_files: Option<usize>,
}

impl<'a> View<'a> {
    pub(crate) const fn of(decision: &'a Decision) -> Self {
        Self { decision, bundle: None, signed_by: None, verified_files: None }
    }

    pub(crate) fn bundle(mut self, path: &Path) -> Self {
        self.bundle = Some(path.display().to_string());
        self
    }

    pub(crate) fn signed_by(mut self, key_id: &str) -> Self {
        self.signed_by = Some(key_id.to_owned());
        self
    }

    pub(crate) const fn verified(mut self, files: usize) -> Self {
        self.verified_files = Some(files);
        self
    }

    pub(crate) fn passed(&self) -> usize {
        self.decision.gates.iter().filter(|gate| gate.verdict == GateVerdict::Pass).count()
    }
}

/// Renders a decision.
pub(crate) fn decision(view: &View<'_>, format: Format) -> Result<String, Failure> {
    match format {
        Format::Text => Ok(text::decision(view)),
        Format::Json => json::decision(view),
        Format::Sarif => sarif::decision(view),
        Format::Markdown => Ok(markdown::decision(view)),
        Format::Github => Ok(github::decision(view)),
        Format::Html => Ok(html::decision(view)),
    }
}

/// Renders a bundle that vouches for nothing; `command` is the call so far, for the hint what to add to it.
pub(crate) fn refusal(refusal: &Refusal, bundle: &Path, command: &str, format: Format) -> Result<String, Failure> {
    let word = match refusal {
        Refusal::Undecided(_) => "undecided",
        Refusal::Rejected(_) => "rejected",
    };
    let reason = match refusal {
        Refusal::Undecided(missing) => missing.to_string().replace("ci-intel verify BUNDLE", command),
        Refusal::Rejected(fault) => fault.to_string(),
    };
    match format {
        Format::Text => Ok(text::refusal(word, &reason, bundle)),
        Format::Json => json::pretty(&serde_json::json!({
            "verdict": word,
            "bundle": bundle.display().to_string(),
            "reason": reason,
        })),
        Format::Sarif => sarif::document(vec![sarif::result("bundle", &reason, &bundle.display().to_string())]),
        Format::Markdown => Ok(format!("**{word}**: `{}`\n\n{}\n", bundle.display(), markdown::escape(&reason))),
        Format::Github => Ok(github::annotation("bundle", &reason)),
        Format::Html => Ok(html::stopped(word, &bundle.display().to_string(), &reason, None)),
    }
}

/// Renders a release that ended before a decision. `None` for text, where the error itself says it all.
pub(crate) fn stopped(failure: &Failure, format: Format) -> Result<Option<String>, Failure> {
    let word = failure.verdict();
    let reason = ui::redacted(&failure.summary());
    let fix = failure.fix.as_deref().map(ui::redacted);
    let with_fix = fix.as_ref().map_or_else(|| reason.clone(), |fix| format!("{reason}\nfix: {fix}"));
    Ok(Some(match format {
        Format::Text => return Ok(None),
        Format::Json => json::pretty(&serde_json::json!({ "verdict": word, "reason": reason, "fix": fix }))?,
        Format::Sarif => sarif::document(vec![sarif::result("lane", &with_fix, ".ci-intel/config.yml")])?,
        Format::Markdown => {
            let fix = fix.map(|fix| format!("\n\nfix: {}", markdown::escape(&fix))).unwrap_or_default();
            format!("### ci-intel: {word}\n\n{}{fix}\n", markdown::escape(&reason))
        }
        Format::Github => github::annotation("lane", &with_fix),
        Format::Html => html::stopped(word, "the release", &reason, fix.as_deref()),
    }))
}
