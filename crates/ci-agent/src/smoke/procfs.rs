//! What `/proc` says about a process tree: who is in it, what it has mapped, which sockets are its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// A process, told apart from later ones with the same number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: i32,
    started: u64,
}

/// `(parent, start time, state)` of a process, from `/proc/PID/stat` (proc(5), fields 3, 4 and 22).
fn stat(pid: i32) -> Option<(i32, u64, char)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name may hold spaces and parentheses; it ends at the last one.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((parent, started, state))
}

fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

impl Process {
    pub(super) fn of(pid: i32) -> Option<Self> {
        stat(pid).map(|(_, started, _)| Self { pid, started })
    }

    /// Still there and not merely waiting to be reaped.
    pub(super) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|(_, started, state)| started == self.started && !matches!(state, 'Z' | 'X'))
    }
}

/// All processes below `pid`, not itself.
pub(super) fn descendants(pid: i32) -> BTreeSet<Process> {
    let mut children = BTreeMap::<i32, Vec<Process>>::new();
    for pid in all() {
        if let Some((parent, started, _)) = stat(pid) {
            children.entry(parent).or_default().push(Process { pid, started });
        }
    }
    let mut found = BTreeSet::new();
    let mut queue = vec![pid];
    while let Some(parent) = queue.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if found.insert(*child) {
                queue.push(child.pid);
            }
        }
    }
    found
}

/// Processes that were started with the environment variable `NAME=value`, whoever their parent is now.
pub(super) fn marked(variable: &str) -> BTreeSet<Process> {
    all()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()))
        })
        .filter_map(Process::of)
        .collect()
}

/// Device and inode of a process's program.
pub(super) fn program(pid: i32) -> Option<(u64, u64)> {
    let metadata = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The files whose code a process has mapped, as the kernel names them.
pub(super) fn mapped_code(pid: i32) -> BTreeSet<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(6, ' ').filter(|field| !field.is_empty());
            let (_, permissions, _, _, inode) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let path = fields.next()?.trim();
            (permissions.contains('x') && inode != "0" && path.starts_with('/') && !path.starts_with("/memfd:"))
                .then(|| path.to_owned())
        })
        .collect()
}

/// Inodes of the sockets that listen on `port` in the caller's network (`/proc/net/tcp`, `tcp6`; state 0A is LISTEN).
pub(super) fn listeners(port: u16) -> BTreeSet<u64> {
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|file| fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            (fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A")
                .then(|| fields.get(9)?.parse().ok())
                .flatten()
        })
        .collect()
}

/// Inodes of the sockets that a process holds.
pub(super) fn sockets(pid: i32) -> BTreeSet<u64> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// Whether the caller may enter other network namespaces: `CAP_SYS_ADMIN`, bit 21 of `CapEff`.
pub(super) fn may_enter_namespaces() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> 21 & 1 == 1)
}
