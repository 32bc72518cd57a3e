//! OCI image layouts on disk (OCI image-spec, "Image Layout"): verify, read, write.

mod error;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ci_types::{Descriptor, Digest, canonical, strict_json};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BuiltImage;
pub use error::{LayoutError, LayoutReason};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// Most bytes of a manifest, index or config; as registries limit manifests (OCI distribution-spec, "Pushing Manifests").
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
/// Most bytes of one unpacked layer.
const MAX_LAYER_BYTES: u64 = 64 << 30;

#[derive(Deserialize)]
struct LayoutMarker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    manifests: Vec<IndexEntry>,
}

#[derive(Deserialize, Clone)]
struct IndexEntry {
    #[serde(flatten)]
    descriptor: Descriptor,
    platform: Option<Platform>,
}

#[derive(Deserialize, Clone)]
struct Platform {
    architecture: String,
    os: String,
}

/// An OCI image manifest, as far as builds need it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageManifest {
    pub(crate) schema_version: u32,
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ConfigRootfs {
    rootfs: Rootfs,
}

#[derive(Deserialize)]
struct Rootfs {
    diff_ids: Vec<Digest>,
}

/// One image in a layout.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
    /// Descriptor of the image manifest.
    pub manifest: Descriptor,
    pub(crate) image: ImageManifest,
    /// The image config's bytes.
    pub config: Vec<u8>,
    pub(crate) diff_ids: Vec<Digest>,
}

/// Verifies the layout at `dir`, which must hold exactly one image: every digest and size, and every layer against its `diff_id`.
///
/// # Errors
/// See [`LayoutReason`].
pub fn verify_layout(dir: &Path) -> Result<BuiltImage, LayoutError> {
    let layout = Layout::open(dir)?;
    layout.verify_layers(&mut |_, _| Ok(()))?;
    Ok(layout.built())
}

impl Layout {
    /// Opens the only image of a layout: documents are verified, layers are not read yet.
    ///
    /// # Errors
    /// See [`LayoutReason`].
    pub fn open(dir: &Path) -> Result<Self, LayoutError> {
        let index = read_index(dir).map_err(at(dir))?;
        match index.manifests.as_slice() {
            [entry] => Self::of(dir, &entry.descriptor).map_err(at(dir)),
            entries => Err(at(dir)(LayoutReason::NotOneImage { count: entries.len() })),
        }
    }

    /// Opens the image with this manifest digest; where it is an index, its one image for linux on `architecture`.
    ///
    /// # Errors
    /// See [`LayoutReason`].
    pub fn open_digest(dir: &Path, digest: &Digest, architecture: &str) -> Result<Self, LayoutError> {
        Self::find(dir, digest, architecture).map_err(at(dir))
    }

    fn find(dir: &Path, digest: &Digest, architecture: &str) -> Result<Self, LayoutReason> {
        let index = read_index(dir)?;
        let named = index.manifests.iter().find(|entry| entry.descriptor.digest == *digest);
        let named = &named.ok_or(LayoutReason::NoManifest { digest: *digest })?.descriptor;
        if named.media_type != INDEX {
            return Self::of(dir, named);
        }
        let nested: Index = document(&digest.to_string(), &blob(dir, named)?)?;
        let fits = |entry: &&IndexEntry| {
            entry.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == architecture)
        };
        match nested.manifests.iter().filter(fits).collect::<Vec<_>>().as_slice() {
            [entry] => Self::of(dir, &entry.descriptor),
            entries => Err(LayoutReason::Platform {
                digest: *digest,
                architecture: architecture.to_owned(),
                count: entries.len(),
            }),
        }
    }

    fn of(dir: &Path, manifest: &Descriptor) -> Result<Self, LayoutReason> {
        expect_type("the manifest", &manifest.media_type, &[MANIFEST], MANIFEST)?;
        let bytes = blob(dir, manifest)?;
        let image: ImageManifest = document(&manifest.digest.to_string(), &bytes)?;
        if image.schema_version != 2 || image.media_type.as_deref().is_some_and(|media_type| media_type != MANIFEST) {
            let detail = format!("schemaVersion must be 2 and mediaType {MANIFEST}");
            return Err(LayoutReason::Malformed { file: manifest.digest.to_string(), detail });
        }
        expect_type("the config", &image.config.media_type, &[CONFIG], CONFIG)?;
        let config = blob(dir, &image.config)?;
        let ConfigRootfs { rootfs } = document(&image.config.digest.to_string(), &config)?;
        if rootfs.diff_ids.len() != image.layers.len() {
            let detail =
                format!("rootfs.diff_ids has {} entries for {} layers", rootfs.diff_ids.len(), image.layers.len());
            return Err(LayoutReason::Malformed { file: image.config.digest.to_string(), detail });
        }
        for (n, layer) in image.layers.iter().enumerate() {
            expect_type(&format!("layer {}", n + 1), &layer.media_type, &[LAYER, LAYER_GZIP, LAYER_ZSTD], LAYER_GZIP)?;
        }
        let manifest = Descriptor { annotations: Default::default(), ..manifest.clone() };
        Ok(Self { dir: dir.to_owned(), manifest, image, config, diff_ids: rootfs.diff_ids })
    }

    /// The image, whose layers were verified.
    pub(crate) fn built(&self) -> BuiltImage {
        let layers = self.image.layers.iter().map(|layer| layer.size).sum::<u64>();
        BuiltImage {
            layout: self.dir.clone(),
            manifest: self.manifest.clone(),
            config: self.image.config.digest,
            layers: self.image.layers.iter().map(|layer| layer.digest).collect(),
            image_bytes: self.manifest.size + self.image.config.size + layers,
            base: None,
        }
    }

    /// Verifies every layer: digest, size and `diff_id`; `visit` reads the unpacked tar meanwhile.
    pub(crate) fn verify_layers(
        &self,
        visit: &mut dyn FnMut(usize, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), LayoutError> {
        (0..self.image.layers.len()).try_for_each(|n| self.verify_layer(n, visit)).map_err(at(&self.dir))
    }

    fn verify_layer(
        &self,
        n: usize,
        visit: &mut dyn FnMut(usize, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), LayoutReason> {
        let layer = &self.image.layers[n];
        let unreadable = |cause| LayoutReason::Unreadable { file: layer.digest.to_string(), cause };
        let mut packed = Hashing::new(File::open(self.path(&layer.digest)).map_err(unreadable)?);
        let unpacked = decoder(&layer.media_type, &mut packed).map_err(unreadable)?;
        let mut unpacked = Hashing::new(unpacked.take(MAX_LAYER_BYTES + 1));
        let visited = visit(n, &mut unpacked);
        let drained = visited.and_then(|()| io::copy(&mut unpacked, &mut io::sink()).map(drop));
        let (diff_id, unpacked_bytes) = unpacked.finish();
        // What the blob is comes before what its content does: a damaged blob should be named as one.
        io::copy(&mut packed, &mut io::sink()).map_err(unreadable)?;
        let (actual, bytes) = packed.finish();
        if bytes != layer.size {
            return Err(LayoutReason::WrongSize { digest: layer.digest, expected: layer.size, actual: bytes });
        }
        if actual != layer.digest {
            return Err(LayoutReason::WrongDigest { expected: layer.digest, actual });
        }
        drained.map_err(unreadable)?;
        if unpacked_bytes > MAX_LAYER_BYTES {
            let detail = format!("unpacks to more than {MAX_LAYER_BYTES} bytes");
            return Err(LayoutReason::Malformed { file: layer.digest.to_string(), detail });
        }
        let expected = self.diff_ids[n];
        if diff_id != expected {
            let (expected, actual) = (expected.to_string(), diff_id.to_string());
            return Err(LayoutReason::WrongDiffId { layer: n + 1, expected, actual });
        }
        Ok(())
    }

    /// The unpacked tar of a layer that was verified before.
    pub(crate) fn layer(&self, n: usize) -> io::Result<Box<dyn Read>> {
        let layer = &self.image.layers[n];
        decoder(&layer.media_type, File::open(self.path(&layer.digest))?)
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.dir, digest)
    }

    /// Digests of the layer blobs, bottom first.
    #[must_use]
    pub fn layer_digests(&self) -> Vec<Digest> {
        self.image.layers.iter().map(|layer| layer.digest).collect()
    }
}

pub(crate) fn blob_path(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join("blobs/sha256").join(digest.hex())
}

/// Writes a layout of one image: the documents and the index; layer blobs must stand in `dir/blobs/sha256` already. The index
/// comes last, so a layout cut short is none.
pub(crate) fn write_layout(dir: &Path, config: &[u8], layers: Vec<Descriptor>) -> io::Result<()> {
    let put = |bytes: &[u8], media_type: &str| -> io::Result<Descriptor> {
        let digest = Digest::of(bytes);
        write_synced(&blob_path(dir, &digest), bytes)?;
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: Default::default(),
        })
    };
    let config = put(config, CONFIG)?;
    let image = ImageManifest { schema_version: 2, media_type: Some(MANIFEST.to_owned()), config, layers };
    let manifest = put(&canonical::to_vec(&image)?, MANIFEST)?;
    write_synced(&dir.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });
    write_synced(&dir.join("index.json"), &canonical::to_vec(&index)?)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn at(dir: &Path) -> impl FnOnce(LayoutReason) -> LayoutError {
    let layout = dir.to_owned();
    move |reason| LayoutError { layout, reason }
}

fn expect_type(what: &str, found: &str, known: &[&str], expected: &'static str) -> Result<(), LayoutReason> {
    if known.contains(&found) {
        return Ok(());
    }
    Err(LayoutReason::MediaType { what: what.to_owned(), media_type: found.to_owned(), expected })
}

fn read_index(dir: &Path) -> Result<Index, LayoutReason> {
    let marker: LayoutMarker = document("oci-layout", &small_file(&dir.join("oci-layout"), "oci-layout")?)?;
    if marker.version != "1.0.0" {
        let detail = format!("imageLayoutVersion `{}` is not known; expected 1.0.0", marker.version);
        return Err(LayoutReason::Malformed { file: "oci-layout".to_owned(), detail });
    }
    let index: Index = document("index.json", &small_file(&dir.join("index.json"), "index.json")?)?;
    if index.schema_version != 2 {
        let detail = "schemaVersion must be 2".to_owned();
        return Err(LayoutReason::Malformed { file: "index.json".to_owned(), detail });
    }
    Ok(index)
}

fn document<T: serde::de::DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, LayoutReason> {
    strict_json::from_slice(bytes)
        .map_err(|error| LayoutReason::Malformed { file: file.to_owned(), detail: error.to_string() })
}

fn small_file(path: &Path, name: &str) -> Result<Vec<u8>, LayoutReason> {
    let unreadable = |cause| LayoutReason::Unreadable { file: name.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        let detail = format!("larger than {MAX_DOCUMENT_BYTES} bytes");
        return Err(LayoutReason::Malformed { file: name.to_owned(), detail });
    }
    Ok(bytes)
}

/// A small blob, verified.
fn blob(dir: &Path, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutReason> {
    let bytes = small_file(&blob_path(dir, &descriptor.digest), &descriptor.digest.to_string())?;
    let actual = bytes.len() as u64;
    if actual != descriptor.size {
        return Err(LayoutReason::WrongSize { digest: descriptor.digest, expected: descriptor.size, actual });
    }
    let actual = Digest::of(&bytes);
    if actual != descriptor.digest {
        return Err(LayoutReason::WrongDigest { expected: descriptor.digest, actual });
    }
    Ok(bytes)
}

fn decoder<'a>(media_type: &str, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match media_type {
        LAYER_GZIP => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        LAYER_ZSTD => Box::new(zstd::stream::read::Decoder::new(packed)?),
        _ => Box::new(packed),
    })
}

/// Hashes and counts what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn finish(self) -> (Digest, u64) {
        (Digest::from_bytes(self.hash.finalize().into()), self.bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
