//! What the layer will hold: every path of the image that this build adds, planned before a byte is written.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ci_types::config::AssembleFile;

use crate::context::{Resolved, resolve};
use crate::engine::base::{Base, PathKind};
use crate::engine::declared::{Declared, digest_of, plain};
use crate::engine::steps::{reached_without_links, tree};
use crate::engine::{BuildError, BuildJob};

/// One entry of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Mode 0755.
    Directory,
    /// Path in the build directory, and mode.
    File { source: String, mode: u32 },
    /// Target text.
    Link { target: String },
}

const FILES: &str = "build.assemble.files";

/// Entries by path in the image, without leading `/`; parents stand before their children.
pub(super) fn plan(job: &BuildJob<'_>, base: Option<&Base>) -> Result<BTreeMap<String, Entry>, BuildError> {
    let declared = Declared::new(job.context, &job.config.outputs)?;
    let mut entries = BTreeMap::new();
    if job.config.assemble.files.is_empty() {
        let detail = "is empty; an image needs at least one file".to_owned();
        return Err(BuildError::Config { key: FILES, value: "[]".to_owned(), detail });
    }
    for file in &job.config.assemble.files {
        add(job.directory, &declared, file, &mut entries)?;
    }
    if let Some(workdir) = &job.config.assemble.workdir {
        let path = image_path("build.assemble.workdir", workdir)?;
        if !path.is_empty() && base.is_none_or(|base| !base.paths.contains_key(&path)) {
            insert(&mut entries, path, Entry::Directory)?;
        }
    }
    add_parents(&mut entries, base)?;
    check_links(&entries, base)?;
    Ok(entries)
}

fn add(
    directory: &Path,
    declared: &Declared<'_>,
    file: &AssembleFile,
    entries: &mut BTreeMap<String, Entry>,
) -> Result<(), BuildError> {
    let from = plain("build.assemble.files[].from", &file.from)?;
    let mode = file.mode.as_deref().map(parse_mode).transpose()?;
    let at = directory.join(from);
    let missing = || BuildError::Missing { path: from.to_owned(), role: "build.assemble.files[].from" };
    if !reached_without_links(directory, from) {
        return Err(missing());
    }
    let is_tree = at.symlink_metadata().map_err(|_| missing())?.is_dir();
    let mut to = image_path("build.assemble.files[].to", &file.to)?;
    if !is_tree && (file.to.ends_with('/') || to.is_empty()) {
        let name = from.rsplit('/').next().unwrap_or(from);
        to = join(&to, name);
    }
    let mut sources = BTreeSet::new();
    tree(directory, from, &mut sources)?;
    if sources.is_empty() {
        return Err(missing());
    }
    for source in sources {
        let below = source[from.len()..].trim_start_matches('/');
        let path = if below.is_empty() { to.clone() } else { join(&to, below) };
        if path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh.")) {
            let detail = "means a deletion in an image layer; rename the file".to_owned();
            return Err(BuildError::Config { key: FILES, value: format!("/{path}"), detail });
        }
        let at = directory.join(&source);
        declared.check(&source, || digest_of(&at))?;
        let meta = at.symlink_metadata().map_err(BuildError::file(&at))?;
        let entry = if meta.is_symlink() {
            let target = at.read_link().map_err(BuildError::file(&at))?;
            Entry::Link { target: target.to_string_lossy().into_owned() }
        } else {
            let by_owner = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
            Entry::File { source, mode: mode.unwrap_or(by_owner) }
        };
        insert(entries, path, entry)?;
    }
    Ok(())
}

fn insert(entries: &mut BTreeMap<String, Entry>, path: String, entry: Entry) -> Result<(), BuildError> {
    match entries.insert(path.clone(), entry) {
        None => Ok(()),
        Some(_) => Err(BuildError::Conflict { path }),
    }
}

/// Every parent gets its own entry, so that no runtime has to invent one. Directories that the base has keep its mode and owner.
fn add_parents(entries: &mut BTreeMap<String, Entry>, base: Option<&Base>) -> Result<(), BuildError> {
    let parents: BTreeSet<String> =
        entries.keys().flat_map(|path| path.match_indices('/').map(|(at, _)| path[..at].to_owned())).collect();
    for parent in parents {
        match (entries.get(&parent), base.and_then(|base| base.paths.get(&parent))) {
            (Some(Entry::Directory), _) | (None, Some(PathKind::Directory)) => {}
            (Some(_), _) => return Err(BuildError::Conflict { path: parent }),
            (None, Some(PathKind::Link)) => return Err(BuildError::BaseLink { path: parent }),
            (None, Some(PathKind::Other)) => return Err(BuildError::Conflict { path: parent }),
            (None, None) => drop(entries.insert(parent, Entry::Directory)),
        }
    }
    // A file over a directory of the base would delete all that is in it.
    let replaced = entries.iter().find(|(path, entry)| {
        **entry != Entry::Directory && base.is_some_and(|base| base.paths.get(*path) == Some(&PathKind::Directory))
    });
    match replaced {
        Some((path, _)) => Err(BuildError::Conflict { path: path.clone() }),
        None => Ok(()),
    }
}

fn check_links(entries: &BTreeMap<String, Entry>, base: Option<&Base>) -> Result<(), BuildError> {
    let links: BTreeMap<String, String> = entries
        .iter()
        .filter_map(|(path, entry)| match entry {
            Entry::Link { target } => Some((path.clone(), target.clone())),
            _ => None,
        })
        .collect();
    for (path, target) in &links {
        let there = match resolve(path, &links) {
            Resolved::Inside(to) => entries.contains_key(&to) || base.is_some_and(|base| base.paths.contains_key(&to)),
            Resolved::Escapes => false,
        };
        if !there {
            return Err(BuildError::LinkEscapes { path: path.clone(), target: target.clone() });
        }
    }
    Ok(())
}

fn join(to: &str, below: &str) -> String {
    if to.is_empty() { below.to_owned() } else { format!("{to}/{below}") }
}

/// An absolute path of the image without its leading `/`; empty for `/`.
pub(super) fn image_path(key: &'static str, path: &str) -> Result<String, BuildError> {
    let bad = || {
        let detail = "must be absolute and plain, like /usr/bin/app".to_owned();
        BuildError::Config { key, value: path.to_owned(), detail }
    };
    let inner = path.strip_prefix('/').ok_or_else(bad)?.trim_end_matches('/');
    let plain = inner.split('/').all(|part| !matches!(part, "" | "." | "..")) && !inner.contains('\0');
    if inner.is_empty() || plain { Ok(inner.to_owned()) } else { Err(bad()) }
}

fn parse_mode(mode: &str) -> Result<u32, BuildError> {
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let parsed = octal.then(|| u32::from_str_radix(mode, 8).ok()).flatten();
    parsed.ok_or_else(|| {
        let detail = "must be octal, like 0755".to_owned();
        BuildError::Config { key: "build.assemble.files[].mode", value: mode.to_owned(), detail }
    })
}
