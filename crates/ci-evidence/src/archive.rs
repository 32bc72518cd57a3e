//! The bundle's container: a deterministic tar in one zstd frame, followed by a skippable frame (RFC 8878, 3.1.2) that holds
//! the SHA-256 of everything before it. `tar --zstd -xf` reads it; any flipped bit is noticed before anything is parsed.
//!
//! The trailer is integrity, not trust: whoever rewrites it still faces the signatures inside.

use std::collections::BTreeMap;
use std::io::Read as _;

use ci_types::Digest;

/// Folder that all entries lie in.
pub const ROOT: &str = "evidence-pack";
/// Most bytes that a bundle may unpack to.
pub const MAX_UNPACKED_BYTES: u64 = 256 << 20;
/// Most files that a bundle may hold.
pub const MAX_FILES: usize = 10_000;

const TRAILER_MAGIC: [u8; 4] = [0x5C, 0x2A, 0x4D, 0x18];
const TRAILER_TAG: &[u8; 8] = b"ci-intel";
const TRAILER_BYTES: usize = 4 + 4 + 8 + 32;
/// Frame header descriptor bits that a frame of ours never has: dictionary id, reserved, unused (RFC 8878, 3.1.1.1.1).
const FRAME_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Why an archive was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Too short, or not zstd.
    #[error("not an evidence bundle: no zstd frame")]
    NotZstd,
    /// The trailer is absent or of another shape: truncated, or made by another tool.
    #[error("truncated or foreign: the integrity trailer is missing")]
    NoTrailer,
    /// The trailer does not match.
    #[error("damaged: the bytes do not have the digest that the trailer names")]
    Damaged,
    /// The frame does not decompress.
    #[error("the zstd frame does not decompress: {0}")]
    Frame(String),
    /// More than [`MAX_UNPACKED_BYTES`] or [`MAX_FILES`].
    #[error("larger than a bundle may be ({MAX_UNPACKED_BYTES} bytes, {MAX_FILES} files)")]
    TooLarge,
    /// Bytes after the frame.
    #[error("bytes after the zstd frame")]
    TrailingBytes,
    /// The tar is not what packing its files gives: another order, time, owner, link, padding.
    #[error("the tar inside is not in the one form that packing gives ({0})")]
    NotCanonical(&'static str),
    /// A path cannot be stored.
    #[error("path `{0}` cannot be stored in a bundle")]
    BadPath(String),
}

/// Packs files (path below the root folder → content) into bundle bytes. Same input, same bytes.
///
/// # Errors
/// [`ArchiveError::BadPath`], [`ArchiveError::TooLarge`].
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let tar = to_tar(files)?;
    let mut out = compress(&tar).map_err(|error| ArchiveError::Frame(error.to_string()))?;
    let digest = Digest::of(&out);
    out.extend_from_slice(&TRAILER_MAGIC);
    out.extend_from_slice(&40_u32.to_le_bytes());
    out.extend_from_slice(TRAILER_TAG);
    out.extend_from_slice(digest.as_bytes());
    Ok(out)
}

/// Unpacks bundle bytes, demanding that they are in the one accepted form.
///
/// # Errors
/// See [`ArchiveError`].
pub fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    if !bytes.starts_with(&FRAME_MAGIC) {
        return Err(ArchiveError::NotZstd);
    }
    let body_len = bytes.len().checked_sub(TRAILER_BYTES).ok_or(ArchiveError::NoTrailer)?;
    let (body, trailer) = bytes.split_at(body_len);
    let header = [&TRAILER_MAGIC[..], &40_u32.to_le_bytes(), TRAILER_TAG].concat();
    let digest = trailer.strip_prefix(header.as_slice()).ok_or(ArchiveError::NoTrailer)?;
    if Digest::of(body).as_bytes() != digest {
        return Err(ArchiveError::Damaged);
    }
    let tar = decompress(body)?;
    let files = from_tar(&tar)?;
    if to_tar(&files)? == tar { Ok(files) } else { Err(ArchiveError::NotCanonical("layout")) }
}

fn compress(tar: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::with_capacity(tar.len() / 4), 9)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(tar.len() as u64))?;
    encoder.include_contentsize(true)?;
    std::io::Write::write_all(&mut encoder, tar)?;
    encoder.finish()
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let frame = |error: std::io::Error| ArchiveError::Frame(error.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(frame)?.single_frame();
    decoder.window_log_max(27).map_err(frame)?;
    let mut tar = Vec::new();
    let read = decoder.by_ref().take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut tar).map_err(frame)?;
    if read as u64 > MAX_UNPACKED_BYTES {
        return Err(ArchiveError::TooLarge);
    }
    if !decoder.finish().is_empty() {
        return Err(ArchiveError::TrailingBytes);
    }
    Ok(tar)
}

fn header(path: &str, content: &[u8]) -> Result<tar::Header, ArchiveError> {
    let bad = || ArchiveError::BadPath(path.chars().take(300).collect());
    let plain = !path.is_empty()
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && path.bytes().all(|byte| (0x20..0x7F).contains(&byte) && byte != b'\\');
    if !plain {
        return Err(bad());
    }
    let mut header = tar::Header::new_ustar();
    header.set_path(format!("{ROOT}/{path}")).map_err(|_| bad())?;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

fn to_tar(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let total: u64 = files.values().map(|content| content.len() as u64 + 1024).sum();
    if files.len() > MAX_FILES || total > MAX_UNPACKED_BYTES {
        return Err(ArchiveError::TooLarge);
    }
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        builder
            .append(&header(path, content)?, content.as_slice())
            .map_err(|error| ArchiveError::Frame(error.to_string()))?;
    }
    builder.into_inner().map_err(|error| ArchiveError::Frame(error.to_string()))
}

fn from_tar(tar: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let bad = |what| move |_| ArchiveError::NotCanonical(what);
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(bad("tar"))? {
        let mut entry = entry.map_err(bad("tar entry"))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(ArchiveError::NotCanonical("an entry is not a regular file"));
        }
        let raw = entry.path_bytes().into_owned();
        let path = std::str::from_utf8(&raw).map_err(|_| ArchiveError::NotCanonical("a path is not UTF-8"))?;
        let path = path
            .strip_prefix(ROOT)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(ArchiveError::NotCanonical("an entry lies outside evidence-pack/"))?
            .to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(bad("tar entry"))?;
        if files.len() >= MAX_FILES {
            return Err(ArchiveError::TooLarge);
        }
        if files.insert(path, content).is_some() {
            return Err(ArchiveError::NotCanonical("a path stands twice"));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([
            ("release-v1/a.json".to_owned(), b"{}".to_vec()),
            ("release-v1/deep/b.bin".to_owned(), vec![7; 70_000]),
            ("release-v1/empty".to_owned(), Vec::new()),
        ])
    }

    #[test]
    fn files_round_trip_and_packing_is_deterministic() {
        let packed = pack(&sample()).unwrap();
        assert_eq!(packed, pack(&sample()).unwrap());
        assert_eq!(unpack(&packed).unwrap(), sample());
    }

    #[test]
    fn every_flipped_bit_rejects() {
        let packed = pack(&sample()).unwrap();
        for at in 0..packed.len() {
            for bit in 0..8 {
                let mut changed = packed.clone();
                changed[at] ^= 1 << bit;
                assert!(unpack(&changed).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_and_extension_rejects() {
        let packed = pack(&sample()).unwrap();
        for len in 0..packed.len() {
            assert!(unpack(&packed[..len]).is_err(), "{len}");
        }
        assert!(unpack(&[packed.as_slice(), &[0]].concat()).is_err());
        assert!(unpack(&[packed.as_slice(), &packed].concat()).is_err());
    }

    #[test]
    fn escaping_paths_reject() {
        for path in ["../x", "/etc/passwd", "a//b", "a/./b", "", "a\\b", "a\nb"] {
            assert!(pack(&BTreeMap::from([(path.to_owned(), Vec::new())])).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_hostile_tar_with_a_valid_trailer_rejects() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut link = tar::Header::new_ustar();
        link.set_path("evidence-pack/x").unwrap();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_link_name("/etc/passwd").unwrap();
        link.set_size(0);
        link.set_cksum();
        builder.append(&link, std::io::empty()).unwrap();
        let mut body = compress(&builder.into_inner().unwrap()).unwrap();
        let digest = Digest::of(&body);
        body.extend_from_slice(&TRAILER_MAGIC);
        body.extend_from_slice(&40_u32.to_le_bytes());
        body.extend_from_slice(TRAILER_TAG);
        body.extend_from_slice(digest.as_bytes());
        assert!(matches!(unpack(&body), Err(ArchiveError::NotCanonical(_))));
    }

    #[test]
    fn a_decompression_bomb_rejects() {
        let bomb = vec![0_u8; usize::try_from(MAX_UNPACKED_BYTES).unwrap() + 10];
        let mut body = compress(&bomb).unwrap();
        let digest = Digest::of(&body);
        body.extend_from_slice(&TRAILER_MAGIC);
        body.extend_from_slice(&40_u32.to_le_bytes());
        body.extend_from_slice(TRAILER_TAG);
        body.extend_from_slice(digest.as_bytes());
        assert_eq!(unpack(&body), Err(ArchiveError::TooLarge));
    }
}
