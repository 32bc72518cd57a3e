//! The image was started: which probes passed, and what it loads that it does not hold.

use ci_types::config::Smoke;
use ci_types::record::{EvidenceKind, Probe, ProbeKind, SmokeReport};

use super::{Inputs, about, ensure};
use crate::facts::{Outcome, Rejection, RejectionCode, SmokeFact, VerifiedFact};
use crate::template;

const KIND: EvidenceKind = EvidenceKind::Smoke;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<SmokeFact> {
    let (entry, record): (_, SmokeReport) = inputs.set.record(KIND)?;
    about(KIND, &record.image, inputs.subject)?;
    ensure(KIND, RejectionCode::Empty, !record.probes.is_empty(), || "nothing was probed".to_owned())?;
    let config = &inputs.config.smoke;
    // Where a probe failed, those after it may never have been tried; the gate denies for the one that failed.
    if record.probes.iter().all(|probe| probe.passed)
        && let Some(missing) = unprobed(config, &record.probes)
    {
        let message = format!("`{missing}` is configured, but no probe of it was recorded");
        return Err(Rejection::new(KIND, RejectionCode::Inconsistent, message));
    }
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

/// The first configured probe that no recorded one answers. Each recorded probe answers one.
fn unprobed(config: &Smoke, recorded: &[Probe]) -> Option<String> {
    let http = config.http.iter().map(|probe| (ProbeKind::Http, probe.path.clone()));
    let exec = config.exec.iter().map(|command| (ProbeKind::Exec, command.join(" ")));
    let mut left: Vec<&Probe> = recorded.iter().collect();
    for (kind, target) in http.chain(exec) {
        match left.iter().position(|probe| probe.kind == kind && template::fits(&target, &probe.target)) {
            Some(at) => drop(left.swap_remove(at)),
            None => return Some(target),
        }
    }
    (config.exits && !left.iter().any(|probe| probe.kind == ProbeKind::Exit)).then(|| "smoke.exits".to_owned())
}
