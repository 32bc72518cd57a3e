//! For people on a terminal.

use std::fmt::Write as _;
use std::path::Path;

use ci_types::record::{GateVerdict, Verdict};
use owo_colors::OwoColorize as _;

use super::View;
use crate::ui::{self, plain};

pub(super) fn decision(view: &View<'_>) -> String {
    let decision = view.decision;
    let mut out = String::new();
    let verdict = match decision.verdict {
        Verdict::Accepted => "ACCEPTED".green().bold().to_string(),
        Verdict::Rejected => "REJECTED".red().bold().to_string(),
    };
    let _ = writeln!(out, "{verdict} for {}: {}:{}", decision.environment, decision.subject.name, decision.subject.tag);
    let mut row = |key: &str, value: &str| {
        let _ = writeln!(out, "  {:<10} {}", key.dimmed(), plain(value));
    };
    row("digest", &decision.subject.digest.to_string());
    row("commit", &format!("{} {}", decision.commit, decision.repository));
    let authority = if decision.lane.authoritative { "authoritative" } else { "not authoritative" };
    row("lane", &format!("{} ({authority}), {}", decision.lane.id, decision.lane.actor));
    row("decided", &decision.now.to_string());
    row("gates", &format!("{} of {} passed", view.passed(), decision.gates.len()));
    if let Some(key) = &view.signed_by {
        row("signed by", key);
    }
    if let Some(files) = view.verified_files {
        row("verified", &format!("{files} files; the decision was replayed byte for byte"));
    }
    if let Some(bundle) = &view.bundle {
        row("bundle", &ui::path(Path::new(bundle)));
    }
    for gate in &decision.gates {
        let denied = gate.verdict == GateVerdict::Deny;
        let mark = if denied { "deny".red().to_string() } else { "pass".green().to_string() };
        let first = plain(gate.reasons.first().map(|reason| reason.message.as_str()).unwrap_or_default());
        if !denied {
            let _ = writeln!(out, "  {mark} {:<21} {}", gate.gate, first.dimmed());
            continue;
        }
        let _ = writeln!(out, "  {mark} {}", gate.gate.bold());
        for reason in &gate.reasons {
            let _ = writeln!(out, "         {}: {}", reason.code.red(), plain(&reason.message));
            let _ = writeln!(out, "         {} {}", "fix:".cyan(), plain(&reason.remediation));
        }
    }
    out
}

pub(super) fn refusal(word: &str, reason: &str, bundle: &Path) -> String {
    format!("{} {}\n  {}\n", word.to_uppercase().red().bold(), bundle.display(), plain(reason))
}
