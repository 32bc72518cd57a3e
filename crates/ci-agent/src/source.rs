//! Which commit a release starts from, and whether the working tree is that commit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ci_types::Timestamp;
use ci_types::record::SourceState;

pub use crate::git::GitError;
use crate::git::{output, records, stdout};

/// Where ci-intel keeps its own state; never part of the source, also where the repository forgot to ignore it.
const STATE: &str = ".ci-intel/state/";

/// Why the source revision is not known.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No repository here.
    #[error("{} is not a git repository; run `git init` and commit, or pass the repository's directory", root.display())]
    NotARepository {
        /// Directory.
        root: PathBuf,
    },
    /// A directory inside a repository.
    #[error("{} is not the top of its repository; run from {}", root.display(), top.display())]
    NotTopLevel {
        /// Directory given.
        root: PathBuf,
        /// The repository's top.
        top: PathBuf,
    },
    /// Nothing is committed yet.
    #[error("{} has no commit; run `git add` and `git commit`", root.display())]
    NoCommit {
        /// Repository.
        root: PathBuf,
    },
    /// The commit cannot be read as one.
    #[error("commit {commit}: {detail}")]
    BadCommit {
        /// Commit id.
        commit: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The directory cannot be read.
    #[error("{}: {cause}", root.display())]
    Unreadable {
        /// Directory.
        root: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The revision checked out at `root`, the top of a git working tree. `project_name` stands in for the repository's name where
/// no forge is known.
///
/// Files marked `assume-unchanged` or `skip-worktree` count as dirty: git would not tell if they differ.
///
/// # Errors
/// See [`SourceError`].
pub fn source_state(root: &Path, project_name: &str) -> Result<SourceState, SourceError> {
    let unreadable = |cause| SourceError::Unreadable { root: root.to_owned(), cause };
    let root = &root.canonicalize().map_err(unreadable)?;
    let top = output(root, &["rev-parse", "--show-toplevel"])?;
    if !top.status.success() {
        return Err(SourceError::NotARepository { root: root.clone() });
    }
    let top = PathBuf::from(text(&top.stdout));
    if &top != root {
        return Err(SourceError::NotTopLevel { root: root.clone(), top });
    }
    let head = output(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    if !head.status.success() {
        return Err(SourceError::NoCommit { root: root.clone() });
    }
    let commit = text(&head.stdout);
    let bad = |detail: &str| SourceError::BadCommit { commit: commit.clone(), detail: detail.to_owned() };
    if commit.len() != 40 {
        return Err(bad(
            "only repositories with SHA-1 object ids are supported; convert with `git init --object-format=sha1`",
        ));
    }
    let committed_at = committer_time(&stdout(root, &["cat-file", "commit", &commit])?)
        .ok_or_else(|| bad("no committer time between 1970 and 9999; amend the commit"))?;
    let symbolic = output(root, &["symbolic-ref", "--quiet", "HEAD"])?;
    let git_ref = if symbolic.status.success() { text(&symbolic.stdout) } else { "HEAD".to_owned() };
    let repository = repository(root).unwrap_or_else(|| project_name.to_owned());
    Ok(SourceState { repository, committed_at, git_ref, dirty: dirty(root)?, commit })
}

/// `owner/name` on the forge that the remote `origin` of the working tree at `root` names; `None` where there is none. Works
/// before the first commit.
#[must_use]
pub fn repository(root: &Path) -> Option<String> {
    let origin = output(root, &["config", "--get", "remote.origin.url"]).ok()?;
    repository_name(&text(&origin.stdout))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned()
}

/// The time of the `committer` line of a commit object: read from the object, no pretty-printing configuration applies.
fn committer_time(object: &[u8]) -> Option<Timestamp> {
    let header = object.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let line = header.into_iter().find_map(|line| line.strip_prefix(b"committer "))?;
    let line = String::from_utf8_lossy(line);
    let seconds = line.rsplit(' ').nth(1)?.parse().ok()?;
    Timestamp::from_unix_s(seconds).ok()
}

fn dirty(root: &Path) -> Result<Vec<String>, GitError> {
    let mut paths = BTreeSet::new();
    let status =
        ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-renames"];
    // Each record is `XY path`; without rename detection none has a second path.
    for record in records(&stdout(root, &status)?) {
        paths.insert(String::from_utf8_lossy(record.get(3..).unwrap_or(record)).into_owned());
    }
    for record in records(&stdout(root, &["ls-files", "-v", "-z"])?) {
        if record[0].is_ascii_lowercase() || record[0] == b'S' {
            paths.insert(String::from_utf8_lossy(record.get(2..).unwrap_or(record)).into_owned());
        }
    }
    Ok(paths.into_iter().filter(|path| !path.starts_with(STATE)).collect())
}

/// `owner/name` of a forge URL: `https://host/owner/name.git`, `ssh://git@host:22/owner/name`, `git@host:owner/name.git`.
fn repository_name(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        // scp form; a path on this machine has no colon before its first slash.
        None => {
            let (host, path) = url.split_once(':')?;
            (!host.contains('/')).then_some(path)?
        }
    };
    let path = path.trim_matches('/').trim_end_matches(".git").trim_end_matches('/');
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    (path.contains('/') && path.split('/').all(part)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn forge_urls_name_the_repository() {
        for url in [
            "https://github.com/org/app.git",
            "https://user:pw@github.com/org/app",
            "ssh://git@github.com:22/org/app.git",
            "git@github.com:org/app.git",
            "https://github.com/org/app/",
        ] {
            assert_eq!(repository_name(url).as_deref(), Some("org/app"), "{url}");
        }
        assert_eq!(repository_name("https://gitlab.com/a/b/c.git").as_deref(), Some("a/b/c"));
    }

    #[test]
    fn local_and_odd_urls_name_nothing() {
        for url in [
            "",
            "/srv/git/app.git",
            "../app",
            "file:///srv/org/app",
            "https://github.com/app",
            "https://h/../x",
            "h:a/b?c",
        ] {
            assert_eq!(repository_name(url), None, "{url}");
        }
    }

    #[test]
    fn committer_time_is_read_from_the_header_only() {
        let object = b"tree x\nauthor A <a> 1 +0000\ncommitter B C <b> 1700000000 +0200\n\ncommitter X <x> 5 +0000\n";
        assert_eq!(committer_time(object).unwrap().unix_s(), 1_700_000_000);
        assert_eq!(committer_time(b"tree x\n\ncommitter X <x> 5 +0000\n"), None);
        assert_eq!(committer_time(b"committer X <x> -5 +0000\n\n"), None);
    }
}
