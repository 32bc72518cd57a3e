//! Images in a directory (OCI image-spec, "OCI Image Layout Specification").
//!
//! A tag is the annotation `org.opencontainers.image.ref.name` of an entry of index.json. A manifest that was stored by
//! digest is listed under its digest as name (`sha256:…`, which is no tag), so that tools that only know names find it.

mod index;
mod read;
mod write;

use std::fs::{self, File};
use std::path::Path;

use ci_execute::{Attachment, ImageStore, StoreError, StoredManifest};
use ci_types::record::{Permission, RegistryAction, TargetKind};
use ci_types::{Descriptor, Digest, Tag};
use rustix::fs::Access;

use self::index::Index;
pub use self::read::Reader;
pub(crate) use self::read::hash;
use self::write::Scratch;
use crate::attach;
use crate::manifest::Manifest;

/// A layout directory as an image store.
#[derive(Debug, Clone)]
pub struct OciLayout {
    reader: Reader,
    scratch: Scratch,
    name: String,
}

/// A refusal, or a file system error on the way to one.
enum Refused {
    Io(std::io::Error),
    Store(StoreError),
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl OciLayout {
    /// Opens the layout at `dir` for images called `name`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none.
    pub fn open(dir: &Path, name: &str) -> Result<Self, StoreError> {
        Reader::open(dir)?;
        let layout = Self::at(dir, name);
        if layout.scratch.exists() {
            layout.scratch.sweep().map_err(|error| layout.reader.unreachable("clean up", &error))?;
        }
        Ok(layout)
    }

    /// Opens the layout at `dir`, or makes one where the directory is missing or empty. A creation that was killed is
    /// finished; a directory with other content is refused.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_or_create(dir: &Path, name: &str) -> Result<Self, StoreError> {
        let layout = Self::at(dir, name);
        if dir.join("oci-layout").exists() {
            return Self::open(dir, name);
        }
        let action = "create the layout";
        let failed = |error: std::io::Error| layout.reader.unreachable(action, &error);
        fs::create_dir_all(dir).map_err(failed)?;
        if !layout.scratch.exists() && fs::read_dir(dir).map_err(failed)?.next().is_some() {
            let detail = "the directory holds other files and no `oci-layout`; name an empty or a new one".to_owned();
            return Err(layout.reader.protocol(action, detail));
        }
        layout.scratch.create().map_err(failed)?;
        {
            let _lock = layout.scratch.lock_index().map_err(failed)?;
            fs::create_dir_all(dir.join("blobs/sha256")).map_err(failed)?;
            if !dir.join("index.json").exists() {
                layout.write("index.json", &Index::empty().to_bytes()).map_err(failed)?;
            }
            // Last, so that whoever sees it sees a whole layout.
            layout.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(failed)?;
        }
        Self::open(dir, name)
    }

    fn at(dir: &Path, name: &str) -> Self {
        Self { reader: Reader::unchecked(dir.to_owned()), scratch: Scratch::of(dir), name: name.to_owned() }
    }

    /// Read access.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), std::io::Error> {
        self.scratch
            .place(&self.reader.dir().join(name), content, |tee| std::io::copy(tee, &mut std::io::sink()).map(|_| ()))
    }

    /// Reads index.json, lets `edit` change it, and replaces it; nobody else does so meanwhile.
    fn edit_index(&self, action: &str, edit: impl FnOnce(&mut Index) -> bool) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| self.reader.unreachable(action, &error);
        self.scratch.create().map_err(failed)?;
        let _lock = self.scratch.lock_index().map_err(failed)?;
        let mut index = self.reader.index()?;
        if edit(&mut index) { self.write("index.json", &index.to_bytes()).map_err(failed) } else { Ok(()) }
    }

    fn place_blob(&self, digest: &Digest, bytes: u64, content: impl std::io::Read) -> Result<(), StoreError> {
        let action = format!("write blob {digest}");
        // A damaged blob does not count as there: it is replaced.
        if matches!(self.reader.verified_bytes(digest), Ok(Some(stored)) if stored == bytes) {
            return Ok(());
        }
        let failed = |error: std::io::Error| self.reader.unreachable(&action, &error);
        self.scratch.create().map_err(failed)?;
        fs::create_dir_all(self.reader.dir().join("blobs/sha256")).map_err(failed)?;
        let placed = self.scratch.place(&self.reader.blob_path(digest), content, |tee| {
            let (actual, received) = hash(tee)?;
            if actual != *digest {
                let (target, what) = (self.reader.target(), "the content to store".to_owned());
                return Err(Refused::Store(StoreError::WrongDigest { target, what, expected: *digest, actual }));
            }
            if received != bytes {
                let detail = format!("the content has {received} bytes, its descriptor says {bytes}");
                return Err(Refused::Store(self.reader.protocol(&action, detail)));
            }
            Ok(())
        });
        placed.map_err(|refused| match refused {
            Refused::Io(error) => failed(error),
            Refused::Store(error) => error,
        })
    }

    /// Everything a manifest names must be there first, in its size.
    fn check_content(&self, manifest: &Manifest) -> Result<(), StoreError> {
        for part in manifest.blobs.iter().chain(&manifest.children) {
            let stored = self.reader.stated_bytes(&part.digest)?.ok_or_else(|| StoreError::Missing {
                target: self.reader.target(),
                what: format!("{} `{}`, which the manifest names,", part.digest, part.media_type),
            })?;
            if stored != part.size {
                let detail = format!("{} has {stored} bytes, the manifest says {}", part.digest, part.size);
                return Err(self.reader.protocol("write manifest", detail));
            }
        }
        Ok(())
    }

    fn try_action(&self, action: RegistryAction) -> Result<String, StoreError> {
        let dir = self.reader.dir().display();
        self.reader.check_version()?;
        let entries = self.reader.index()?.descriptors().count();
        match action {
            RegistryAction::Pull | RegistryAction::ListReferrers => {
                Ok(format!("read {dir}/index.json: {entries} entries"))
            }
            RegistryAction::Push => {
                self.try_write("blobs/sha256")?;
                Ok(format!("wrote and removed a scratch file; {dir}/blobs/sha256 is writable"))
            }
            RegistryAction::Tag => {
                self.try_write(".")?;
                self.edit_index("lock index.json", |_| false)?;
                Ok(format!("wrote and removed a scratch file; {dir}/index.json can be locked and replaced"))
            }
        }
    }

    /// Writes a scratch file and asks the system whether `place` takes new names; leaves nothing.
    fn try_write(&self, place: &str) -> Result<(), StoreError> {
        let action = format!("write to {place}");
        let failed = |error: std::io::Error| self.reader.unreachable(&action, &error);
        self.scratch.create().map_err(failed)?;
        self.scratch.try_write().map_err(failed)?;
        let path = self.reader.dir().join(place);
        rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(error.into()))
    }
}

impl ImageStore for OciLayout {
    fn kind(&self) -> TargetKind {
        TargetKind::OciLayout
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn probe(&self, action: RegistryAction) -> Permission {
        match self.try_action(action) {
            Ok(detail) => Permission { action, granted: true, detail },
            Err(error) => Permission { action, granted: false, detail: error.to_string() },
        }
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.reader.verified_bytes(digest)?.is_some())
    }

    fn put_blob(&self, digest: &Digest, bytes: u64, path: &Path) -> Result<(), StoreError> {
        let file = File::open(path)
            .map_err(|error| self.reader.unreachable(&format!("read {} to store it", path.display()), &error))?;
        self.place_blob(digest, bytes, file)
    }

    fn put_blob_bytes(&self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        self.place_blob(&digest, content.len() as u64, content)?;
        Ok(digest)
    }

    fn get_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.reader.blob(digest, limit_bytes)
    }

    fn put_manifest(&self, media_type: &str, content: &[u8]) -> Result<Digest, StoreError> {
        let action = "write manifest";
        let manifest = Manifest::parse(Some(media_type), content)
            .map_err(|error| self.reader.protocol(action, error.to_string()))?;
        self.check_content(&manifest)?;
        let digest = self.put_blob_bytes(content)?;
        self.edit_index(action, |index| index.list(&manifest.descriptor(content)))?;
        Ok(digest)
    }

    fn get_manifest(&self, digest: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        self.reader.manifest(digest)
    }

    fn resolve_tag(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        let action = format!("resolve tag {tag}");
        let found = self.reader.index()?.resolve(tag.as_str());
        let Some(digest) = found.map_err(|error| self.reader.protocol(&action, error.to_string()))? else {
            return Ok(None);
        };
        self.reader.manifest(&digest)?.ok_or_else(|| StoreError::Missing {
            target: self.reader.target(),
            what: format!("{digest}, which tag `{tag}` names,"),
        })?;
        Ok(Some(digest))
    }

    fn set_tag(&self, tag: &Tag, digest: &Digest) -> Result<(), StoreError> {
        let stored = self.reader.manifest(digest)?.ok_or_else(|| StoreError::Missing {
            target: self.reader.target(),
            what: format!("manifest {digest}; store it before tagging it"),
        })?;
        let action = format!("set tag {tag}");
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.content)
            .map_err(|error| self.reader.protocol(&action, error.to_string()))?;
        self.edit_index(&action, |index| index.point(tag.as_str(), &manifest.descriptor(&stored.content)))
    }

    fn attach(&self, subject: &Descriptor, artifact: &Attachment) -> Result<Descriptor, StoreError> {
        let (content, descriptor) = attach::prepare(self, &self.reader.target(), subject, artifact)?;
        self.put_manifest(&descriptor.media_type, &content)?;
        Ok(descriptor)
    }

    fn referrers(&self, subject: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>, StoreError> {
        self.reader.referrers(subject, artifact_type)
    }
}
