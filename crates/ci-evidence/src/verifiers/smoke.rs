//! The image was started: which probes passed, and what it loads that it does not hold.

use ci_types::record::{EvidenceKind, SmokeReport};

use super::{Inputs, about, ensure};
use crate::facts::{Outcome, RejectionCode, SmokeFact, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::Smoke;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<SmokeFact> {
    let (entry, record): (_, SmokeReport) = inputs.set.record(KIND)?;
    about(KIND, &record.image, inputs.subject)?;
    ensure(KIND, RejectionCode::Empty, !record.probes.is_empty(), || "nothing was probed".to_owned())?;
    let config = &inputs.config.smoke;
    let configured = config.http.len() + config.exec.len() + usize::from(config.exits);
    ensure(KIND, RejectionCode::Inconsistent, record.probes.len() >= configured, || {
        format!("{} probes were recorded, {configured} are configured", record.probes.len())
    })?;
    ensure(KIND, RejectionCode::Inconsistent, config.isolation.contains(&record.isolation), || {
        "it was isolated in a way that the configuration does not allow".to_owned()
    })?;
    let failed = record.probes.iter().filter(|probe| !probe.passed);
    let unresolved = record.dependencies.iter().filter(|dependency| dependency.resolved.is_none());
    Ok(VerifiedFact::proven(
        SmokeFact {
            isolation: record.isolation,
            probes: record.probes.len() as u64,
            failed: failed.map(|probe| format!("{}: {}", probe.target, probe.detail)).collect(),
            unresolved: unresolved.map(|missing| format!("{} needs {}", missing.of, missing.needs)).collect(),
        },
        vec![entry.digest],
    ))
}
