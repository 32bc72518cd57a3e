//! Built == published == read back == digest of the manifest bytes in the bundle (spec: immutable image identity).

use ci_types::record::{EvidenceKind, Publication};
use ci_types::{Descriptor, Digest, strict_json};
use serde::Deserialize;

use super::{Inputs, about, ensure, same};
use crate::facts::{ImageFact, Outcome, Rejection, RejectionCode, VerifiedFact};

/// The fields of an OCI image manifest that identity rests on (OCI image-spec, "Image Manifest").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageManifest {
    schema_version: u32,
    media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// Reads the image manifest of the set and demands that it is the subject.
pub(super) fn manifest(inputs: &Inputs<'_>) -> Result<(Digest, ImageManifest), Rejection> {
    let kind = EvidenceKind::ImageManifest;
    let (entry, content) = inputs.set.one(kind)?;
    about(kind, &Digest::of(content), inputs.subject)?;
    let manifest: ImageManifest = strict_json::from_slice(content)
        .map_err(|error| Rejection::new(kind, RejectionCode::Malformed, format!("{}: {error}", entry.path)))?;
    ensure(kind, RejectionCode::Malformed, manifest.schema_version == 2 && !manifest.layers.is_empty(), || {
        format!("{}: not an OCI image manifest with layers", entry.path)
    })?;
    Ok((entry.digest, manifest))
}

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<ImageFact> {
    let kind = EvidenceKind::Publication;
    let (entry, publication): (_, Publication) = inputs.set.record(kind)?;
    ensure(kind, RejectionCode::WrongSubject, publication.subject == *inputs.subject, || {
        format!("published {}, expected {}", publication.subject.reference(), inputs.subject.reference())
    })?;
    let expected = &inputs.subject.digest;
    same(kind, RejectionCode::Inconsistent, "built digest", &publication.built, expected)?;
    same(kind, RejectionCode::Inconsistent, "published digest", &publication.published, expected)?;
    same(kind, RejectionCode::Inconsistent, "read-back digest", &publication.read_back, expected)?;

    let (manifest_digest, manifest) = manifest(inputs)?;
    let (_, manifest_bytes) = inputs.set.one(EvidenceKind::ImageManifest)?;
    same(
        kind,
        RejectionCode::Inconsistent,
        "manifest size",
        &publication.manifest_bytes,
        &(manifest_bytes.len() as u64),
    )?;
    let (config, config_bytes) = inputs.set.one(EvidenceKind::ImageConfig)?;
    same(
        EvidenceKind::ImageConfig,
        RejectionCode::WrongSubject,
        "config digest",
        &Digest::of(config_bytes),
        &manifest.config.digest,
    )?;
    same(
        EvidenceKind::ImageConfig,
        RejectionCode::Inconsistent,
        "config size",
        &(config_bytes.len() as u64),
        &manifest.config.size,
    )?;
    if let Some(media_type) = &manifest.media_type {
        same(kind, RejectionCode::Inconsistent, "media type", &publication.media_type, media_type)?;
    }
    // Sizes are claims of a foreign document: they may not overflow into something plausible.
    let parts = manifest.layers.iter().map(|layer| layer.size).chain([manifest.config.size]);
    let total = parts.into_iter().try_fold(manifest_bytes.len() as u64, u64::checked_add);
    ensure(kind, RejectionCode::Inconsistent, total == Some(publication.artifact_bytes), || {
        format!("artifact size is {}, the manifest's parts add up to {total:?}", publication.artifact_bytes)
    })?;
    Ok(VerifiedFact::proven(
        ImageFact {
            subject: publication.subject,
            target: publication.target,
            tag_before: publication.tag_before,
            config: manifest.config.digest,
            layers: manifest.layers.iter().map(|layer| layer.digest).collect(),
            artifact_bytes: publication.artifact_bytes,
        },
        vec![entry.digest, manifest_digest, config.digest],
    ))
}
