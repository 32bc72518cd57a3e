//! Both SBOMs are about this image and list the same components.

use ci_formats::sbom::{self, SbomError, cyclonedx, spdx};
use ci_types::Digest;
use ci_types::record::{EvidenceFile, EvidenceKind};

use super::{Inputs, ensure};
use crate::facts::{Outcome, Rejection, RejectionCode, SbomFact, VerifiedFact};

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<SbomFact> {
    let (cyclonedx_file, content) = inputs.set.one(EvidenceKind::SbomCyclonedx)?;
    let cyclonedx = cyclonedx::read(content).map_err(|error| malformed(cyclonedx_file, &error))?;
    bound(cyclonedx_file, cyclonedx.subjects.iter(), inputs)?;
    let (spdx_file, content) = inputs.set.one(EvidenceKind::SbomSpdx)?;
    let spdx = spdx::read(content).map_err(|error| malformed(spdx_file, &error))?;
    bound(spdx_file, spdx.subjects.iter(), inputs)?;
    if let Err(gaps) = sbom::parity(&cyclonedx, &spdx) {
        let first = gaps.first().map(ToString::to_string).unwrap_or_default();
        let message = format!("the SBOMs differ in {} components; {first}", gaps.len());
        return Err(Rejection::new(EvidenceKind::SbomSpdx, RejectionCode::Inconsistent, message));
    }
    Ok(VerifiedFact::proven(
        SbomFact {
            // That an image names its distribution says nothing of what is in it.
            components: cyclonedx.components.iter().filter(|component| component.kind != "operating-system").count()
                as u64,
            cyclonedx: cyclonedx_file.digest,
            spdx: spdx_file.digest,
        },
        vec![cyclonedx_file.digest, spdx_file.digest],
    ))
}

/// The document must name this image's digest, and no other.
fn bound<'a>(
    file: &EvidenceFile,
    mut subjects: impl Iterator<Item = &'a Digest>,
    inputs: &Inputs<'_>,
) -> Result<(), Rejection> {
    let ours = subjects.next().is_some_and(|digest| *digest == inputs.subject.digest) && subjects.next().is_none();
    ensure(file.kind, RejectionCode::WrongSubject, ours, || {
        format!("{}: it does not name image {} as what it is about", file.path, inputs.subject.digest)
    })
}

fn malformed(file: &EvidenceFile, error: &SbomError) -> Rejection {
    Rejection::new(file.kind, RejectionCode::Malformed, format!("{}: {error}", file.path))
}
