#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn hex(byte: char) -> String {
    byte.to_string().repeat(64)
}

/// The shape that GitHub's attest-build-provenance action writes.
fn provenance() -> Value {
    json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "registry.example/app", "digest": {"sha256": hex('a')}}],
        "predicateType": PROVENANCE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {"workflow": {"ref": "refs/heads/main", "repository": "https://github.com/org/app", "path": ".github/workflows/release.yml"}},
                "internalParameters": {"github": {"event_name": "push", "repository_id": "1"}},
                "resolvedDependencies": [{"uri": "git+https://github.com/org/app@refs/heads/main", "digest": {"gitCommit": "b".repeat(40)}}]
            },
            "runDetails": {
                "builder": {"id": "https://github.com/actions/runner/github-hosted", "version": {"runner": "2.329.0"}},
                "metadata": {"invocationId": "https://github.com/org/app/actions/runs/1/attempts/1", "startedOn": "2026-11-22T12:00:00.25Z", "finishedOn": "2026-11-22T12:01:00Z"},
                "byproducts": [{"name": "log", "digest": {"sha256": hex('c')}}]
            }
        }
    })
}

fn summary() -> Value {
    json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "app", "digest": {"sha256": hex('a')}}],
        "predicateType": SUMMARY_TYPE,
        "predicate": {
            "verifier": {"id": "https://ci-intel.dev/verifier", "version": {"ci-intel": "0.1.0"}},
            "timeVerified": "2026-11-22T12:00:00Z",
            "resourceUri": "oci://registry.example/app@sha256:aa",
            "policy": {"uri": "https://ci-intel.dev/policy", "digest": {"sha256": hex('d')}},
            "inputAttestations": [{"uri": "bundle:evidence/provenance.dsse.json", "digest": {"sha256": hex('e')}}],
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
            "slsaVersion": "1.0"
        }
    })
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    document
}

fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    document
}

fn read_provenance(document: &Value) -> Result<Statement<Provenance>, StatementError> {
    Statement::read(document.to_string().as_bytes())
}

fn read_summary(document: &Value) -> Result<Statement<VerificationSummary>, StatementError> {
    Statement::read(document.to_string().as_bytes())
}

#[test]
fn provenance_round_trips() {
    let statement = read_provenance(&provenance()).unwrap();
    assert!(statement.is_about(&Digest::from_hex(&hex('a')).unwrap()));
    assert!(!statement.is_about(&Digest::from_hex(&hex('b')).unwrap()));
    let written = ci_types::canonical::to_vec(&statement).unwrap();
    assert_eq!(Statement::read(&written), Ok(statement.clone()));
    // Only the fraction of the second is lost.
    let expected = with(provenance(), "/predicate/runDetails/metadata/startedOn", json!("2026-11-22T12:00:00Z"));
    assert_eq!(serde_json::to_value(&statement).unwrap(), expected);
}

#[test]
fn a_summary_round_trips() {
    let statement = read_summary(&summary()).unwrap();
    assert_eq!(serde_json::to_value(&statement).unwrap(), summary());
    assert_eq!(statement.predicate.verification_result, VerificationResult::Passed);
}

#[test]
fn another_type_is_named() {
    let error = read_provenance(&summary()).unwrap_err();
    assert_eq!(error, StatementError::PredicateType { found: SUMMARY_TYPE.to_owned(), expected: PROVENANCE_TYPE });
    let old = with(provenance(), "/_type", json!("https://in-toto.io/Statement/v0.1"));
    assert!(matches!(read_provenance(&old), Err(StatementError::StatementType(_))));
    let old = with(provenance(), "/predicateType", json!("https://slsa.dev/provenance/v0.2"));
    assert!(matches!(read_provenance(&old), Err(StatementError::PredicateType { .. })));
}

#[test]
fn the_envelope_is_closed() {
    for pointer in ["/extra", "/subject/0/extra"] {
        assert!(
            matches!(read_provenance(&with(provenance(), pointer, json!(1))), Err(StatementError::Json(_))),
            "{pointer}"
        );
    }
    let text = provenance().to_string().replacen("{\"_type\"", "{\"_type\":\"x\",\"_type\"", 1);
    assert!(matches!(
        Statement::<Provenance>::read(text.as_bytes()),
        Err(StatementError::Json(JsonError::RepeatedKey(_)))
    ));
}

#[test]
fn a_newer_minor_predicate_stays_readable() {
    assert!(read_provenance(&with(provenance(), "/predicate/newer", json!({}))).is_ok());
    assert!(read_summary(&with(summary(), "/predicate/newer", json!({}))).is_ok());
}

#[test]
fn statements_about_nothing_reject() {
    assert_eq!(read_provenance(&with(provenance(), "/subject", json!([]))), Err(StatementError::NoSubject));
    for subject in [json!({"name": "app"}), json!({"name": "app", "digest": {}})] {
        let document = with(provenance(), "/subject/0", subject);
        assert_eq!(read_provenance(&document), Err(StatementError::SubjectWithoutDigest(0)));
    }
}

#[test]
fn every_required_field_is_required() {
    for pointer in [
        "/_type",
        "/subject",
        "/predicateType",
        "/predicate",
        "/predicate/buildDefinition",
        "/predicate/buildDefinition/buildType",
        "/predicate/buildDefinition/externalParameters",
        "/predicate/runDetails",
        "/predicate/runDetails/builder",
        "/predicate/runDetails/builder/id",
    ] {
        assert!(matches!(read_provenance(&without(provenance(), pointer)), Err(StatementError::Json(_))), "{pointer}");
    }
    for pointer in [
        "/predicate/verifier",
        "/predicate/verifier/id",
        "/predicate/timeVerified",
        "/predicate/resourceUri",
        "/predicate/policy",
        "/predicate/policy/uri",
        "/predicate/verificationResult",
        "/predicate/verifiedLevels",
    ] {
        assert!(matches!(read_summary(&without(summary(), pointer)), Err(StatementError::Json(_))), "{pointer}");
    }
}

#[test]
fn malformed_fields_reject() {
    for (pointer, value) in [
        ("/subject/0/digest/sha256", json!("AA")),
        ("/subject/0/digest/sha256", json!(hex('A'))),
        ("/subject/0/digest/other", json!("")),
        ("/predicate/buildDefinition/buildType", json!("no uri")),
        ("/predicate/runDetails/builder/id", json!("")),
        ("/predicate/buildDefinition/resolvedDependencies/0", json!({"name": "only a name"})),
        ("/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit", json!("main")),
        ("/predicate/runDetails/metadata/finishedOn", json!("2026-11-22T11:00:00Z")),
    ] {
        let error = read_provenance(&with(provenance(), pointer, value)).unwrap_err();
        assert!(matches!(error, StatementError::Field { .. }), "{pointer}: {error}");
    }
    for (pointer, value) in [
        ("/predicate/policy/digest/sha256", json!("00")),
        ("/predicate/inputAttestations/0/digest", json!({})),
        ("/predicate/verifiedLevels", json!([])),
        ("/predicate/verificationResult", json!("FAILED")),
    ] {
        let error = read_summary(&with(summary(), pointer, value)).unwrap_err();
        assert!(matches!(error, StatementError::Field { .. }), "{pointer}: {error}");
    }
    for (pointer, value) in [
        ("/predicate/verificationResult", json!("passed")),
        ("/predicate/verificationResult", json!("SOFTFAIL")),
        ("/predicate/timeVerified", json!("today")),
        ("/predicate/timeVerified", Value::Null),
    ] {
        assert!(matches!(read_summary(&with(summary(), pointer, value)), Err(StatementError::Json(_))), "{pointer}");
    }
    let failed = with(
        with(summary(), "/predicate/verificationResult", json!("FAILED")),
        "/predicate/verifiedLevels",
        json!(["FAILED"]),
    );
    assert!(read_summary(&failed).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Statement::<Provenance>::read(&bytes).is_err());
    }

    #[test]
    fn mutated_statements_never_panic_and_what_is_read_can_be_written(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for document in [provenance(), summary()] {
            let mut bytes = document.to_string().into_bytes();
            for (at, byte) in &edits {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Ok(statement) = Statement::<Provenance>::read(&bytes) {
                prop_assert_eq!(Statement::read(&ci_types::canonical::to_vec(&statement).unwrap()), Ok(statement));
            }
            if let Ok(statement) = Statement::<VerificationSummary>::read(&bytes) {
                prop_assert_eq!(Statement::read(&ci_types::canonical::to_vec(&statement).unwrap()), Ok(statement));
            }
        }
    }
}
