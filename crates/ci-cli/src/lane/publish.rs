//! Publish: by digest only. Built, published and read-back digest must be one.

use ci_types::record::Publication;
use ci_types::record::publication::PublicationSchema;
use ci_types::{Digest, Subject};

use super::build::Built;
use super::preflight::Cleared;
use super::setup::Setup;
use crate::failure::Failure;
use crate::ui::Progress;

pub(crate) fn run(
    setup: &Setup,
    _cleared: &Cleared,
    built: &Built,
    progress: &mut Progress,
) -> Result<Publication, Failure> {
    progress.begin("publish", setup.store.name());
    let tag_before = setup.store.resolve_tag(&setup.tag).map_err(Failure::rejected)?;
    let published = ci_adapters::copy_layout(&built.layout, &built.manifest.digest, setup.store.as_ref())
        .map_err(Failure::rejected)?;
    let read_back = setup
        .store
        .get_manifest(&published.digest)
        .map_err(Failure::rejected)?
        .ok_or_else(|| Failure::rejected(format!("{} was sent, but is not there", published.digest)))?;
    let read_back_digest = Digest::of(&read_back.content);
    if read_back_digest != built.manifest.digest || published.digest != built.manifest.digest {
        return Err(Failure::rejected(format!(
            "built {}, published {}, read back {read_back_digest}: they must be one",
            built.manifest.digest, published.digest
        ))
        .fix("the target changes manifests; publish to a store that keeps bytes"));
    }
    progress.end(&format!("{}@{}", setup.store.name(), published.digest), true);
    Ok(Publication {
        schema: PublicationSchema::V1,
        subject: Subject { name: setup.store.name().to_owned(), tag: setup.tag.clone(), digest: published.digest },
        target: setup.store.kind(),
        media_type: read_back.media_type,
        manifest_bytes: read_back.content.len() as u64,
        artifact_bytes: built.image_bytes,
        built: built.manifest.digest,
        published: published.digest,
        read_back: read_back_digest,
        tag_before,
    })
}
