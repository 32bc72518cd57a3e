//! The port to a place that stores OCI images: a registry or a layout directory.

use std::collections::BTreeMap;
use std::path::Path;

use ci_types::record::{Permission, RegistryAction, TargetKind};
use ci_types::{Descriptor, Digest, Tag};

/// A place for images of one name (OCI distribution-spec: one repository).
///
/// Every method that reads verifies the digest of what it returns. "Not there" is `Ok(None)` only where the store said so
/// in the terms of its specification; 401, 403, 429, 5xx, a truncated or slow answer are errors.
pub trait ImageStore {
    /// Kind of target.
    fn kind(&self) -> TargetKind;

    /// Image name without tag or digest.
    fn name(&self) -> &str;

    /// Tries a right without leaving anything behind.
    fn probe(&self, action: RegistryAction) -> Permission;

    /// Whether a blob is there.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Stores the file at `path`, whose content has `digest` and `bytes` bytes.
    ///
    /// # Errors
    /// See [`StoreError`]; also when the file does not have that digest.
    fn put_blob(&self, digest: &Digest, bytes: u64, path: &Path) -> Result<(), StoreError>;

    /// Stores bytes as a blob.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn put_blob_bytes(&self, content: &[u8]) -> Result<Digest, StoreError>;

    /// Reads a blob of at most `limit_bytes`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn get_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError>;

    /// Stores a manifest by digest, never under a tag, and returns the digest that the store acknowledged.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn put_manifest(&self, media_type: &str, content: &[u8]) -> Result<Digest, StoreError>;

    /// Reads a manifest by digest.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn get_manifest(&self, digest: &Digest) -> Result<Option<StoredManifest>, StoreError>;

    /// What a tag points at, resolved once.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn resolve_tag(&self, tag: &Tag) -> Result<Option<Digest>, StoreError>;

    /// Points a tag at a manifest that is already stored, atomically.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn set_tag(&self, tag: &Tag, digest: &Digest) -> Result<(), StoreError>;

    /// Attaches an artifact to `subject` (OCI 1.1 referrer, or the fallback tag schema where the store has no referrers API).
    /// Attaching the same artifact again changes nothing.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn attach(&self, subject: &Descriptor, artifact: &Attachment) -> Result<Descriptor, StoreError>;

    /// What is attached to `subject`, each verified to name it as its `subject`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn referrers(&self, subject: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>, StoreError>;
}

/// A manifest as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Media type.
    pub media_type: String,
    /// The bytes; their digest was verified.
    pub content: Vec<u8>,
}

/// An artifact to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// `artifactType` of the manifest.
    pub artifact_type: String,
    /// Its files, in order.
    pub files: Vec<AttachmentFile>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// One file of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentFile {
    /// `org.opencontainers.image.title`.
    pub title: String,
    /// Media type of the layer.
    pub media_type: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Why a store refused or could not be understood. Every variant is a rejection for its caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The credentials are missing or wrong (401).
    #[error("{target}: not authenticated for {action}: {detail}")]
    Unauthenticated {
        /// Store.
        target: String,
        /// What was tried.
        action: String,
        /// What came back.
        detail: String,
    },
    /// The identity lacks a right (403).
    #[error("{target}: {action} is not permitted: {detail}")]
    Forbidden {
        /// Store.
        target: String,
        /// What was tried.
        action: String,
        /// What came back.
        detail: String,
    },
    /// Rate limited (429).
    #[error("{target}: rate limited during {action}; retry after {retry_after_s:?} s")]
    RateLimited {
        /// Store.
        target: String,
        /// What was tried.
        action: String,
        /// `Retry-After` in seconds, where given.
        retry_after_s: Option<u64>,
    },
    /// Something that must be there is not.
    #[error("{target}: {what} does not exist")]
    Missing {
        /// Store.
        target: String,
        /// What.
        what: String,
    },
    /// The content does not have the digest it was asked for by.
    #[error("{target}: {what} has digest {actual}, expected {expected}")]
    WrongDigest {
        /// Store.
        target: String,
        /// What.
        what: String,
        /// Expected.
        expected: Digest,
        /// Actual.
        actual: Digest,
    },
    /// The answer breaks the specification: a missing header, a truncated body, an unknown status, an oversized content.
    #[error("{target}: {action}: {detail}")]
    Protocol {
        /// Store.
        target: String,
        /// What was tried.
        action: String,
        /// What was wrong.
        detail: String,
    },
    /// No answer: connection refused, time-out, TLS failure, a file system error.
    #[error("{target}: {action}: {detail}")]
    Unreachable {
        /// Store.
        target: String,
        /// What was tried.
        action: String,
        /// The cause.
        detail: String,
    },
}
