//! The built-in gates, one file each, named by id. A gate reads facts; it never reads evidence.

mod artifact_identity;
mod context_boundary;
mod determinism;
mod evidence_complete;
mod lane_authority;
mod provenance_complete;
mod runtime_viability;
mod secret_hygiene;
mod tests;
mod vulnerability_budget;

use ci_types::Severity;

use crate::check::Check;
use crate::decide::Question;

/// One gate.
#[derive(Clone, Copy)]
pub struct Gate {
    /// Id: file name (with `-` for `_`), reference page and decision key.
    pub id: &'static str,
    /// What it demands, in one line.
    pub title: &'static str,
    /// How bad a denial is.
    pub severity: Severity,
    /// Raised whenever the gate's meaning changes; part of the policy digest.
    pub version: u32,
    /// Collects reasons to deny.
    pub check: fn(&Question<'_>, &mut Check),
}

/// Every gate, in the order of decisions.
#[must_use]
pub const fn all() -> [Gate; 10] {
    [
        artifact_identity::GATE,
        lane_authority::GATE,
        context_boundary::GATE,
        provenance_complete::GATE,
        evidence_complete::GATE,
        determinism::GATE,
        runtime_viability::GATE,
        tests::GATE,
        vulnerability_budget::GATE,
        secret_hygiene::GATE,
    ]
}
