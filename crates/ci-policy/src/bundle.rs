//! Sealing a bundle: evidence, decision and everything derived from it, one signed manifest, one archive.

use std::collections::BTreeMap;

use ci_evidence::archive::{self, ArchiveError};
use ci_evidence::decision_log::LogEntry;
use ci_evidence::dsse::{self, DsseError};
use ci_evidence::keys::SigningKey;
use ci_evidence::layout;
use ci_evidence::set::EvidenceSet;
use ci_types::record::manifest::ManifestSchema;
use ci_types::record::{Decision, EvidenceFile, EvidenceKind, EvidenceManifest, Producer, ReleaseOutputs};
use ci_types::{Digest, canonical};

use crate::summary;

/// Why a bundle could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A value has no canonical JSON.
    #[error("no canonical form: {0}")]
    Canonical(#[from] serde_json::Error),
    /// Signing failed.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// Packing failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// What a sealed release consists of, besides its input evidence.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The bundle's bytes.
    pub archive: Vec<u8>,
    /// Canonical bytes of the decision.
    pub decision: Vec<u8>,
    /// Envelope over the decision.
    pub decision_signature: Vec<u8>,
    /// Envelope with the verification summary.
    pub summary: Vec<u8>,
    /// Canonical bytes of the outputs for later jobs.
    pub outputs: Vec<u8>,
}

/// Seals a bundle.
///
/// # Errors
/// See [`SealError`].
pub fn seal(
    evidence: &EvidenceSet,
    decision: &Decision,
    log_entry: &LogEntry,
    pipeline_run: &[u8],
    key: &SigningKey,
) -> Result<Sealed, SealError> {
    let decision_bytes = canonical::to_vec(decision)?;
    let digest = Digest::of(&decision_bytes);
    let decision_signature = dsse::seal(dsse::DECISION, &decision_bytes, key)?;
    let summary = dsse::seal(dsse::IN_TOTO, &summary::statement(decision, digest, evidence)?, key)?;
    let outputs = canonical::to_vec(&ReleaseOutputs::of(decision, digest))?;
    let derived = [
        (EvidenceKind::Outputs, outputs.clone()),
        (EvidenceKind::Decision, decision_bytes.clone()),
        (EvidenceKind::DecisionSignature, decision_signature.clone()),
        (EvidenceKind::Summary, summary.clone()),
        (EvidenceKind::LogEntry, canonical::to_vec(log_entry)?),
        (EvidenceKind::PipelineRun, pipeline_run.to_vec()),
    ];
    let version = summary::lane_version(evidence);
    let mut files: Vec<(EvidenceFile, Vec<u8>)> = evidence.files().to_vec();
    for (kind, content) in derived {
        let path = layout::path(kind, &decision.subject.tag).unwrap_or_default();
        files.push((entry(kind, path, &content, Producer::ci_intel(&version)), content));
    }
    let archive = pack(files, decision, key)?;
    Ok(Sealed { archive, decision: decision_bytes, decision_signature, summary, outputs })
}

/// Manifest entry of a file.
#[must_use]
pub fn entry(kind: EvidenceKind, path: String, content: &[u8], producer: Producer) -> EvidenceFile {
    EvidenceFile {
        path,
        kind,
        media_type: layout::media_type(kind).to_owned(),
        digest: Digest::of(content),
        bytes: content.len() as u64,
        producer,
    }
}

/// Signs the manifest of `files` and packs all of it.
///
/// # Errors
/// See [`SealError`].
pub fn pack(
    mut files: Vec<(EvidenceFile, Vec<u8>)>,
    decision: &Decision,
    key: &SigningKey,
) -> Result<Vec<u8>, SealError> {
    files.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let manifest = canonical::to_vec(&EvidenceManifest {
        schema: ManifestSchema::V1,
        run_id: decision.run_id.clone(),
        created_at: decision.now,
        subject: decision.subject.clone(),
        files: files.iter().map(|(entry, _)| entry.clone()).collect(),
    })?;
    let signature = dsse::seal(dsse::MANIFEST, &manifest, key)?;
    let folder = layout::release_folder(&decision.subject.tag);
    let mut out: BTreeMap<String, Vec<u8>> =
        files.into_iter().map(|(entry, content)| (format!("{folder}/{}", entry.path), content)).collect();
    out.insert(format!("{folder}/{}", layout::MANIFEST), manifest);
    out.insert(format!("{folder}/{}", layout::MANIFEST_SIGNATURE), signature);
    Ok(archive::pack(&out)?)
}
