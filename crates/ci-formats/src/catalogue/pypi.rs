//! Python packages as installers leave them: core metadata (PyPA specifications, "Core metadata") in `*.dist-info/METADATA`,
//! and in the older egg layouts.

use super::deb822::{self, Paragraph};
use super::error::{Malformed, Place};
use super::found::Found;

/// Whether a path is the metadata of an installed package.
pub(super) fn is_metadata(path: &str) -> bool {
    path.ends_with(".dist-info/METADATA")
        || path.ends_with(".egg-info/PKG-INFO")
        || path.ends_with(".egg/EGG-INFO/PKG-INFO")
        || path.ends_with(".egg-info")
}

/// The package that core metadata describes.
pub(super) fn metadata(bytes: &[u8]) -> Result<Vec<Found>, Place> {
    let text = String::from_utf8_lossy(bytes);
    let header = deb822::header(text.strip_prefix('\u{feff}').unwrap_or(&text));
    let name = header.required("Name")?;
    let version = header.required("Version")?;
    super::found::check("Name", name, "-_.").map_err(|reason| reason.at(header.line()))?;
    // Versions from before PEP 440 are of any shape.
    if version.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(Malformed::value("Version", version).at(header.line()));
    }
    let package = Found::new("pypi", "", name, version).map_err(Malformed::from)?;
    Ok(vec![package.licensed(license(&header).as_deref())])
}

/// `License-Expression` (PEP 639), else a one-line `License`, else the licence classifiers.
fn license(header: &Paragraph<'_>) -> Option<String> {
    let declared = |text: &&str| !text.is_empty() && !text.eq_ignore_ascii_case("unknown");
    if let Some(expression) = header.get("License-Expression").filter(declared) {
        return Some(expression.to_owned());
    }
    let short = |text: &&str| text.len() <= 120 && !text.contains('\n');
    if let Some(license) = header.get("License").filter(declared).filter(short) {
        return Some(license.to_owned());
    }
    let classifiers = header.all("Classifier").filter_map(|classifier| classifier.strip_prefix("License :: "));
    let mut names: Vec<&str> = classifiers.map(|path| path.rsplit(" :: ").next().unwrap_or(path)).collect();
    names.retain(|name| *name != "OSI Approved");
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(" AND "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn one(text: &str) -> Found {
        metadata(text.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn names_are_normalised_in_the_url_only() {
        let package = one("Metadata-Version: 2.1\nName: Zope.Interface_x\nVersion: 5.0\n\nName: body\n");
        assert_eq!(
            (package.name.as_str(), package.purl.to_string().as_str()),
            ("Zope.Interface_x", "pkg:pypi/zope-interface-x@5.0")
        );
    }

    #[test]
    fn licences_in_order_of_precision() {
        let base = "Name: x\nVersion: 1\n";
        for (fields, expected) in [
            ("License: UNKNOWN\nLicense-Expression: MIT\n", Some("MIT")),
            ("License: BSD\nClassifier: License :: OSI Approved :: MIT License\n", Some("BSD")),
            (
                "License: UNKNOWN\nClassifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: MIT License\n",
                Some("MIT License"),
            ),
            ("License: Copyright\n  All rights\n", None),
            ("", None),
        ] {
            assert_eq!(one(&format!("{base}{fields}")).license.as_deref(), expected, "{fields}");
        }
    }

    #[test]
    fn nameless_and_versionless_metadata_reject() {
        assert_eq!(metadata(b"Version: 1\n").unwrap_err(), Malformed::Missing("Name").at(1));
        assert_eq!(metadata(b"Name: x\n\nVersion: 1\n").unwrap_err(), Malformed::Missing("Version").at(1));
        assert_eq!(metadata(b"").unwrap_err(), Malformed::Missing("Name").at(1));
        assert_eq!(
            metadata(b"Name: x\nName: y\nVersion: 1\n").unwrap_err(),
            Malformed::Repeated("Name".to_owned()).at(1)
        );
    }

    #[test]
    fn metadata_paths() {
        assert!(is_metadata("usr/lib/python3/dist-packages/six.egg-info"));
        assert!(is_metadata("a/flask-3.dist-info/METADATA"));
        assert!(!is_metadata("a/flask-3.dist-info/RECORD") && !is_metadata("a/METADATA"));
    }
}
