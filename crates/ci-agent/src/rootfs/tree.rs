//! Merging layers into one tree of plain names: whiteouts applied, links resolved inside the root, nothing on disk touched.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::Path;

use tar::EntryType;

use super::layer::Layer;
use super::{Limits, RootfsError};

/// Links followed at most while one path is resolved (as Linux: `MAXSYMLINKS`).
const MAX_LINKS: u32 = 40;

/// One name of the merged file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Layer that it comes from, bottom is 0.
    pub layer: usize,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Dir,
    /// A regular file; names with the same `content` are hard links of each other.
    File {
        /// Size.
        bytes: u64,
        /// Where its content stands: layer and ordinal of the archive entry.
        content: (usize, u64),
    },
    /// A symbolic link with its target text.
    Symlink(Vec<u8>),
    /// A device, pipe or socket. Never created.
    Special,
}

/// The merged file system: path without leading `/` to entry. The root itself has no entry. Every parent is a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Tree {
    /// All entries, parents before children.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_slice(), entry))
    }

    /// The entry at exactly this path; links are not followed.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Follows `path` from the root through all links, as a process whose root this is would. Gives the final path without
    /// leading `/`; `None` where something is missing or links loop.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<(String, &Entry)> {
        let found = self.walk(path.as_bytes()).ok()?;
        let entry = self.entries.get(&found)?;
        Some((String::from_utf8(found).ok()?, entry))
    }

    /// Whether `path` leads to a directory; the root does.
    #[must_use]
    pub fn is_dir(&self, path: &str) -> bool {
        self.walk(path.as_bytes())
            .is_ok_and(|found| found.is_empty() || self.entries.get(&found).is_some_and(|e| e.kind == EntryKind::Dir))
    }

    /// Content places of the files that `wants` picks, each with all its names.
    pub(super) fn content_places(&self, wants: impl Fn(&str, &Entry) -> bool) -> BTreeMap<(usize, u64), Vec<Vec<u8>>> {
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if let EntryKind::File { content, .. } = entry.kind
                && wants(&String::from_utf8_lossy(path), entry)
            {
                places.entry(content).or_default().push(path.clone());
            }
        }
        places
    }

    pub(super) fn merge(layout: &Path, layers: &[Layer], limits: Limits) -> Result<Self, RootfsError> {
        let mut tree = Self::default();
        let (mut entries, mut bytes) = (0_u64, 0_u64);
        for (index, layer) in layers.iter().enumerate() {
            layer.read(index, layout, limits.bytes, |content| {
                let mut archive = tar::Archive::new(content);
                for (ordinal, entry) in archive.entries().map_err(|e| broken(index, &e))?.enumerate() {
                    let mut entry = entry.map_err(|error| broken(index, &error))?;
                    refuse_pax_sparse(index, &mut entry)?;
                    entries += 1;
                    bytes = bytes.saturating_add(entry.size());
                    if entries > limits.entries {
                        return Err(RootfsError::TooLarge { what: "entries", limit: limits.entries });
                    }
                    if bytes > limits.bytes {
                        return Err(RootfsError::TooLarge { what: "bytes", limit: limits.bytes });
                    }
                    tree.apply(index, ordinal as u64, &entry)?;
                }
                Ok(())
            })?;
        }
        Ok(tree)
    }

    fn apply<R: Read>(&mut self, layer: usize, ordinal: u64, entry: &tar::Entry<'_, R>) -> Result<(), RootfsError> {
        let written = entry.path_bytes();
        let hostile =
            |reason| RootfsError::Hostile { layer, path: String::from_utf8_lossy(&written).into_owned(), reason };
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let mut parts = components(&written).map_err(hostile)?;
        let Some(name) = parts.pop() else { return Ok(()) };
        let parent = self.directory(&parts, layer).map_err(hostile)?;
        if name == b".wh..wh..opq" {
            self.remove_lower(&parent, layer, false);
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            if hidden.starts_with(b".wh.") {
                // Bookkeeping of AUFS.
                return Ok(());
            }
            if matches!(hidden, b"" | b"." | b"..") {
                return Err(hostile("a whiteout of nothing"));
            }
            self.remove_lower(&join(&parent, hidden), layer, true);
            return Ok(());
        }
        let path = join(&parent, name);
        let header = entry.header();
        let number = |value: std::io::Result<u64>, reason| {
            value.ok().and_then(|v| u32::try_from(v).ok()).filter(|v| *v != u32::MAX).ok_or_else(|| hostile(reason))
        };
        let target = || match entry.link_name_bytes() {
            Some(target) if !target.is_empty() && !target.contains(&0) && target.len() < 4096 => {
                Ok(target.into_owned())
            }
            _ => Err(hostile("a link without a usable target")),
        };
        let new = match kind {
            EntryType::Link => {
                let target = components(&target()?).map_err(hostile)?.join(&b'/');
                let (folder, base) = split(&target);
                let folder = self.walk(folder).map_err(hostile)?;
                let linked = self.entries.get(&join(&folder, base)).filter(|found| found.kind != EntryKind::Dir);
                let linked = linked.ok_or_else(|| hostile("a hard link to a file that is not there"))?;
                Entry { layer, ..linked.clone() }
            }
            _ => Entry {
                kind: match kind {
                    EntryType::Directory => EntryKind::Dir,
                    EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                        EntryKind::File { bytes: entry.size(), content: (layer, ordinal) }
                    }
                    EntryType::Symlink => EntryKind::Symlink(target()?),
                    EntryType::Char | EntryType::Block | EntryType::Fifo => EntryKind::Special,
                    _ => return Err(hostile("an entry of unknown type")),
                },
                mode: header.mode().map_err(|_| hostile("a malformed mode"))? & 0o7777,
                uid: number(header.uid(), "an owner out of range")?,
                gid: number(header.gid(), "a group out of range")?,
                layer,
            },
        };
        let both_dirs = new.kind == EntryKind::Dir && self.entries.get(&path).is_some_and(|e| e.kind == EntryKind::Dir);
        if !both_dirs {
            self.remove(&path);
        }
        self.entries.insert(path, new);
        Ok(())
    }

    /// Follows links to the directory that `parts` names, making what is missing.
    fn directory(&mut self, parts: &[&[u8]], layer: usize) -> Result<Vec<u8>, &'static str> {
        let mut at = Vec::new();
        for part in parts {
            let next = join(&at, part);
            at = match self.entries.get(&next).map(|entry| &entry.kind) {
                Some(EntryKind::Dir) => next,
                Some(EntryKind::Symlink(_)) => {
                    let found = self.walk(&next)?;
                    match self.entries.get(&found) {
                        Some(entry) if entry.kind == EntryKind::Dir => found,
                        None if found.is_empty() => found,
                        Some(_) => return Err("its parent is not a directory"),
                        None => return Err("its parent is a dangling link"),
                    }
                }
                Some(_) => return Err("its parent is not a directory"),
                None => {
                    let made = Entry { kind: EntryKind::Dir, mode: 0o755, uid: 0, gid: 0, layer };
                    self.entries.insert(next.clone(), made);
                    next
                }
            };
        }
        Ok(at)
    }

    /// Follows `path` through all links inside the root. The result may not exist only in its last name.
    fn walk(&self, path: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut pending: VecDeque<Vec<u8>> = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
        let (mut at, mut links) = (Vec::new(), 0);
        while let Some(part) = pending.pop_front() {
            match part.as_slice() {
                b"" | b"." => continue,
                // `..` at the root stays there, as in chroot(2).
                b".." => at = split(&at).0.to_vec(),
                name => {
                    let next = join(&at, name);
                    match self.entries.get(&next).map(|entry| &entry.kind) {
                        Some(EntryKind::Symlink(target)) => {
                            links += 1;
                            if links > MAX_LINKS {
                                return Err("links loop");
                            }
                            if target.starts_with(b"/") {
                                at.clear();
                            }
                            for part in target.split(|byte| *byte == b'/').rev() {
                                pending.push_front(part.to_vec());
                            }
                        }
                        Some(EntryKind::Dir) => at = next,
                        _ if pending.iter().all(|part| part.is_empty()) => at = next,
                        _ => return Err("a part of the path is missing or no directory"),
                    }
                }
            }
        }
        Ok(at)
    }

    fn remove(&mut self, path: &[u8]) {
        self.entries.remove(path);
        for below in self.below(path) {
            self.entries.remove(&below);
        }
    }

    /// Removes what lower layers put at (if `itself`) and below `path`; what this layer put there stays.
    fn remove_lower(&mut self, path: &[u8], layer: usize, itself: bool) {
        let mut doomed = self.below(path);
        if itself {
            doomed.insert(0, path.to_vec());
        }
        for path in doomed.into_iter().rev() {
            let lower = self.entries.get(&path).is_some_and(|entry| entry.layer < layer);
            if lower && self.below(&path).is_empty() {
                self.entries.remove(&path);
            }
        }
    }

    fn below(&self, path: &[u8]) -> Vec<Vec<u8>> {
        if path.is_empty() {
            return self.entries.keys().cloned().collect();
        }
        // `0` is the byte after `/`.
        self.entries.range(join(path, b"")..[path, b"0"].concat()).map(|(below, _)| below.clone()).collect()
    }
}

/// Sparse files in PAX form carry their name and map where our reader does not look, so it would see another file than a
/// container runtime does. No image builder writes them.
fn refuse_pax_sparse<R: Read>(layer: usize, entry: &mut tar::Entry<'_, R>) -> Result<(), RootfsError> {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    for extension in entry.pax_extensions().map_err(|error| broken(layer, &error))?.into_iter().flatten() {
        if extension.map_err(|error| broken(layer, &error))?.key_bytes().starts_with(b"GNU.sparse.") {
            return Err(RootfsError::Hostile { layer, path, reason: "a sparse file in PAX form" });
        }
    }
    Ok(())
}

fn broken(layer: usize, error: &std::io::Error) -> RootfsError {
    RootfsError::Malformed { what: "layer archive", detail: format!("layer {layer}: {error}") }
}

fn components(path: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if path.len() > 4096 {
        return Err("the path is longer than 4096 bytes");
    }
    if path.contains(&0) {
        return Err("the path holds a NUL byte");
    }
    let parts: Vec<_> = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&b"..".as_slice()) {
        return Err("the path climbs with `..`");
    }
    if parts.iter().any(|part| part.len() > 255) {
        return Err("a name is longer than 255 bytes");
    }
    Ok(parts)
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}
