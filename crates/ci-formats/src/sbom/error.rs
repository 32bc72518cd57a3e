//! Why an SBOM is refused, or cannot be written.

use std::collections::BTreeSet;

use ci_types::Digest;
use ci_types::strict_json::JsonError;

use super::{MAX_BYTES, MAX_COMPONENTS};
use crate::purl::InvalidPurl;

/// Why an SBOM is refused. `place` is the path of the value in the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// Larger than [`MAX_BYTES`].
    #[error("the SBOM has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More components than [`MAX_COMPONENTS`].
    #[error("the SBOM lists more than {MAX_COMPONENTS} components")]
    TooMany,
    /// Not JSON, a repeated key, or a value of the wrong type.
    #[error("the SBOM is {0}; have the tool write it again")]
    Json(#[from] JsonError),
    /// Another format, or none.
    #[error("`{place}` is `{found}`, expected {expected}; configure the tool to write that format")]
    Format {
        /// The deciding key.
        place: &'static str,
        /// Its value; empty where it is missing.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Something required is missing.
    #[error("`{place}` is missing; the SBOM tells nothing about it, so it counts for nothing")]
    Missing {
        /// What.
        place: String,
    },
    /// A value breaks the format's rules.
    #[error("`{place}`: `{value}` is not a valid value")]
    Value {
        /// Where.
        place: String,
        /// The value, shortened.
        value: String,
    },
    /// A package URL is broken.
    #[error("`{place}`: {error}")]
    Purl {
        /// Where.
        place: String,
        /// Why.
        error: InvalidPurl,
    },
    /// Two elements have one identifier, so nobody can say which one a reference means.
    #[error("identifier `{0}` stands twice")]
    RepeatedReference(String),
    /// A relationship names an element that the document does not have.
    #[error("relationship to `{0}`, which the document does not have")]
    UnknownReference(String),
    /// The document is about another artifact.
    #[error("the SBOM is about {}, expected {expected}; make it from the released image",
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    WrongSubject {
        /// Digests in the document.
        found: BTreeSet<Digest>,
        /// The artifact's digest.
        expected: Digest,
    },
}

impl SbomError {
    pub(super) fn value(place: &str, value: &str) -> Self {
        Self::Value { place: place.to_owned(), value: value.chars().take(80).collect() }
    }

    pub(super) fn missing(place: impl Into<String>) -> Self {
        Self::Missing { place: place.into() }
    }
}

/// Why an SBOM cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The image's name makes no package URL.
    #[error("image name `{name}`: {error}; use a name that the OCI distribution-spec allows")]
    Subject {
        /// Image name.
        name: String,
        /// Why.
        error: InvalidPurl,
    },
    /// The document has no JSON form.
    #[error("no JSON form: {0}")]
    Json(String),
    /// The SBOM to convert is about another artifact.
    #[error(transparent)]
    Source(#[from] SbomError),
}
