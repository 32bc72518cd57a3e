//! `examples/hello-http` as a git repository of its own, below `out/`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::repo::{Repo, capture, root};

const EXAMPLE: &str = "examples/hello-http/";

/// A fresh copy at `folder` (relative to the root), committed.
pub fn fresh(folder: &str) -> anyhow::Result<PathBuf> {
    let root = root();
    let folder = root.join(folder);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    for path in Repo::read()?.files.keys().filter(|path| path.starts_with(EXAMPLE)) {
        let to = folder.join(&path[EXAMPLE.len()..]);
        std::fs::create_dir_all(to.parent().unwrap_or(&folder))?;
        std::fs::copy(root.join(path), to).with_context(|| path.clone())?;
    }
    capture(&folder, "git", &["init", "--quiet", "--initial-branch=main"])?;
    commit(&folder, "Start")?;
    Ok(folder)
}

/// Commits whatever changed.
pub fn commit(folder: &Path, message: &str) -> anyhow::Result<()> {
    capture(folder, "git", &["add", "--all"])?;
    let identity = ["-c", "user.name=example", "-c", "user.email=example@example.org", "-c", "commit.gpgsign=false"];
    let args = [identity.as_slice(), &["commit", "--quiet", "--allow-empty", "--message", message]].concat();
    capture(folder, "git", &args).map(drop)
}
