//! A bundle taken apart, to be changed and put together again: with the manifest as it was, or with one made and signed anew.

use std::collections::BTreeMap;

use ci_evidence::archive;
use ci_evidence::dsse;
use ci_evidence::keys::SigningKey;
use ci_evidence::layout;
use ci_types::record::{EvidenceFile, EvidenceKind, EvidenceManifest};
use ci_types::{Digest, canonical};

/// A bundle's files and its manifest.
#[derive(Debug, Clone)]
pub struct Unsealed {
    /// Folder that the files lie in.
    pub folder: String,
    /// The manifest. Digests and sizes are made anew by [`Unsealed::seal`]; entries without a file fall away there.
    pub manifest: EvidenceManifest,
    /// Content by path below the folder, manifest and its signature included.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Unsealed {
    /// Takes a bundle apart.
    #[must_use]
    pub fn of(bundle: &[u8]) -> Self {
        let files = archive::unpack(bundle).unwrap();
        let folder = files.keys().next().unwrap().split('/').next().unwrap().to_owned();
        let below = |path: String| path.strip_prefix(&format!("{folder}/")).unwrap().to_owned();
        let files: BTreeMap<String, Vec<u8>> = files.into_iter().map(|(path, bytes)| (below(path), bytes)).collect();
        let manifest = canonical::from_slice(&files[layout::MANIFEST]).unwrap();
        Self { folder, manifest, files }
    }

    /// Packs the files as they are: an attacker without any key.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let files = self.files.iter().map(|(path, bytes)| (format!("{}/{path}", self.folder), bytes.clone()));
        archive::pack(&files.collect()).unwrap()
    }

    /// Makes the manifest anew, signs it with `key` and packs: an attacker who has that key.
    #[must_use]
    pub fn seal(&self, key: &SigningKey) -> Vec<u8> {
        let mut changed = self.clone();
        changed.manifest.files.retain(|entry| self.files.contains_key(&entry.path));
        for entry in &mut changed.manifest.files {
            let content = &self.files[&entry.path];
            (entry.digest, entry.bytes) = (Digest::of(content), content.len() as u64);
        }
        changed.sign(key);
        changed.pack()
    }

    /// Signs the manifest as it is, be it true or not.
    pub fn sign(&mut self, key: &SigningKey) {
        let manifest = canonical::to_vec(&self.manifest).unwrap();
        let signature = dsse::seal(dsse::MANIFEST, &manifest, key).unwrap();
        self.files.insert(layout::MANIFEST.to_owned(), manifest);
        self.files.insert(layout::MANIFEST_SIGNATURE.to_owned(), signature);
    }

    /// The entry of the first file of a kind.
    #[must_use]
    pub fn entry(&self, kind: EvidenceKind) -> Option<&EvidenceFile> {
        self.manifest.files.iter().find(|entry| entry.kind == kind)
    }

    /// The content of the first file of a kind.
    pub fn content(&mut self, kind: EvidenceKind) -> &mut Vec<u8> {
        let path = self.entry(kind).unwrap().path.clone();
        self.files.get_mut(&path).unwrap()
    }
}
