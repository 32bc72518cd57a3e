//! Publishing: built, published and read-back identity side by side.

use serde::{Deserialize, Serialize};

use super::schema_id;
use crate::{Digest, Subject};

schema_id!(PublicationSchema, "https://ci-intel.dev/schema/publication.v1.json");

/// Where the image went and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Publication {
    /// Schema id.
    pub schema: PublicationSchema,
    /// The artifact; its digest is the one that was published.
    pub subject: Subject,
    /// Kind of target.
    pub target: TargetKind,
    /// Media type of the manifest.
    pub media_type: String,
    /// Size of the manifest in bytes.
    pub manifest_bytes: u64,
    /// Size of manifest, config and layers in bytes.
    pub artifact_bytes: u64,
    /// Digest that the build engine produced.
    pub built: Digest,
    /// Digest of the bytes sent, as the target acknowledged it.
    pub published: Digest,
    /// Digest computed over the bytes read back by digest.
    pub read_back: Digest,
    /// What the tag pointed at before this release. It moves only after acceptance, and only from nothing or from this
    /// very digest.
    pub tag_before: Option<Digest>,
}

/// Kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TargetKind {
    /// A directory (OCI image-spec, "OCI Image Layout").
    OciLayout,
    /// A server (OCI distribution-spec).
    Registry,
}
