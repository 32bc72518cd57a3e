//! Image manifests and indexes as stores hold them (OCI image-spec, "Image Manifest", "Image Index").

use std::collections::BTreeMap;

use ci_execute::Attachment;
use ci_types::strict_json::{self, JsonError};
use ci_types::{Descriptor, Digest, canonical};
use serde::{Deserialize, Serialize};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const TITLE: &str = "org.opencontainers.image.title";

/// OCI distribution-spec: a registry must take manifests up to 4 MiB; we take no larger ones.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// Whether `media_type` is one that may hold a `subject` or name other content.
pub(crate) fn is_manifest_type(media_type: &str) -> bool {
    [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media_type)
}

/// What a store needs to know about a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    /// Config and layers, those excepted that are distributed elsewhere.
    pub(crate) blobs: Vec<Descriptor>,
    /// Manifests of an index.
    pub(crate) children: Vec<Descriptor>,
    pub(crate) subject: Option<Descriptor>,
    /// `artifactType`, or the config's media type where that is absent (distribution-spec, "Listing Referrers").
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("{bytes} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")]
    TooLarge { bytes: u64 },
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("schemaVersion is {0}, expected 2")]
    SchemaVersion(u64),
    #[error("media type `{0}` is not that of an image manifest or index")]
    MediaType(String),
    #[error("it is stored as `{stated}` and calls itself `{written}`")]
    MediaTypesDiffer { stated: String, written: String },
    #[error("it reads as an image manifest and as an index at once")]
    Ambiguous,
    #[error("it has neither `config` and `layers` nor `manifests`")]
    Shapeless,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads `content`, said to be `stated` (from a header or a descriptor). Where both are silent about the media type the
    /// shape decides. A document of two shapes is refused (GHSA-mc8v-mgrf-8f4m).
    pub(crate) fn parse(stated: Option<&str>, content: &[u8]) -> Result<Self, ManifestError> {
        if content.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { bytes: content.len() as u64 });
        }
        let document: Document = strict_json::from_slice(content)?;
        if document.schema_version != 2 {
            return Err(ManifestError::SchemaVersion(document.schema_version));
        }
        let is_index = match (&document.config, &document.layers, &document.manifests) {
            (Some(_), Some(_), None) => false,
            (None, None, Some(_)) => true,
            (_, _, Some(_)) => return Err(ManifestError::Ambiguous),
            (_, _, None) => return Err(ManifestError::Shapeless),
        };
        let media_type = match (stated, document.media_type) {
            (Some(stated), Some(written)) if stated != written => {
                return Err(ManifestError::MediaTypesDiffer { stated: stated.to_owned(), written });
            }
            (_, Some(written)) => written,
            (Some(stated), None) => stated.to_owned(),
            (None, None) => if is_index { OCI_INDEX } else { OCI_MANIFEST }.to_owned(),
        };
        match (media_type.as_str(), is_index) {
            (OCI_MANIFEST | DOCKER_MANIFEST, false) | (OCI_INDEX | DOCKER_LIST, true) => {}
            (other, _) if is_manifest_type(other) => return Err(ManifestError::Ambiguous),
            _ => return Err(ManifestError::MediaType(media_type)),
        }
        let config_type = document.config.as_ref().map(|config| config.media_type.clone());
        let stored_elsewhere =
            |blob: &Descriptor| blob.media_type.contains(".nondistributable.") || blob.media_type.contains(".foreign.");
        let layers = document.layers.unwrap_or_default().into_iter().filter(|layer| !stored_elsewhere(layer));
        Ok(Self {
            media_type,
            blobs: document.config.into_iter().chain(layers).collect(),
            children: document.manifests.unwrap_or_default(),
            subject: document.subject,
            artifact_type: document.artifact_type.filter(|text| !text.is_empty()).or(config_type),
            annotations: document.annotations.unwrap_or_default(),
        })
    }

    /// How an index lists this manifest, whose bytes are `content`.
    pub(crate) fn descriptor(&self, content: &[u8]) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: Digest::of(content),
            size: content.len() as u64,
            artifact_type: self.artifact_type.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// The bytes of the manifest that attaches `artifact` to `subject` (image-spec, "Guidelines for Artifact Usage"). Canonical,
/// so attaching twice is attaching once.
pub(crate) fn attachment_manifest(subject: &Descriptor, artifact: &Attachment) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        schema_version: u8,
        media_type: &'a str,
        artifact_type: &'a str,
        config: Descriptor,
        layers: Vec<Descriptor>,
        subject: Descriptor,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: &'a BTreeMap<String, String>,
    }
    let layers = artifact.files.iter().map(|file| Descriptor {
        annotations: BTreeMap::from([(TITLE.to_owned(), file.title.clone())]),
        ..plain(&file.media_type, &file.content)
    });
    let empty = plain(EMPTY, b"{}");
    canonical::to_vec(&Written {
        schema_version: 2,
        media_type: OCI_MANIFEST,
        artifact_type: &artifact.artifact_type,
        layers: if artifact.files.is_empty() { vec![empty.clone()] } else { layers.collect() },
        config: empty,
        subject: Descriptor { artifact_type: None, annotations: BTreeMap::new(), ..subject.clone() },
        annotations: &artifact.annotations,
    })
}

fn plain(media_type: &str, content: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(content),
        size: content.len() as u64,
        artifact_type: None,
        annotations: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn descriptor() -> String {
        format!(r#"{{"mediaType":"a/b","digest":"{}","size":1}}"#, Digest::of(b"x"))
    }

    #[test]
    fn two_shapes_at_once_reject() {
        let both = format!(r#"{{"schemaVersion":2,"config":{0},"layers":[],"manifests":[]}}"#, descriptor());
        assert_eq!(Manifest::parse(None, both.as_bytes()).unwrap_err(), ManifestError::Ambiguous);
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert_eq!(Manifest::parse(Some(OCI_MANIFEST), index).unwrap_err(), ManifestError::Ambiguous);
        assert_eq!(Manifest::parse(None, br#"{"schemaVersion":2}"#).unwrap_err(), ManifestError::Shapeless);
    }

    #[test]
    fn another_media_type_than_stated_rejects() {
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[]}}"#);
        assert!(Manifest::parse(Some(OCI_INDEX), index.as_bytes()).is_ok());
        assert!(matches!(
            Manifest::parse(Some(DOCKER_LIST), index.as_bytes()),
            Err(ManifestError::MediaTypesDiffer { .. })
        ));
        let text = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(Manifest::parse(Some("text/plain"), text), Err(ManifestError::MediaType(_))));
    }

    #[test]
    fn the_same_attachment_has_the_same_bytes_and_names_its_subject() {
        let subject =
            Descriptor { annotations: BTreeMap::from([("a".into(), "b".into())]), ..plain(OCI_MANIFEST, b"m") };
        let artifact = Attachment { artifact_type: "a/b".into(), files: Vec::new(), annotations: BTreeMap::new() };
        let bytes = attachment_manifest(&subject, &artifact).unwrap();
        assert_eq!(bytes, attachment_manifest(&subject, &artifact).unwrap());
        let manifest = Manifest::parse(Some(OCI_MANIFEST), &bytes).unwrap();
        assert_eq!(manifest.subject.unwrap().digest, Digest::of(b"m"));
        assert_eq!(manifest.artifact_type.as_deref(), Some("a/b"));
        assert_eq!(manifest.blobs.len(), 2);
    }
}
