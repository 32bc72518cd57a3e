//! From the layout that a build left to the place of publication.

use std::path::Path;

use ci_execute::{ImageStore, StoreError};
use ci_types::{Descriptor, Digest};

use crate::manifest::Manifest;
use crate::oci_layout::Reader;

/// Deepest nesting of image indexes: an index of indexes of images.
const MAX_DEPTH: u8 = 3;

/// Copies the image `digest` of the layout at `built` into `store`: blobs, then manifests, no tag. Every byte is verified
/// on the way, and the store must acknowledge the very digest. Returns the descriptor of the published manifest.
///
/// # Errors
/// [`StoreError::Missing`] or [`StoreError::WrongDigest`] where the built layout is incomplete or damaged; else what the
/// store refused.
pub fn copy_layout(built: &Path, digest: &Digest, store: &dyn ImageStore) -> Result<Descriptor, StoreError> {
    let source = Reader::open(built)?;
    copy(&source, digest, store, MAX_DEPTH)
}

fn copy(source: &Reader, digest: &Digest, store: &dyn ImageStore, depth: u8) -> Result<Descriptor, StoreError> {
    let protocol =
        |detail: String| StoreError::Protocol { target: source.target(), action: format!("copy {digest}"), detail };
    let stored = source
        .manifest(digest)?
        .ok_or_else(|| StoreError::Missing { target: source.target(), what: format!("manifest {digest}") })?;
    let manifest =
        Manifest::parse(Some(&stored.media_type), &stored.content).map_err(|error| protocol(error.to_string()))?;
    for child in &manifest.children {
        let left = depth.checked_sub(1).ok_or_else(|| protocol("image indexes nest too deep".to_owned()))?;
        let copied = copy(source, &child.digest, store, left)?;
        if (copied.size, &copied.media_type) != (child.size, &child.media_type) {
            return Err(protocol(format!("{} is not as its index describes it", child.digest)));
        }
    }
    for blob in &manifest.blobs {
        store.put_blob(&blob.digest, blob.size, &source.blob_path(&blob.digest))?;
    }
    let acknowledged = store.put_manifest(&manifest.media_type, &stored.content)?;
    if acknowledged != *digest {
        return Err(StoreError::WrongDigest {
            target: source.target(),
            what: "the published manifest".to_owned(),
            expected: *digest,
            actual: acknowledged,
        });
    }
    Ok(Descriptor {
        artifact_type: None,
        annotations: std::collections::BTreeMap::new(),
        ..manifest.descriptor(&stored.content)
    })
}
