//! The files of a repository that a release could read: tracked, or new and not ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::files;

/// Most files that are looked at where there is no git to list them.
const MAX_FILES: usize = 100_000;

/// Folders that no project means as its source.
const NEVER: [&str; 6] = [".git", ".ci-intel", "target", "node_modules", ".venv", "__pycache__"];

/// A repository's files, by path relative to it.
pub(super) struct Project {
    root: PathBuf,
    paths: BTreeSet<String>,
}

impl Project {
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let paths = match listed_by_git(root) {
            Some(paths) => paths,
            None => {
                let mut paths = BTreeSet::new();
                walk(root, "", &mut paths)?;
                paths
            }
        };
        let paths = paths
            .into_iter()
            .filter(|path| {
                !path.split('/').any(|part| NEVER.contains(&part)) && root.join(path).symlink_metadata().is_ok()
            })
            .collect();
        Ok(Self { root: root.to_owned(), paths })
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// A file's text; `None` where it is not there.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        if self.has(path) { files::read_text(&self.root.join(path)).map(Some) } else { Ok(None) }
    }

    /// Whether a file that `which` picks contains one of the words. A file that cannot be read contains nothing.
    pub(super) fn mentions(&self, which: &dyn Fn(&str) -> bool, words: &[&str]) -> bool {
        let texts = self.paths().filter(|path| which(path)).filter_map(|path| self.text(path).ok().flatten());
        texts.into_iter().any(|text| words.iter().any(|word| text.contains(word)))
    }

    /// Include patterns: the files at the top, as they are, and the folders that hold a file that `which` picks.
    pub(super) fn include(&self, extra: &[&str], which: &dyn Fn(&str) -> bool) -> Vec<String> {
        // Hidden files are settings of editors and accounts, now and then with a token in them.
        let unwanted = |path: &str| {
            let name = path.to_ascii_uppercase();
            name.starts_with('.')
                || name == "CODEOWNERS"
                || ["README", "CHANGELOG", "CONTRIBUTING", "LICEN", "SECURITY", "COPYING"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        };
        let top = self.paths().filter(|path| !path.contains('/') && !unwanted(path) && is_literal(path));
        let mut patterns: Vec<String> = top.map(str::to_owned).collect();
        patterns.extend(extra.iter().filter(|path| self.has(path)).map(|path| (*path).to_owned()));
        patterns.extend(self.folders(which));
        patterns
    }

    /// Patterns for the top folders that hold a file that `which` picks. What is hidden stays out unless it is named.
    pub(super) fn folders(&self, which: &dyn Fn(&str) -> bool) -> Vec<String> {
        let folders: BTreeSet<&str> = self
            .paths()
            .filter(|path| which(path))
            .filter_map(|path| path.split_once('/').map(|(folder, _)| folder))
            .filter(|folder| !folder.starts_with('.') && is_literal(folder))
            .collect();
        folders.into_iter().map(|folder| format!("{folder}/**")).collect()
    }
}

/// Names that a pattern cannot express are left out; the build says so if it misses them.
fn is_literal(name: &str) -> bool {
    !name.contains(['*', '?', '[', ']', '{', '}', '!', '\\']) && !name.contains(char::is_control)
}

fn listed_by_git(root: &Path) -> Option<BTreeSet<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    // The repository is only looked at: nothing that it or the user's configuration names may run.
    let safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C"];
    let mut git = Command::new("git");
    git.args(safe).arg(root).args(arguments).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().ok()?;
    let paths = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    output.status.success().then(|| paths.filter_map(|path| String::from_utf8(path.to_vec()).ok()).collect())
}

fn walk(folder: &Path, below: &str, out: &mut BTreeSet<String>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, error))? {
        let entry = entry.map_err(|error| Failure::file("read", folder, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if NEVER.contains(&name.as_str()) || out.len() >= MAX_FILES {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(|error| Failure::file("read", &entry.path(), error))?;
        if kind.is_dir() {
            walk(&entry.path(), &path, out)?;
        } else {
            out.insert(path);
        }
    }
    Ok(())
}
