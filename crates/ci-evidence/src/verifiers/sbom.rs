//! x
use super::Inputs;
use crate::facts::{Outcome, SbomFact};
pub(super) fn verify(_inputs: &Inputs<'_>) -> Outcome<SbomFact> {
    Err(crate::facts::Rejection::new(ci_types::record::EvidenceKind::SbomSpdx, crate::facts::RejectionCode::Missing, String::new()))
}
