//! What the build could read: a manifest that adds up.

use ci_types::record::{ContextManifest, EvidenceKind};

use super::{Inputs, ensure, same};
use crate::facts::{ContextFact, Outcome, RejectionCode, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::Context;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<ContextFact> {
    let (entry, record): (_, ContextManifest) = inputs.set.record(KIND)?;
    ensure(KIND, RejectionCode::Empty, !record.files.is_empty(), || "the build context has no files".to_owned())?;
    ensure(KIND, RejectionCode::Inconsistent, record.files.is_sorted_by(|a, b| a.path < b.path), || {
        "the files are not sorted, or one stands twice".to_owned()
    })?;
    let total = record.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.bytes));
    same(KIND, RejectionCode::Inconsistent, "total size", &record.total_bytes, &total.unwrap_or(u64::MAX))?;
    ensure(KIND, RejectionCode::Inconsistent, record.include == inputs.config.build.context.include, || {
        "the include list is not the configured one".to_owned()
    })?;
    let commit = &record.source.commit;
    let hex = commit.len() == 40 && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ensure(KIND, RejectionCode::Malformed, hex, || format!("`{commit}` is not a commit id"))?;
    Ok(VerifiedFact::proven(
        ContextFact {
            source: record.source,
            include: record.include,
            files: record.files.len() as u64,
            total_bytes: record.total_bytes,
            secrets: record.secrets,
            digest: entry.digest,
        },
        vec![entry.digest],
    ))
}
