//! CycloneDX JSON (ECMA-424): writes 1.6, reads 1.2 to 1.6.

use std::collections::{BTreeMap, BTreeSet};

use ci_types::{Digest, canonical, strict_json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Component, Contents, HASH_NAMES, MAX_BYTES, MAX_COMPONENTS, SbomError, WriteError};
use super::{canonical_purl, hash_value, image_purl, subject_digests};
use crate::license::expression;
use crate::package::Package;

/// Property that carries what the cataloguer could not tell.
const PROBLEM: &str = "ci-intel:problem";
const SPEC_VERSIONS: [&str; 5] = ["1.2", "1.3", "1.4", "1.5", "1.6"];

/// Writes a CycloneDX 1.6 document about the image, as RFC 8785 canonical JSON.
///
/// # Errors
/// When the image's name makes no package URL.
pub fn write(contents: &Contents<'_>) -> Result<Vec<u8>, WriteError> {
    let subject = contents.subject;
    let image = image_purl(subject).map_err(|error| WriteError::Subject { name: subject.name.clone(), error })?;
    let image = image.to_string();
    let release = contents.catalogue.release.as_ref().map(|release| {
        json!({
            "type": "operating-system",
            "bom-ref": format!("os:{}", release.distro()),
            "name": release.id,
            "version": release.version.as_deref().unwrap_or("rolling"),
            "description": release.name,
        })
    });
    let components: Vec<Value> = release.into_iter().chain(contents.catalogue.packages.iter().map(component)).collect();
    let references: Vec<&Value> = components.iter().filter_map(|component| component.get("bom-ref")).collect();
    let problem = |problem: &crate::catalogue::Problem| json!({ "name": PROBLEM, "value": problem.to_string() });
    let problems: Vec<Value> = contents.catalogue.problems.iter().map(problem).collect();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(&subject.digest),
        "version": 1,
        "metadata": {
            "timestamp": contents.created_at.to_string(),
            "tools": { "components": [{ "type": "application", "name": "ci-intel", "version": contents.tool_version }] },
            "component": {
                "type": "container",
                "bom-ref": image,
                "name": subject.name,
                "version": subject.digest.to_string(),
                "purl": image,
                "hashes": [{ "alg": "SHA-256", "content": subject.digest.hex() }],
            },
            "properties": problems,
        },
        "dependencies": [{ "ref": image, "dependsOn": references }],
        "components": components,
    });
    canonical::to_vec(&document).map_err(|error| WriteError::Json(error.to_string()))
}

fn component(package: &Package) -> Value {
    let mut out = json!({
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "purl": package.purl,
        "evidence": { "occurrences": package.found_in.iter().map(|path| json!({ "location": path })).collect::<Vec<_>>() },
    });
    // CycloneDX: the version is optional; an empty one would be a version.
    if !package.version.is_empty() {
        out["version"] = json!(package.version);
    }
    if let Some(license) = &package.license {
        out["licenses"] = match expression(license) {
            Some(expression) => json!([{ "expression": expression, "acknowledgement": "declared" }]),
            None => json!([{ "license": { "name": license, "acknowledgement": "declared" } }]),
        };
    }
    if !package.hashes.is_empty() {
        let hash = |(algorithm, value): (&String, &String)| json!({ "alg": algorithm, "content": value });
        out["hashes"] = package.hashes.iter().map(hash).collect();
    }
    out
}

/// A UUID of version 8 (RFC 9562, 5.8: own construction) from the image digest: one image, one serial number.
fn serial_number(image: &Digest) -> String {
    let seed = Digest::of(format!("ci-intel cyclonedx {image}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&seed.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = ci_types::digest::hex(&bytes);
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What gates need of a CycloneDX document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cyclonedx {
    /// `1.2` to `1.6`.
    pub spec_version: String,
    /// `urn:uuid:…`, where given.
    pub serial_number: Option<String>,
    /// Every digest that the document gives for what it is about. A gate demands exactly the artifact's; empty means that
    /// the document is bound to nothing.
    pub subjects: BTreeSet<Digest>,
    /// All components, nested ones too, in the document's order. May be empty: whether that is acceptable is the gate's.
    pub components: Vec<Component>,
    /// What the cataloguer could not tell (documents of ci-intel only).
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    bom_format: Option<String>,
    spec_version: Option<String>,
    serial_number: Option<String>,
    metadata: Option<RawMetadata>,
    components: Option<Vec<RawComponent>>,
}

#[derive(Deserialize)]
struct RawMetadata {
    component: Option<RawComponent>,
    #[serde(default)]
    properties: Vec<RawProperty>,
}

#[derive(Deserialize)]
struct RawProperty {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct RawComponent {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    group: Option<String>,
    name: Option<String>,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    hashes: Vec<RawHash>,
    #[serde(default)]
    licenses: Vec<RawLicense>,
    #[serde(default)]
    components: Vec<RawComponent>,
}

#[derive(Deserialize)]
struct RawHash {
    alg: String,
    content: String,
}

#[derive(Deserialize)]
struct RawLicense {
    expression: Option<String>,
    license: Option<RawLicenseChoice>,
}

#[derive(Deserialize)]
struct RawLicenseChoice {
    id: Option<String>,
    name: Option<String>,
}

/// Reads a CycloneDX JSON document of any tool.
///
/// # Errors
/// See [`SbomError`].
pub fn read(bytes: &[u8]) -> Result<Cyclonedx, SbomError> {
    if bytes.len() > MAX_BYTES {
        return Err(SbomError::TooLarge { bytes: bytes.len() });
    }
    let raw: Raw = strict_json::from_slice(bytes)?;
    let format = raw.bom_format.unwrap_or_default();
    if format != "CycloneDX" {
        return Err(SbomError::Format { place: "bomFormat", found: format, expected: "CycloneDX" });
    }
    let spec_version = raw.spec_version.unwrap_or_default();
    if !SPEC_VERSIONS.contains(&spec_version.as_str()) {
        return Err(SbomError::Format { place: "specVersion", found: spec_version, expected: "1.2 to 1.6" });
    }
    let mut reader = Reader::default();
    let mut subjects = BTreeSet::new();
    let mut problems = Vec::new();
    if let Some(metadata) = raw.metadata {
        if let Some(mut about) = metadata.component {
            let nested = std::mem::take(&mut about.components);
            subjects = subject_digests(&reader.component("metadata.component", about)?)?;
            reader.components("metadata.component.components", nested)?;
        }
        let is_problem = |property: &RawProperty| property.name.as_deref() == Some(PROBLEM);
        problems.extend(metadata.properties.into_iter().filter(is_problem).filter_map(|property| property.value));
    }
    reader.components("components", raw.components.ok_or_else(|| SbomError::missing("components"))?)?;
    Ok(Cyclonedx { spec_version, serial_number: raw.serial_number, subjects, components: reader.out, problems })
}

#[derive(Default)]
struct Reader {
    out: Vec<Component>,
    references: BTreeSet<String>,
}

impl Reader {
    fn components(&mut self, place: &str, raw: Vec<RawComponent>) -> Result<(), SbomError> {
        for (index, mut component) in raw.into_iter().enumerate() {
            if self.out.len() == MAX_COMPONENTS {
                return Err(SbomError::TooMany);
            }
            let place = format!("{place}[{index}]");
            let nested = std::mem::take(&mut component.components);
            let component = self.component(&place, component)?;
            self.out.push(component);
            if !nested.is_empty() {
                self.components(&format!("{place}.components"), nested)?;
            }
        }
        Ok(())
    }

    fn component(&mut self, place: &str, raw: RawComponent) -> Result<Component, SbomError> {
        let missing = |key: &str| SbomError::missing(format!("{place}.{key}"));
        if let Some(reference) = raw.reference {
            if self.references.contains(&reference) {
                return Err(SbomError::RepeatedReference(reference));
            }
            self.references.insert(reference);
        }
        let name = raw.name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        let mut hashes = BTreeMap::new();
        for hash in raw.hashes {
            let value = hash_value(&format!("{place}.hashes"), &hash.content)?;
            // Algorithms that are not known bind nothing, but say nothing wrong either.
            let known = HASH_NAMES.iter().any(|(cyclonedx, _)| *cyclonedx == hash.alg);
            if known && hashes.insert(hash.alg.clone(), value).is_some() {
                return Err(SbomError::value(&format!("{place}.hashes"), &format!("{} twice", hash.alg)));
            }
        }
        Ok(Component {
            kind: raw.kind.filter(|kind| !kind.is_empty()).ok_or_else(|| missing("type"))?,
            name: match raw.group.filter(|group| !group.is_empty()) {
                Some(group) => format!("{group}/{name}"),
                None => name,
            },
            version: raw.version.filter(|version| !version.is_empty()),
            purl: raw.purl.map(|purl| canonical_purl(&format!("{place}.purl"), &purl)).transpose()?,
            license: license(raw.licenses),
            hashes,
        })
    }
}

/// All licences of a component together; CycloneDX does not say how several relate, so they all count.
fn license(raw: Vec<RawLicense>) -> Option<String> {
    let text = |one: RawLicense| one.expression.or_else(|| one.license.and_then(|license| license.id.or(license.name)));
    let texts: Vec<String> = raw.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect();
    match &texts[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let group = |text: &String| if text.contains(" OR ") { format!("({text})") } else { text.clone() };
            Some(several.iter().map(group).collect::<Vec<_>>().join(" AND "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn bom(rest: &str) -> String {
        format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5"{rest}}}"#)
    }

    fn error(text: &str) -> SbomError {
        read(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn other_formats_reject() {
        let format = |place, found: &str, expected| SbomError::Format { place, found: found.to_owned(), expected };
        let one = r#"{"specVersion":"1.6","components":[]}"#;
        assert_eq!(error(one), format("bomFormat", "", "CycloneDX"));
        let one = r#"{"bomFormat":"CycloneDX","components":[]}"#;
        assert_eq!(error(one), format("specVersion", "", "1.2 to 1.6"));
        for version in ["1.1", "1.7", "2.0"] {
            let one = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"{version}","components":[]}}"#);
            assert_eq!(error(&one), format("specVersion", version, "1.2 to 1.6"));
        }
    }

    #[test]
    fn missing_parts_reject_with_their_place() {
        assert_eq!(error(&bom("")), SbomError::missing("components"));
        assert_eq!(error(&bom(r#","components":null"#)), SbomError::missing("components"));
        let nameless = r#","components":[{"type":"library","name":"a"},{"type":"library"}]"#;
        assert_eq!(error(&bom(nameless)), SbomError::missing("components[1].name"));
        let untyped = r#","components":[{"type":"library","name":"a","components":[{"name":"b"}]}]"#;
        assert_eq!(error(&bom(untyped)), SbomError::missing("components[0].components[0].type"));
    }

    #[test]
    fn second_meanings_reject() {
        assert!(matches!(error(&bom(r#","components":[],"components":[{}]"#)), SbomError::Json(_)));
        let twice = r#","components":[{"type":"library","name":"a","bom-ref":"x"},{"type":"library","name":"b","bom-ref":"x"}]"#;
        assert_eq!(error(&bom(twice)), SbomError::RepeatedReference("x".to_owned()));
        let hashes = r#","components":[{"type":"library","name":"a","hashes":[{"alg":"MD5","content":"aa"},{"alg":"MD5","content":"bb"}]}]"#;
        assert_eq!(error(&bom(hashes)), SbomError::value("components[0].hashes", "MD5 twice"));
        let purl = r#","components":[{"type":"library","name":"a","purl":"pkg:npm"}]"#;
        assert!(matches!(error(&bom(purl)), SbomError::Purl { .. }));
    }

    #[test]
    fn nested_components_count() {
        let text = bom(
            r#","metadata":{"component":{"type":"container","name":"i","components":[{"type":"library","name":"hidden"}]}},
            "components":[{"type":"framework","group":"@g","name":"a","components":[{"type":"library","name":"b"}]}]"#,
        );
        let names: Vec<String> = read(text.as_bytes()).unwrap().components.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["hidden", "@g/a", "b"]);
    }

    #[test]
    fn every_digest_of_the_subject_counts() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let text = bom(&format!(
            r#","metadata":{{"component":{{"type":"container","name":"i","version":"{one}","purl":"pkg:oci/i@{two}"}}}},"components":[]"#
        ));
        assert_eq!(read(text.as_bytes()).unwrap().subjects, BTreeSet::from([one, two]));
        let short =
            bom(r#","metadata":{"component":{"type":"container","name":"i","version":"sha256:12"}},"components":[]"#);
        assert_eq!(error(&short), SbomError::value("subject version", "sha256:12"));
    }

    #[test]
    fn several_licences_all_count() {
        let text = bom(
            r#","components":[{"type":"library","name":"a","licenses":[{"license":{"id":"MIT"}},{"expression":"ISC OR Zlib"},{"license":{"name":"own"}}]}]"#,
        );
        assert_eq!(
            read(text.as_bytes()).unwrap().components[0].license.as_deref(),
            Some("MIT AND (ISC OR Zlib) AND own")
        );
    }
}
