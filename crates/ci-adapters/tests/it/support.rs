//! Small images and stores.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ci_adapters::{OciLayout, Registry, RegistryOptions};
use ci_execute::{Attachment, AttachmentFile, ImageStore};
use ci_types::{Descriptor, Digest};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    /// A valid one-layer image whose content depends on `seed`.
    pub(crate) fn new(seed: &str) -> Self {
        let layer = tar_with_file(&format!("layer of {seed}"));
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"seed":"{seed}"}}}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::of(&layer)
        )
        .into_bytes();
        let manifest = manifest_of(&config, &layer);
        Self { config, layer, manifest }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    pub(crate) fn descriptor(&self) -> Descriptor {
        descriptor(MANIFEST, &self.manifest)
    }

    pub(crate) fn push(&self, store: &dyn ImageStore) -> Digest {
        store.put_blob_bytes(&self.config).unwrap();
        store.put_blob_bytes(&self.layer).unwrap();
        store.put_manifest(MANIFEST, &self.manifest).unwrap()
    }
}

pub(crate) fn manifest_of(config: &[u8], layer: &[u8]) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        json(&descriptor(CONFIG, config)),
        json(&descriptor(LAYER, layer))
    )
    .into_bytes()
}

pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(content),
        size: content.len() as u64,
        artifact_type: None,
        annotations: BTreeMap::new(),
    }
}

pub(crate) fn attachment(artifact_type: &str, content: &str) -> Attachment {
    Attachment {
        artifact_type: artifact_type.to_owned(),
        files: vec![AttachmentFile {
            title: "file.json".to_owned(),
            media_type: "application/json".to_owned(),
            content: content.as_bytes().to_vec(),
        }],
        annotations: BTreeMap::from([("dev.ci-intel.kind".to_owned(), "test".to_owned())]),
    }
}

/// One file `hello.txt` as an uncompressed ustar archive.
fn tar_with_file(text: &str) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
    put(0, b"hello.txt");
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", text.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = header.to_vec();
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len().div_ceil(512) * 512 + 1024, 0);
    out
}

/// Options for a server on this machine, impatient.
pub(crate) fn options() -> RegistryOptions {
    RegistryOptions {
        plain_http: true,
        request_timeout: Duration::from_secs(10),
        backoff: Duration::from_millis(10),
        settle: Duration::from_millis(20),
        ..RegistryOptions::default()
    }
}

pub(crate) fn registry(host: &str, name: &str) -> Registry {
    Registry::new(&format!("{host}/{name}"), options()).unwrap()
}

pub(crate) fn layout(dir: &Path) -> OciLayout {
    OciLayout::open_or_create(dir, "org/app").unwrap()
}
