//! Grype JSON (`grype -o json`), as versions 0.61 to 0.9x write it: the vulnerability database's state stands in
//! `descriptor.db` or, since database v6, in `descriptor.db.status`.

use ci_types::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{
    FindingKind, ScanError, ScanFormat, ScanReport, ScanTarget, ScanTargetKind, VulnFinding, digest, parse,
    severity_word, some,
};

const FORMAT: &str = "grype";

#[derive(Deserialize)]
struct Document {
    matches: Option<Vec<Match>>,
    #[serde(rename = "ignoredMatches")]
    ignored_matches: Option<Vec<Match>>,
    source: Option<Source>,
    descriptor: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Match {
    vulnerability: Vulnerability,
    artifact: Artifact,
    #[serde(rename = "appliedIgnoreRules")]
    applied_ignore_rules: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    severity: Option<String>,
    fix: Option<Fix>,
}

#[derive(Deserialize)]
struct Fix {
    versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: Option<String>,
    purl: Option<String>,
    locations: Option<Vec<Location>>,
}

#[derive(Deserialize)]
struct Location {
    path: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    target: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    user_input: Option<String>,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    manifest_digest: Option<String>,
    tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Descriptor {
    name: Option<String>,
    version: Option<String>,
    db: Option<Database>,
}

#[derive(Deserialize)]
struct Database {
    built: Option<String>,
    error: Option<Value>,
    status: Option<DatabaseStatus>,
}

#[derive(Deserialize)]
struct DatabaseStatus {
    built: Option<String>,
    valid: Option<bool>,
    error: Option<Value>,
}

/// Reads a Grype report.
///
/// # Errors
/// See [`ScanError`]; also where Grype says that its database was invalid.
pub fn read(bytes: &[u8]) -> Result<ScanReport, ScanError> {
    let document: Document = parse(bytes, FORMAT)?;
    let section = |section: &str| ScanError::NoSection { format: FORMAT, section: section.to_owned() };
    let matches = document.matches.ok_or_else(|| section("matches"))?;
    let descriptor = document.descriptor.ok_or_else(|| section("descriptor"))?;
    let tool = some(descriptor.name).ok_or_else(|| section("descriptor.name"))?;
    let db_built = descriptor.db.map(database).transpose()?.flatten();
    let ignored = document.ignored_matches.unwrap_or_default();
    let findings = matches
        .into_iter()
        .map(|found| (found, false))
        .chain(ignored.into_iter().map(|found| (found, true)))
        .enumerate()
        .map(|(index, (found, ignored))| finding(index, found, ignored))
        .collect::<Result<_, _>>()?;
    Ok(ScanReport {
        format: ScanFormat::Grype,
        tool,
        tool_version: some(descriptor.version),
        target: document.source.map(target).transpose()?.unwrap_or_default(),
        db_built,
        findings,
    })
}

fn finding(index: usize, found: Match, suppressed: bool) -> Result<VulnFinding, ScanError> {
    for (what, value) in [("vulnerability.id", &found.vulnerability.id), ("artifact.name", &found.artifact.name)] {
        if value.is_empty() {
            return Err(ScanError::BadValue {
                format: FORMAT,
                place: format!("match {index}, {what}"),
                value: String::new(),
                expected: "a name",
            });
        }
    }
    let rules = found.applied_ignore_rules.filter(|rules| suppressed && !rules.is_empty());
    Ok(VulnFinding {
        kind: FindingKind::Vulnerability,
        id: found.vulnerability.id,
        severity: severity_word(found.vulnerability.severity.as_deref()),
        package: Some(found.artifact.name),
        version: some(found.artifact.version),
        purl: some(found.artifact.purl),
        fixed_in: found.vulnerability.fix.and_then(|fix| fix.versions).unwrap_or_default(),
        location: found.artifact.locations.and_then(|places| places.into_iter().find_map(|place| some(place.path))),
        suppressed,
        suppression: rules.map(|rules| Value::Array(rules).to_string()),
    })
}

fn target(source: Source) -> Result<ScanTarget, ScanError> {
    let kind = match source.kind.as_deref() {
        Some("image") => ScanTargetKind::Image,
        Some("directory") => ScanTargetKind::Directory,
        Some("file") => ScanTargetKind::File,
        Some("sbom" | "sbom-file") => ScanTargetKind::Sbom,
        _ => ScanTargetKind::Unknown,
    };
    match (kind, source.target) {
        (ScanTargetKind::Image, Some(target @ Value::Object(_))) => {
            let image: Image =
                serde_json::from_value(target).map_err(|error| bad("source.target", &error.to_string(), "an image"))?;
            Ok(ScanTarget {
                kind,
                name: some(image.user_input),
                tags: image.tags.unwrap_or_default(),
                manifest_digests: digest(FORMAT, "source.target.manifestDigest", image.manifest_digest.as_deref())?
                    .into_iter()
                    .collect(),
                image_ids: digest(FORMAT, "source.target.imageID", image.image_id.as_deref())?.into_iter().collect(),
                repo_digests: image.repo_digests.unwrap_or_default(),
            })
        }
        (ScanTargetKind::Image, other) => {
            Err(bad("source.target", &other.unwrap_or(Value::Null).to_string(), "an image description"))
        }
        (_, Some(Value::String(name))) => Ok(ScanTarget { kind, name: some(Some(name)), ..ScanTarget::default() }),
        // Newer layouts describe directories and SBOM files by an object with a path or name.
        (_, Some(Value::Object(map))) => {
            let name = ["path", "userInput", "name"].iter().find_map(|key| map.get(*key)?.as_str());
            Ok(ScanTarget { kind, name: some(name.map(str::to_owned)), ..ScanTarget::default() })
        }
        (_, None | Some(Value::Null)) => Ok(ScanTarget { kind, ..ScanTarget::default() }),
        (_, Some(other)) => Err(bad("source.target", &other.to_string(), "a path or a description")),
    }
}

fn database(db: Database) -> Result<Option<Timestamp>, ScanError> {
    let (built, valid, error) = match db.status {
        Some(status) => (status.built, status.valid, status.error),
        None => (db.built, None, db.error),
    };
    // An empty object is how Go writes "no error" of some error types.
    let said = error
        .filter(|error| !matches!(error, Value::Null) && error.as_str() != Some("") && *error != serde_json::json!({}));
    if said.is_some() || valid == Some(false) {
        return Err(ScanError::ToolFailed {
            format: FORMAT,
            place: "descriptor.db".to_owned(),
            detail: said
                .map_or_else(|| "the vulnerability database is not valid".to_owned(), |said| cut(&said.to_string())),
        });
    }
    // Go's zero time: no database is loaded.
    let Some(built) = some(built).filter(|built| !built.starts_with("0001-01-01T")) else { return Ok(None) };
    let invalid = || bad("descriptor.db.built", &built, "an RFC 3339 time");
    let instant: jiff::Timestamp = built.parse().map_err(|_| invalid())?;
    Timestamp::from_unix_s(instant.as_second()).map(Some).map_err(|_| invalid())
}

fn bad(place: &str, value: &str, expected: &'static str) -> ScanError {
    ScanError::BadValue { format: FORMAT, place: place.to_owned(), value: cut(value), expected }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
