//! Why a layout is not the image it claims to be.

use std::io;
use std::path::PathBuf;

use ci_types::Digest;

/// Why a layout is not the image it claims to be.
#[derive(Debug, thiserror::Error)]
#[error("image layout {}: {reason}", layout.display())]
pub struct LayoutError {
    /// Layout directory.
    pub layout: PathBuf,
    /// What is wrong.
    pub reason: LayoutReason,
}

/// What is wrong with a layout.
#[derive(Debug, thiserror::Error)]
pub enum LayoutReason {
    /// A file of the layout cannot be read.
    #[error("{file}: {cause}")]
    Unreadable {
        /// File.
        file: String,
        /// Cause.
        cause: io::Error,
    },
    /// A document is not what the specification says.
    #[error("{file}: {detail}")]
    Malformed {
        /// File.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// The index does not name exactly one image.
    #[error(
        "index.json names {count} manifests; exactly one image manifest is expected (one platform, no attestations)"
    )]
    NotOneImage {
        /// How many.
        count: usize,
    },
    /// A media type that is not OCI's.
    #[error(
        "{what} has media type `{media_type}`; expected {expected} (for docker's own types: build with an OCI output)"
    )]
    MediaType {
        /// What.
        what: String,
        /// Media type found.
        media_type: String,
        /// Expected.
        expected: &'static str,
    },
    /// A blob does not have the digest it is named by.
    #[error("blob {expected} has digest {actual}")]
    WrongDigest {
        /// Digest that names it.
        expected: Digest,
        /// Digest of its bytes.
        actual: Digest,
    },
    /// A blob does not have the size its descriptor says.
    #[error("blob {digest} has {actual} bytes, its descriptor says {expected}")]
    WrongSize {
        /// Digest.
        digest: Digest,
        /// Size in the descriptor.
        expected: u64,
        /// Size on disk.
        actual: u64,
    },
    /// The config's `rootfs.diff_ids` do not belong to the layers.
    #[error("layer {layer} unpacks to {actual}, the config's rootfs.diff_ids say {expected}")]
    WrongDiffId {
        /// 1-based layer.
        layer: usize,
        /// In the config.
        expected: String,
        /// Of the unpacked bytes.
        actual: String,
    },
    /// The manifest is not there.
    #[error("no manifest {digest} in index.json")]
    NoManifest {
        /// Digest asked for.
        digest: Digest,
    },
    /// An index has no or several images for the platform.
    #[error("index {digest} has {count} images for linux/{architecture}; expected one")]
    Platform {
        /// Index.
        digest: Digest,
        /// Architecture wanted.
        architecture: String,
        /// How many it has.
        count: usize,
    },
}
