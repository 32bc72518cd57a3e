//! What one file tells of packages, before the files of an image are put together.

use std::collections::BTreeMap;

use super::error::Malformed;
use crate::purl::{InvalidPurl, Purl};

/// A package as one file tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) purl: Purl,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) hashes: BTreeMap<String, String>,
}

impl Found {
    /// A package of `ecosystem`; `namespace` may be empty.
    pub(super) fn new(ecosystem: &str, namespace: &str, name: &str, version: &str) -> Result<Self, InvalidPurl> {
        let full = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        Ok(Self {
            purl: Purl::new(ecosystem, namespace, name, version)?,
            name: full,
            version: version.to_owned(),
            license: None,
            hashes: BTreeMap::new(),
        })
    }

    pub(super) fn qualified(mut self, key: &str, value: &str) -> Result<Self, InvalidPurl> {
        self.purl = self.purl.with(key, value)?;
        Ok(self)
    }

    pub(super) fn licensed(mut self, license: Option<&str>) -> Self {
        self.license = license.map(str::trim).filter(|license| !license.is_empty()).map(str::to_owned);
        self
    }

    /// Whether the package belongs to a distribution, whose name its package URL needs.
    pub(super) fn is_of_distribution(&self) -> bool {
        matches!(self.purl.kind(), "deb" | "apk")
    }
}

/// The bytes as text, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotUtf8)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Letters, digits and `extra`, at least one.
pub(super) fn check(field: &'static str, value: &str, extra: &str) -> Result<(), Malformed> {
    let ok = |letter: char| letter.is_ascii_alphanumeric() || extra.contains(letter);
    if !value.is_empty() && value.chars().all(ok) { Ok(()) } else { Err(Malformed::value(field, value)) }
}
