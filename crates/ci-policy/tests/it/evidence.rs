//! Every kind of evidence gone, empty, cut, doubled or taken from another release: none of it is ever accepted, whoever seals it.

use ci_evidence::set::EvidenceSet;
use ci_evidence::verifiers::{self, Inputs};
use ci_policy::replay::{self, Expectations};
use ci_policy::{Question, decide};
use ci_testkit::oidc::Issuer;
use ci_testkit::release::{RUN_ID, Release, package, sarif};
use ci_testkit::{Unsealed, release};
use ci_types::record::{Decision, EvidenceKind, Verdict};
use ci_types::{Digest, Environment};
use serde_json::json;

use crate::gates::{accepts, set_image};
use crate::organisation;

/// Kinds that the lane reads before it decides, and checks there: only replay sees them in the evidence.
const LAYERS: [EvidenceKind; 3] = [EvidenceKind::Config, EvidenceKind::Overlay, EvidenceKind::OverlaySignature];

/// A release that has every kind of evidence but logs: from the authoritative lane, under an organisation's overlay.
fn complete() -> Release {
    let mut release = Release::authoritative();
    release.overlay = Some((organisation(), "version: 1\nbuild:\n  determinism: dual\n".to_owned()));
    release
}

/// Another good release: everything that can differ does.
fn another() -> Release {
    let mut other = complete();
    other.image_config.push(b' ');
    let (config, size) = (Digest::of(&other.image_config), other.image_config.len());
    for run in &mut other.determinism.runs {
        run.config = config;
    }
    set_image(&mut other, |manifest| {
        manifest["config"]["digest"] = json!(config);
        manifest["config"]["size"] = json!(size);
    });
    other.packages.push(package("rand", "0.9.0"));
    other.junit = release::junit(&[("another", ""), ("and another", "")]);
    other.scan = sarif(&[("CVE-0", "0.0")]);
    other.context.files[0].digest = Digest::of(b"other");
    other.config.push_str("budgets:\n  vulnerabilities:\n    low: 5\n");
    other.smoke.duration_ms += 1;
    other.overlay = Some((organisation(), "version: 1\nbudgets:\n  vulnerabilities:\n    low: 5\n".to_owned()));
    other
}

fn kinds(release: &Release) -> Vec<EvidenceKind> {
    let bundle = Unsealed::of(&release.bundle());
    EvidenceKind::ALL.into_iter().filter(|kind| bundle.entry(*kind).is_some()).collect()
}

fn is_accepted(bundle: &[u8], release: &Release) -> bool {
    replay::replay(bundle, &release.trust(), &Expectations::default(), release.now)
        .is_ok_and(|replayed| replayed.decision.verdict == Verdict::Accepted)
}

/// The lane's own decision rejects, and the bundle that it would seal is not accepted either.
#[track_caller]
fn rejects(release: &Release, kind: EvidenceKind) {
    if !LAYERS.contains(&kind) {
        assert_eq!(release.decision().verdict, Verdict::Rejected, "{kind}");
    }
    assert!(!is_accepted(&release.bundle(), release), "{kind}");
}

/// The decision over a set as it stands.
fn decision(release: &Release, set: &EvidenceSet) -> Decision {
    let config = release.effective();
    let subject = &release.publication.subject;
    let trust = &release.trust();
    let facts = verifiers::derive(&Inputs { set, subject, run_id: RUN_ID, trust, config: &config, now: release.now });
    decide(&Question {
        run_id: RUN_ID,
        subject,
        environment: Environment::Dev,
        facts: &facts,
        config: &config,
        overlay: release.overlay.as_ref().map(|(_, text)| Digest::of(text.as_bytes())),
        now: release.now,
    })
    .unwrap()
}

#[test]
fn the_complete_release_has_every_kind_and_is_accepted() {
    let release = complete();
    accepts(&release);
    accepts(&another());
    let missing: Vec<_> = EvidenceKind::ALL.into_iter().filter(|kind| !kinds(&release).contains(kind)).collect();
    assert_eq!(missing, [EvidenceKind::Log]);
}

#[test]
fn each_kind_that_the_lane_does_not_make_rejects() {
    for kind in kinds(&complete()).into_iter().filter(|kind| !kind.is_derived()) {
        let mut release = complete();
        release.without.insert(kind);
        rejects(&release, kind);
    }
}

#[test]
fn each_kind_that_is_removed_rejects_although_the_trusted_key_seals_it() {
    let release = complete();
    for kind in kinds(&release) {
        let mut bundle = Unsealed::of(&release.bundle());
        let path = bundle.entry(kind).unwrap().path.clone();
        bundle.files.remove(&path);
        assert!(!is_accepted(&bundle.seal(&release.key), &release), "{kind}, sealed anew");
        assert!(!is_accepted(&bundle.pack(), &release), "{kind}, manifest as it was");
    }
}

#[test]
fn each_kind_that_stands_twice_rejects() {
    let release = complete();
    for kind in kinds(&release).into_iter().filter(|kind| !kind.is_derived()) {
        let set = release.evidence();
        let (mut entry, content) = set.all(kind).next().unwrap().clone();
        entry.path.push_str(".copy");
        let twice = EvidenceSet::new(set.files().iter().cloned().chain([(entry, content)]).collect()).unwrap();
        let decision = decision(&release, &twice);
        assert_eq!(decision.verdict, Verdict::Rejected, "{kind}");
        let codes: Vec<_> =
            decision.gates.iter().flat_map(|gate| &gate.reasons).map(|reason| reason.code.as_str()).collect();
        if !kind.may_repeat() && !LAYERS[1..].contains(&kind) {
            let repeated = format!("{kind}-repeated");
            // A copy that no verifier reads by itself is still one that the sweep did not cover.
            assert!(
                codes.contains(&repeated.as_str()) || codes.contains(&"secret-sweep-inconsistent"),
                "{kind}: {codes:?}"
            );
        }
    }
}

#[test]
fn each_kind_that_stands_twice_in_a_sealed_bundle_rejects() {
    let release = complete();
    for kind in kinds(&release) {
        let mut bundle = Unsealed::of(&release.bundle());
        let mut copy = bundle.entry(kind).unwrap().clone();
        let content = bundle.content(kind).clone();
        copy.path = format!("{}-copy", copy.path);
        bundle.files.insert(copy.path.clone(), content);
        bundle.manifest.files.push(copy);
        bundle.manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(!is_accepted(&bundle.seal(&release.key), &release), "{kind}");
    }
}

#[test]
fn each_kind_that_is_empty_or_cut_or_an_empty_object_rejects() {
    let good = complete();
    let evidence = good.evidence();
    for kind in kinds(&good).into_iter().filter(|kind| !kind.is_derived()) {
        let (_, content) = evidence.all(kind).next().unwrap();
        for bytes in
            [&b""[..], b"{}", &content[..content.len() / 2], &content[..content.len() - 1], b"null", b"[]", b"\0"]
        {
            let mut release = complete();
            release.replaced.insert(kind, bytes.to_vec());
            // A configuration without its last newline means the same, and is then what was decided on.
            if !(LAYERS.contains(&kind) && bytes.len() + 1 == content.len()) {
                rejects(&release, kind);
            }
        }
    }
}

#[test]
fn each_kind_of_another_release_rejects_although_the_trusted_key_seals_it() {
    let release = complete();
    let mut other = Unsealed::of(&another().bundle());
    *other.content(EvidenceKind::IssuerKeys) = Issuer::new().jwks();
    for kind in kinds(&release) {
        let mut bundle = Unsealed::of(&release.bundle());
        assert_ne!(bundle.content(kind), other.content(kind), "{kind}: the other release must differ");
        bundle.content(kind).clone_from(other.content(kind));
        assert!(!is_accepted(&bundle.seal(&release.key), &release), "{kind}, sealed anew");
        assert!(!is_accepted(&bundle.pack(), &release), "{kind}, manifest as it was");
    }
}

#[test]
fn issuer_keys_of_another_issuer_reject() {
    let mut release = complete();
    release.replaced.insert(EvidenceKind::IssuerKeys, Issuer::new().jwks());
    rejects(&release, EvidenceKind::IssuerKeys);
}

#[test]
fn an_overlay_of_another_organisation_rejects() {
    let mut release = complete();
    let trust = release.trust();
    release.overlay.as_mut().unwrap().0 = crate::stranger();
    assert!(replay::replay(&release.bundle(), &trust, &Expectations::default(), release.now).is_err());
}

#[test]
fn an_overlay_that_the_verifier_demands_cannot_be_left_out() {
    let trust = complete().trust();
    let release = Release::authoritative();
    let refusal = replay::replay(&release.bundle(), &trust, &Expectations::default(), release.now).unwrap_err();
    assert!(matches!(refusal, replay::Refusal::Rejected(replay::Fault::NoOverlay)), "{refusal}");
}
