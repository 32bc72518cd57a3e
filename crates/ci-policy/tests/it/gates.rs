//! Every gate, every reason to deny: one named test a cell of the negative-path matrix.

use ci_policy::replay::{self, Expectations};
use ci_testkit::release::Release;
use ci_types::record::{GateVerdict, Verdict};

#[track_caller]
pub(crate) fn denies(release: &Release, gate: &str, code: &str) {
    let decision = release.decision();
    assert_eq!(decision.verdict, Verdict::Rejected);
    let outcome = decision.gates.iter().find(|outcome| outcome.gate == gate).expect("the gate exists");
    let codes: Vec<&str> = outcome.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(outcome.verdict, GateVerdict::Deny, "{codes:?}");
    assert!(codes.contains(&code), "{gate} denied with {codes:?}, expected {code}");
    assert!(outcome.reasons.iter().all(|reason| !reason.remediation.is_empty()), "each reason names its fix");
}

#[test]
fn a_good_local_release_is_accepted_and_replays() {
    let release = Release::local();
    let decision = release.decision();
    assert_eq!(decision.verdict, Verdict::Accepted, "{:#?}", decision.gates);
    let replayed = replay::replay(&release.bundle(), &release.trust(), &Expectations::default(), release.now).unwrap();
    assert_eq!(replayed.decision, decision);
}

#[test]
fn a_good_authoritative_release_is_accepted_for_dev_and_replays() {
    let release = Release::authoritative();
    let decision = release.decision();
    assert_eq!(decision.verdict, Verdict::Accepted, "{:#?}", decision.gates);
    assert!(decision.lane.authoritative);
    replay::replay(&release.bundle(), &release.trust(), &Expectations::default(), release.now).unwrap();
}
