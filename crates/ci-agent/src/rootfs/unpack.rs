//! Writing a merged tree into an empty directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Uid};

use super::tree::{Entry, EntryKind};
use super::{Image, RootfsError};

/// Streams the wanted contents, layer by layer, each once with all its names.
pub(super) fn each_content(
    image: &Image,
    wanted: &BTreeMap<(usize, u64), Vec<Vec<u8>>>,
    mut take: impl FnMut(&[Vec<u8>], &mut dyn Read, u64) -> io::Result<()>,
) -> Result<(), RootfsError> {
    for (index, layer) in image.layers.iter().enumerate() {
        if wanted.range((index, 0)..=(index, u64::MAX)).next().is_none() {
            continue;
        }
        layer.read(index, &image.layout, image.limits.bytes, |content| {
            let failed = |source| RootfsError::Io { path: image.layout.clone(), source };
            let mut archive = tar::Archive::new(content);
            for (ordinal, entry) in archive.entries().map_err(failed)?.enumerate() {
                let mut entry = entry.map_err(failed)?;
                if let Some(paths) = wanted.get(&(index, ordinal as u64)) {
                    let bytes = entry.size();
                    take(paths, &mut entry, bytes).map_err(failed)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

pub(super) fn write(image: &Image, dest: &Path, owners: bool) -> Result<(), RootfsError> {
    let at = RootfsError::io;
    std::fs::create_dir_all(dest).map_err(at(dest))?;
    if std::fs::read_dir(dest).map_err(at(dest))?.next().is_some() {
        return Err(RootfsError::NotEmpty(dest.to_owned()));
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, dest, flags, Mode::empty()).map_err(|error| at(dest)(error.into()))?;
    let failed = |path: &[u8]| {
        let path = dest.join(OsStr::from_bytes(path));
        move |error: rustix::io::Errno| RootfsError::Io { path, source: error.into() }
    };

    for (path, _) in image.tree.iter().filter(|(_, entry)| entry.kind == EntryKind::Dir) {
        rustix::fs::mkdirat(&root, path, Mode::RWXU).map_err(failed(path))?;
    }
    let places = image.tree.content_places(|_, _| true);
    each_content(image, &places, |paths, content, _| {
        let Some((first, others)) = paths.split_first() else { return Ok(()) };
        let Some(entry) = image.tree.get(first) else { return Ok(()) };
        let mut file = File::from(create(root.as_fd(), first)?);
        io::copy(content, &mut file)?;
        own(root.as_fd(), first, entry, owners)?;
        rustix::fs::fchmod(&file, permissions(entry.mode))?;
        for other in others {
            rustix::fs::linkat(&root, first.as_slice(), &root, other.as_slice(), AtFlags::empty())?;
        }
        Ok(())
    })?;
    // From here on links exist, and nothing is created through a name with more than its own last part unresolved: no parent
    // in the tree is a link.
    for (path, entry) in image.tree.iter() {
        if let EntryKind::Symlink(target) = &entry.kind {
            rustix::fs::symlinkat(target.as_slice(), &root, path).map_err(failed(path))?;
            own(root.as_fd(), path, entry, owners).map_err(failed(path))?;
        }
    }
    for (path, entry) in image.tree.iter().rev().filter(|(_, entry)| entry.kind == EntryKind::Dir) {
        own(root.as_fd(), path, entry, owners).map_err(failed(path))?;
        // The owner keeps all rights, or the directory could not be removed again.
        let mode = permissions(entry.mode) | Mode::RWXU;
        rustix::fs::chmodat(&root, path, mode, AtFlags::empty()).map_err(failed(path))?;
    }
    let open = Mode::from_raw_mode(0o755);
    rustix::fs::fchmod(&root, open).map_err(failed(b""))
}

fn create(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(root, path, flags, Mode::RUSR | Mode::WUSR, resolve)
}

fn own(root: BorrowedFd<'_>, path: &[u8], entry: &Entry, owners: bool) -> rustix::io::Result<()> {
    if !owners {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    rustix::fs::chownat(root, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

/// Without set-user-id, set-group-id and sticky: on the host these would be real.
fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o777)
}
