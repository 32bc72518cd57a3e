//! Provenance: signed by a trusted key, exactly what the records amount to, every command accounted for.

use ci_evidence::dsse;
use ci_evidence::keys::{Algorithm, SigningKey};
use ci_policy::gates;
use ci_testkit::release::Release;
use ci_types::record::{CommandReceipt, CommandRun, EvidenceKind, PackagingProvenance};
use ci_types::{Digest, Timestamp, canonical};
use serde_json::{Value, json};

use super::{accepts, denials, edit, replace, without};

const KIND: EvidenceKind = EvidenceKind::Provenance;

fn other() -> Digest {
    Digest::of(b"other")
}

/// Replaces the provenance by this statement, sealed with this key.
fn reseal(release: &mut Release, payload_type: &str, seed: u8, change: fn(&mut Value)) {
    let statement = ci_evidence::verifiers::statement(&release.evidence()).unwrap();
    let mut statement = statement;
    change(&mut statement);
    let key = SigningKey::from_seed(Algorithm::EcdsaP256, &[seed; 32]).unwrap();
    let bytes = dsse::seal(payload_type, &canonical::to_vec(&statement).unwrap(), &key).unwrap();
    release.replaced.insert(KIND, bytes);
}

fn edit_envelope(release: &mut Release, change: fn(&mut Value)) {
    let evidence = release.evidence();
    let mut envelope: Value = serde_json::from_slice(evidence.one(KIND).unwrap().1).unwrap();
    change(&mut envelope);
    release.replaced.insert(KIND, canonical::to_vec(&envelope).unwrap());
}

fn command(release: &mut Release, stage: &str, exit_code: Option<i32>) {
    let run = CommandRun {
        stage: stage.to_owned(),
        argv: vec!["cargo".to_owned(), "build".to_owned()],
        exit_code,
        outputs: Vec::new(),
        ..release.commands.commands[0].clone()
    };
    release.commands.commands.push(run);
}

/// The trusted key of the sample.
const TRUSTED: u8 = 7;

denials! { "provenance-complete";
    local missing_provenance_rejects => "provenance-missing", |r| without(r, KIND);
    local missing_packaging_provenance_rejects => "packaging-missing", |r| without(r, EvidenceKind::Packaging);
    local missing_command_receipt_rejects => "commands-missing", |r| without(r, EvidenceKind::Commands);
    local provenance_that_is_no_envelope_rejects => "provenance-malformed", |r| replace(r, KIND, b"{}");
    local unsigned_provenance_rejects => "provenance-untrusted", |r| edit_envelope(r, |e| e["signatures"] = json!([]));
    local provenance_with_two_signatures_rejects => "provenance-untrusted", |r| edit_envelope(r, |e| {
        let signature = e["signatures"][0].clone();
        e["signatures"].as_array_mut().unwrap().push(signature);
    });
    local provenance_signed_by_another_key_rejects => "provenance-untrusted", |r| reseal(r, dsse::IN_TOTO, 9, |_| {});
    local provenance_that_claims_the_trusted_key_rejects => "provenance-untrusted", |r| {
        let trusted = r.key.verifying_key().id().unwrap();
        reseal(r, dsse::IN_TOTO, 9, |_| {});
        let mut envelope: Value = serde_json::from_slice(&r.replaced[&KIND]).unwrap();
        envelope["signatures"][0]["keyid"] = json!(trusted);
        r.replaced.insert(KIND, canonical::to_vec(&envelope).unwrap());
    };
    local payload_of_another_type_rejects => "provenance-malformed", |r| reseal(r, dsse::DECISION, TRUSTED, |_| {});
    local claim_that_the_evidence_does_not_back_rejects => "provenance-inconsistent", |r| reseal(r, dsse::IN_TOTO, TRUSTED, |s| {
        s["predicate"]["runDetails"]["builder"]["id"] = json!(ci_evidence::verifiers::BUILDER_GITHUB_ACTIONS);
    });
    local provenance_about_another_digest_rejects => "provenance-inconsistent", |r| reseal(r, dsse::IN_TOTO, TRUSTED, |s| {
        s["subject"][0]["digest"]["sha256"] = json!(other().hex());
    });
    local provenance_with_a_second_subject_rejects => "provenance-inconsistent", |r| reseal(r, dsse::IN_TOTO, TRUSTED, |s| {
        let second = json!({ "name": "other", "digest": { "sha256": other().hex() } });
        s["subject"].as_array_mut().unwrap().push(second);
    });
    local provenance_with_another_commit_rejects => "provenance-inconsistent", |r| reseal(r, dsse::IN_TOTO, TRUSTED, |s| {
        s["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"] = json!("0".repeat(40));
    });
    local provenance_of_another_commit_than_the_context_rejects => "provenance-other-commit",
        |r| r.edit_packaging = |p| p.source.commit = "0".repeat(40);
    local packaging_of_another_schema_rejects => "packaging-malformed",
        |r| replace(r, EvidenceKind::Packaging, b"{}");
    local packaging_of_another_image_rejects => "packaging-wrong-subject", |r| r.edit_packaging = |p| p.artifact.digest = other();
    local packaging_of_another_name_rejects => "packaging-wrong-subject",
        |r| r.edit_packaging = |p| p.artifact.name = "org/other".to_owned();
    local packaging_of_another_run_rejects => "packaging-wrong-subject", |r| r.edit_packaging = |p| p.run_id = "other".to_owned();
    local packaging_of_another_context_rejects => "packaging-inconsistent", |r| r.edit_packaging = |p| p.context = other();
    local packaging_of_another_source_rejects => "packaging-inconsistent",
        |r| r.edit_packaging = |p| p.source.git_ref = "refs/heads/other".to_owned();
    local packaging_of_another_receipt_rejects => "packaging-inconsistent", |r| r.edit_packaging = |p| p.commands = other();
    local packaging_of_another_engine_rejects => "packaging-inconsistent",
        |r| r.edit_packaging = |p| p.engine = "buildah".to_owned();
    local packaging_on_a_base_that_is_not_configured_rejects => "packaging-inconsistent",
        |r| r.edit_packaging = |p| p.base = Some(other());
    local packaging_without_the_configured_base_rejects => "packaging-inconsistent",
        |r| r.config = r.config.replace("base: scratch", &format!("base: 'base@{}'", other()));
    local packaging_with_another_image_config_rejects => "packaging-inconsistent",
        |r| r.edit_packaging = |p| p.image_config = other();
    local packaging_with_other_layers_rejects => "packaging-inconsistent", |r| r.edit_packaging = |p| p.layers.clear();
    local receipt_of_another_schema_rejects => "commands-malformed",
        |r| replace(r, EvidenceKind::Commands, b"{}");
    local command_without_a_program_rejects => "commands-malformed", |r| r.commands.commands[0].argv.clear();
    local command_without_a_stage_rejects => "commands-malformed", |r| {
        edit::<CommandReceipt>(r, EvidenceKind::Commands, |receipt| receipt.commands[0].stage.clear());
    };
    local command_after_the_decision_rejects => "commands-inconsistent",
        |r| r.commands.commands[0].started_at = Timestamp::from_unix_s(r.now.unix_s() + 1).unwrap();
    local file_that_its_producer_did_not_leave_rejects => "commands-inconsistent", |r| {
        edit::<CommandReceipt>(r, EvidenceKind::Commands, |receipt| receipt.commands[0].outputs.clear());
    };
    local failed_build_rejects => "build-failed", |r| command(r, "build", Some(2));
    local build_that_timed_out_rejects => "build-failed", |r| command(r, "build", None);
    local failed_sbom_tool_rejects => "command-failed", |r| command(r, "sbom", Some(1));
    local sbom_tool_that_timed_out_rejects => "command-failed", |r| command(r, "sbom", None);
    local failed_command_of_a_stage_that_no_gate_knows_rejects => "command-failed", |r| command(r, "notarise", None);
}

#[test]
fn a_build_that_succeeded_passes() {
    let mut release = Release::local();
    command(&mut release, "build", Some(0));
    accepts(&release);
}

#[test]
fn the_configured_base_passes() {
    let mut release = Release::local();
    release.config = release.config.replace("base: scratch", &format!("base: 'base@{}'", other()));
    release.edit_packaging = |packaging: &mut PackagingProvenance| packaging.base = Some(other());
    accepts(&release);
    assert!(gates::all().iter().any(|gate| gate.id == "provenance-complete"));
}
