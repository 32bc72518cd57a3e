//! The part of attaching that is the same for every store: content first, then the manifest that names the subject.

use std::collections::BTreeSet;

use ci_execute::{Attachment, ImageStore, StoreError};
use ci_types::Descriptor;

use crate::manifest::{Manifest, OCI_MANIFEST, attachment_manifest};

/// Checks that `subject` is there exactly as described, stores the files, and returns the manifest to store and how an index
/// lists it.
pub(crate) fn prepare(
    store: &dyn ImageStore,
    target: &str,
    subject: &Descriptor,
    artifact: &Attachment,
) -> Result<(Vec<u8>, Descriptor), StoreError> {
    let protocol = |detail: String| StoreError::Protocol {
        target: target.to_owned(),
        action: format!("attach `{}` to {}", artifact.artifact_type, subject.digest),
        detail,
    };
    if !artifact.artifact_type.contains('/') {
        return Err(protocol("the artifact type is not a media type (type/subtype)".to_owned()));
    }
    let titles: BTreeSet<_> = artifact.files.iter().map(|file| &file.title).collect();
    if titles.len() != artifact.files.len() {
        return Err(protocol("two files have the same title".to_owned()));
    }
    let stored = store.get_manifest(&subject.digest)?.ok_or_else(|| StoreError::Missing {
        target: target.to_owned(),
        what: format!("the subject {}; publish the image before what is said about it", subject.digest),
    })?;
    if stored.content.len() as u64 != subject.size || stored.media_type != subject.media_type {
        let (bytes, media_type) = (stored.content.len(), stored.media_type);
        return Err(protocol(format!("the subject is stored with {bytes} bytes as `{media_type}`, not as described")));
    }
    let content = attachment_manifest(subject, artifact).map_err(|error| protocol(error.to_string()))?;
    let manifest = Manifest::parse(Some(OCI_MANIFEST), &content).map_err(|error| protocol(error.to_string()))?;
    store.put_blob_bytes(b"{}")?;
    for file in &artifact.files {
        store.put_blob_bytes(&file.content)?;
    }
    Ok((content.clone(), manifest.descriptor(&content)))
}
