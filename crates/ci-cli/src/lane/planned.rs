//! A layout that does not exist yet, for a dry run: it says whether it could be made, and makes nothing.

use std::path::{Path, PathBuf};

use ci_execute::{Attachment, ImageStore, StoreError, StoredManifest};
use ci_types::record::{Permission, RegistryAction, TargetKind};
use ci_types::{Descriptor, Digest, Tag};
use rustix::fs::{Access, access};

pub(crate) struct PlannedLayout {
    dir: PathBuf,
    name: String,
}

impl PlannedLayout {
    /// Where the target is a layout directory that a release would have to make.
    pub(crate) fn of(target: &str, repo: &Path, name: &str) -> Option<Self> {
        let dir = repo.join(target.strip_prefix("oci-layout:").filter(|path| !path.is_empty())?);
        let empty = match std::fs::read_dir(&dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        empty.then(|| Self { dir, name: name.to_owned() })
    }

    fn missing<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Missing {
            target: format!("oci-layout:{}", self.dir.display()),
            what: "the layout, which a dry run does not make,".to_owned(),
        })
    }
}

impl ImageStore for PlannedLayout {
    fn kind(&self) -> TargetKind {
        TargetKind::OciLayout
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn probe(&self, action: RegistryAction) -> Permission {
        let parent = self.dir.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(&self.dir);
        let granted = parent.is_dir() && access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        let word = if granted { "writable" } else { "no folder to write to" };
        Permission { action, granted, detail: format!("to be made; {} is {word}", parent.display()) }
    }

    fn has_blob(&self, _: &Digest) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn put_blob(&self, _: &Digest, _: u64, _: &Path) -> Result<(), StoreError> {
        self.missing()
    }

    fn put_blob_bytes(&self, _: &[u8]) -> Result<Digest, StoreError> {
        self.missing()
    }

    fn get_blob(&self, _: &Digest, _: u64) -> Result<Vec<u8>, StoreError> {
        self.missing()
    }

    fn put_manifest(&self, _: &str, _: &[u8]) -> Result<Digest, StoreError> {
        self.missing()
    }

    fn get_manifest(&self, _: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        Ok(None)
    }

    fn resolve_tag(&self, _: &Tag) -> Result<Option<Digest>, StoreError> {
        Ok(None)
    }

    fn set_tag(&self, _: &Tag, _: &Digest) -> Result<(), StoreError> {
        self.missing()
    }

    fn attach(&self, _: &Descriptor, _: &Attachment) -> Result<Descriptor, StoreError> {
        self.missing()
    }

    fn referrers(&self, _: &Digest, _: Option<&str>) -> Result<Vec<Descriptor>, StoreError> {
        self.missing()
    }
}
