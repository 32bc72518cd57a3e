//! GitHub Actions workflow commands (`::error …::`), with their escapes.

use ci_types::record::GateVerdict;

use super::View;
use crate::ui;

pub(super) fn decision(view: &View<'_>) -> String {
    let denied = view.decision.gates.iter().filter(|gate| gate.verdict == GateVerdict::Deny);
    let mut lines: Vec<String> = denied
        .flat_map(|gate| {
            gate.reasons.iter().map(|reason| {
                annotation(&gate.gate, &format!("{}: {}\nfix: {}", reason.code, reason.message, reason.remediation))
            })
        })
        .collect();
    if lines.is_empty() {
        lines.push(format!("::notice title=ci-intel::accepted {}", data(&view.decision.subject.reference())));
    }
    lines.join("\n")
}

pub(super) fn annotation(gate: &str, message: &str) -> String {
    format!("::error title=ci-intel {}::{}", property(gate), data(message))
}

fn data(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| ui::plain(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
