//! The evidence of one release: files with their manifest entries, looked up by kind.

use ci_types::canonical;
use ci_types::record::{EvidenceFile, EvidenceKind};
use ci_types::{Digest, strict_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::facts::{Rejection, RejectionCode};

/// Evidence files whose digests and sizes were checked against their entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvidenceSet {
    files: Vec<(EvidenceFile, Vec<u8>)>,
}

/// A file that does not match its entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` does not have the digest or size that its entry names")]
pub struct EntryMismatch {
    /// The file.
    pub path: String,
}

impl EvidenceSet {
    /// A set of files. They are put in the order of their paths, as a manifest lists them: lane and verifier see the same.
    ///
    /// # Errors
    /// When a file does not match its entry.
    pub fn new(mut files: Vec<(EvidenceFile, Vec<u8>)>) -> Result<Self, EntryMismatch> {
        files.sort_by(|(a, _), (b, _)| (&a.path, a.digest).cmp(&(&b.path, b.digest)));
        for (entry, content) in &files {
            if Digest::of(content) != entry.digest || content.len() as u64 != entry.bytes {
                return Err(EntryMismatch { path: entry.path.clone() });
            }
        }
        Ok(Self { files })
    }

    /// All files.
    #[must_use]
    pub fn files(&self) -> &[(EvidenceFile, Vec<u8>)] {
        &self.files
    }

    /// All files of a kind, in manifest order.
    pub fn all(&self, kind: EvidenceKind) -> impl Iterator<Item = &(EvidenceFile, Vec<u8>)> {
        self.files.iter().filter(move |(entry, _)| entry.kind == kind)
    }

    /// The file of a kind, where a release may do without.
    ///
    /// # Errors
    /// More than one.
    pub fn optional(&self, kind: EvidenceKind) -> Result<Option<(&EvidenceFile, &[u8])>, Rejection> {
        let mut found = self.all(kind);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some((entry, content)), None) => Ok(Some((entry, content))),
            (Some(_), Some(_)) => {
                Err(Rejection::new(kind, RejectionCode::Repeated, format!("more than one {kind} file")))
            }
        }
    }

    /// The one file of a kind.
    ///
    /// # Errors
    /// None or more than one.
    pub fn one(&self, kind: EvidenceKind) -> Result<(&EvidenceFile, &[u8]), Rejection> {
        self.optional(kind)?.ok_or_else(|| Rejection::new(kind, RejectionCode::Missing, format!("no {kind} evidence")))
    }

    /// The one record of a kind, in canonical JSON.
    ///
    /// # Errors
    /// None, more than one, or not such a record.
    pub fn record<T: Serialize + DeserializeOwned>(&self, kind: EvidenceKind) -> Result<(&EvidenceFile, T), Rejection> {
        let (entry, content) = self.one(kind)?;
        let value = canonical::from_slice(content)
            .map_err(|error| Rejection::new(kind, RejectionCode::Malformed, format!("{}: {error}", entry.path)))?;
        Ok((entry, value))
    }

    /// The one foreign JSON document of a kind.
    ///
    /// # Errors
    /// None, more than one, or not such a document.
    pub fn json<T: DeserializeOwned>(&self, kind: EvidenceKind) -> Result<(&EvidenceFile, T), Rejection> {
        let (entry, content) = self.one(kind)?;
        let value = strict_json::from_slice(content)
            .map_err(|error| Rejection::new(kind, RejectionCode::Malformed, format!("{}: {error}", entry.path)))?;
        Ok((entry, value))
    }
}
