//! Copies a context into a fresh directory: exactly its files, verified while copying, with fixed modes and times.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ci_types::record::{ContextFile, ContextManifest};
use ci_types::{Digest, Timestamp};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use sha2::{Digest as _, Sha256};

use super::open_regular;

/// Why a context could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The destination exists already.
    #[error("{} exists already; a build directory must be fresh: remove it", dest.display())]
    NotFresh {
        /// Destination.
        dest: PathBuf,
    },
    /// A file is not what the manifest says.
    #[error("`{path}` changed since the context was collected ({expected} became {actual}); run the release again")]
    Changed {
        /// File.
        path: String,
        /// Digest in the manifest.
        expected: Digest,
        /// Digest found.
        actual: Digest,
    },
    /// A manifest that was not made by this program.
    #[error("`{path}` is no path of a context manifest: {detail}")]
    BadEntry {
        /// Path.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A file cannot be read or written.
    #[error("`{path}`: {detail}")]
    File {
        /// File.
        path: String,
        /// Cause.
        detail: String,
    },
}

/// In which order files are created; a second build uses another, so that what depends on directory order shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Sorted,
    Reversed,
}

/// Copies the files of `manifest` from `root` into the new directory `dest`. Directories get mode 0755, files 0644 or 0755
/// whatever the umask, all the commit time as modification time.
///
/// # Errors
/// See [`MaterialiseError`].
pub fn materialise(manifest: &ContextManifest, root: &Path, dest: &Path) -> Result<(), MaterialiseError> {
    materialise_in(Order::Sorted, manifest, root, dest)
}

pub(crate) fn materialise_in(
    order: Order,
    manifest: &ContextManifest,
    root: &Path,
    dest: &Path,
) -> Result<(), MaterialiseError> {
    let time = manifest.source.committed_at;
    fresh(dest)?;
    let mut directories = BTreeSet::from([String::new()]);
    let mut copy = |file: &ContextFile| -> Result<(), MaterialiseError> {
        let bad = |detail: &str| MaterialiseError::BadEntry { path: file.path.clone(), detail: detail.to_owned() };
        if file.path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(bad("it must be relative and plain"));
        }
        for (at, _) in file.path.match_indices('/') {
            if directories.insert(file.path[..at].to_owned()) {
                directory(dest, &file.path[..at])?;
            }
        }
        let failed = |detail: String| MaterialiseError::File { path: file.path.clone(), detail };
        let to = dest.join(&file.path);
        let actual = match file.mode.as_str() {
            "link" => {
                let target = fs::read_link(root.join(&file.path)).map_err(|cause| failed(cause.to_string()))?;
                std::os::unix::fs::symlink(&target, &to).map_err(|cause| failed(cause.to_string()))?;
                Digest::of(target.as_os_str().as_encoded_bytes())
            }
            "0644" | "0755" => {
                let mut from = open_regular(root, &file.path).map_err(failed)?;
                let mode = if file.mode == "0755" { 0o755 } else { 0o644 };
                copy_verified(&mut from, &to, mode).map_err(|cause| failed(cause.to_string()))?
            }
            _ => return Err(bad("its mode must be 0644, 0755 or link")),
        };
        if actual != file.digest {
            return Err(MaterialiseError::Changed { path: file.path.clone(), expected: file.digest, actual });
        }
        set_mtime(&to, time).map_err(|cause| failed(cause.to_string()))
    };
    match order {
        Order::Sorted => manifest.files.iter().try_for_each(&mut copy)?,
        Order::Reversed => manifest.files.iter().rev().try_for_each(&mut copy)?,
    }
    for path in &directories {
        set_mtime(&dest.join(path), time)
            .map_err(|cause| MaterialiseError::File { path: path.clone(), detail: cause.to_string() })?;
    }
    Ok(())
}

fn fresh(dest: &Path) -> Result<(), MaterialiseError> {
    let failed =
        |cause: io::Error| MaterialiseError::File { path: dest.display().to_string(), detail: cause.to_string() };
    if let Some(parent) = dest.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o755).create(dest) {
        Ok(()) => fs::set_permissions(dest, Permissions::from_mode(0o755)).map_err(failed),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            Err(MaterialiseError::NotFresh { dest: dest.to_owned() })
        }
        Err(cause) => Err(failed(cause)),
    }
}

fn directory(dest: &Path, path: &str) -> Result<(), MaterialiseError> {
    let at = dest.join(path);
    fs::create_dir(&at)
        .and_then(|()| fs::set_permissions(&at, Permissions::from_mode(0o755)))
        .map_err(|cause| MaterialiseError::File { path: path.to_owned(), detail: cause.to_string() })
}

/// Copies `from` into the new file `to` and returns the digest of what was written.
pub(crate) fn copy_verified(from: &mut File, to: &Path, mode: u32) -> io::Result<Digest> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 128 << 10]);
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
        out.write_all(&chunk[..count])?;
    }
    // The umask took bits away when the file was created.
    out.set_permissions(Permissions::from_mode(mode))?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}

/// Sets the modification time of a file, directory or link (the link itself).
pub(crate) fn set_mtime(path: &Path, time: Timestamp) -> io::Result<()> {
    let moment = Timespec { tv_sec: time.unix_s(), tv_nsec: 0 };
    let times = Timestamps { last_access: moment, last_modification: moment };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)
}
