//! A package found in an image: the one model between package databases, SBOM writers and SBOM readers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Ecosystem: `deb`, `apk`, `cargo`, `npm`, `pypi`, `golang`. It is the type of the package URL.
    pub ecosystem: String,
    /// Name as the ecosystem writes it, with its namespace (`@scope/name`, `example.org/module`).
    pub name: String,
    /// Version as the ecosystem writes it.
    pub version: String,
    /// Package URL (purl-spec), for example `pkg:deb/debian/bash@5.2.15-2%2Bb2?arch=amd64&distro=debian-12`.
    pub purl: String,
    /// Licence expression or text as declared; absent where none is declared.
    pub license: Option<String>,
    /// Files of the image that tell of it, sorted.
    pub found_in: Vec<String>,
    /// Hashes as declared by the ecosystem, algorithm (CycloneDX spelling, `SHA-256`) to lower-case hex.
    pub hashes: BTreeMap<String, String>,
}
