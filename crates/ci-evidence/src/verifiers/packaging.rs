//! `packaging_provenance.json` binds source, build and artifact; every binding is checked against the evidence it names.

use ci_types::config::Engine;
use ci_types::record::{ContextManifest, EvidenceKind, PackagingProvenance};

use super::{Inputs, ensure, image, same};
use crate::facts::{Outcome, PackagingFact, RejectionCode, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::Packaging;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<PackagingFact> {
    let (entry, record): (_, PackagingProvenance) = inputs.set.record(KIND)?;
    ensure(KIND, RejectionCode::WrongSubject, record.artifact == *inputs.subject, || {
        format!("it is about {}, expected {}", record.artifact.reference(), inputs.subject.reference())
    })?;
    same(KIND, RejectionCode::WrongSubject, "run", record.run_id.as_str(), inputs.run_id)?;
    let (context, manifest): (_, ContextManifest) = inputs.set.record(EvidenceKind::Context)?;
    same(KIND, RejectionCode::Inconsistent, "context digest", &record.context, &context.digest)?;
    ensure(KIND, RejectionCode::Inconsistent, record.source == manifest.source, || {
        "its source revision is not the one of the build context".to_owned()
    })?;
    let (commands, _) = inputs.set.one(EvidenceKind::Commands)?;
    same(KIND, RejectionCode::Inconsistent, "command receipt digest", &record.commands, &commands.digest)?;
    same(KIND, RejectionCode::Inconsistent, "engine", record.engine.as_str(), inputs.config.build.engine.as_str())?;
    if inputs.config.build.engine == Engine::Assemble {
        let pinned = inputs.config.build.assemble.base.as_deref().filter(|base| *base != "scratch");
        let recorded = record.base.map(|base| base.to_string());
        let found = recorded.as_deref().unwrap_or("scratch");
        let wanted = pinned.map_or("scratch", |base| base.rsplit_once('@').map_or(base, |(_, digest)| digest));
        same(KIND, RejectionCode::Inconsistent, "base image", found, wanted)?;
    }
    let (_, oci) = image::manifest(inputs)?;
    same(KIND, RejectionCode::Inconsistent, "image config digest", &record.image_config, &oci.config.digest)?;
    ensure(KIND, RejectionCode::Inconsistent, record.layers.iter().eq(oci.layers.iter().map(|l| &l.digest)), || {
        "its layers are not those of the image manifest".to_owned()
    })?;
    Ok(VerifiedFact::proven(
        PackagingFact { engine: record.engine, base: record.base },
        vec![entry.digest, context.digest, commands.digest],
    ))
}
