//! Who may release: the lane that the configuration names, proven by a token for this very digest, and nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ci_evidence::trust::TrustRoots;
use ci_evidence::verifiers::{self, Inputs};
use ci_testkit::oidc::{Issuer, KEY_ID};
use ci_testkit::release::{RUN_ID, Release, WORKFLOW};
use ci_types::record::{EvidenceKind, GithubClaims, IdentityRecord, RegistryAction};
use ci_types::{Digest, Environment};
use serde_json::{Value, json};

use super::{accepts, denials, denies, edit, replace, without};

const KIND: EvidenceKind = EvidenceKind::Identity;

fn claims(release: &mut Release) -> &mut GithubClaims {
    release.claims.as_mut().unwrap()
}

fn claims_json(release: &Release) -> Value {
    serde_json::to_value(&release.claims).unwrap()
}

fn refuse(release: &mut Release, action: RegistryAction) {
    let permission = release.identity.permissions.iter_mut().find(|permission| permission.action == action).unwrap();
    permission.granted = false;
    permission.detail = "403 DENIED".to_owned();
}

/// The job ran a workflow file of another ref.
fn workflow_ref(release: &mut Release, git_ref: &str) {
    claims(release).job_workflow_ref = format!("{WORKFLOW}@{git_ref}");
}

denials! { "lane-authority";
    local missing_identity_rejects => "identity-missing", |r| without(r, KIND);
    authoritative missing_issuer_keys_reject => "issuer-keys-missing", |r| without(r, EvidenceKind::IssuerKeys);
    local identity_of_another_schema_rejects => "identity-malformed", |r| replace(r, KIND, b"{}");
    local push_that_is_not_permitted_rejects => "permission-missing", |r| refuse(r, RegistryAction::Push);
    local pull_that_is_not_permitted_rejects => "permission-missing", |r| refuse(r, RegistryAction::Pull);
    local tag_that_is_not_permitted_rejects => "permission-missing", |r| refuse(r, RegistryAction::Tag);
    authoritative listing_referrers_that_is_not_permitted_rejects => "permission-missing",
        |r| refuse(r, RegistryAction::ListReferrers);
    local permission_that_was_not_probed_rejects => "identity-inconsistent", |r| drop(r.identity.permissions.pop());
    local permission_with_two_answers_rejects => "identity-inconsistent", |r| {
        let again = r.identity.permissions[0].clone();
        r.identity.permissions.push(again);
    };
    local developer_never_releases_for_preview => "lane-not-authoritative", |r| r.environment = Environment::Preview;
    local developer_never_releases_for_test => "lane-not-authoritative", |r| r.environment = Environment::Test;
    local developer_never_releases_for_dev => "lane-not-authoritative", |r| r.environment = Environment::Dev;
    local developer_never_releases_for_staging => "lane-not-authoritative", |r| r.environment = Environment::Staging;
    local developer_never_releases_for_prod => "lane-not-authoritative", |r| r.environment = Environment::Prod;
    local developer_with_a_token_rejects => "identity-inconsistent", |r| r.identity.digest_token = Some("a.b.c".to_owned());
    authoritative ci_identity_without_a_declared_lane_rejects => "lane-undeclared", |r| {
        let (from, to) = (r.config.find("lane:\n").unwrap(), r.config.find("build:\n").unwrap());
        r.config.replace_range(from..to, "");
    };
    authoritative source_of_another_ref_rejects => "lane-other-ref",
        |r| r.context.source.git_ref = "refs/heads/side".to_owned();
    authoritative wrong_repository_id_rejects => "lane-mismatch", |r| claims(r).repository_id = "4712".to_owned();
    authoritative wrong_issuer_rejects => "lane-mismatch", |r| claims(r).iss = "https://issuer.example".to_owned();
    authoritative wrong_workflow_rejects => "lane-mismatch",
        |r| claims(r).job_workflow_ref = "org/app/.github/workflows/other.yml@refs/heads/main".to_owned();
    authoritative workflow_with_the_lanes_name_as_prefix_rejects => "lane-mismatch",
        |r| claims(r).job_workflow_ref = format!("{WORKFLOW}x@refs/heads/main");
    authoritative wrong_ref_rejects => "lane-mismatch", |r| claims(r).git_ref = "refs/heads/feature".to_owned();
    authoritative pull_request_ref_rejects => "lane-mismatch", |r| claims(r).git_ref = "refs/pull/1/merge".to_owned();
    authoritative wrong_event_rejects => "lane-mismatch", |r| claims(r).event_name = "pull_request_target".to_owned();
    authoritative missing_environment_rejects => "lane-mismatch",
        |r| r.config = r.config.replace("lane:\n", "lane:\n  environments: [production]\n");
    authoritative wrong_environment_rejects => "lane-mismatch", |r| {
        r.config = r.config.replace("lane:\n", "lane:\n  environments: [production]\n");
        claims(r).environment = Some("staging".to_owned());
    };
    authoritative reusable_workflow_of_another_branch_rejects => "lane-mismatch", |r| workflow_ref(r, "refs/heads/feature");
    authoritative reusable_workflow_without_a_ref_rejects => "lane-mismatch",
        |r| claims(r).job_workflow_ref = WORKFLOW.to_owned();
    authoritative reusable_workflow_at_a_short_commit_rejects => "lane-mismatch", |r| workflow_ref(r, "799d398");
    authoritative old_token_rejects => "lane-mismatch", |r| {
        claims(r).iat -= 600;
        claims(r).nbf -= 600;
    };
    authoritative token_for_another_commit_rejects => "lane-other-commit", |r| claims(r).sha = "0".repeat(40);
    authoritative token_for_another_repository_rejects => "lane-other-repository",
        |r| claims(r).repository = "org/fork".to_owned();
    authoritative token_for_another_digest_rejects => "identity-wrong-subject",
        |r| claims(r).aud = verifiers::audience(&Digest::of(b"other"));
    authoritative token_for_another_service_rejects => "identity-wrong-subject",
        |r| claims(r).aud = "https://github.com/org".to_owned();
    authoritative expired_token_rejects => "identity-stale", |r| claims(r).exp = r.now.unix_s() - 61;
    authoritative token_that_is_not_valid_yet_rejects => "identity-stale", |r| claims(r).nbf = r.now.unix_s() + 61;
    authoritative token_issued_in_the_future_rejects => "identity-stale", |r| claims(r).iat = r.now.unix_s() + 61;
    authoritative token_signed_by_other_issuer_rejects => "identity-untrusted",
        |r| r.identity.digest_token = Some(Issuer::new().token(&claims_json(r)));
    authoritative alg_none_token_rejects => "identity-untrusted", |r| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
        let header = part(&json!({ "alg": "none", "kid": KEY_ID }));
        r.identity.digest_token = Some(format!("{header}.{}.", part(&claims_json(r))));
    };
    authoritative claims_that_are_not_the_tokens_reject => "identity-inconsistent", |r| {
        let token = Issuer::shared().token(&claims_json(r));
        r.identity.digest_token = Some(token);
        claims(r).sha = "0".repeat(40);
    };
    authoritative subject_that_is_not_the_tokens_rejects => "identity-inconsistent",
        |r| edit::<IdentityRecord>(r, KIND, |record| record.subject = "repo:org/other".to_owned());
    authoritative missing_token_rejects => "identity-missing",
        |r| edit::<IdentityRecord>(r, KIND, |record| record.digest_token = None);
    authoritative missing_claims_reject => "identity-inconsistent",
        |r| edit::<IdentityRecord>(r, KIND, |record| record.claims = None);
}

#[test]
fn an_unproven_ci_identity_is_not_even_good_for_local() {
    let mut release = Release::authoritative();
    release.environment = Environment::Local;
    accepts(&release);
    release.identity.digest_token = Some(Issuer::new().token(&claims_json(&release)));
    denies(&release, "lane-authority", "identity-untrusted");
}

#[test]
fn a_workflow_of_the_released_commit_passes() {
    let mut release = Release::authoritative();
    workflow_ref(&mut release, ci_testkit::release::COMMIT);
    accepts(&release);
}

#[test]
fn a_workflow_of_a_commit_that_nobody_reviewed_rejects() {
    let mut release = Release::authoritative();
    workflow_ref(&mut release, &"a".repeat(40));
    denies(&release, "lane-authority", "lane-mismatch");
}

#[test]
fn the_demanded_environment_passes() {
    let mut release = Release::authoritative();
    release.config = release.config.replace("lane:\n", "lane:\n  environments: [production]\n");
    claims(&mut release).environment = Some("production".to_owned());
    accepts(&release);
}

#[test]
fn a_token_proves_nothing_without_keys_that_the_verifier_names() {
    let release = Release::authoritative();
    let facts = verifiers::derive(&Inputs {
        set: &release.evidence(),
        subject: &release.publication.subject,
        run_id: RUN_ID,
        trust: &TrustRoots { issuer_keys: None, ..release.trust() },
        config: &release.effective(),
        now: release.now,
    });
    assert_eq!(facts.identity.unwrap_err().id(), "identity-untrusted");
}

#[test]
fn a_lane_that_is_not_the_declared_one_is_never_recorded_as_authoritative() {
    let mut release = Release::authoritative();
    claims(&mut release).git_ref = "refs/heads/feature".to_owned();
    assert!(!release.decision().lane.authoritative);
    assert!(!Release::local().decision().lane.authoritative);
}
