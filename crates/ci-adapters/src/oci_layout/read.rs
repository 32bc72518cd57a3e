//! Reading a layout: never writes, never locks, verifies every byte it returns.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ci_execute::{StoreError, StoredManifest};
use ci_types::{Descriptor, Digest, strict_json};
use rustix::fs::OFlags;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::index::Index;
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest, is_manifest_type};

/// index.json lists every image and referrer; 64 MiB are some 200,000 entries.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Read access to a layout directory.
#[derive(Debug, Clone)]
pub struct Reader {
    dir: PathBuf,
}

impl Reader {
    /// Opens an existing layout.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none, [`StoreError::Protocol`] where its version is not 1.0.0.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let reader = Self { dir: dir.to_owned() };
        reader.check_version()?;
        Ok(reader)
    }

    pub(super) const fn unchecked(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The layout in messages.
    #[must_use]
    pub fn target(&self) -> String {
        format!("oci-layout:{}", self.dir.display())
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the blob `digest` is, if it is there.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }

    pub(super) fn check_version(&self) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let action = "read oci-layout";
        let content = self.file(&self.dir.join("oci-layout"), action, 4096)?.ok_or_else(|| StoreError::Missing {
            target: self.target(),
            what: "the file `oci-layout`; this is not an OCI image layout, it".to_owned(),
        })?;
        let marker: Marker =
            strict_json::from_slice(&content).map_err(|error| self.protocol(action, error.to_string()))?;
        if marker.image_layout_version == "1.0.0" {
            return Ok(());
        }
        Err(self.protocol(action, format!("layout version `{}`, expected 1.0.0", marker.image_layout_version)))
    }

    /// index.json.
    pub(super) fn index(&self) -> Result<Index, StoreError> {
        let action = "read index.json";
        let content = self
            .file(&self.dir.join("index.json"), action, MAX_INDEX_BYTES)?
            .ok_or_else(|| StoreError::Missing { target: self.target(), what: "index.json".to_owned() })?;
        Index::parse(&content).map_err(|error| self.protocol(action, error.to_string()))
    }

    /// A blob of at most `limit_bytes`, verified.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::WrongDigest`], or [`StoreError::Protocol`] where it is too large.
    pub fn blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let what = format!("blob {digest}");
        let content = self
            .file(&self.blob_path(digest), &format!("read {what}"), limit_bytes)?
            .ok_or_else(|| StoreError::Missing { target: self.target(), what: what.clone() })?;
        self.expect(digest, Digest::of(&content), &what)?;
        Ok(content)
    }

    /// Size of a blob whose content was verified; `None` where there is none.
    pub(super) fn verified_bytes(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let action = format!("read blob {digest}");
        let Some(file) = self.open_file(&self.blob_path(digest), &action)? else { return Ok(None) };
        let (actual, bytes) = hash(file).map_err(|error| self.unreachable(&action, &error))?;
        self.expect(digest, actual, &format!("blob {digest}"))?;
        Ok(Some(bytes))
    }

    /// Size of a blob as the file system tells it, unverified.
    pub(super) fn stated_bytes(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let action = format!("read blob {digest}");
        let Some(file) = self.open_file(&self.blob_path(digest), &action)? else { return Ok(None) };
        file.metadata().map(|metadata| Some(metadata.len())).map_err(|error| self.unreachable(&action, &error))
    }

    /// A manifest by digest. The media type is that of index.json, else the manifest's own, else that of its shape.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn manifest(&self, digest: &Digest) -> Result<Option<StoredManifest>, StoreError> {
        let listed = self.index()?.descriptors().find(|entry| entry.digest == *digest);
        if self.stated_bytes(digest)?.is_none() {
            let what = format!("blob {digest}, though index.json lists it,");
            return listed.map_or(Ok(None), |_| Err(StoreError::Missing { target: self.target(), what }));
        }
        let content = self.blob(digest, MAX_MANIFEST_BYTES)?;
        let stated = listed.as_ref().map(|entry| entry.media_type.as_str());
        let manifest = Manifest::parse(stated, &content)
            .map_err(|error| self.protocol(&format!("read manifest {digest}"), error.to_string()))?;
        if listed.is_some_and(|entry| entry.size != content.len() as u64) {
            return Err(self.protocol(&format!("read manifest {digest}"), "index.json states another size".to_owned()));
        }
        Ok(Some(StoredManifest { media_type: manifest.media_type, content }))
    }

    /// Manifests in index.json that name `subject`, sorted by digest. One that cannot be read is an error: it may be the
    /// one that matters.
    pub(super) fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let mut found: Vec<Descriptor> = Vec::new();
        for entry in self.index()?.descriptors() {
            if !is_manifest_type(&entry.media_type) || found.iter().any(|other| other.digest == entry.digest) {
                continue;
            }
            let action = format!("list referrers of {subject}");
            let content = self.blob(&entry.digest, MAX_MANIFEST_BYTES)?;
            let manifest = Manifest::parse(Some(&entry.media_type), &content)
                .map_err(|error| self.protocol(&action, format!("{}: {error}", entry.digest)))?;
            if manifest.subject.as_ref().is_some_and(|named| named.digest == *subject)
                && artifact_type.is_none_or(|wanted| manifest.artifact_type.as_deref() == Some(wanted))
            {
                found.push(manifest.descriptor(&content));
            }
        }
        found.sort_by_key(|entry| entry.digest);
        Ok(found)
    }

    fn open_file(&self, path: &Path, action: &str) -> Result<Option<File>, StoreError> {
        // A symbolic link could lead out of the layout; a FIFO would block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unreachable(action, &error)),
        };
        let metadata = file.metadata().map_err(|error| self.unreachable(action, &error))?;
        if metadata.is_file() { Ok(Some(file)) } else { Err(self.protocol(action, "not a regular file".to_owned())) }
    }

    fn file(&self, path: &Path, action: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open_file(path, action)? else { return Ok(None) };
        let mut content = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| self.unreachable(action, &error))?;
        if content.len() as u64 > limit {
            return Err(self.protocol(action, format!("larger than {limit} bytes")));
        }
        Ok(Some(content))
    }

    fn expect(&self, expected: &Digest, actual: Digest, what: &str) -> Result<(), StoreError> {
        if *expected == actual {
            return Ok(());
        }
        Err(StoreError::WrongDigest { target: self.target(), what: what.to_owned(), expected: *expected, actual })
    }

    pub(super) fn protocol(&self, action: &str, detail: String) -> StoreError {
        StoreError::Protocol { target: self.target(), action: action.to_owned(), detail }
    }

    pub(super) fn unreachable(&self, action: &str, error: &std::io::Error) -> StoreError {
        let (target, action) = (self.target(), action.to_owned());
        if error.kind() == ErrorKind::PermissionDenied {
            return StoreError::Forbidden { target, action, detail: "the file system denies it".to_owned() };
        }
        StoreError::Unreachable { target, action, detail: error.to_string() }
    }
}

/// SHA-256 and length of what `source` holds.
pub(crate) fn hash(mut source: impl Read) -> std::io::Result<(Digest, u64)> {
    let mut state = Sha256::new();
    let mut buffer = vec![0_u8; 128 << 10];
    let mut bytes = 0;
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok((Digest::from_bytes(state.finalize().into()), bytes));
        }
        state.update(&buffer[..count]);
        bytes += count as u64;
    }
}
