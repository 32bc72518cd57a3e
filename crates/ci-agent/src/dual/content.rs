//! Two contents of one file: what kind of file it is, and where it differs first.

use std::io::{Cursor, Read};

use super::archive::{Found, ar_difference, tar_difference};
use super::{elf, zip};

/// Most characters shown of a value.
pub(super) const MAX_SHOWN: usize = 120;
/// Archives in archives are opened this deep.
const MAX_DEPTH: usize = 5;
/// Most bytes that a gzip file may unpack to.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;

/// Where two different contents differ first. Looks into archives and ELF files; else names line or byte.
pub(super) fn difference(one: &[u8], two: &[u8], depth: usize) -> Found {
    let both = |magic: &[u8]| one.starts_with(magic) && two.starts_with(magic);
    let deeper = if depth > MAX_DEPTH {
        None
    } else if both(b"\x7fELF") {
        elf::difference(one, two)
    } else if both(b"!<arch>\n") {
        ar_difference(one, two, depth)
    } else if both(b"PK\x03\x04") || both(b"PK\x05\x06") {
        zip::difference(one, two, depth)
    } else if both(b"\x1f\x8b") {
        gzip(one, two, depth)
    } else if is_tar(one) && is_tar(two) {
        let open = |bytes: &[u8]| -> Box<dyn Read> { Box::new(Cursor::new(bytes.to_vec())) };
        let found = tar_difference(&|| Ok(open(one)), &|| Ok(open(two)), depth);
        found.ok().flatten().map(|found| found.inside(None))
    } else {
        None
    };
    deeper.unwrap_or_else(|| bytes(one, two))
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// gzip (RFC 1952): content first, because a time stamp in it also makes other compressed bytes; then the header.
fn gzip(one: &[u8], two: &[u8], depth: usize) -> Option<Found> {
    let unpack = |bytes: &[u8]| -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let decoder = flate2::read::MultiGzDecoder::new(bytes);
        decoder.take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut out).ok()?;
        (out.len() as u64 <= MAX_UNPACKED_BYTES).then_some(out)
    };
    let (a, b) = (unpack(one)?, unpack(two)?);
    if a != b {
        return Some(difference(&a, &b, depth + 1));
    }
    let header = |bytes: &[u8]| flate2::read::GzDecoder::new(bytes).header().cloned();
    let (a, b) = (header(one)?, header(two)?);
    let name = |name: Option<&[u8]>| String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
    if a.mtime() != b.mtime() {
        return Some(Found::here("gzip mtime", a.mtime().to_string(), b.mtime().to_string()));
    }
    if a.filename() != b.filename() {
        return Some(Found::here("gzip file name", name(a.filename()), name(b.filename())));
    }
    Some(Found::here("compression", format!("{} bytes", one.len()), format!("{} bytes", two.len())))
}

/// The first differing line of two texts, or the first differing byte.
pub(super) fn bytes(one: &[u8], two: &[u8]) -> Found {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text: &&str| !text.contains('\0'));
    if let (Some(a), Some(b)) = (text(one), text(two)) {
        let (mut x, mut y) = (a.split('\n'), b.split('\n'));
        let mut number = 0_usize;
        loop {
            number += 1;
            match (x.next(), y.next()) {
                (None, None) => break,
                (a, b) if a == b => {}
                (a, b) => {
                    let show = |line: Option<&str>| match line {
                        Some(line) => format!("line {number}: {}", around_text(line, common(a, b))),
                        None => format!("ends before line {number}"),
                    };
                    return Found::here("content", show(a), show(b));
                }
            }
        }
    }
    let at = one.iter().zip(two).take_while(|(x, y)| x == y).count();
    let show = |bytes: &[u8]| match bytes.get(at..) {
        Some([]) | None => format!("ends at byte {at}"),
        // A run of text that begins before the difference says more than its bytes.
        Some(_) => {
            let from = bytes[..at].iter().rposition(|b| !b.is_ascii_graphic() && *b != b' ').map_or(0, |p| p + 1);
            let from = from.max(at.saturating_sub(MAX_SHOWN / 2));
            let rest = &bytes[from..];
            let run = rest.iter().take_while(|b| b.is_ascii_graphic() || **b == b' ').take(MAX_SHOWN).count();
            if run > at - from && run >= 4 {
                format!("at byte {at}: {}", String::from_utf8_lossy(&rest[..run]))
            } else {
                format!("at byte {at}: {}", ci_types::digest::hex(&bytes[at..bytes.len().min(at + 16)]))
            }
        }
    };
    Found::here("content", show(one), show(two))
}

fn common(a: Option<&str>, b: Option<&str>) -> usize {
    a.unwrap_or_default().chars().zip(b.unwrap_or_default().chars()).take_while(|(x, y)| x == y).count()
}

/// At most [`MAX_SHOWN`] characters of a line, so that character `at` is among them.
fn around_text(line: &str, at: usize) -> String {
    line.chars().skip(at.saturating_sub(MAX_SHOWN / 2)).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn tar() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        header.set_mode(0o644);
        builder.append_data(&mut header, "dir/file", &b"abc"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
        out
    }

    /// One stored member `a` with content `xyz`.
    fn stored_zip() -> Vec<u8> {
        let mut zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\x21\x50\0\0\0\0\x03\0\0\0\x03\0\0\0\x01\0\0\0axyz".to_vec();
        let start = u8::try_from(zip.len()).unwrap();
        zip.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\x21\x50\0\0\0\0\x03\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a");
        let length = u8::try_from(zip.len()).unwrap() - start;
        zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        zip.extend([length, 0, 0, 0, start, 0, 0, 0, 0, 0]);
        zip
    }

    #[test]
    fn damaged_files_of_every_kind_never_panic() {
        let ar = b"!<arch>\nf/              0           0     0     644     3         `\nabc\n".to_vec();
        let elf = std::fs::read(std::fs::canonicalize("/bin/true").unwrap()).unwrap();
        // Each must be readable as what it is, else the flips below would test nothing.
        let mut other = stored_zip();
        other[31] = b'X';
        assert_eq!(difference(&stored_zip(), &other, 0).member.as_deref(), Some("a"));
        let mut other = ar.clone();
        other[68] = b'X';
        assert_eq!(difference(&ar, &other, 0).member.as_deref(), Some("f"));
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for (good, rounds) in [(tar(), 2000), (gz(&tar()), 2000), (stored_zip(), 4000), (ar, 2000), (elf, 300)] {
            for _ in 0..rounds {
                let mut bad = good.clone();
                for _ in 0..=random(3) {
                    let at = random(bad.len());
                    bad[at] = u8::try_from(random(256)).unwrap();
                }
                if random(8) == 0 {
                    bad.truncate(random(good.len()));
                }
                if bad != good {
                    let found = difference(&good, &bad, 0);
                    assert!(!found.what.is_empty());
                }
            }
        }
    }
}
