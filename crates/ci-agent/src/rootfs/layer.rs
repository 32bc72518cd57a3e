//! One layer: the blob's digest and the content's `diff_id` are verified whenever it is read.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use ci_types::{Descriptor, Digest};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::RootfsError;

/// Manifests and configs are small (OCI distribution-spec: registries may refuse manifests over 4 MiB).
const JSON_LIMIT: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) blob: Descriptor,
    pub(super) diff_id: Digest,
}

pub(super) fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join("sha256").join(digest.hex())
}

pub(super) fn read_json<T: DeserializeOwned>(
    layout: &Path,
    blob: &Descriptor,
    what: &'static str,
) -> Result<T, RootfsError> {
    let path = blob_path(layout, &blob.digest);
    if blob.size > JSON_LIMIT {
        return Err(RootfsError::TooLarge { what: "bytes in a manifest or config", limit: JSON_LIMIT });
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(JSON_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(RootfsError::io(&path))?;
    if bytes.len() as u64 != blob.size {
        return Err(RootfsError::WrongSize { digest: blob.digest, expected: blob.size, actual: bytes.len() as u64 });
    }
    let actual = Digest::of(&bytes);
    if actual != blob.digest {
        return Err(RootfsError::WrongDigest { expected: blob.digest, actual });
    }
    ci_types::strict_json::from_slice(&bytes)
        .map_err(|error| RootfsError::Malformed { what, detail: error.to_string() })
}

impl Layer {
    /// Streams the uncompressed archive through `read`, then verifies size, blob digest and `diff_id`.
    ///
    /// What `read` made of the bytes must not be used where this returns an error.
    pub(super) fn read<T>(
        &self,
        index: usize,
        layout: &Path,
        limit: u64,
        read: impl FnOnce(&mut dyn Read) -> Result<T, RootfsError>,
    ) -> Result<T, RootfsError> {
        let path = blob_path(layout, &self.blob.digest);
        let file = File::open(&path).map_err(RootfsError::io(&path))?;
        let compressed = BufReader::with_capacity(128 << 10, Hashed::new(file, u64::MAX));
        let result = match self.blob.media_type.as_str() {
            "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
                self.content(index, &path, limit, compressed, read)
            }
            "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                self.content(index, &path, limit, Gzip(flate2::bufread::MultiGzDecoder::new(compressed)), read)
            }
            "application/vnd.oci.image.layer.v1.tar+zstd" => {
                let decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(RootfsError::io(&path))?;
                self.content(index, &path, limit, Zstd(decoder), read)
            }
            other => Err(RootfsError::UnsupportedMediaType(other.to_owned())),
        }?;
        Ok(result)
    }

    fn content<T>(
        &self,
        index: usize,
        path: &Path,
        limit: u64,
        decoder: impl Decoder,
        read: impl FnOnce(&mut dyn Read) -> Result<T, RootfsError>,
    ) -> Result<T, RootfsError> {
        let mut content = Hashed::new(decoder, limit);
        let made = read(&mut content).map_err(|error| content.limit_error(error, limit))?;
        // Padding after the end-of-archive marker is part of the content.
        io::copy(&mut content, &mut io::sink())
            .map_err(|error| content.limit_error(RootfsError::Io { path: path.to_owned(), source: error }, limit))?;
        let actual = Digest::from_bytes(content.hash.finalize().into());
        if actual != self.diff_id {
            return Err(RootfsError::WrongDiffId { layer: index, expected: self.diff_id, actual });
        }
        let mut blob = content.inner.into_blob();
        io::copy(&mut blob, &mut io::sink()).map_err(RootfsError::io(path))?;
        let blob = blob.into_inner();
        if blob.count != self.blob.size {
            return Err(RootfsError::WrongSize {
                digest: self.blob.digest,
                expected: self.blob.size,
                actual: blob.count,
            });
        }
        let actual = Digest::from_bytes(blob.hash.finalize().into());
        if actual != self.blob.digest {
            return Err(RootfsError::WrongDigest { expected: self.blob.digest, actual });
        }
        Ok(made)
    }
}

type Blob = BufReader<Hashed<File>>;

/// A decoder that gives the blob's reader back.
trait Decoder: Read {
    fn into_blob(self) -> Blob;
}

impl Decoder for Blob {
    fn into_blob(self) -> Blob {
        self
    }
}

struct Gzip(flate2::bufread::MultiGzDecoder<Blob>);

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Decoder for Gzip {
    fn into_blob(self) -> Blob {
        self.0.into_inner()
    }
}

struct Zstd(zstd::stream::read::Decoder<'static, Blob>);

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Decoder for Zstd {
    fn into_blob(self) -> Blob {
        self.0.finish()
    }
}

/// Hashes and counts what is read through it, and stops at a limit.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    count: u64,
    limit: u64,
}

impl<R> Hashed<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self { inner, hash: Sha256::new(), count: 0, limit }
    }

    fn limit_error(&self, error: RootfsError, limit: u64) -> RootfsError {
        if self.count > self.limit { RootfsError::TooLarge { what: "bytes", limit } } else { error }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.count += read as u64;
        if self.count > self.limit {
            return Err(io::Error::other("the image is larger than allowed"));
        }
        Ok(read)
    }
}
