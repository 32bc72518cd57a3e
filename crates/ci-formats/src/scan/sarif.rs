//! SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), from any tool.
//!
//! Own lenient model: unknown properties are skipped, because tools put much into property bags. What decides is strict:
//! every run must have `results` (§3.14.23: absent means that the scan did not take place) and must not have failed.

use ci_types::Severity;
use serde::Deserialize;
use serde_json::Value;

use super::{
    FindingKind, ScanError, ScanFormat, ScanReport, ScanTarget, ScanTargetKind, VulnFinding, digest, parse, some,
};

mod rules;

use rules::{Configuration, Reference, Rules, Tool};

const FORMAT: &str = "sarif";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    version: Option<String>,
    runs: Option<Vec<Run>>,
    inline_external_properties: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    results: Option<Vec<Outcome>>,
    invocations: Option<Vec<Invocation>>,
    external_property_file_references: Option<serde_json::Map<String, Value>>,
    properties: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
    exit_code_description: Option<String>,
    rule_configuration_overrides: Option<Vec<Override>>,
}

#[derive(Deserialize)]
struct Override {
    descriptor: Reference,
    configuration: Configuration,
}

/// A `result` (§3.27).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<Reference>,
    kind: Option<String>,
    level: Option<String>,
    baseline_state: Option<String>,
    locations: Option<Vec<Location>>,
    suppressions: Option<Vec<Suppression>>,
    properties: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
    justification: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<PhysicalLocation>,
    logical_locations: Option<Vec<LogicalLocation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Option<ArtifactLocation>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct ArtifactLocation {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: Option<String>,
    fully_qualified_name: Option<String>,
}

/// Reads a SARIF log; several runs become one report.
///
/// # Errors
/// See [`ScanError`].
pub fn read(bytes: &[u8]) -> Result<ScanReport, ScanError> {
    let log: Log = parse(bytes, FORMAT)?;
    if log.version.as_deref() != Some("2.1.0") {
        return Err(ScanError::UnknownVersion {
            format: FORMAT,
            found: log.version.map_or_else(|| "missing".to_owned(), |version| version.chars().take(40).collect()),
            expected: "2.1.0",
        });
    }
    let section = |section: String| ScanError::NoSection { format: FORMAT, section };
    let runs = log.runs.filter(|runs| !runs.is_empty()).ok_or_else(|| section("runs".to_owned()))?;
    if log.inline_external_properties.is_some_and(|properties| !properties.is_empty()) {
        return Err(ScanError::External { format: FORMAT, section: "inlineExternalProperties".to_owned() });
    }
    let mut report = ScanReport {
        format: ScanFormat::Sarif,
        tool: String::new(),
        tool_version: None,
        target: ScanTarget::default(),
        db_built: None,
        findings: Vec::new(),
    };
    let (mut names, mut versions) = (Vec::new(), Vec::new());
    for (index, mut run) in runs.into_iter().enumerate() {
        check(index, &run)?;
        let results = run.results.take().ok_or_else(|| section(format!("runs[{index}].results")))?;
        let name = run.tool.driver.name.clone().and_then(|name| some(Some(name)));
        names.push(name.ok_or_else(|| section(format!("runs[{index}].tool.driver.name")))?);
        versions.extend(run.tool.driver.version().map(str::to_owned));
        target(&mut report.target, run.properties.as_ref())?;
        let rules = Rules::new(&run.tool);
        let overrides: Vec<_> = run
            .invocations
            .iter()
            .flatten()
            .flat_map(|run| run.rule_configuration_overrides.iter().flatten())
            .collect();
        report
            .findings
            .extend(results.iter().filter(|result| counts(result)).map(|result| finding(result, &rules, &overrides)));
    }
    names.dedup();
    versions.dedup();
    report.tool = names.join(" + ");
    report.tool_version = some(Some(versions.join(" + ")));
    Ok(report)
}

fn check(index: usize, run: &Run) -> Result<(), ScanError> {
    for (at, invocation) in run.invocations.iter().flatten().enumerate() {
        if invocation.execution_successful == Some(false) {
            let detail = invocation.exit_code_description.as_deref().unwrap_or("executionSuccessful is false");
            return Err(ScanError::ToolFailed {
                format: FORMAT,
                place: format!("runs[{index}].invocations[{at}]"),
                detail: detail.chars().take(200).collect(),
            });
        }
    }
    // Rules, results, invocations or policies that stand elsewhere would change what this document says.
    match &run.external_property_file_references {
        Some(elsewhere) if !elsewhere.is_empty() => {
            let keys: Vec<_> = elsewhere.keys().take(8).map(String::as_str).collect();
            Err(ScanError::External { format: FORMAT, section: format!("runs[{index}]: {}", keys.join(", ")) })
        }
        _ => Ok(()),
    }
}

/// A result counts unless it says that it is none: kind `pass`, `notApplicable` or `informational` (§3.27.9) without a level
/// that contradicts it, or gone since the baseline (§3.27.24).
fn counts(result: &Outcome) -> bool {
    let harmless = matches!(result.kind.as_deref(), Some("pass" | "notApplicable" | "informational"))
        && matches!(result.level.as_deref(), None | Some("none"));
    !harmless && result.baseline_state.as_deref() != Some("absent")
}

fn finding(result: &Outcome, rules: &Rules<'_>, overrides: &[&Override]) -> VulnFinding {
    let reference = Reference::view(result.rule.as_ref(), result.rule_id.as_deref(), result.rule_index);
    let rule = rules.find(&reference);
    let scores = [result.properties.as_ref(), rule.rule().and_then(|rule| rule.properties.as_ref())];
    let overridden = overrides.iter().filter(|other| {
        rule.rule().is_some() && rules.find(&Reference::view(Some(&other.descriptor), None, None)).same(rule)
    });
    let levels = result.level.as_deref().or_else(|| rule.rule().and_then(|rule| rule.level()));
    let by_level = overridden
        .filter(|_| result.level.is_none())
        .map(|other| level(other.configuration.level.as_deref()))
        .fold(level(levels), Severity::max);
    let scored = scores.into_iter().flatten().filter_map(|bag| bag.get("security-severity")).map(score).max();
    let severity = if rule.contradicts() { Severity::Unknown } else { scored.unwrap_or(by_level) };
    let text =
        |key: &str| result.properties.as_ref().and_then(|bag| bag.get(key)).and_then(Value::as_str).map(str::to_owned);
    let suppressed = result.suppressions.as_ref().is_some_and(|all| {
        // §3.27.23: suppressed unless one of them is under review or rejected.
        !all.is_empty() && all.iter().all(|one| matches!(one.status.as_deref(), None | Some("accepted")))
    });
    VulnFinding {
        kind: FindingKind::Rule,
        id: reference
            .id
            .map(str::to_owned)
            .or_else(|| rule.rule().and_then(|rule| rule.id.clone()))
            .unwrap_or_else(|| "(no rule id)".to_owned()),
        severity,
        package: text("packageName"),
        version: text("packageVersion"),
        purl: text("purl"),
        fixed_in: Vec::new(),
        location: result.locations.iter().flatten().find_map(place),
        suppressed,
        suppression: result
            .suppressions
            .iter()
            .flatten()
            .find_map(|one| suppressed.then(|| one.justification.clone().or_else(|| one.kind.clone())).flatten()),
    }
}

fn place(location: &Location) -> Option<String> {
    let physical = location.physical_location.as_ref();
    let file = physical.and_then(|place| place.artifact_location.as_ref()?.uri.clone());
    let line = physical.and_then(|place| place.region.as_ref()?.start_line);
    let logical = || {
        location
            .logical_locations
            .iter()
            .flatten()
            .find_map(|one| one.fully_qualified_name.clone().or_else(|| one.name.clone()))
    };
    match (file, line) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (Some(file), None) => Some(file),
        (None, _) => logical(),
    }
}

/// `level` (§3.27.10). The standard's default `warning` for an absent level is not taken: absent is unknown.
fn level(level: Option<&str>) -> Severity {
    match level {
        Some("error") => Severity::High,
        Some("warning") => Severity::Medium,
        Some("note") => Severity::Low,
        _ => Severity::Unknown,
    }
}

/// `security-severity`: a CVSS score as text or number, in the bands of CVSS v3.1 §5.
fn score(value: &Value) -> Severity {
    let score = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    match score {
        Some(score) if (9.0..=10.0).contains(&score) => Severity::Critical,
        Some(score) if (7.0..9.0).contains(&score) => Severity::High,
        Some(score) if (4.0..7.0).contains(&score) => Severity::Medium,
        Some(score) if (0.1..4.0).contains(&score) => Severity::Low,
        Some(score) if (0.0..0.1).contains(&score) => Severity::Info,
        _ => Severity::Unknown,
    }
}

/// Trivy writes the image into the run's property bag; the standard itself has no place for it.
fn target(target: &mut ScanTarget, properties: Option<&serde_json::Map<String, Value>>) -> Result<(), ScanError> {
    let Some(properties) = properties else { return Ok(()) };
    let text = |key: &str| properties.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| {
        let values = properties.get(key).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    if let Some(name) = some(text("imageName")) {
        target.kind = ScanTargetKind::Image;
        target.name.get_or_insert(name);
    }
    target.tags.extend(list("repoTags"));
    target.repo_digests.extend(list("repoDigests"));
    target.image_ids.extend(digest(FORMAT, "run.properties.imageID", text("imageID").as_deref())?);
    Ok(())
}
