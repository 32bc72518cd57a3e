#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
//! Own documents in each tool's shape, real Grype reports where the corpus is at hand, then what must be refused.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const MANIFEST: &str = "sha256:86abe662dfa3746038eea6b0db91092b0767d78b8b8938a343d614cd1579adc2";
const CONFIG: &str = "sha256:2f88265cfbc43ca35cd327347a9f59375b9f29ef998b8a54a882e31111266640";

fn read_json(document: &Value) -> Result<ScanReport, ScanError> {
    read(document.to_string().as_bytes())
}

fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).expect(pointer);
    document
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    document
}

/// The shape of Grype 0.9x: database v6, `descriptor.db.status`.
fn grype_doc() -> Value {
    json!({
        "matches": [{
            "vulnerability": {"id": "CVE-2024-0001", "severity": "Critical", "risk": 7.1, "fix": {"versions": ["1.2.4"], "state": "fixed"}},
            "relatedVulnerabilities": [], "matchDetails": [],
            "artifact": {"name": "libfoo", "version": "1.2.3", "type": "deb", "purl": "pkg:deb/debian/libfoo@1.2.3",
                "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:00"}]}
        }],
        "ignoredMatches": [{
            "vulnerability": {"id": "CVE-2024-0002", "severity": "High"},
            "artifact": {"name": "libbar", "version": "2"},
            "appliedIgnoreRules": [{"vulnerability": "CVE-2024-0002", "reason": "not reachable"}]
        }],
        "source": {"type": "image", "target": {"userInput": "app:v1", "imageID": CONFIG, "manifestDigest": MANIFEST,
            "tags": ["app:v1"], "repoDigests": [format!("registry.example/app@{MANIFEST}")]}},
        "distro": {"name": "debian"},
        "descriptor": {"name": "grype", "version": "0.92.0", "timestamp": "2026-11-20T00:00:00Z",
            "db": {"status": {"schemaVersion": "v6.0.2", "built": "2026-11-19T06:01:02.5Z", "valid": true}, "providers": {}}}
    })
}

fn trivy_doc() -> Value {
    json!({
        "SchemaVersion": 2, "Trivy": {"Version": "0.67.2"}, "CreatedAt": "2026-11-20T00:00:00.5Z",
        "ArtifactName": "app:v1", "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12.5"}, "ImageID": CONFIG, "RepoTags": ["app:v1"],
            "RepoDigests": [format!("registry.example/app@{MANIFEST}")]},
        "Results": [
            {"Target": "app:v1 (debian 12.5)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2024-0001", "PkgName": "libfoo", "InstalledVersion": "1.2.3", "FixedVersion": "1.2.4, 1.3.0",
                 "PkgIdentifier": {"PURL": "pkg:deb/debian/libfoo@1.2.3"}, "Severity": "HIGH"},
                {"VulnerabilityID": "CVE-2024-0003", "PkgName": "libfoo", "InstalledVersion": "1.2.3"}
            ], "ExperimentalModifiedFindings": [
                {"Type": "vulnerability", "Status": "not_affected", "Statement": "vulnerable_code_not_present", "Source": "vex.json",
                 "Finding": {"VulnerabilityID": "CVE-2024-0002", "PkgName": "libbar", "InstalledVersion": "2", "Severity": "CRITICAL"}}
            ]},
            {"Target": "srv/key.pem", "Class": "secret", "Secrets": [{"RuleID": "private-key", "Severity": "HIGH", "StartLine": 1}]},
            {"Target": "Dockerfile", "Class": "config", "Misconfigurations": [
                {"ID": "DS002", "Severity": "HIGH", "Status": "FAIL"}, {"ID": "DS001", "Severity": "LOW", "Status": "PASS"}]}
        ]
    })
}

fn sarif_doc() -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {"name": "CodeQL", "semanticVersion": "2.19.0", "rules": [
                    {"id": "py/sql-injection", "properties": {"security-severity": "8.8"}, "defaultConfiguration": {"level": "error"}},
                    {"id": "py/style", "defaultConfiguration": {"level": "note"}}
                ]},
                "extensions": [{"name": "pack", "rules": [{"id": "ext/rule", "defaultConfiguration": {"level": "warning"}}]}]
            },
            "invocations": [{"executionSuccessful": true}],
            "results": [
                {"ruleId": "py/sql-injection", "ruleIndex": 0, "message": {"text": "m"},
                 "locations": [{"physicalLocation": {"artifactLocation": {"uri": "app.py"}, "region": {"startLine": 7}}}]},
                {"ruleId": "py/style", "message": {"text": "m"}, "suppressions": [{"kind": "inSource", "justification": "generated"}]},
                {"rule": {"id": "ext/rule", "index": 0, "toolComponent": {"index": 0}}, "message": {"text": "m"}},
                {"ruleId": "unheard-of", "message": {"text": "m"}, "level": "error"},
                {"ruleId": "unheard-of", "message": {"text": "m"}}
            ],
            "properties": {"imageName": "app:v1", "repoDigests": [format!("registry.example/app@{MANIFEST}")], "imageID": CONFIG}
        }]
    })
}

fn severities(document: &Value) -> Vec<Severity> {
    read_json(document).unwrap().findings.iter().map(|finding| finding.severity).collect()
}

#[test]
fn grype_is_read() {
    let report = read_json(&grype_doc()).unwrap();
    assert_eq!((report.format, report.tool.as_str()), (ScanFormat::Grype, "grype"));
    assert_eq!(report.db_built.unwrap().to_string(), "2026-11-19T06:01:02Z");
    assert_eq!(report.target.kind, ScanTargetKind::Image);
    assert!(report.target.claims_manifest(&MANIFEST.parse().unwrap()));
    assert!(report.target.claims_image_id(&CONFIG.parse().unwrap()));
    assert!(!report.target.claims_manifest(&CONFIG.parse().unwrap()));
    let [active, ignored] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!((active.severity, active.fixed_in.as_slice()), (Severity::Critical, ["1.2.4".to_owned()].as_slice()));
    assert_eq!(active.location.as_deref(), Some("/var/lib/dpkg/status"));
    assert!(ignored.suppressed && ignored.suppression.as_ref().unwrap().contains("not reachable"));
    assert_eq!((report.count(Severity::Critical), report.count(Severity::High)), (1, 0));
}

#[test]
fn grype_sources_of_every_kind_are_read() {
    for (source, kind, name) in [
        (json!({"type": "directory", "target": "/srv/app"}), ScanTargetKind::Directory, Some("/srv/app")),
        (json!({"type": "file", "target": "app.jar"}), ScanTargetKind::File, Some("app.jar")),
        (json!({"type": "sbom", "target": {"path": "sbom.json"}}), ScanTargetKind::Sbom, Some("sbom.json")),
        (json!({"type": "purl-list", "target": null}), ScanTargetKind::Unknown, None),
        (Value::Null, ScanTargetKind::Unknown, None),
    ] {
        let target = read_json(&with(grype_doc(), "/source", source)).unwrap().target;
        assert_eq!((target.kind, target.name.as_deref()), (kind, name));
        assert!(!target.claims_manifest(&MANIFEST.parse().unwrap()));
    }
}

#[test]
fn real_grype_reports_are_read() {
    let corpus = std::env::var("CI_INTEL_CORPUS").unwrap_or_else(|_| "../../../shared/data".to_owned());
    let folder = std::path::Path::new(&corpus).join("vuln");
    if !folder.is_dir() {
        println!("skipped: real_grype_reports_are_read: no corpus at {}; set CI_INTEL_CORPUS", folder.display());
        return;
    }
    for (file, findings, version, built) in [
        ("grype-chainguard-ruby-test.json", 3, "0.61.1", "2023-05-17T01:32:43Z"),
        ("grype-ghsa-test.json", 2, "0.65.1", "2023-08-31T01:24:19Z"),
        ("grype-keycloak-test.json", 6, "0.66.0", "2023-09-01T01:26:55Z"),
    ] {
        let report = read(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        assert_eq!(report.findings.len(), findings, "{file}");
        assert_eq!(report.tool_version.as_deref(), Some(version));
        assert_eq!(report.db_built.unwrap().to_string(), built);
        assert_eq!((report.target.manifest_digests.len(), report.target.image_ids.len()), (1, 1));
        assert!(report.findings.iter().all(|finding| finding.package.is_some() && finding.purl.is_some()), "{file}");
        assert!(report.findings.iter().all(|finding| finding.severity != Severity::Unknown), "{file}");
    }
}

#[test]
fn trivy_is_read() {
    let report = read_json(&trivy_doc()).unwrap();
    assert_eq!((report.format, report.tool_version.as_deref()), (ScanFormat::Trivy, Some("0.67.2")));
    assert!(
        report.target.claims_manifest(&MANIFEST.parse().unwrap())
            && report.target.claims_image_id(&CONFIG.parse().unwrap())
    );
    let ids: Vec<_> =
        report.findings.iter().map(|finding| (finding.id.as_str(), finding.severity, finding.suppressed)).collect();
    assert_eq!(
        ids,
        [
            ("CVE-2024-0001", Severity::High, false),
            ("CVE-2024-0003", Severity::Unknown, false),
            ("CVE-2024-0002", Severity::Critical, true),
            ("private-key", Severity::High, false),
            ("DS002", Severity::High, false),
        ]
    );
    assert_eq!(report.findings[0].fixed_in, ["1.2.4", "1.3.0"]);
    assert_eq!(report.findings[3].location.as_deref(), Some("srv/key.pem:1"));
    assert_eq!((report.count(Severity::Critical), report.count(Severity::High)), (0, 4));
}

#[test]
fn sarif_is_read() {
    let report = read_json(&sarif_doc()).unwrap();
    assert_eq!((report.tool.as_str(), report.tool_version.as_deref()), ("CodeQL", Some("2.19.0")));
    assert!(report.target.claims_manifest(&MANIFEST.parse().unwrap()));
    assert_eq!(
        severities(&sarif_doc()),
        [Severity::High, Severity::Low, Severity::Medium, Severity::High, Severity::Unknown]
    );
    assert_eq!(report.findings[0].location.as_deref(), Some("app.py:7"));
    assert_eq!(
        report.findings.iter().map(|finding| finding.suppressed).collect::<Vec<_>>(),
        [false, true, false, false, false]
    );
    assert_eq!(report.findings[1].suppression.as_deref(), Some("generated"));
}

#[test]
fn missing_sections_reject() {
    for (document, pointers) in [
        (grype_doc(), vec!["/matches", "/descriptor", "/descriptor/name"]),
        (trivy_doc(), vec!["/Results"]),
        (sarif_doc(), vec!["/runs", "/runs/0/results", "/runs/0/tool/driver/name"]),
    ] {
        for pointer in pointers {
            let document = without(document.clone(), pointer);
            assert!(
                matches!(read_json(&document), Err(ScanError::NoSection { .. })),
                "{pointer}: {:?}",
                read_json(&document)
            );
        }
    }
    for (document, pointer) in [(grype_doc(), "/matches"), (trivy_doc(), "/Results"), (sarif_doc(), "/runs/0/results")]
    {
        let error = read_json(&with(document, pointer, Value::Null)).unwrap_err();
        assert!(matches!(error, ScanError::NoSection { .. }), "{pointer}: {error}");
    }
    assert!(matches!(read_json(&with(sarif_doc(), "/runs", json!([]))), Err(ScanError::NoSection { .. })));
}

#[test]
fn a_trivy_report_that_scanned_no_package_rejects() {
    let secrets_only = json!([{"Target": "x", "Class": "secret", "Secrets": []}]);
    for results in [json!([]), secrets_only] {
        let error = read_json(&with(trivy_doc(), "/Results", results)).unwrap_err();
        assert!(matches!(error, ScanError::NothingScanned { .. }), "{error}");
    }
    let clean = with(
        trivy_doc(),
        "/Results",
        json!([{"Target": "app:v1 (debian 12.5)", "Class": "os-pkgs", "Type": "debian"}]),
    );
    assert_eq!(read_json(&clean).unwrap().findings, []);
}

#[test]
fn an_empty_list_is_no_findings() {
    assert_eq!(read_json(&with(without(grype_doc(), "/ignoredMatches"), "/matches", json!([]))).unwrap().findings, []);
    assert_eq!(read_json(&with(sarif_doc(), "/runs/0/results", json!([]))).unwrap().findings, []);
}

#[test]
fn missing_and_unknown_severities_are_unknown_and_budgeted_as_high() {
    for word in [json!(""), json!("Bogus"), Value::Null, json!("Unknown")] {
        let report = read_json(&with(grype_doc(), "/matches/0/vulnerability/severity", word)).unwrap();
        assert_eq!(report.findings[0].severity, Severity::Unknown);
        assert_eq!(report.count(Severity::High), 1);
    }
    let report = read_json(&without(grype_doc(), "/matches/0/vulnerability/severity")).unwrap();
    assert_eq!(report.findings[0].severity, Severity::Unknown);
    let report = read_json(&with(grype_doc(), "/matches/0/vulnerability/severity", json!("Negligible"))).unwrap();
    assert_eq!(report.findings[0].severity, Severity::Info);
    // A severity that is no text is malformed, not unknown.
    assert!(matches!(
        read_json(&with(grype_doc(), "/matches/0/vulnerability/severity", json!(9))),
        Err(ScanError::Json { .. })
    ));
}

#[test]
fn security_severity_follows_the_cvss_bands() {
    for (score, expected) in [
        (json!("10.0"), Severity::Critical),
        (json!("9.0"), Severity::Critical),
        (json!(8.9), Severity::High),
        (json!("7"), Severity::High),
        (json!("6.9"), Severity::Medium),
        (json!(4), Severity::Medium),
        (json!("3.9"), Severity::Low),
        (json!("0.1"), Severity::Low),
        (json!("0.0"), Severity::Info),
        (json!("11"), Severity::Unknown),
        (json!("-1"), Severity::Unknown),
        (json!("high"), Severity::Unknown),
        (json!("NaN"), Severity::Unknown),
        (json!(null), Severity::Unknown),
    ] {
        let document = with(sarif_doc(), "/runs/0/tool/driver/rules/0/properties/security-severity", score.clone());
        assert_eq!(severities(&document)[0], expected, "{score}");
    }
    // The worse of the rule's and the result's score counts.
    let document = with(sarif_doc(), "/runs/0/results/0/properties", json!({"security-severity": "1.0"}));
    assert_eq!(severities(&document)[0], Severity::High);
    let document = with(sarif_doc(), "/runs/0/results/0/properties", json!({"security-severity": "9.8"}));
    assert_eq!(severities(&document)[0], Severity::Critical);
}

#[test]
fn an_index_and_an_id_that_mean_different_rules_are_unknown() {
    let document = with(sarif_doc(), "/runs/0/results/1/ruleIndex", json!(0));
    assert_eq!(severities(&document)[1], Severity::Unknown);
    // A sub-rule's id names its rule; -1 is "no index"; an index outside the list leaves the id.
    for (id, index) in [("py/sql-injection/2", 0), ("py/sql-injection", -1), ("py/sql-injection", 99)] {
        let document = with(sarif_doc(), "/runs/0/results/0/ruleIndex", json!(index));
        assert_eq!(
            severities(&with(document, "/runs/0/results/0/ruleId", json!(id)))[0],
            Severity::High,
            "{id} {index}"
        );
    }
}

#[test]
fn an_override_may_raise_a_level() {
    let overrides = json!([{"executionSuccessful": true, "ruleConfigurationOverrides": [
        {"descriptor": {"id": "py/style"}, "configuration": {"level": "error"}}]}]);
    assert_eq!(severities(&with(sarif_doc(), "/runs/0/invocations", overrides))[1], Severity::High);
}

#[test]
fn suppressions_under_review_do_not_suppress() {
    for (suppressions, expected) in [
        (json!([]), false),
        (json!([{"kind": "external", "status": "accepted"}]), true),
        (json!([{"kind": "external", "status": "underReview"}]), false),
        (json!([{"kind": "external"}, {"kind": "external", "status": "rejected"}]), false),
        (json!([{"kind": "external", "status": "whatever"}]), false),
    ] {
        let report = read_json(&with(sarif_doc(), "/runs/0/results/1/suppressions", suppressions.clone())).unwrap();
        assert_eq!(report.findings[1].suppressed, expected, "{suppressions}");
    }
}

#[test]
fn results_that_say_they_are_none_do_not_count() {
    for (key, value, counted) in [
        ("kind", "pass", 4),
        ("kind", "notApplicable", 4),
        ("kind", "open", 5),
        ("kind", "bogus", 5),
        ("baselineState", "absent", 4),
    ] {
        let document = with(sarif_doc(), &format!("/runs/0/results/0/{key}"), json!(value));
        assert_eq!(read_json(&document).unwrap().findings.len(), counted, "{key}={value}");
    }
    let contradicting =
        with(with(sarif_doc(), "/runs/0/results/0/kind", json!("pass")), "/runs/0/results/0/level", json!("error"));
    assert_eq!(read_json(&contradicting).unwrap().findings.len(), 5);
}

#[test]
fn failed_runs_and_findings_elsewhere_reject() {
    let error = read_json(&with(sarif_doc(), "/runs/0/invocations/0/executionSuccessful", json!(false))).unwrap_err();
    assert!(matches!(error, ScanError::ToolFailed { .. }), "{error}");
    let references = json!({"results": [{"location": {"uri": "more.sarif-external-properties"}}]});
    let error = read_json(&with(sarif_doc(), "/runs/0/externalPropertyFileReferences", references)).unwrap_err();
    assert!(matches!(error, ScanError::External { .. }), "{error}");
    for db in [
        json!({"status": {"built": "2026-11-19T06:01:02Z", "valid": false}}),
        json!({"status": {"built": "2026-11-19T06:01:02Z", "error": "checksum mismatch"}}),
        json!({"built": "2026-11-19T06:01:02Z", "error": "too old"}),
    ] {
        let error = read_json(&with(grype_doc(), "/descriptor/db", db)).unwrap_err();
        assert!(matches!(error, ScanError::ToolFailed { .. }), "{error}");
    }
}

#[test]
fn malformed_values_reject() {
    for (document, pointer, value) in [
        (grype_doc(), "/descriptor/db/status/built", json!("yesterday")),
        (grype_doc(), "/source/target/manifestDigest", json!("sha512:00")),
        (grype_doc(), "/source/target", json!("app:v1")),
        (grype_doc(), "/matches/0/vulnerability/id", json!("")),
        (grype_doc(), "/matches/0/artifact/name", json!("")),
        (trivy_doc(), "/Metadata/ImageID", json!("sha256:XYZ")),
        (trivy_doc(), "/Results/0/Vulnerabilities/0/VulnerabilityID", json!("")),
    ] {
        let error = read_json(&with(document, pointer, value)).unwrap_err();
        assert!(matches!(error, ScanError::BadValue { .. }), "{pointer}: {error}");
    }
    for (document, pointer) in [(trivy_doc(), "/SchemaVersion"), (sarif_doc(), "/version")] {
        assert!(matches!(read_json(&without(document.clone(), pointer)), Err(ScanError::UnknownVersion { .. })));
        assert!(matches!(read_json(&with(document, pointer, json!("3"))), Err(ScanError::UnknownVersion { .. })));
    }
}

#[test]
fn documents_of_no_or_two_formats_reject() {
    for text in ["{}", r#"{"bomFormat":"CycloneDX"}"#] {
        assert_eq!(read(text.as_bytes()), Err(ScanError::UnknownFormat));
    }
    for text in ["", "[]", "null", "{", r#"{"matches":[],"matches":[]}"#] {
        assert!(matches!(read(text.as_bytes()), Err(ScanError::Json { .. })), "{text}");
    }
    let both = with(grype_doc(), "/runs", json!([]));
    assert!(matches!(read_json(&both), Err(ScanError::AmbiguousFormat { .. })));
}

#[test]
fn no_database_time_is_none() {
    for db in [json!({}), json!({"built": "0001-01-01T00:00:00Z", "error": null}), Value::Null] {
        assert_eq!(read_json(&with(grype_doc(), "/descriptor/db", db)).unwrap().db_built, None);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn mutated_reports_never_panic(which in 0..3_usize, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let document = [grype_doc(), trivy_doc(), sarif_doc()][which].to_string();
        let mut bytes = document.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
        let _ = grype::read(&bytes);
        let _ = trivy::read(&bytes);
        let _ = sarif::read(&bytes);
    }

    /// Whatever stands in any one place of a document, the reader answers.
    #[test]
    fn any_leaf_may_be_replaced(which in 0..3_usize, at in any::<prop::sample::Index>(), value in prop::sample::select(vec![
        json!(null), json!(-1), json!(1e300), json!(""), json!([]), json!({}), json!(true), json!("x"), json!([null]), json!([[1]]),
    ])) {
        let document = [grype_doc(), trivy_doc(), sarif_doc()][which].clone();
        let mut pointers = Vec::new();
        collect(&document, String::new(), &mut pointers);
        let pointer = &pointers[at.index(pointers.len())];
        let _ = read_json(&with(document, pointer, value));
    }
}

fn collect(value: &Value, pointer: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            collect(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), out)
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect(value, format!("{pointer}/{at}"), out))
        }
        _ => {}
    }
    if !pointer.is_empty() {
        out.push(pointer);
    }
}
