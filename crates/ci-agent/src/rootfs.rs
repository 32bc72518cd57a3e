//! An OCI image's file system: the layers merged as a container runtime would see them (OCI image-spec, "Image Layer Filesystem
//! Changeset"), either written to a directory or walked without writing anything.
//!
//! Nothing is ever written outside the destination: layers are first merged in memory into one tree of plain names, and that
//! tree is then created in an empty directory, every name opened relative to a directory handle, symbolic links last.

mod layer;
mod tree;
mod unpack;

use std::path::{Path, PathBuf};

use ci_types::{Descriptor, Digest};
use serde::Deserialize;

pub use tree::{Entry, EntryKind, Tree};

/// An image manifest in an OCI image layout directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOnDisk {
    /// The layout directory (holds `oci-layout` and `blobs/`).
    pub layout: PathBuf,
    /// Descriptor of the image manifest.
    pub manifest: Descriptor,
}

/// What an image may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries over all layers.
    pub entries: u64,
    /// Uncompressed bytes over all layers.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 16 << 30 }
    }
}

/// Why an image's file system cannot be had. Nothing of such an image can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A file of the layout, or the destination, cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A blob does not have the digest that its descriptor states.
    #[error("blob {expected} has digest {actual}; the layout is damaged: build or pull the image again")]
    WrongDigest {
        /// Stated.
        expected: Digest,
        /// Found.
        actual: Digest,
    },
    /// A layer's uncompressed content does not have the `diff_id` of the image config.
    #[error("layer {layer} unpacks to {actual}, but the image config says {expected}")]
    WrongDiffId {
        /// Index of the layer, bottom is 0.
        layer: usize,
        /// Stated.
        expected: Digest,
        /// Found.
        actual: Digest,
    },
    /// A blob has another size than its descriptor states.
    #[error("blob {digest} has {actual} bytes, expected {expected}")]
    WrongSize {
        /// The blob.
        digest: Digest,
        /// Stated.
        expected: u64,
        /// Found.
        actual: u64,
    },
    /// The manifest or config is no JSON of the expected shape.
    #[error("{what} is malformed: {detail}")]
    Malformed {
        /// Manifest or config.
        what: &'static str,
        /// The cause.
        detail: String,
    },
    /// A media type that is not known: no image manifest, or a layer in an unknown compression.
    #[error(
        "media type `{0}` is not supported here; expected an OCI or Docker image manifest with tar, tar+gzip or tar+zstd layers"
    )]
    UnsupportedMediaType(String),
    /// The manifest has another number of layers than the config has `diff_ids`.
    #[error("the manifest has {layers} layers, the config {diff_ids} diff_ids")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// An entry would leave the root or has an impossible name.
    #[error("layer {layer}: entry `{path}`: {reason}")]
    Hostile {
        /// Index of the layer, bottom is 0.
        layer: usize,
        /// The name as written in the archive.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The image is larger than allowed.
    #[error("the image holds more than {limit} {what}; raise the limit only where the image is known to be that large")]
    TooLarge {
        /// `entries` or `bytes`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The destination exists and is not empty.
    #[error("{0} is not an empty directory")]
    NotEmpty(PathBuf),
}

impl RootfsError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// What the image config says about running it (OCI image-spec, "Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ImageConfig {
    /// For example `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// For example `linux`.
    #[serde(default)]
    pub os: String,
    /// Execution parameters.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RunConfig,
    rootfs: DiffIds,
}

/// `config` of an image config. Every field may be absent or null there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RunConfig {
    /// `user`, `uid`, `user:group`, `uid:gid`; empty is root.
    #[serde(deserialize_with = "null_is_default")]
    pub user: String,
    /// `NAME=value`.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// Program and leading arguments.
    #[serde(deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// Default arguments.
    #[serde(deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// Working directory; empty is `/`.
    #[serde(deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// `8080/tcp` → `{}`.
    #[serde(deserialize_with = "null_is_default")]
    pub exposed_ports: std::collections::BTreeMap<String, serde_json::Value>,
    /// Paths that the image expects to write to.
    #[serde(deserialize_with = "null_is_default")]
    pub volumes: std::collections::BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct DiffIds {
    diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// An image whose manifest and config were read and verified, and its merged tree.
#[derive(Debug)]
pub struct Image {
    layout: PathBuf,
    layers: Vec<layer::Layer>,
    /// The image config.
    pub config: ImageConfig,
    /// The merged file system.
    pub tree: Tree,
    limits: Limits,
}

impl Image {
    /// Reads manifest, config and all layers once: verifies every digest, size and `diff_id`, and merges the layers.
    ///
    /// # Errors
    /// See [`RootfsError`].
    pub fn open(image: &ImageOnDisk, limits: Limits) -> Result<Self, RootfsError> {
        const MANIFESTS: [&str; 2] =
            ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
        if !MANIFESTS.contains(&image.manifest.media_type.as_str()) {
            return Err(RootfsError::UnsupportedMediaType(image.manifest.media_type.clone()));
        }
        let manifest: Manifest = layer::read_json(&image.layout, &image.manifest, "image manifest")?;
        let config: ImageConfig = layer::read_json(&image.layout, &manifest.config, "image config")?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            return Err(RootfsError::LayerCount { layers: manifest.layers.len(), diff_ids: diff_ids.len() });
        }
        let layers: Vec<_> = manifest
            .layers
            .into_iter()
            .zip(diff_ids)
            .map(|(blob, diff_id)| layer::Layer { blob, diff_id: *diff_id })
            .collect();
        let tree = Tree::merge(&image.layout, &layers, limits)?;
        Ok(Self { layout: image.layout.clone(), layers, config, tree, limits })
    }

    /// Visits the merged file system's regular files that `wants(path, mode, bytes)` asks for, in archive order, without
    /// writing anything. Paths have no leading `/`; a name that is not UTF-8 is shown with replacement characters. A hard link
    /// is visited under each of its names.
    ///
    /// # Errors
    /// See [`RootfsError`]; also where a layer has changed since [`Image::open`].
    pub fn files(
        &self,
        wants: impl Fn(&str, u32, u64) -> bool,
        mut visit: impl FnMut(&str, &[u8]),
    ) -> Result<(), RootfsError> {
        let wanted = self.tree.content_places(
            |path, entry| matches!(entry.kind, EntryKind::File { bytes, .. } if wants(path, entry.mode, bytes)),
        );
        unpack::each_content(self, &wanted, |paths, content, bytes| {
            let mut buffer = Vec::with_capacity(usize::try_from(bytes.min(64 << 20)).unwrap_or(0));
            std::io::Read::read_to_end(content, &mut buffer)?;
            for path in paths {
                visit(&String::from_utf8_lossy(path), &buffer);
            }
            Ok(())
        })
    }

    /// Writes the merged file system to `dest`, which must be missing or empty. Set-user-id bits are dropped, devices and
    /// sockets left out. `owners`: give files their owners (needs root), else they belong to the caller.
    ///
    /// # Errors
    /// See [`RootfsError`].
    pub fn unpack(&self, dest: &Path, owners: bool) -> Result<(), RootfsError> {
        unpack::write(self, dest, owners)
    }
}

/// Walks the final file system of an image without unpacking it: see [`Image::files`].
///
/// # Errors
/// See [`RootfsError`].
pub fn image_files(
    layout: &Path,
    manifest: &Descriptor,
    wants: impl Fn(&str, u32, u64) -> bool,
    visit: impl FnMut(&str, &[u8]),
) -> Result<(), RootfsError> {
    let image = ImageOnDisk { layout: layout.to_owned(), manifest: manifest.clone() };
    Image::open(&image, Limits::default())?.files(wants, visit)
}

#[cfg(test)]
pub(crate) mod tests;
