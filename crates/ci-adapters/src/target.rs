//! `publish.target` of the configuration → a store.

use std::path::Path;

use ci_execute::{ImageStore, StoreError};

use crate::oci_layout::OciLayout;
use crate::oci_registry::{Registry, RegistryError, RegistryOptions};

/// How to open a target.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Image name for layouts, which have none of their own (`project.name`).
    pub image_name: String,
    /// Make a layout that is not there. Readers leave this off.
    pub create: bool,
    /// For registries.
    pub registry: RegistryOptions,
}

/// Why a target cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a target.
    #[error("`{0}` is not a target; expected `oci-layout:PATH` or `registry:HOST[:PORT]/NAME` (publish.target)")]
    Unknown(String),
    /// The layout refuses.
    #[error(transparent)]
    Layout(#[from] StoreError),
    /// The registry cannot be addressed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Opens `oci-layout:PATH` (relative to `repo_root`) or `registry:HOST[:PORT]/NAME`. Opens no connection.
///
/// # Errors
/// See [`TargetError`].
pub fn open(target: &str, repo_root: &Path, options: &OpenOptions) -> Result<Box<dyn ImageStore>, TargetError> {
    let unknown = || TargetError::Unknown(target.chars().take(300).collect());
    match target.split_once(':') {
        Some(("oci-layout", path)) if !path.is_empty() => {
            let dir = repo_root.join(path);
            let open = if options.create { OciLayout::open_or_create } else { OciLayout::open };
            Ok(Box::new(open(&dir, &options.image_name)?))
        }
        Some(("registry", repository)) => Ok(Box::new(Registry::new(repository, options.registry.clone())?)),
        _ => Err(unknown()),
    }
}
