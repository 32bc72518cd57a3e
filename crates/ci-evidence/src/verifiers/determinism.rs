//! The builds, and whether they agree. Agreement is recomputed from the recorded digests, never read from a flag.

use ci_types::record::{DeterminismMode, DeterminismReport, EvidenceKind};

use super::{Inputs, about, ensure, image, same};
use crate::facts::{DeterminismFact, Outcome, RejectionCode, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::Determinism;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<DeterminismFact> {
    let (entry, record): (_, DeterminismReport) = inputs.set.record(KIND)?;
    same(KIND, RejectionCode::Inconsistent, "engine", record.engine.as_str(), inputs.config.build.engine.as_str())?;
    let expected = match record.mode {
        DeterminismMode::Single => 1,
        DeterminismMode::Dual => 2,
    };
    same(KIND, RejectionCode::Inconsistent, "number of builds", &record.runs.len(), &expected)?;
    ensure(KIND, RejectionCode::Inconsistent, record.mode >= inputs.config.build.determinism, || {
        "it was built once, the configuration demands two builds".to_owned()
    })?;
    let first = &record.runs[0];
    about(KIND, &first.manifest, inputs.subject)?;
    let (_, manifest) = image::manifest(inputs)?;
    let layers: Vec<_> = manifest.layers.iter().map(|layer| layer.digest).collect();
    ensure(
        KIND,
        RejectionCode::Inconsistent,
        first.config == manifest.config.digest && first.layers == layers,
        || "the first build's config or layers are not those of the image".to_owned(),
    )?;
    for run in &record.runs {
        ensure(KIND, RejectionCode::Inconsistent, run.started_at <= inputs.now, || {
            format!("the build in `{}` started at {}, after the decision", run.directory, run.started_at)
        })?;
    }
    if let Some(second) = record.runs.get(1) {
        let agree = first.manifest == second.manifest;
        ensure(KIND, RejectionCode::Inconsistent, agree == record.first_difference.is_none(), || {
            "the recorded difference contradicts the recorded digests".to_owned()
        })?;
        ensure(KIND, RejectionCode::Inconsistent, first.directory != second.directory, || {
            "both builds ran in the same directory".to_owned()
        })?;
        ensure(KIND, RejectionCode::Inconsistent, first.started_at < second.started_at, || {
            "both builds ran at the same time".to_owned()
        })?;
    }
    Ok(VerifiedFact::proven(
        DeterminismFact {
            mode: record.mode,
            runs: record.runs.len() as u64,
            first_difference: record.first_difference,
        },
        vec![entry.digest],
    ))
}
