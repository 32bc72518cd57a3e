//! Two zip archives (jar, whl, apk …; PKWARE APPNOTE 6.3.10), by their central directories.

use std::io::{self, Read};

use ci_types::Digest;

use super::archive::{Found, members};
use super::content;

/// Most bytes that one member may unpack to.
const MAX_MEMBER_BYTES: u64 = 256 << 20;

struct Member {
    name: String,
    facts: Vec<(&'static str, String)>,
    bytes: Vec<u8>,
}

/// The first difference; `None` where one cannot be read (zip64, encryption) or the members agree.
pub(super) fn difference(one: &[u8], two: &[u8], depth: usize) -> Option<Found> {
    let (a, b) = (read(one)?, read(two)?);
    let facts = |list: &[Member]| list.iter().map(|m| (m.name.clone(), m.facts.clone())).collect::<Vec<_>>();
    let mut content = |name: &str| -> io::Result<Option<Found>> {
        let bytes = |list: &[Member]| list.iter().find(|m| m.name == name).map_or(Vec::new(), |m| m.bytes.clone());
        Ok(Some(content::difference(&bytes(&a), &bytes(&b), depth + 1)))
    };
    let found = members(&facts(&a), &facts(&b), &mut content).ok()?;
    found.map(|(name, found)| found.inside(Some(&name)))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?)).ok()
}

fn read(zip: &[u8]) -> Option<Vec<Member>> {
    const END_BYTES: usize = 22;
    let from = zip.len().saturating_sub(END_BYTES + 0xffff);
    let end = (from..=zip.len().checked_sub(END_BYTES)?).rev().find(|at| zip[*at..].starts_with(b"PK\x05\x06"))?;
    let count = u16_at(zip, end + 10)?;
    let mut at = u32_at(zip, end + 16)?;
    let mut list = Vec::new();
    for _ in 0..count {
        if !zip.get(at..)?.starts_with(b"PK\x01\x02") {
            return None;
        }
        let (method, packed, size) = (u16_at(zip, at + 10)?, u32_at(zip, at + 20)?, u32_at(zip, at + 24)?);
        let (name, extra, comment) = (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?);
        let local = u32_at(zip, at + 42)?;
        let text = |from: usize, length: usize| zip.get(from..from.checked_add(length)?);
        let name_text = String::from_utf8_lossy(text(at + 46, name)?).into_owned();
        let data = local.checked_add(30 + u16_at(zip, local + 26)? + u16_at(zip, local + 28)?)?;
        let bytes = unpack(method, zip.get(data..data.checked_add(packed)?)?, size)?;
        let facts = vec![
            ("mtime", dos_time(u16_at(zip, at + 14)?, u16_at(zip, at + 12)?)),
            ("mode", format!("{:06o}", u32_at(zip, at + 38)? >> 16)),
            ("content", Digest::of(&bytes).to_string()),
            ("compression", format!("method {method}, {packed} bytes")),
            ("extra field", ci_types::digest::hex(text(at + 46 + name, extra)?)),
            ("comment", String::from_utf8_lossy(text(at + 46 + name + extra, comment)?).into_owned()),
        ];
        list.push(Member { name: name_text, facts, bytes });
        at = at.checked_add(46 + name + extra + comment)?;
    }
    Some(list)
}

fn unpack(method: usize, packed: &[u8], size: usize) -> Option<Vec<u8>> {
    match method {
        0 => Some(packed.to_vec()),
        8 if size as u64 <= MAX_MEMBER_BYTES => {
            let mut bytes = Vec::new();
            flate2::read::DeflateDecoder::new(packed).take(MAX_MEMBER_BYTES).read_to_end(&mut bytes).ok()?;
            Some(bytes)
        }
        _ => None,
    }
}

/// MS-DOS date and time: two-second steps, no time zone.
fn dos_time(date: usize, time: usize) -> String {
    let (year, month, day) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time >> 11, time >> 5 & 63, (time & 31) * 2)
}
