//! SPDX 2.3 JSON: writes 2.3, reads 2.2 and 2.3.

use std::collections::{BTreeMap, BTreeSet};

use ci_types::{Digest, Subject, Timestamp, canonical, strict_json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Component, Contents, Cyclonedx, HASH_NAMES, MAX_BYTES, MAX_COMPONENTS, SbomError, WriteError};
use super::{canonical_purl, hash_value, image_purl, subject_digests};
use crate::license::{expression, license_refs};

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
const NO_ASSERTION: &str = "NOASSERTION";
const SPEC_VERSIONS: [&str; 2] = ["SPDX-2.2", "SPDX-2.3"];

/// Component types of CycloneDX and package purposes of SPDX (2.3, 7.24). Others are `library` and `OTHER`.
const PURPOSES: &[(&str, &str)] = &[
    ("application", "APPLICATION"),
    ("container", "CONTAINER"),
    ("device", "DEVICE"),
    ("file", "FILE"),
    ("firmware", "FIRMWARE"),
    ("framework", "FRAMEWORK"),
    ("library", "LIBRARY"),
    ("operating-system", "OPERATING_SYSTEM"),
];

/// Writes an SPDX 2.3 document about the image, as RFC 8785 canonical JSON.
///
/// # Errors
/// When the image's name makes no package URL.
pub fn write(contents: &Contents<'_>) -> Result<Vec<u8>, WriteError> {
    let release = contents.catalogue.release.as_ref().map(|release| {
        let component = Component {
            kind: "operating-system".to_owned(),
            name: release.id.clone(),
            version: Some(release.version.clone().unwrap_or_else(|| "rolling".to_owned())),
            purl: None,
            license: None,
            hashes: BTreeMap::new(),
        };
        (component, Vec::new())
    });
    let packages = contents.catalogue.packages.iter().map(|package| {
        let component = Component {
            kind: "library".to_owned(),
            name: package.name.clone(),
            version: (!package.version.is_empty()).then(|| package.version.clone()),
            purl: Some(package.purl.clone()),
            license: package.license.clone(),
            hashes: package.hashes.clone(),
        };
        (component, package.found_in.clone())
    });
    document(contents.subject, contents.created_at, contents.tool_version, release.into_iter().chain(packages))
}

/// Writes the components of a CycloneDX document as SPDX 2.3, about `subject`.
///
/// # Errors
/// When the document is about another artifact, or the image's name makes no package URL.
pub fn convert(
    source: &Cyclonedx,
    subject: &Subject,
    created_at: Timestamp,
    tool_version: &str,
) -> Result<Vec<u8>, WriteError> {
    let foreign = source.subjects.iter().any(|digest| *digest != subject.digest);
    if foreign {
        let wrong = SbomError::WrongSubject { found: source.subjects.clone(), expected: subject.digest };
        return Err(WriteError::Source(wrong));
    }
    document(
        subject,
        created_at,
        tool_version,
        source.components.iter().map(|component| (component.clone(), Vec::new())),
    )
}

fn document(
    subject: &Subject,
    created_at: Timestamp,
    tool_version: &str,
    components: impl Iterator<Item = (Component, Vec<String>)>,
) -> Result<Vec<u8>, WriteError> {
    let purl = image_purl(subject).map_err(|error| WriteError::Subject { name: subject.name.clone(), error })?;
    let image = json!({
        "SPDXID": IMAGE,
        "name": subject.name,
        "versionInfo": subject.digest.to_string(),
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": false,
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
        "supplier": NO_ASSERTION,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": subject.digest.hex() }],
        "externalRefs": [purl_reference(&purl.to_string())],
    });
    // One entry an identity: SPDX identifiers are made from it.
    let components: BTreeMap<String, _> = components.map(|(one, paths)| (one.identity(), (one, paths))).collect();
    let mut packages = vec![image];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    let mut references = BTreeSet::new();
    for (identity, (component, paths)) in &components {
        let id = spdx_id(identity, component);
        relationships.push(relationship(IMAGE, "CONTAINS", &id));
        packages.push(package(&id, component, paths, &mut references));
    }
    let text =
        "Named by the package; not on the SPDX list. The text is not recorded here: see the package's own files.";
    let extracted = |id: &String| json!({ "licenseId": id, "name": id, "extractedText": text });
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": subject.name,
        "documentNamespace": format!("https://ci-intel.dev/spdx/sha256-{}", subject.digest.hex()),
        "creationInfo": {
            "created": created_at.to_string(),
            "creators": [format!("Tool: ci-intel-{tool_version}")],
        },
        "packages": packages,
        "relationships": relationships,
    });
    if !references.is_empty() {
        document["hasExtractedLicensingInfos"] = references.iter().map(extracted).collect();
    }
    canonical::to_vec(&document).map_err(|error| WriteError::Json(error.to_string()))
}

fn package(id: &str, component: &Component, paths: &[String], references: &mut BTreeSet<String>) -> Value {
    let purpose = PURPOSES.iter().find(|(kind, _)| *kind == component.kind).map_or("OTHER", |(_, purpose)| purpose);
    let mut out = json!({
        "SPDXID": id,
        "name": component.name,
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": false,
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
        "supplier": NO_ASSERTION,
        "primaryPackagePurpose": purpose,
    });
    if let Some(version) = &component.version {
        out["versionInfo"] = json!(version);
    }
    if let Some(purl) = &component.purl {
        out["externalRefs"] = json!([purl_reference(purl)]);
    }
    if let Some(license) = &component.license {
        let declared = expression(license).and_then(|text| license_refs(&text).map(|refs| (text, refs)));
        match declared {
            Some((text, refs)) => {
                out["licenseDeclared"] = json!(text);
                references.extend(refs);
            }
            None => out["licenseComments"] = json!(format!("Declared as: {license}")),
        }
    }
    let spdx_name = |name: &String| HASH_NAMES.iter().find(|(cyclonedx, _)| cyclonedx == name).map(|(_, spdx)| *spdx);
    let checksum = |(name, value)| spdx_name(name).map(|name| json!({ "algorithm": name, "checksumValue": value }));
    let checksums: Vec<Value> = component.hashes.iter().filter_map(checksum).collect();
    if !checksums.is_empty() {
        out["checksums"] = json!(checksums);
    }
    if !paths.is_empty() {
        out["sourceInfo"] = json!(format!("found in {}", paths.join(", ")));
    }
    out
}

fn purl_reference(purl: &str) -> Value {
    json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl })
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// SPDX 2.3, 7.2: letters, digits, `.` and `-`. The digest keeps apart what looks the same after that.
fn spdx_id(identity: &str, component: &Component) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    let name: String = component.name.chars().take(64).map(safe).collect();
    let digest = Digest::of(identity.as_bytes()).hex();
    format!("SPDXRef-Package-{name}-{}", &digest[..16])
}

/// What gates need of an SPDX document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spdx {
    /// `SPDX-2.2` or `SPDX-2.3`.
    pub spec_version: String,
    /// `documentNamespace`.
    pub namespace: String,
    /// Every digest that the document gives for what it describes. A gate demands exactly the artifact's.
    pub subjects: BTreeSet<Digest>,
    /// All packages but those that the document describes, in the document's order.
    pub components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    spdx_version: Option<String>,
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    document_namespace: Option<String>,
    packages: Option<Vec<RawPackage>>,
    #[serde(default)]
    files: Vec<RawFile>,
    #[serde(default)]
    relationships: Vec<RawRelationship>,
    #[serde(default)]
    document_describes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPackage {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    name: Option<String>,
    version_info: Option<String>,
    license_declared: Option<String>,
    primary_package_purpose: Option<String>,
    #[serde(default)]
    checksums: Vec<RawChecksum>,
    #[serde(default)]
    external_refs: Vec<RawReference>,
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChecksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRelationship {
    spdx_element_id: String,
    relationship_type: String,
    related_spdx_element: String,
}

/// Reads an SPDX JSON document of any tool.
///
/// # Errors
/// See [`SbomError`].
pub fn read(bytes: &[u8]) -> Result<Spdx, SbomError> {
    if bytes.len() > MAX_BYTES {
        return Err(SbomError::TooLarge { bytes: bytes.len() });
    }
    let raw: Raw = strict_json::from_slice(bytes)?;
    let spec_version = raw.spdx_version.unwrap_or_default();
    if !SPEC_VERSIONS.contains(&spec_version.as_str()) {
        return Err(SbomError::Format { place: "spdxVersion", found: spec_version, expected: "SPDX-2.2 or SPDX-2.3" });
    }
    let id = raw.id.unwrap_or_default();
    if id != DOCUMENT {
        return Err(SbomError::Format { place: "SPDXID", found: id, expected: DOCUMENT });
    }
    let namespace = raw.document_namespace.filter(|namespace| !namespace.is_empty());
    let namespace = namespace.ok_or_else(|| SbomError::missing("documentNamespace"))?;
    let raw_packages = raw.packages.ok_or_else(|| SbomError::missing("packages"))?;
    if raw_packages.len() > MAX_COMPONENTS {
        return Err(SbomError::TooMany);
    }
    let described = described(raw.document_describes, raw.relationships);
    if described.is_empty() {
        return Err(SbomError::missing("relationships: DESCRIBES"));
    }
    let mut ids = BTreeSet::from([id]);
    let (mut subjects, mut components) = (BTreeSet::new(), Vec::new());
    for (index, raw) in raw_packages.into_iter().enumerate() {
        let place = format!("packages[{index}]");
        let id = raw.id.clone().ok_or_else(|| SbomError::missing(format!("{place}.SPDXID")))?;
        let component = component(&place, raw)?;
        if described.contains(&id) {
            subjects.extend(subject_digests(&component)?);
        } else {
            components.push(component);
        }
        if !ids.insert(id.clone()) {
            return Err(SbomError::RepeatedReference(id));
        }
    }
    for file in raw.files {
        let id = file.id.ok_or_else(|| SbomError::missing("files: SPDXID"))?;
        if !ids.insert(id.clone()) {
            return Err(SbomError::RepeatedReference(id));
        }
    }
    if let Some(unknown) = described.difference(&ids).next() {
        return Err(SbomError::UnknownReference(unknown.clone()));
    }
    Ok(Spdx { spec_version, namespace, subjects, components })
}

/// What the document says it is about, in each of the three ways that SPDX 2 has (2.3, 11.1).
fn described(mut describes: Vec<String>, relationships: Vec<RawRelationship>) -> BTreeSet<String> {
    for relationship in relationships {
        let (from, to) = (relationship.spdx_element_id, relationship.related_spdx_element);
        match relationship.relationship_type.as_str() {
            "DESCRIBES" if from == DOCUMENT => describes.push(to),
            "DESCRIBED_BY" if to == DOCUMENT => describes.push(from),
            _ => {}
        }
    }
    describes.into_iter().collect()
}

fn component(place: &str, raw: RawPackage) -> Result<Component, SbomError> {
    let mut hashes = BTreeMap::new();
    for checksum in raw.checksums {
        let place = format!("{place}.checksums");
        let value = hash_value(&place, &checksum.checksum_value)?;
        let known = HASH_NAMES.iter().find(|(_, spdx)| *spdx == checksum.algorithm);
        if known.is_some_and(|(name, _)| hashes.insert((*name).to_owned(), value).is_some()) {
            return Err(SbomError::value(&place, &format!("{} twice", checksum.algorithm)));
        }
    }
    let is_purl = |reference: &&RawReference| reference.reference_type == "purl";
    let mut purls = raw.external_refs.iter().filter(is_purl).map(|reference| &reference.reference_locator);
    let purl = purls.next();
    if let Some(second) = purls.next() {
        return Err(SbomError::value(&format!("{place}.externalRefs: second purl"), second));
    }
    let asserted = |text: &String| !text.is_empty() && text != NO_ASSERTION && text != "NONE";
    // The specification writes it with a hyphen, its JSON schema with an underscore.
    let purpose = raw.primary_package_purpose.unwrap_or_default().replace('-', "_");
    let kind = PURPOSES.iter().find(|(_, spdx)| *spdx == purpose).map_or("library", |(kind, _)| kind);
    let name = raw.name.filter(|name| !name.is_empty());
    Ok(Component {
        kind: kind.to_owned(),
        name: name.ok_or_else(|| SbomError::missing(format!("{place}.name")))?,
        version: raw.version_info.filter(asserted),
        purl: purl.map(|purl| canonical_purl(&format!("{place}.externalRefs"), purl)).transpose()?,
        license: raw.license_declared.filter(asserted),
        hashes,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn document(packages: &str, describes: &str) -> String {
        format!(
            r#"{{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","documentNamespace":"https://x/1","packages":[{packages}],
            "relationships":[{{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"{describes}"}}]}}"#
        )
    }

    const IMAGE: &str = r#"{"SPDXID":"SPDXRef-Image","name":"app","checksums":[{"algorithm":"SHA256","checksumValue":"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"}]}"#;

    fn error(text: &str) -> SbomError {
        read(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn the_described_package_is_the_subject() {
        let package = r#"{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1","licenseDeclared":"NOASSERTION",
            "externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/A@1"}]}"#;
        let spdx = read(document(&format!("{IMAGE},{package}"), "SPDXRef-Image").as_bytes()).unwrap();
        assert_eq!(spdx.subjects, BTreeSet::from([Digest::of(b"abc")]));
        let [component] = &spdx.components[..] else { panic!("{:?}", spdx.components) };
        assert_eq!((component.purl.as_deref(), component.license.as_deref()), (Some("pkg:npm/a@1"), None));
    }

    #[test]
    fn broken_documents_reject() {
        let good = document(IMAGE, "SPDXRef-Image");
        for (from, to, expected) in [
            (
                "SPDX-2.3",
                "SPDX-3.0",
                SbomError::Format {
                    place: "spdxVersion",
                    found: "SPDX-3.0".to_owned(),
                    expected: "SPDX-2.2 or SPDX-2.3",
                },
            ),
            (
                "\"SPDXID\":\"SPDXRef-DOCUMENT\",",
                "",
                SbomError::Format { place: "SPDXID", found: String::new(), expected: DOCUMENT },
            ),
            ("https://x/1", "", SbomError::missing("documentNamespace")),
            ("\"packages\"", "\"packs\"", SbomError::missing("packages")),
            ("\"DESCRIBES\"", "\"CONTAINS\"", SbomError::missing("relationships: DESCRIBES")),
            (
                "\"relatedSpdxElement\":\"SPDXRef-Image\"",
                "\"relatedSpdxElement\":\"SPDXRef-Other\"",
                SbomError::UnknownReference("SPDXRef-Other".to_owned()),
            ),
            ("\"name\":\"app\",", "", SbomError::missing("packages[0].name")),
            (
                "\"BA78",
                "\"XX78",
                SbomError::value(
                    "packages[0].checksums",
                    "XX7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
                ),
            ),
            (
                "\"BA78",
                "\"78",
                SbomError::value("subject hash", "7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ),
        ] {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            assert_eq!(error(&text), expected, "{text}");
        }
        assert_eq!(
            error(&document(&format!("{IMAGE},{IMAGE}"), "SPDXRef-Image")),
            SbomError::RepeatedReference("SPDXRef-Image".to_owned())
        );
    }

    #[test]
    fn a_second_purl_rejects() {
        let package = r#"{"SPDXID":"SPDXRef-a","name":"a","externalRefs":[
            {"referenceType":"purl","referenceLocator":"pkg:npm/a@1"},{"referenceType":"purl","referenceLocator":"pkg:npm/b@1"}]}"#;
        let text = document(&format!("{IMAGE},{package}"), "SPDXRef-Image");
        assert_eq!(error(&text), SbomError::value("packages[1].externalRefs: second purl", "pkg:npm/b@1"));
    }
}
