//! Every gate, every reason to deny: one named test a cell of the negative-path matrix (spec, sections 8.4 and 8.5).

mod artifact_identity;
mod context_boundary;
mod determinism;
mod evidence_complete;
mod lane_authority;
mod provenance_complete;
mod runtime_viability;
mod secret_hygiene;
mod tests;
mod vulnerability_budget;

use std::collections::BTreeSet;

use ci_evidence::verifiers;
use ci_policy::gates;
use ci_policy::replay::{self, Expectations};
use ci_testkit::release::Release;
use ci_types::record::{EvidenceKind, GateVerdict, Verdict};
use ci_types::{Digest, canonical};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One way in which a gate denies, with the test that shows it.
pub(crate) struct Cell {
    pub(crate) gate: &'static str,
    pub(crate) code: &'static str,
}

/// Declares cells and their tests: `base name => code, change;`, where base is a constructor of `Release`.
macro_rules! denials {
    ($gate:literal; $($base:ident $name:ident => $code:literal, $change:expr;)+) => {
        pub(super) const CELLS: &[$crate::gates::Cell] = &[$($crate::gates::Cell {
            gate: $gate,
            code: $code,
        }),+];
        $(
            #[test]
            fn $name() {
                let change: fn(&mut ci_testkit::release::Release) = $change;
                let mut release = ci_testkit::release::Release::$base();
                change(&mut release);
                $crate::gates::denies(&release, $gate, $code);
            }
        )+
    };
}
pub(crate) use denials;

/// The release is rejected by that gate for that reason (no "majority pass": spec, section 8.6), with a way out; and its bundle, sealed by the trusted key, never
/// replays as accepted.
#[track_caller]
pub(crate) fn denies(release: &Release, gate: &str, code: &str) {
    let decision = release.decision();
    assert_eq!(decision.verdict, Verdict::Rejected);
    let outcome = decision.gates.iter().find(|outcome| outcome.gate == gate).expect("the gate exists");
    let codes: Vec<&str> = outcome.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(outcome.verdict, GateVerdict::Deny, "{codes:?}");
    assert!(codes.contains(&code), "{gate} denied with {codes:?}, expected {code}");
    for reason in &outcome.reasons {
        assert!(!reason.message.is_empty() && !reason.remediation.is_empty(), "{reason:?} names its cause and its fix");
    }
    match replay::replay(&release.bundle(), &release.trust(), &Expectations::default(), release.now) {
        Ok(replayed) => assert_eq!(replayed.decision, decision, "a genuine rejection replays as itself"),
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

#[track_caller]
pub(crate) fn accepts(release: &Release) {
    let decision = release.decision();
    assert_eq!(decision.verdict, Verdict::Accepted, "{:#?}", decision.gates);
    let replayed = replay::replay(&release.bundle(), &release.trust(), &Expectations::default(), release.now).unwrap();
    assert_eq!(replayed.decision, decision);
}

/// Leaves a kind of evidence out.
pub(crate) fn without(release: &mut Release, kind: EvidenceKind) {
    release.without.insert(kind);
}

/// Puts other bytes in the place of a kind of evidence.
pub(crate) fn replace(release: &mut Release, kind: EvidenceKind, bytes: &[u8]) {
    release.replaced.insert(kind, bytes.to_vec());
}

/// Changes a record of the evidence as it would be packed.
pub(crate) fn edit<T: Serialize + DeserializeOwned>(
    release: &mut Release,
    kind: EvidenceKind,
    change: impl FnOnce(&mut T),
) {
    let evidence = release.evidence();
    let (_, mut record) = evidence.record::<T>(kind).unwrap();
    change(&mut record);
    release.replaced.insert(kind, canonical::to_vec(&record).unwrap());
}

/// Makes another image manifest the released image, in every record that names it.
pub(crate) fn set_image(release: &mut Release, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&release.image_manifest).unwrap();
    change(&mut manifest);
    // Not canonical on purpose: image manifests are foreign documents.
    release.image_manifest = serde_json::to_vec(&manifest).unwrap();
    let digest = Digest::of(&release.image_manifest);
    let publication = &mut release.publication;
    publication.subject.digest = digest;
    (publication.built, publication.published, publication.read_back) = (digest, digest, digest);
    publication.manifest_bytes = release.image_manifest.len() as u64;
    let config_bytes = manifest["config"]["size"].as_u64().unwrap_or_default();
    publication.artifact_bytes = (release.image_manifest.len() as u64).wrapping_add(config_bytes).wrapping_add(5);
    release.smoke.image = digest;
    for run in &mut release.determinism.runs {
        run.manifest = digest;
    }
    if let Some(claims) = &mut release.claims {
        claims.aud = verifiers::audience(&digest);
    }
}

fn cells() -> impl Iterator<Item = &'static Cell> {
    [
        artifact_identity::CELLS,
        lane_authority::CELLS,
        context_boundary::CELLS,
        provenance_complete::CELLS,
        evidence_complete::CELLS,
        determinism::CELLS,
        runtime_viability::CELLS,
        tests::CELLS,
        vulnerability_budget::CELLS,
        secret_hygiene::CELLS,
    ]
    .into_iter()
    .flatten()
}

#[test]
fn a_good_local_release_is_accepted_and_replays() {
    accepts(&Release::local());
}

#[test]
fn a_good_authoritative_release_is_accepted_for_dev_and_replays() {
    let release = Release::authoritative();
    accepts(&release);
    assert!(release.decision().lane.authoritative);
}

#[test]
fn every_gate_has_a_test_in_which_it_denies() {
    let tested: BTreeSet<&str> = cells().map(|cell| cell.gate).collect();
    let all: BTreeSet<&str> = gates::all().iter().map(|gate| gate.id).collect();
    assert_eq!(tested, all);
}

/// Reads the gates' sources: a code that someone adds there without a cell here fails.
#[test]
fn every_code_of_every_gate_has_a_test() {
    let mut tested: BTreeSet<(&str, &str)> = cells().map(|cell| (cell.gate, cell.code)).collect();
    tested.extend(context_boundary::BY_HAND);
    for gate in gates::all() {
        let path = format!("{}/src/gates/{}.rs", env!("CARGO_MANIFEST_DIR"), gate.id.replace('-', "_"));
        let source = std::fs::read_to_string(&path).expect(&path);
        let literals = source.split('"').skip(1).step_by(2).filter(|literal| {
            literal.contains('-') && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        });
        for code in literals.filter(|literal| *literal != gate.id) {
            assert!(tested.contains(&(gate.id, code)), "{}: `{code}` has no test", gate.id);
        }
    }
    for severity in ["critical", "high", "medium", "low"] {
        let code = format!("{severity}-over-budget");
        assert!(tested.contains(&("vulnerability-budget", code.as_str())), "{code} has no test");
    }
}

/// Every fact that can be rejected is named by `evidence-complete`, so an absence has one place where it shows.
#[test]
fn absence_always_shows_in_evidence_complete() {
    for kind in EvidenceKind::ALL.into_iter().filter(|kind| !kind.is_derived()) {
        let mut release = Release::authoritative();
        release.without.insert(kind);
        let present = Release::authoritative().evidence().all(kind).next().is_some();
        let denied = release.decision().denied_by().any(|gate| gate == "evidence-complete");
        assert_eq!(denied, present, "{kind}");
    }
}

#[test]
fn a_decision_names_every_gate_once_in_order() {
    let decision = Release::local().decision();
    let named: Vec<&str> = decision.gates.iter().map(|outcome| outcome.gate.as_str()).collect();
    assert_eq!(named, gates::all().map(|gate| gate.id));
    assert_eq!(json!(decision.verdict), json!("accepted"));
}
