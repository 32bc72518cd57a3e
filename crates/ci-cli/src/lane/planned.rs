//! The layout that the first release will make, for a dry run that must not make it.

use std::path::{Path, PathBuf};

use ci_execute::{Attachment, ImageStore, StoreError, StoredManifest};
use ci_types::record::{Permission, RegistryAction, TargetKind};
use ci_types::{Descriptor, Digest, Tag};
use rustix::fs::{Access, access};

/// A layout that is not there yet: it holds nothing and takes nothing.
pub(super) struct PlannedLayout {
    dir: PathBuf,
    name: String,
}

/// The layout at an `oci-layout:` target, where a release would have to make it.
pub(super) fn layout(target: &str, repo: &Path, name: &str) -> Option<PlannedLayout> {
    let dir = repo.join(target.strip_prefix("oci-layout:")?);
    let empty = match std::fs::read_dir(&dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    empty.then(|| PlannedLayout { dir, name: name.to_owned() })
}

impl PlannedLayout {
    fn absent<T>(&self, what: &str) -> Result<T, StoreError> {
        let target = format!("oci-layout:{}", self.dir.display());
        Err(StoreError::Missing { target, what: format!("{what} in a layout that is not made yet") })
    }
}

impl ImageStore for PlannedLayout {
    fn kind(&self) -> TargetKind {
        TargetKind::OciLayout
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// Whether the nearest folder that exists would let this user make the rest.
    fn probe(&self, action: RegistryAction) -> Permission {
        let nearest = self.dir.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
        let permitted = nearest.is_dir() && access(nearest, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        let detail = if permitted {
            format!("{} will be made by the first release", self.dir.display())
        } else {
            format!("{} cannot be made: {} is no folder to write to", self.dir.display(), nearest.display())
        };
        Permission { action, granted: permitted, detail }
    }

    fn has_blob(&self, _: &Digest) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn put_blob(&self, _: &Digest, _: u64, _: &Path) -> Result<(), StoreError> {
        self.absent("a place for blobs")
    }

    fn put_blob_bytes(&self, _: &[u8]) -> Result<Digest, StoreError> {
        self.absent("a place for blobs")
    }

    fn get_blob(&self, digest: &Digest, _: u64) -> Result<Vec<u8>, StoreError> {
        self.absent(&format!("blob {digest}"))
    }

    fn put_manifest(&self, _: &str, _: &[u8]) -> Result<Digest, StoreError> {
        self.absent("a place for manifests")
    }

    fn get_manifest(&self, _: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        Ok(None)
    }

    fn resolve_tag(&self, _: &Tag) -> Result<Option<Digest>, StoreError> {
        Ok(None)
    }

    fn set_tag(&self, _: &Tag, _: &Digest) -> Result<(), StoreError> {
        self.absent("a place for tags")
    }

    fn attach(&self, _: &Descriptor, _: &Attachment) -> Result<Descriptor, StoreError> {
        self.absent("a place for referrers")
    }

    fn referrers(&self, _: &Digest, _: Option<&str>) -> Result<Vec<Descriptor>, StoreError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_missing_layout_is_planned_and_not_made() {
        let repo = tempfile::tempdir().unwrap();
        let planned = layout("oci-layout:a/b", repo.path(), "app").unwrap();
        assert!(RegistryAction::ALL.iter().all(|action| planned.probe(*action).granted));
        assert!(planned.put_blob_bytes(b"x").is_err());
        assert!(!repo.path().join("a").exists());
    }

    #[test]
    fn only_what_a_release_could_make_is_planned() {
        let repo = tempfile::tempdir().unwrap();
        assert!(layout("registry:localhost/app", repo.path(), "app").is_none());
        std::fs::write(repo.path().join("file"), b"").unwrap();
        assert!(layout("oci-layout:file", repo.path(), "app").is_none(), "a file is in the way");
        assert!(layout("oci-layout:.", repo.path(), "app").is_none(), "the folder holds other files");
    }
}
