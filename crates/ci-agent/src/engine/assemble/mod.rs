//! Engine `assemble`: declared files onto a base layout or scratch; the same input gives the same bytes on any machine.

mod image_config;
mod layer;
mod tree;

use std::fs;

use ci_types::Descriptor;

use super::base::{architecture_of, base_known};
use super::layout::{LAYER_GZIP, blob_path, verify_layout, write_layout};
use super::{BuildError, BuildJob, BuiltImage, Engine};
use crate::process::Recorder;

pub(super) struct Assemble;

impl Engine for Assemble {
    fn build(&self, job: &BuildJob<'_>, _: &mut Recorder<'_>) -> Result<BuiltImage, BuildError> {
        let config = &job.config.assemble;
        let base = base_known(config.base.as_deref(), job.root, config.architecture.as_deref())?;
        let architecture = architecture_of(config.architecture.as_deref())?;
        let tree = tree::plan(job, base.as_ref())?;

        let blobs = job.layout_out.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(BuildError::file(&blobs))?;
        let mut layers = Vec::new();
        if let Some(base) = &base {
            for layer in &base.layout.image.layers {
                let to = blob_path(job.layout_out, &layer.digest);
                fs::copy(base.layout.path(&layer.digest), &to).map_err(BuildError::file(&to))?;
                layers.push(Descriptor { annotations: Default::default(), artifact_type: None, ..layer.clone() });
            }
        }
        let unnamed = blobs.join("layer.partial");
        let layer = layer::write(&tree, job.directory, job.source_epoch, &unnamed)?;
        let named = blob_path(job.layout_out, &layer.digest);
        fs::rename(&unnamed, &named).map_err(BuildError::file(&named))?;
        layers.push(Descriptor {
            media_type: LAYER_GZIP.to_owned(),
            digest: layer.digest,
            size: layer.bytes,
            artifact_type: None,
            annotations: Default::default(),
        });
        let document = image_config::document(config, &architecture, base.as_ref(), layer.diff_id, job.source_epoch)?;
        write_layout(job.layout_out, &document, layers).map_err(BuildError::file(job.layout_out))?;
        let image = verify_layout(job.layout_out)?;
        Ok(BuiltImage { base: base.map(|base| base.digest), ..image })
    }
}
