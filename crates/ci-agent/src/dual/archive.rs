//! Two tar archives, entry by entry; `ar` archives member by member.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use ci_types::Digest;
use sha2::{Digest as _, Sha256};

use super::content;

/// Most bytes of one file that are looked into; a larger one is named by its digests.
const MAX_CONTENT_BYTES: u64 = 512 << 20;

/// Where two archives differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: Option<String>,
    pub(super) member: Option<String>,
    pub(super) what: String,
    pub(super) first: String,
    pub(super) second: String,
}

impl Found {
    pub(super) fn here(what: &str, first: impl Into<String>, second: impl Into<String>) -> Self {
        Self { path: None, member: None, what: what.to_owned(), first: first.into(), second: second.into() }
    }

    /// The same difference as seen from outside: what was a path in an archive is a member of the file that holds it.
    pub(super) fn inside(self, member: Option<&str>) -> Self {
        let parts = [member.map(str::to_owned), self.path, self.member];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Self { path: None, member: (!parts.is_empty()).then(|| parts.join("!")), ..self }
    }
}

/// What an archive says of a member, in the order it is compared: name of the property and value.
type Facts = Vec<(&'static str, String)>;

/// Compares members by name, in byte order: first what only one side has, then facts, then content.
pub(super) fn members(
    one: &[(String, Facts)],
    two: &[(String, Facts)],
    content: &mut dyn FnMut(&str) -> io::Result<Option<Found>>,
) -> io::Result<Option<(String, Found)>> {
    let by_name = |list: &[(String, Facts)]| -> BTreeMap<String, Facts> { list.iter().cloned().collect() };
    let (a, b) = (by_name(one), by_name(two));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        let found = match (a.get(name), b.get(name)) {
            (Some(_), None) => Some(Found::here("only in run 1", "present", "absent")),
            (None, _) => Some(Found::here("only in run 2", "absent", "present")),
            (Some(x), Some(y)) => {
                let differing = x.iter().zip(y).find(|(x, y)| x != y);
                match differing {
                    Some(((what, first), (_, second))) if *what != "content" => Some(Found::here(what, first, second)),
                    Some(((_, first), (_, second))) => {
                        Some(content(name)?.unwrap_or_else(|| Found::here("content", first, second)))
                    }
                    None => None,
                }
            }
        };
        if let Some(found) = found {
            return Ok(Some((name.clone(), found)));
        }
    }
    let order = one.iter().zip(two).find(|((x, _), (y, _))| x != y);
    Ok(order.map(|((x, _), (y, _))| (x.clone(), Found::here("order", x, y))))
}

type Open<'a> = &'a dyn Fn() -> io::Result<Box<dyn Read>>;

/// The first difference of two tar archives, which are opened as often as needed.
pub(super) fn tar_difference(one: Open<'_>, two: Open<'_>, depth: usize) -> io::Result<Option<Found>> {
    let (a, b) = (tar_members(one()?)?, tar_members(two()?)?);
    let mut content = |name: &str| -> io::Result<Option<Found>> {
        let (Some(x), Some(y)) = (tar_content(one()?, name)?, tar_content(two()?, name)?) else { return Ok(None) };
        Ok(Some(content::difference(&x, &y, depth + 1)))
    };
    let found = members(&a, &b, &mut content)?;
    Ok(found.map(|(path, found)| Found { path: Some(path), ..found }))
}

fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> String {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    path.trim_start_matches("./").trim_end_matches('/').to_owned()
}

fn tar_members(tar: Box<dyn Read>) -> io::Result<Vec<(String, Facts)>> {
    let mut list = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        let owner = format!(
            "{}:{} {}:{}",
            header.uid()?,
            header.gid()?,
            text(header.username_bytes()),
            text(header.groupname_bytes())
        );
        let device = format!("{:?}:{:?}", header.device_major().ok().flatten(), header.device_minor().ok().flatten());
        let mut facts = vec![
            ("type", format!("{:?}", header.entry_type())),
            ("mode", format!("{:04o}", header.mode()? & 0o7777)),
            ("owner", owner),
            ("mtime", header.mtime()?.to_string()),
            ("link target", text(entry.link_name_bytes().as_deref())),
            ("device", device),
        ];
        facts.push(("extended attributes", extended(&mut entry)?));
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = entry.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            hash.update(&chunk[..count]);
        }
        facts.push(("content", Digest::from_bytes(hash.finalize().into()).to_string()));
        list.push((name_of(&entry), facts));
    }
    Ok(list)
}

fn extended<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<String> {
    let mut records = Vec::new();
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        let key = String::from_utf8_lossy(record.key_bytes()).into_owned();
        if !matches!(key.as_str(), "path" | "linkpath" | "size") {
            records.push(format!("{key}={}", String::from_utf8_lossy(record.value_bytes())));
        }
    }
    records.sort();
    Ok(records.join(" "))
}

fn tar_content(tar: Box<dyn Read>, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut last = None;
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        if name_of(&entry) == name {
            let mut bytes = Vec::new();
            (&mut entry).take(MAX_CONTENT_BYTES + 1).read_to_end(&mut bytes)?;
            last = Some(bytes);
        }
    }
    Ok(last.filter(|bytes| bytes.len() as u64 <= MAX_CONTENT_BYTES))
}

/// The first difference of two `ar` archives (System V and BSD names); `None` where they cannot be read as such.
pub(super) fn ar_difference(one: &[u8], two: &[u8], depth: usize) -> Option<Found> {
    let (a, b) = (ar_members(one)?, ar_members(two)?);
    let facts = |list: &[Member<'_>]| list.iter().map(|m| (m.name.clone(), m.facts.clone())).collect::<Vec<_>>();
    let mut content = |name: &str| -> io::Result<Option<Found>> {
        let bytes = |list: &[Member<'_>]| list.iter().find(|m| m.name == name).map_or(Vec::new(), |m| m.bytes.to_vec());
        Ok(Some(content::difference(&bytes(&a), &bytes(&b), depth + 1)))
    };
    let found = members(&facts(&a), &facts(&b), &mut content).ok()?;
    found.map(|(name, found)| found.inside(Some(&name)))
}

struct Member<'a> {
    name: String,
    facts: Facts,
    bytes: &'a [u8],
}

fn ar_members(bytes: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut rest = bytes.strip_prefix(b"!<arch>\n")?;
    let (mut list, mut long_names): (Vec<Member<'_>>, &[u8]) = (Vec::new(), &[]);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    while !rest.is_empty() {
        let header = rest.get(..60)?;
        let field = |from: usize, to: usize| String::from_utf8_lossy(&header[from..to]).trim().to_owned();
        let size: usize = field(48, 58).parse().ok()?;
        let mut content = rest.get(60..60usize.checked_add(size)?)?;
        rest = rest.get(60 + size + size % 2..).unwrap_or_default();
        let mut name = field(0, 16);
        if name == "//" {
            long_names = content;
        } else if let Some(at) = name.strip_prefix('/').and_then(|at| at.parse::<usize>().ok()) {
            let end = long_names.get(at..)?.iter().position(|byte| matches!(byte, b'/' | b'\n'))?;
            name = String::from_utf8_lossy(&long_names[at..at + end]).into_owned();
        } else if let Some(length) = name.strip_prefix("#1/").and_then(|length| length.parse::<usize>().ok()) {
            name = String::from_utf8_lossy(content.get(..length)?).trim_end_matches('\0').to_owned();
            content = &content[length..];
        } else if name.len() > 1 {
            name = name.trim_end_matches('/').to_owned();
        }
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name} ({count})");
        }
        let facts = vec![
            ("mtime", field(16, 28)),
            ("owner", format!("{}:{}", field(28, 34), field(34, 40))),
            ("mode", field(40, 48)),
            ("content", Digest::of(content).to_string()),
        ];
        list.push(Member { name, facts, bytes: content });
    }
    Some(list)
}
