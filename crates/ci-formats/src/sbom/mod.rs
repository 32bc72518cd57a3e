//! Software bills of materials: CycloneDX and SPDX, written from a catalogue or read from any tool.
//!
//! Written bytes depend on the arguments only. Readers take what gates need and refuse what they cannot tell apart.

pub mod cyclonedx;
pub mod spdx;

mod error;
mod parity;

use std::collections::{BTreeMap, BTreeSet};

use ci_types::{Digest, Subject, Timestamp};

pub use cyclonedx::Cyclonedx;
pub use error::{SbomError, WriteError};
pub use parity::{ParityGap, parity};
pub use spdx::{Spdx, convert};

use crate::catalogue::Catalogue;
use crate::purl::{InvalidPurl, Purl};

/// Largest SBOM read, in bytes.
pub const MAX_BYTES: usize = 128 << 20;
/// Most components of an SBOM read.
pub const MAX_COMPONENTS: usize = 500_000;

/// What an SBOM is written from.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The image.
    pub subject: &'a Subject,
    /// Time of creation, as the document will say.
    pub created_at: Timestamp,
    /// Version of ci-intel, as the document will say.
    pub tool_version: &'a str,
    /// The packages.
    pub catalogue: &'a Catalogue,
}

/// A component as either format lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// CycloneDX component type: `library`, `application`, `operating-system`, `file`, …
    pub kind: String,
    /// Name, with its group or scope before a `/`.
    pub name: String,
    /// Version.
    pub version: Option<String>,
    /// Package URL in canonical form.
    pub purl: Option<String>,
    /// Declared licence: an SPDX expression or a name.
    pub license: Option<String>,
    /// Hashes, algorithm (CycloneDX spelling) to lower-case hex.
    pub hashes: BTreeMap<String, String>,
}

impl Component {
    /// What makes a component the same in two documents: its package URL, else its name and version.
    #[must_use]
    pub fn identity(&self) -> String {
        self.purl.clone().unwrap_or_else(|| format!("{}@{}", self.name, self.version.as_deref().unwrap_or_default()))
    }
}

/// The package URL of an image (purl-spec, type `oci`); `repository_url` where the name starts with a registry's host.
fn image_purl(subject: &Subject) -> Result<Purl, InvalidPurl> {
    let name = subject.name.rsplit('/').next().unwrap_or_default();
    let host = subject.name.split_once('/').map_or("", |(host, _)| host);
    let repository = if host.contains(['.', ':']) || host == "localhost" { subject.name.as_str() } else { "" };
    Purl::new("oci", "", name, &subject.digest.to_string())?
        .with("repository_url", repository)?
        .with("tag", subject.tag.as_str())
}

/// The digests that the component which a document is about carries: as a SHA-256 hash, as its version, in its URL.
fn subject_digests(component: &Component) -> Result<BTreeSet<Digest>, SbomError> {
    let bad = |place: &str, value: &str| SbomError::value(place, value);
    let mut out = BTreeSet::new();
    if let Some(hash) = component.hashes.get("SHA-256") {
        out.insert(Digest::from_hex(hash).map_err(|_| bad("subject hash", hash))?);
    }
    if let Some(version) = component.version.as_deref().filter(|version| version.starts_with("sha256:")) {
        out.insert(version.parse().map_err(|_| bad("subject version", version))?);
    }
    let purl = component.purl.as_deref().and_then(|purl| purl.parse::<Purl>().ok());
    if let Some(version) = purl.as_ref().filter(|purl| purl.kind() == "oci").and_then(Purl::version) {
        out.insert(version.parse().map_err(|_| bad("subject purl", version))?);
    }
    Ok(out)
}

/// A package URL of a document in canonical form.
fn canonical_purl(place: &str, text: &str) -> Result<String, SbomError> {
    let purl = text.parse::<Purl>().map_err(|error| SbomError::Purl { place: place.to_owned(), error })?;
    Ok(purl.to_string())
}

/// Hash algorithms: CycloneDX's name and SPDX's name. Those without a name in one of them are left out there.
const HASH_NAMES: &[(&str, &str)] = &[
    ("BLAKE2b-256", "BLAKE2b-256"),
    ("BLAKE2b-384", "BLAKE2b-384"),
    ("BLAKE2b-512", "BLAKE2b-512"),
    ("BLAKE3", "BLAKE3"),
    ("MD5", "MD5"),
    ("SHA-1", "SHA1"),
    ("SHA-256", "SHA256"),
    ("SHA-384", "SHA384"),
    ("SHA-512", "SHA512"),
    ("SHA3-256", "SHA3-256"),
    ("SHA3-384", "SHA3-384"),
    ("SHA3-512", "SHA3-512"),
];

/// A hash value in lower case.
fn hash_value(place: &str, value: &str) -> Result<String, SbomError> {
    let hex = !value.is_empty() && value.len() <= 256 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { Ok(value.to_ascii_lowercase()) } else { Err(SbomError::value(place, value)) }
}
