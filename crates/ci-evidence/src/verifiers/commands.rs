//! What the lane ran.

use ci_types::record::{CommandReceipt, EvidenceKind};

use super::{Inputs, ensure};
use crate::facts::{CommandsFact, Outcome, RejectionCode, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::Commands;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<CommandsFact> {
    let (entry, record): (_, CommandReceipt) = inputs.set.record(KIND)?;
    for run in &record.commands {
        ensure(KIND, RejectionCode::Malformed, !run.argv.is_empty() && !run.stage.is_empty(), || {
            "a command without a program or stage".to_owned()
        })?;
        ensure(KIND, RejectionCode::Inconsistent, run.started_at <= inputs.now, || {
            format!("`{}` started at {}, after the decision", run.argv[0], run.started_at)
        })?;
    }
    // An evidence file that claims to come from a command must be among that command's outputs.
    for (file, _) in inputs.set.files() {
        let Some(index) = file.producer.command else { continue };
        let outputs = usize::try_from(index).ok().and_then(|index| record.commands.get(index));
        let listed = outputs.is_some_and(|run| run.outputs.iter().any(|output| output.digest == file.digest));
        ensure(KIND, RejectionCode::Inconsistent, listed, || {
            format!("`{}` is no output of the command that it names as producer", file.path)
        })?;
    }
    let inputs_only = inputs.set.files().iter().filter(|(file, _)| !file.kind.is_derived());
    Ok(VerifiedFact::proven(
        CommandsFact {
            producers: inputs_only.map(|(file, _)| (file.path.clone(), file.producer.clone())).collect(),
            ci_intel_version: record.ci_intel_version,
            trigger: record.trigger,
            commands: record.commands,
        },
        vec![entry.digest],
    ))
}
