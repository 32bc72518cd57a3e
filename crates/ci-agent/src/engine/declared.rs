//! Which files of the build directory may enter an image: the context's, unchanged, and `build.outputs`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ci_types::Digest;
use ci_types::record::ContextManifest;
use sha2::{Digest as _, Sha256};

use super::BuildError;

pub(super) struct Declared<'a> {
    context: BTreeMap<&'a str, (&'a str, Digest)>,
    outputs: Vec<&'a str>,
}

impl<'a> Declared<'a> {
    /// # Errors
    /// An output whose path is not relative and plain.
    pub(super) fn new(context: &'a ContextManifest, outputs: &'a [String]) -> Result<Self, BuildError> {
        let outputs = outputs.iter().map(|path| plain("build.outputs", path)).collect::<Result<_, _>>()?;
        let context =
            context.files.iter().map(|file| (file.path.as_str(), (file.mode.as_str(), file.digest))).collect();
        Ok(Self { context, outputs })
    }

    pub(super) fn outputs(&self) -> &[&'a str] {
        &self.outputs
    }

    fn is_output(&self, path: &str) -> bool {
        self.outputs
            .iter()
            .any(|output| path.strip_prefix(output).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Whether a file with this content may enter; `digest` is called for files of the context only.
    pub(super) fn check(
        &self,
        path: &str,
        digest: impl FnOnce() -> Result<Digest, BuildError>,
    ) -> Result<(), BuildError> {
        if self.is_output(path) {
            return Ok(());
        }
        let Some((_, expected)) = self.context.get(path) else {
            return Err(BuildError::Undeclared { path: path.to_owned() });
        };
        if digest()? == *expected { Ok(()) } else { Err(BuildError::Modified { path: path.to_owned() }) }
    }
}

/// A configured path below the build directory, without `./` and trailing `/`.
pub(super) fn plain<'a>(key: &'static str, path: &'a str) -> Result<&'a str, BuildError> {
    let trimmed = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    if trimmed.split('/').any(|part| matches!(part, "" | "." | "..")) || trimmed.contains('\0') {
        let detail = "must name a file or directory below the build directory, relative and without `..`".to_owned();
        return Err(BuildError::Config { key, value: path.to_owned(), detail });
    }
    Ok(trimmed)
}

/// Digest of a file's content, or of a link's target text, as context manifests have it.
pub(super) fn digest_of(path: &Path) -> Result<Digest, BuildError> {
    let hash = || -> io::Result<Digest> {
        if path.symlink_metadata()?.is_symlink() {
            return Ok(Digest::of(path.read_link()?.as_os_str().as_encoded_bytes()));
        }
        let mut hash = Sha256::new();
        io::copy(&mut std::fs::File::open(path)?, &mut HashWriter(&mut hash))?;
        Ok(Digest::from_bytes(hash.finalize().into()))
    };
    hash().map_err(BuildError::file(path))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
