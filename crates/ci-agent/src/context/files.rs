//! Reading the matched files: no link is followed, every byte is hashed and searched for secrets.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ci_types::Digest;
use ci_types::record::{ContextFile, SecretHit};
use rustix::fs::OFlags;

use super::{ContextError, Resolved, SecretScan, Tracked, resolve};

type Read1 = Result<(ContextFile, Vec<SecretHit>), ContextError>;

pub(super) fn read_all(
    root: &Path,
    matched: &BTreeMap<String, Tracked>,
    max_bytes: u64,
    scan: SecretScan<'_>,
) -> Result<(Vec<ContextFile>, Vec<SecretHit>), ContextError> {
    let (entries, next, total) = (matched.iter().collect::<Vec<_>>(), AtomicUsize::new(0), AtomicU64::new(0));
    let work = || -> Vec<(usize, Read1)> {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, kind)) = entries.get(index) else { return results };
            results.push((index, read_one(root, path, **kind, &total, max_bytes, scan)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let mut results: Vec<(usize, Read1)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for worker in workers {
            match worker.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(index, _)| *index);
    let (mut files, mut secrets) = (Vec::new(), Vec::new());
    for (_, result) in results {
        let (file, hits) = result?;
        files.push(file);
        secrets.extend(hits);
    }
    reject_escapes(root, &files)?;
    Ok((files, secrets))
}

fn read_one(root: &Path, path: &str, kind: Tracked, total: &AtomicU64, max_bytes: u64, scan: SecretScan<'_>) -> Read1 {
    let unusable = |detail: String| ContextError::Unusable { path: path.to_owned(), detail };
    let (content, mode) = if kind == Tracked::Link {
        (read_link(root, path).map_err(unusable)?.into_bytes(), "link")
    } else {
        let mut file = open_regular(root, path).map_err(unusable)?;
        let meta = file.metadata().map_err(|cause| unusable(cause.to_string()))?;
        // The size is checked before the bytes are in memory.
        let seen = total.fetch_add(meta.len(), Ordering::Relaxed).saturating_add(meta.len());
        if seen > max_bytes {
            return Err(ContextError::TooManyBytes { bytes: seen, limit: max_bytes });
        }
        let mut content = Vec::new();
        (&mut file).take(meta.len() + 1).read_to_end(&mut content).map_err(|cause| unusable(cause.to_string()))?;
        if content.len() as u64 != meta.len() {
            return Err(unusable("it changed while being read; stop what writes it, then run again".to_owned()));
        }
        (content, if meta.permissions().mode() & 0o100 != 0 { "0755" } else { "0644" })
    };
    let digest = Digest::of(&content);
    let secrets = scan(path, &content);
    Ok((ContextFile { path: path.to_owned(), mode: mode.to_owned(), bytes: content.len() as u64, digest }, secrets))
}

/// Links are judged together: one may lead through another.
fn reject_escapes(root: &Path, files: &[ContextFile]) -> Result<(), ContextError> {
    let mut links = BTreeMap::new();
    for file in files.iter().filter(|file| file.mode == "link") {
        let target =
            read_link(root, &file.path).map_err(|detail| ContextError::Unusable { path: file.path.clone(), detail })?;
        links.insert(file.path.clone(), target);
    }
    for (path, target) in &links {
        if resolve(path, &links) == Resolved::Escapes {
            return Err(ContextError::LinkEscapes { path: path.clone(), target: target.clone() });
        }
    }
    Ok(())
}

/// Opens a regular file below `root` without following any link on the way.
pub(crate) fn open_regular(root: &Path, path: &str) -> Result<File, String> {
    parents_are_directories(root, path)?;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(root.join(path))
        .map_err(|cause| format!("{cause}; restore it with `git checkout -- {path}`"))?;
    match file.metadata() {
        Ok(meta) if meta.is_file() => Ok(file),
        Ok(_) => Err("it is not a regular file any more".to_owned()),
        Err(cause) => Err(cause.to_string()),
    }
}

fn read_link(root: &Path, path: &str) -> Result<String, String> {
    parents_are_directories(root, path)?;
    let target = std::fs::read_link(root.join(path)).map_err(|cause| format!("{cause}; it is a link in the commit"))?;
    target.into_os_string().into_string().map_err(|_| "its target is not UTF-8".to_owned())
}

fn parents_are_directories(root: &Path, path: &str) -> Result<(), String> {
    for (at, _) in path.match_indices('/') {
        let parent = &path[..at];
        match std::fs::symlink_metadata(root.join(parent)) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(format!("`{parent}` is not a directory on disk, as it is in the commit")),
            Err(cause) => return Err(format!("`{parent}`: {cause}")),
        }
    }
    Ok(())
}
