//! What the build could read: a manifest that adds up.

use ci_types::config::context_matcher;
use ci_types::record::{ContextManifest, EvidenceKind};

use super::{Inputs, ensure, same};
use crate::facts::{ContextFact, Outcome, Rejection, RejectionCode, VerifiedFact};

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
    // That nothing is declared at all is for the gate to say.
    let undeclared = if record.include.is_empty() { None } else { undeclared(&record)? };
    ensure(KIND, RejectionCode::Inconsistent, undeclared.is_none(), || {
        format!("`{}` lies outside the declared context", undeclared.unwrap_or_default())
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

/// The first file that no include pattern covers. A pattern without wildcards covers the tree below it too.
fn undeclared(record: &ContextManifest) -> Result<Option<&str>, Rejection> {
    let mut patterns = Vec::with_capacity(record.include.len() * 2);
    for pattern in &record.include {
        let plain = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        patterns.push(plain.to_owned());
        if !plain.contains(['*', '?', '[', '{', '\\']) {
            patterns.push(format!("{plain}/**"));
        }
    }
    let matcher = context_matcher(&patterns).map_err(|error| {
        Rejection::new(KIND, RejectionCode::Malformed, format!("the include list is not a list of globs: {error}"))
    })?;
    let inside =
        |path: &str| matcher.is_match(path) && path.split('/').all(|part| !matches!(part, "" | "." | ".." | ".git"));
    Ok(record.files.iter().map(|file| file.path.as_str()).find(|path| !inside(path)))
}
