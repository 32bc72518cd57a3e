//! The base image: known before anything is built, pinned by digest, every blob verified.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ci_types::Digest;
use ci_types::config::{Build, Engine};

use super::layout::{Layout, LayoutError};
use super::{BuildError, dockerfile};

/// Why the base image is not known.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// Neither `scratch` nor `layout@digest`.
    #[error("build.assemble.base: `{base}` is not pinned; write `scratch` or `path/to/layout@sha256:<64 hex digits>`")]
    Unpinned {
        /// Value.
        base: String,
    },
    /// The machine's architecture has no default.
    #[error("build.assemble.architecture is needed on this machine ({machine}); write for example `amd64`")]
    Architecture {
        /// Machine.
        machine: &'static str,
    },
    /// The base has another architecture than the image is for.
    #[error(
        "build.assemble.base is for {found}, the image for {wanted}; set build.assemble.architecture or pin another base"
    )]
    OtherArchitecture {
        /// `os/architecture` of the base.
        found: String,
        /// Wanted.
        wanted: String,
    },
    /// The layout does not hold the image, or not soundly.
    #[error("build.assemble.base: {0}; fetch it again, for example with `skopeo copy docker://NAME@DIGEST oci:PATH`")]
    Layout(#[from] LayoutError),
}

/// A base image whose blobs were all verified.
#[derive(Debug, Clone)]
pub struct Base {
    /// The digest that pins it.
    pub digest: Digest,
    /// The image (for an index: the one of the platform).
    pub layout: Layout,
    /// Directories and links of its file system: path to kind.
    pub(super) paths: BTreeMap<String, PathKind>,
}

/// What a path of the base is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    Directory,
    Link,
    Other,
}

/// Reads and verifies the base of engine `assemble`; `None` for `scratch` or no base. Relative layouts count from `root`.
///
/// # Errors
/// See [`BaseError`].
pub fn base_known(base: Option<&str>, root: &Path, architecture: Option<&str>) -> Result<Option<Base>, BaseError> {
    let Some(text) = base.filter(|base| *base != "scratch") else { return Ok(None) };
    let unpinned = || BaseError::Unpinned { base: text.to_owned() };
    let (path, digest) = text.rsplit_once('@').ok_or_else(unpinned)?;
    let digest: Digest = digest.parse().map_err(|_| unpinned())?;
    if path.is_empty() {
        return Err(unpinned());
    }
    let wanted = architecture_of(architecture)?;
    let layout = Layout::open_digest(&root.join(path), &digest, &wanted)?;
    let platform = |key: &str| {
        let config: serde_json::Value = serde_json::from_slice(&layout.config).unwrap_or_default();
        config.get(key).and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned()
    };
    let (found, wanted) = (format!("{}/{}", platform("os"), platform("architecture")), format!("linux/{wanted}"));
    if found != wanted {
        return Err(BaseError::OtherArchitecture { found, wanted });
    }
    let mut paths = BTreeMap::new();
    layout.verify_layers(&mut |_, tar| apply(tar, &mut paths))?;
    Ok(Some(Base { digest, layout, paths }))
}

/// The pinned base images of a build, known before it runs: the base layout of `assemble`, the `FROM` images of a Dockerfile
/// (pinned, not fetched). Empty for `scratch` and for engine `command`.
///
/// # Errors
/// See [`BuildError`]; a base that is not pinned by digest is one.
pub fn bases_known(config: &Build, root: &Path) -> Result<Vec<Digest>, BuildError> {
    match config.engine {
        Engine::Assemble => {
            let assemble = &config.assemble;
            let base = base_known(assemble.base.as_deref(), root, assemble.architecture.as_deref())?;
            Ok(base.into_iter().map(|base| base.digest).collect())
        }
        Engine::Buildah | Engine::Docker => {
            let path: PathBuf = root.join(super::declared::plain("build.dockerfile", &config.dockerfile)?);
            Ok(dockerfile::read(&path, &config.dockerfile)?.images)
        }
        Engine::Command => Ok(Vec::new()),
    }
}

/// OCI's name of the architecture asked for, or of this machine.
pub(super) fn architecture_of(wanted: Option<&str>) -> Result<String, BaseError> {
    match (wanted, std::env::consts::ARCH) {
        (Some(wanted), _) => Ok(wanted.to_owned()),
        (None, "x86_64") => Ok("amd64".to_owned()),
        (None, "aarch64") => Ok("arm64".to_owned()),
        (None, machine) => Err(BaseError::Architecture { machine }),
    }
}

/// Applies one layer's entries, whiteouts included (OCI image-spec, "Applying Changesets").
fn apply(tar: &mut dyn io::Read, paths: &mut BTreeMap<String, PathKind>) -> io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    let mut hidden = Vec::new();
    let mut added = BTreeMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.trim_start_matches("./").trim_matches('/').to_owned();
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            hidden.push(format!("{parent}/"));
        } else if let Some(gone) = name.strip_prefix(".wh.") {
            let gone = if parent.is_empty() { gone.to_owned() } else { format!("{parent}/{gone}") };
            hidden.push(format!("{gone}/"));
            hidden.push(gone);
        } else {
            let kind = match entry.header().entry_type() {
                tar::EntryType::Directory => PathKind::Directory,
                tar::EntryType::Symlink => PathKind::Link,
                _ => PathKind::Other,
            };
            added.insert(path, kind);
        }
    }
    // Whiteouts hide what lower layers have, never what their own layer adds.
    for gone in hidden {
        match gone.strip_suffix('/') {
            Some("") => paths.clear(),
            Some(_) => paths.retain(|path, _| !path.starts_with(&gone)),
            None => drop(paths.remove(&gone)),
        }
    }
    paths.extend(added);
    Ok(())
}
