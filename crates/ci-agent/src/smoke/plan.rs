//! From image config and smoke config to what is run: arguments, environment, user, directory, port.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ci_types::config::Smoke;

use super::SmokeError;
use crate::rootfs::{EntryKind, Image};

/// What execvp(3) and container runtimes use where the image says nothing.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Entrypoint and arguments: those of the smoke config stand for the image's `Cmd`.
pub(super) fn argv(image: &Image, config: &Smoke, port: u16) -> Vec<String> {
    let arguments = if config.args.is_empty() { &image.config.config.cmd } else { &config.args };
    let entrypoint = image.config.config.entrypoint.iter().chain(arguments);
    entrypoint.map(|part| with_port(part, port)).collect()
}

pub(super) fn environment(image: &Image, config: &Smoke, port: u16) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOME".to_owned(), "/".to_owned()),
        ("PORT".to_owned(), port.to_string()),
    ]);
    let of_image = image.config.config.env.iter().filter_map(|entry| entry.split_once('='));
    env.extend(of_image.filter(|(name, _)| *name != "PORT").map(|(name, value)| (name.to_owned(), value.to_owned())));
    env.extend(config.env.iter().map(|(name, value)| (name.clone(), with_port(value, port))));
    env
}

pub(super) fn with_port(text: &str, port: u16) -> String {
    text.replace("{port}", &port.to_string())
}

/// In a network of its own: the port that the image exposes, else 8080.
pub(super) fn exposed_port(image: &Image) -> u16 {
    let exposed = image.config.config.exposed_ports.keys();
    exposed
        .filter_map(|port| port.strip_suffix("/tcp").or(Some(port)).filter(|port| !port.contains('/'))?.parse().ok())
        .min()
        .unwrap_or(8080)
}

/// In a shared network: a port that nobody has now.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Working directory, absolute.
pub(super) fn cwd(image: &Image) -> String {
    super::elf::absolute(
        "/",
        if image.config.config.working_dir.is_empty() { "/" } else { &image.config.config.working_dir },
    )
}

/// User and group ids of `config.User`, looked up in the image's own `/etc/passwd` and `/etc/group`.
pub(super) fn user(image: &Image, root: &Path) -> Result<(u32, u32), SmokeError> {
    let text = image.config.config.user.as_str();
    let unknown = || SmokeError::UnknownUser { user: text.to_owned() };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let table = |path: &str| -> Vec<Vec<String>> {
        let Some((resolved, entry)) = image.tree.resolve(path) else { return Vec::new() };
        if !matches!(entry.kind, EntryKind::File { .. }) {
            return Vec::new();
        }
        let bytes = std::fs::read(root.join(resolved)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
    };
    let number = |row: &[String], field: usize| row.get(field).and_then(|id| id.parse::<u32>().ok());
    let users = table("/etc/passwd");
    let (uid, own_group) = match user.parse::<u32>() {
        Ok(uid) => (uid, users.iter().find(|row| number(row, 2) == Some(uid)).and_then(|row| number(row, 3))),
        Err(_) if user.is_empty() => (0, Some(0)),
        Err(_) => {
            let row = users.iter().find(|row| row[0] == user).ok_or_else(unknown)?;
            (number(row, 2).ok_or_else(unknown)?, number(row, 3))
        }
    };
    let gid = match group {
        None => own_group.unwrap_or(0),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                let groups = table("/etc/group");
                groups.iter().find(|row| row[0] == group).and_then(|row| number(row, 2)).ok_or_else(unknown)?
            }
        },
    };
    if uid == u32::MAX || gid == u32::MAX { Err(unknown()) } else { Ok((uid, gid)) }
}

/// Makes the mount points that every sandbox needs, and says which plain, empty directories get a writable file system.
pub(super) fn mount_points(image: &Image, root: &Path) -> Result<Vec<String>, SmokeError> {
    for name in ["proc", "dev", "tmp", "run"] {
        match image.tree.get(name.as_bytes()).map(|entry| &entry.kind) {
            None => {
                let path = root.join(name);
                std::fs::create_dir(&path).map_err(|source| SmokeError::Io { path, source })?;
            }
            Some(EntryKind::Dir) => {}
            Some(_) => return Err(SmokeError::NoMountPoint { path: name }),
        }
    }
    let mut writable = vec!["/tmp".to_owned(), "/run".to_owned()];
    let volumes = image.config.config.volumes.keys().map(|path| path.trim_end_matches('/'));
    for path in ["/var/tmp"].into_iter().chain(volumes) {
        let plain = path.trim_start_matches('/');
        let is_plain =
            image.tree.resolve(path).is_some_and(|(found, entry)| found == plain && entry.kind == EntryKind::Dir);
        let below = format!("{plain}/").into_bytes();
        let is_empty = !image.tree.iter().any(|(entry, _)| entry.starts_with(&below));
        if is_plain && is_empty && !writable.iter().any(|path| path.trim_start_matches('/') == plain) {
            writable.push(format!("/{plain}"));
        }
    }
    Ok(writable)
}

/// A name that no other run of this machine has.
pub(super) fn marker() -> (String, String) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let value = format!("ci-intel-smoke-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    ("CI_INTEL_SMOKE".to_owned(), value)
}
