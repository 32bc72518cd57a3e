//! The build context: exactly the files that the include patterns name at this commit, each with its digest.
//!
//! Files come from the commit's tree, never from a walk over the disk: what git does not track cannot enter.

mod files;
mod links;
mod materialise;
mod patterns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ci_types::config::Context;
use ci_types::record::context::ContextSchema;
use ci_types::record::{ContextManifest, SecretHit, SourceState};

use crate::git::{self, GitError};
pub(crate) use files::open_regular;
pub(crate) use links::{Resolved, resolve};
pub use materialise::{MaterialiseError, materialise};
pub(crate) use materialise::{Order, copy_verified, materialise_in, set_mtime};
use patterns::Patterns;

/// Looks for secrets in a file: path and content to hits.
pub type SecretScan<'a> = &'a (dyn Fn(&str, &[u8]) -> Vec<SecretHit> + Sync);

/// Why there is no context.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// No include pattern.
    #[error(
        "build.context.include is empty; name the files that the build may read, for example `src/**` and `Cargo.toml`"
    )]
    Empty,
    /// A pattern without a boundary.
    #[error(
        "build.context.include has `{pattern}`, which has no boundary; name directories and files instead, for example `src/**`"
    )]
    Unbounded {
        /// Pattern.
        pattern: String,
    },
    /// A pattern that is no pattern, or points out of the repository.
    #[error("build.context.include has `{pattern}`: {detail}")]
    BadPattern {
        /// Pattern.
        pattern: String,
        /// What is wrong.
        detail: String,
    },
    /// A pattern that matches no tracked file.
    #[error(
        "build.context.include has `{pattern}`, which matches no file of commit {commit}; commit the file or remove the pattern"
    )]
    NoMatch {
        /// Pattern.
        pattern: String,
        /// Commit.
        commit: String,
    },
    /// A matching file that the commit does not have.
    #[error(
        "`{path}` is in the build context but not in the commit; `git add` and commit it, ignore it, or narrow the pattern"
    )]
    Untracked {
        /// File.
        path: String,
    },
    /// A matching file that cannot be part of a context.
    #[error("`{path}`: {detail}")]
    Unusable {
        /// File.
        path: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A symbolic link that leads out of the repository.
    #[error("`{path}` is a symbolic link to `{target}`, outside the repository; replace it by the file it should be")]
    LinkEscapes {
        /// Link.
        path: String,
        /// Its target text.
        target: String,
    },
    /// More files than allowed.
    #[error(
        "the build context has {files} files, more than build.context.max_files ({limit}); narrow build.context.include"
    )]
    TooManyFiles {
        /// Files matched.
        files: u64,
        /// Limit.
        limit: u64,
    },
    /// More bytes than allowed.
    #[error(
        "the build context has {bytes} bytes or more, over build.context.max_bytes ({limit}); narrow build.context.include"
    )]
    TooManyBytes {
        /// Bytes counted.
        bytes: u64,
        /// Limit.
        limit: u64,
    },
    /// The root cannot be read.
    #[error("{}: {cause}", root.display())]
    Unreadable {
        /// Repository.
        root: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// One entry of the commit's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracked {
    File,
    Program,
    Link,
    Submodule,
}

/// Collects the build context of the repository at `root`, whose revision is `source`. Contents are those on disk (`source.dirty`
/// says whether they are the commit's); `scan` sees each of them.
///
/// Files that git ignores are never part of a context; untracked files that match and are not ignored are an error.
///
/// # Errors
/// See [`ContextError`].
pub fn collect(
    root: &Path,
    source: &SourceState,
    config: &Context,
    scan: SecretScan<'_>,
) -> Result<ContextManifest, ContextError> {
    let unreadable = |cause| ContextError::Unreadable { root: root.to_owned(), cause };
    let root = &root.canonicalize().map_err(unreadable)?;
    let patterns = Patterns::new(&config.include)?;
    let tree = tree(root, &source.commit)?;
    reject_untracked(root, &tree, &patterns)?;

    let mut matched = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (path, kind) in &tree {
        let hits = patterns.matches(path);
        if hits.is_empty() {
            continue;
        }
        used.extend(hits);
        match (std::str::from_utf8(path), kind) {
            (Err(_), _) => return Err(unusable(path, "its name is not UTF-8; rename it")),
            (Ok(path), _) if path.contains(['\n', '\r', '\0', '\\']) => {
                return Err(unusable(path.as_bytes(), "its name has a control character or a backslash; rename it"));
            }
            (Ok(_), Tracked::Submodule) => {
                return Err(unusable(
                    path,
                    "it is a submodule, whose content this commit does not hold; vendor it or exclude it",
                ));
            }
            (Ok(path), kind) => matched.insert(path.to_owned(), *kind),
        };
    }
    if let Some(pattern) = patterns.unused(&used) {
        return Err(ContextError::NoMatch { pattern: pattern.to_owned(), commit: source.commit.clone() });
    }
    let count = matched.len() as u64;
    if count > config.max_files {
        return Err(ContextError::TooManyFiles { files: count, limit: config.max_files });
    }
    let (files, mut secrets) = files::read_all(root, &matched, config.max_bytes, scan)?;
    secrets.sort();
    secrets.dedup();
    Ok(ContextManifest {
        schema: ContextSchema::V1,
        source: source.clone(),
        include: config.include.clone(),
        total_bytes: files.iter().map(|file| file.bytes).sum(),
        files,
        secrets,
    })
}

fn unusable(path: &[u8], detail: &str) -> ContextError {
    ContextError::Unusable { path: String::from_utf8_lossy(path).into_owned(), detail: detail.to_owned() }
}

fn tree(root: &Path, commit: &str) -> Result<BTreeMap<Vec<u8>, Tracked>, ContextError> {
    let answer = git::stdout(root, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
    git::records(&answer)
        .map(|record| {
            // `<mode> <type> <object>\t<path>`
            let tab = record.iter().position(|byte| *byte == b'\t').unwrap_or(record.len());
            let path = record.get(tab + 1..).unwrap_or_default();
            let kind = match record.get(..6) {
                Some(b"100644" | b"100664") => Tracked::File,
                Some(b"100755") => Tracked::Program,
                Some(b"120000") => Tracked::Link,
                Some(b"160000") => Tracked::Submodule,
                _ => return Err(unusable(path, "git reports an unknown mode for it; run `git fsck`")),
            };
            Ok((path.to_owned(), kind))
        })
        .collect()
}

/// Files that git knows of or sees (index, disk) without being in the commit must not match.
fn reject_untracked(root: &Path, tree: &BTreeMap<Vec<u8>, Tracked>, patterns: &Patterns) -> Result<(), ContextError> {
    let seen = git::stdout(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    match git::records(&seen).find(|path| !tree.contains_key(*path) && !patterns.matches(path).is_empty()) {
        Some(path) => Err(ContextError::Untracked { path: String::from_utf8_lossy(path).into_owned() }),
        None => Ok(()),
    }
}
