//! For pull request comments. Texts of others are escaped: a package name must not become markup.

use std::fmt::Write as _;

use ci_types::record::{GateVerdict, Verdict};

use super::View;
use crate::ui;

pub(super) fn decision(view: &View<'_>) -> String {
    let decision = view.decision;
    let verdict = match decision.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
    };
    let mut out = format!(
        "### ci-intel: {verdict} for {}\n\n`{}`\n\n| gate | verdict | why |\n|---|---|---|\n",
        decision.environment,
        decision.subject.reference()
    );
    for gate in &decision.gates {
        let (mark, cell) = match gate.verdict {
            GateVerdict::Pass => {
                ("pass", gate.reasons.iter().map(|reason| escape(&reason.message)).collect::<Vec<_>>())
            }
            GateVerdict::Deny => (
                "**deny**",
                gate.reasons
                    .iter()
                    .map(|reason| format!("{}<br>fix: {}", escape(&reason.message), escape(&reason.remediation)))
                    .collect(),
            ),
        };
        let _ = writeln!(out, "| {} | {mark} | {} |", gate.gate, cell.join("<br>"));
    }
    let _ = writeln!(out, "\ncommit `{}`, decided {}", decision.commit, decision.now);
    out
}

/// Escapes markdown and HTML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in ui::plain(&text.replace(['\r', '\n'], " ")).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '@' | '#' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}
