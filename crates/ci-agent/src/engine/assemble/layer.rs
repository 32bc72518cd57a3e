//! The layer: a ustar archive (PAX records where ustar has no room, POSIX.1-2017 pax), gzip (RFC 1952) with a fixed level.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use ci_types::{Digest, Timestamp};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::tree::Entry;
use crate::engine::BuildError;

/// A written layer.
pub(super) struct Layer {
    /// Digest of the compressed bytes.
    pub(super) digest: Digest,
    /// Digest of the tar.
    pub(super) diff_id: Digest,
    /// Size of the compressed bytes.
    pub(super) bytes: u64,
}

/// Largest size that 11 octal digits hold.
const USTAR_MAX_BYTES: u64 = 0o777_7777_7777;

pub(super) fn write(
    entries: &BTreeMap<String, Entry>,
    directory: &Path,
    epoch: Timestamp,
    out: &Path,
) -> Result<Layer, BuildError> {
    let file = File::create_new(out).map_err(BuildError::file(out))?;
    // No file name, no time, operating system "unknown": the header says nothing of the machine. The compressor (miniz_oxide) has
    // no code that depends on the processor; the golden digest in the tests notices if another takes its place.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Hashing::new(file), Compression::new(6));
    let mut archive = tar::Builder::new(Hashing::new(gzip));
    for (path, entry) in entries {
        append(&mut archive, path, entry, directory, epoch)?;
    }
    let finish = || -> io::Result<Layer> {
        let (gzip, diff_id, _) = archive.into_inner()?.finish();
        let (file, digest, bytes) = gzip.finish()?.finish();
        file.sync_all()?;
        Ok(Layer { digest, diff_id, bytes })
    };
    finish().map_err(BuildError::file(out))
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &str,
    entry: &Entry,
    directory: &Path,
    epoch: Timestamp,
) -> Result<(), BuildError> {
    match entry {
        Entry::Directory => {
            put(archive, EntryType::Directory, &format!("{path}/"), 0o755, "", (0, &mut io::empty()), epoch)
                .map_err(BuildError::file(Path::new(path)))
        }
        Entry::Link { target } => put(archive, EntryType::Symlink, path, 0o777, target, (0, &mut io::empty()), epoch)
            .map_err(BuildError::file(Path::new(path))),
        Entry::File { source, mode } => {
            let at = directory.join(source);
            let mut copy = || {
                let file = File::open(&at)?;
                let size = file.metadata()?.len();
                // One byte more than the size would show that the file grew meanwhile.
                let mut content = Exact { inner: BufReader::with_capacity(128 << 10, file).take(size + 1), left: size };
                put(archive, EntryType::Regular, path, *mode, "", (size, &mut content), epoch)?;
                if content.left == 0 && content.inner.read(&mut [0])? == 0 {
                    Ok(())
                } else {
                    Err(io::Error::other("it changed while being read; a build step still runs"))
                }
            };
            copy().map_err(BuildError::file(&at))
        }
    }
}

fn put<W: Write>(
    archive: &mut tar::Builder<W>,
    kind: EntryType,
    path: &str,
    mode: u32,
    target: &str,
    (size, content): (u64, &mut dyn Read),
    epoch: Timestamp,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch.unix_s().unsigned_abs());
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    let mut pax: Vec<(&str, String)> = Vec::new();
    if !path.is_ascii() || header.set_path(path).is_err() {
        header.set_path("pax")?;
        pax.push(("path", path.to_owned()));
    }
    if !target.is_empty() && (!target.is_ascii() || header.set_link_name_literal(target).is_err()) {
        header.set_link_name_literal("pax")?;
        pax.push(("linkpath", target.to_owned()));
    }
    if size > USTAR_MAX_BYTES {
        pax.push(("size", size.to_string()));
    }
    header.set_size(size);
    header.set_cksum();
    pax.sort();
    archive.append_pax_extensions(pax.iter().map(|(key, value)| (*key, value.as_bytes())))?;
    archive.append(&header, content)
}

/// Reads exactly `left` bytes, and says whether it did.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn finish(self) -> (W, Digest, u64) {
        (self.inner, Digest::from_bytes(self.hash.finalize().into()), self.bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
