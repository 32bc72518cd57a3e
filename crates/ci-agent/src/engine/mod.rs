//! Engines: a materialised context to an OCI image layout, verified blob by blob before anyone sees it.

mod assemble;
mod base;
mod buildah;
mod command;
mod declared;
mod docker;
mod dockerfile;
mod error;
mod layout;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ci_types::config::{Build, Engine as EngineKind};
use ci_types::record::ContextManifest;
use ci_types::{Descriptor, Digest, Timestamp};

use crate::env::BuildEnv;
use crate::process::Recorder;
pub use base::{Base, BaseError, base_known, bases_known};
pub use error::BuildError;
pub use layout::{Layout, LayoutError, LayoutReason, verify_layout};
pub(crate) use steps::run_steps;

/// One build of one image.
#[derive(Debug, Clone, Copy)]
pub struct BuildJob<'a> {
    /// The materialised context, after the steps ran in it. Absolute.
    pub directory: &'a Path,
    /// New directory to leave the OCI image layout in. Absolute.
    pub layout_out: &'a Path,
    /// Existing directory for what the engine needs meanwhile. Absolute.
    pub work: &'a Path,
    /// The repository, for a base layout inside it.
    pub root: &'a Path,
    /// `SOURCE_DATE_EPOCH`: every time in the image.
    pub source_epoch: Timestamp,
    /// The build's configuration.
    pub config: &'a Build,
    /// The files that the context holds.
    pub context: &'a ContextManifest,
    /// Digest of the context manifest as evidence (canonical JSON): what commands are given.
    pub context_digest: Digest,
    /// The environment of commands.
    pub env: &'a BuildEnv,
    /// When the whole build must be over.
    pub deadline: Instant,
}

impl BuildJob<'_> {
    /// Time left. Zero where none is.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// An image as built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// OCI image layout that holds exactly this image.
    pub layout: PathBuf,
    /// The image manifest.
    pub manifest: Descriptor,
    /// Digest of the image config.
    pub config: Digest,
    /// Digests of the layer blobs, bottom first.
    pub layers: Vec<Digest>,
    /// Bytes of manifest, config and layers.
    pub image_bytes: u64,
    /// The base image, where the engine knows of one; `None` for `scratch` and for engine `command`.
    pub base: Option<Digest>,
}

/// Makes an image.
pub trait Engine {
    /// Builds once. The returned layout was verified: every digest, size and `diff_id`.
    ///
    /// # Errors
    /// See [`BuildError`].
    fn build(&self, job: &BuildJob<'_>, recorder: &mut Recorder<'_>) -> Result<BuiltImage, BuildError>;
}

/// The engine of a configuration.
#[must_use]
pub fn engine(kind: EngineKind) -> &'static dyn Engine {
    match kind {
        EngineKind::Assemble => &assemble::Assemble,
        EngineKind::Buildah => &buildah::Buildah,
        EngineKind::Docker => &docker::Docker,
        EngineKind::Command => &command::Command,
    }
}
