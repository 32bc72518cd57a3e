//! The parts of the sample that are foreign formats.

use std::collections::BTreeMap;

use ci_formats::package::Package;
use serde_json::json;

/// The configuration of the sample.
pub const CONFIG: &str = "\
version: 1
project:
  name: app
  repository: org/app
lane:
  issuer: https://token.actions.githubusercontent.com
  repository_id: '4711'
  workflow: org/app/.github/workflows/release.yml
  refs: [refs/heads/main]
build:
  engine: assemble
  context:
    include: ['src/**', Cargo.toml]
  assemble:
    base: scratch
    files:
      - { from: src/app, to: /app }
    entrypoint: [/app]
smoke:
  http:
    - { path: /healthz }
tests:
  command: [make, test, 'RESULTS={results}']
scan:
  commands:
    - { run: [scanner, '{sbom}', '{output}'], format: sarif }
";

/// SARIF with these `(rule, security-severity)` findings.
#[must_use]
pub fn sarif(findings: &[(&str, &str)]) -> Vec<u8> {
    let results: Vec<_> = findings
        .iter()
        .map(|(rule, severity)| {
            json!({
                "ruleId": rule, "level": "error", "message": { "text": format!("{rule} found") },
                "properties": { "security-severity": severity },
            })
        })
        .collect();
    serde_json::to_vec(&json!({
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "scanner", "version": "1.0" } }, "results": results }],
    }))
    .unwrap()
}

/// JUnit with these `(name, outcome element)` cases; an empty outcome passes.
#[must_use]
pub fn junit(cases: &[(&str, &str)]) -> Vec<u8> {
    let body: String = cases
        .iter()
        .map(|(name, inner)| format!("<testcase name=\"{name}\" time=\"0.1\">{inner}</testcase>"))
        .collect();
    format!("<testsuites><testsuite name=\"app\">{body}</testsuite></testsuites>").into_bytes()
}

/// A package of the sample.
#[must_use]
pub fn package(name: &str, version: &str) -> Package {
    Package {
        ecosystem: "cargo".to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:cargo/{name}@{version}"),
        license: Some("Apache-2.0".to_owned()),
        found_in: vec!["usr/share/app/Cargo.lock".to_owned()],
        hashes: BTreeMap::new(),
    }
}
