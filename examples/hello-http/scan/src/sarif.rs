//! SARIF 2.1.0 (OASIS): one run, one rule an advisory, one result a finding.

use serde_json::{Value, json};

use crate::osv::Finding;

/// The report. A finding without a score carries no `security-severity`, so that readers count it as unknown.
pub fn report(findings: &[Finding], packages: usize, advisories: usize) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    let mut results = Vec::new();
    for finding in findings {
        let id = &finding.advisory.id;
        let index = rules.iter().position(|rule| rule["id"] == id.as_str()).unwrap_or_else(|| {
            let mut rule = json!({ "id": id, "shortDescription": { "text": finding.advisory.summary } });
            if let Some(score) = finding.advisory.score {
                rule["properties"] = json!({ "security-severity": format!("{score:.1}") });
            }
            rules.push(rule);
            rules.len() - 1
        });
        let package = finding.package;
        results.push(json!({
            "ruleId": id,
            "ruleIndex": index,
            "level": "error",
            "message": { "text": format!("{} {}: {}", package.name, package.version, finding.advisory.summary) },
            "locations": [{ "logicalLocations": [{ "name": package.name, "fullyQualifiedName": package.purl }] }],
            "properties": { "package": package.name, "version": package.version, "purl": package.purl },
        }));
    }
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "scan", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "invocations": [{ "executionSuccessful": true }],
            "properties": { "packages": packages, "advisories": advisories },
            "results": results,
        }],
    })
}
