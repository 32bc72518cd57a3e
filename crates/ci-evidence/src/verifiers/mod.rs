//! Verifiers, one file each, named by the fact they prove. Each reads evidence by kind and either proves its fact or says why
//! not. None of them stops another: a rejected release shows every reason at once.

mod commands;
mod context;
mod determinism;
mod identity;
mod image;
mod packaging;
mod provenance;
mod sbom;
mod scan;
mod secrets;
mod smoke;
mod tests;

use ci_types::config::Config;
use ci_types::record::EvidenceKind;
use ci_types::{Digest, Subject, Timestamp};

use crate::facts::{Facts, Rejection, RejectionCode};
use crate::set::EvidenceSet;
use crate::trust::TrustRoots;

pub use identity::audience;
pub use provenance::{BUILDER_GITHUB_ACTIONS, BUILDER_LOCAL, build_type, statement};

/// What verifiers look at.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The evidence.
    pub set: &'a EvidenceSet,
    /// The artifact in question.
    pub subject: &'a Subject,
    /// The run in question.
    pub run_id: &'a str,
    /// Whom the caller trusts.
    pub trust: &'a TrustRoots,
    /// The effective configuration.
    pub config: &'a Config,
    /// The time of the decision.
    pub now: Timestamp,
}

/// Ids of the verifiers, each the name of its file and of its reference page.
#[must_use]
pub const fn all() -> [&'static str; 12] {
    [
        "image",
        "identity",
        "context",
        "commands",
        "packaging",
        "provenance",
        "determinism",
        "smoke",
        "sbom",
        "tests",
        "scan",
        "secrets",
    ]
}

/// Runs every verifier.
#[must_use]
pub fn derive(inputs: &Inputs<'_>) -> Facts {
    let context = context::verify(inputs);
    let commands = commands::verify(inputs);
    Facts {
        image: image::verify(inputs),
        identity: identity::verify(inputs),
        packaging: packaging::verify(inputs),
        provenance: provenance::verify(inputs),
        determinism: determinism::verify(inputs),
        smoke: smoke::verify(inputs),
        sbom: sbom::verify(inputs),
        tests: tests::verify(inputs),
        scan: scan::verify(inputs),
        secrets: secrets::verify(inputs),
        context,
        commands,
    }
}

/// Demands that evidence of `kind` is about the artifact in question.
fn about(kind: EvidenceKind, named: &Digest, subject: &Subject) -> Result<(), Rejection> {
    same(kind, RejectionCode::WrongSubject, "image digest", named, &subject.digest)
}

/// Demands that two values agree, naming both.
fn same<T: PartialEq + std::fmt::Display + ?Sized>(
    kind: EvidenceKind,
    code: RejectionCode,
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Rejection> {
    if found == expected {
        Ok(())
    } else {
        Err(Rejection::new(kind, code, format!("{kind}: {what} is {found}, expected {expected}")))
    }
}

/// Demands a condition.
fn ensure(
    kind: EvidenceKind,
    code: RejectionCode,
    holds: bool,
    message: impl FnOnce() -> String,
) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(Rejection::new(kind, code, message())) }
}
