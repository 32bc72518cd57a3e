//! Cases of the fail-open zoo (tests/zoo/README.md) that facts, gates and replay decide.

use ci_evidence::dsse;
use ci_policy::replay::{self, Expectations, Fault, Refusal};
use ci_policy::{gates, summary};
use ci_testkit::Unsealed;
use ci_testkit::release::{Release, junit};
use ci_types::record::{CommandRun, Decision, EvidenceKind, Verdict};
use ci_types::{Digest, Timestamp, canonical};
use serde_json::{Value, json};

use crate::gates::denies;

fn at(release: &Release, seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(release.now.unix_s() + seconds).unwrap()
}

fn replay(bundle: &[u8], release: &Release, max_age_s: Option<u64>, now: Timestamp) -> Result<Verdict, Refusal> {
    let expected = Expectations { max_age_s, ..Expectations::default() };
    replay::replay(bundle, &release.trust(), &expected, now).map(|replayed| replayed.decision.verdict)
}

fn payload(bundle: &mut Unsealed, kind: EvidenceKind) -> Value {
    use base64::Engine as _;
    let envelope: dsse::Envelope = serde_json::from_slice(bundle.content(kind)).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(envelope.payload).unwrap()).unwrap()
}

/// A decision that leaves a gate out, knows another one, or calls one skipped, is none of ours, whoever signs it.
#[test]
fn zoo_chainloop_missing_builtin_skipped() {
    let release = Release::authoritative();
    for gate in 0..gates::all().len() {
        let changes: [fn(&mut Decision, usize); 2] = [
            |decision, gate| drop(decision.gates.remove(gate)),
            |decision, gate| decision.gates[gate].gate = "a-gate-that-nobody-knows".to_owned(),
        ];
        for change in changes {
            let mut bundle = Unsealed::of(&release.bundle());
            let mut decision: Decision = canonical::from_slice(bundle.content(EvidenceKind::Decision)).unwrap();
            change(&mut decision, gate);
            // The whole of it, consistently: everything that is derived is derived from that decision.
            let log = bundle.content(EvidenceKind::LogEntry).clone();
            let mut log: ci_evidence::decision_log::LogEntry = canonical::from_slice(&log).unwrap();
            let evidence = release.evidence();
            log.decision = Some(Digest::of(&canonical::to_vec(&decision).unwrap()));
            let telemetry = ci_policy::telemetry::record(&evidence, &decision).unwrap();
            let sealed = ci_policy::bundle::seal(&evidence, &decision, &log, &telemetry, &release.key).unwrap();
            let refusal = replay(&sealed.archive, &release, None, release.now).unwrap_err();
            assert!(matches!(refusal, Refusal::Rejected(Fault::ReplayDiffers(_))), "{refusal}");
        }
    }
    let mut skipped: Value =
        serde_json::from_slice(Unsealed::of(&release.bundle()).content(EvidenceKind::Decision)).unwrap();
    skipped["gates"][0]["verdict"] = json!("skipped");
    assert!(
        canonical::from_slice::<Decision>(&canonical::to_vec(&skipped).unwrap()).is_err(),
        "no third answer exists"
    );
}

/// A forged summary that says PASSED shortens nothing: not by a stranger, not even by the lane's own key.
#[test]
fn zoo_conforma_forged_vsa() {
    let mut rejected = Release::local();
    rejected.junit = junit(&[("fails", "<failure/>")]);
    for key in [&rejected.key, &crate::stranger()] {
        let mut bundle = Unsealed::of(&rejected.bundle());
        let mut forged = payload(&mut bundle, EvidenceKind::Summary);
        assert_eq!(forged["predicate"]["verificationResult"], "FAILED");
        forged["predicate"]["verificationResult"] = json!("PASSED");
        forged["predicate"]["verifiedLevels"] = json!(["SLSA_BUILD_LEVEL_3"]);
        let forged = dsse::seal(dsse::IN_TOTO, &canonical::to_vec(&forged).unwrap(), key).unwrap();
        *bundle.content(EvidenceKind::Summary) = forged;
        let refusal = replay(&bundle.seal(&rejected.key), &rejected, None, rejected.now).unwrap_err();
        let fault =
            matches!(refusal, Refusal::Rejected(Fault::NotDerived(EvidenceKind::Summary) | Fault::Signature { .. }));
        assert!(fault, "{refusal}");
    }
}

/// The summary of an accepted release proves nothing about a rejected one.
#[test]
fn a_summary_of_another_release_is_refused() {
    let good = Release::local();
    let mut bad = Release::local();
    bad.junit = junit(&[("fails", "<failure/>")]);
    let mut bundle = Unsealed::of(&bad.bundle());
    *bundle.content(EvidenceKind::Summary) = Unsealed::of(&good.bundle()).content(EvidenceKind::Summary).clone();
    assert!(replay(&bundle.seal(&bad.key), &bad, None, bad.now).is_err());
}

/// The recorded time explains a decision; the verifier's own clock says whether it still counts.
#[test]
fn zoo_conforma_backdated() {
    let release = Release::authoritative();
    let bundle = release.bundle();
    let time = |refusal: Refusal| matches!(refusal, Refusal::Rejected(Fault::Time { .. }));
    assert_eq!(replay(&bundle, &release, Some(3600), at(&release, 3600)).unwrap(), Verdict::Accepted);
    assert!(time(replay(&bundle, &release, Some(3600), at(&release, 3601)).unwrap_err()), "older than demanded");
    assert_eq!(
        replay(&bundle, &release, None, at(&release, -300)).unwrap(),
        Verdict::Accepted,
        "clocks differ a little"
    );
    assert!(time(replay(&bundle, &release, None, at(&release, -301)).unwrap_err()), "decided in the future");

    // An old decision that is given a younger date is another decision.
    let mut redated = Unsealed::of(&bundle);
    let mut decision: Decision = canonical::from_slice(redated.content(EvidenceKind::Decision)).unwrap();
    decision.now = at(&release, 3000);
    redated.manifest.created_at = decision.now;
    let bytes = canonical::to_vec(&decision).unwrap();
    *redated.content(EvidenceKind::DecisionSignature) = dsse::seal(dsse::DECISION, &bytes, &release.key).unwrap();
    *redated.content(EvidenceKind::Decision) = bytes;
    let redated = redated.seal(&release.key);
    assert!(replay(&redated, &release, Some(3600), at(&release, 3601)).is_err());

    // A date back into the life of a token that has expired does not bring it back for a verifier who asks for fresh ones.
    let mut late = Release::authoritative();
    late.now = at(&late, 10_000);
    denies(&late, "lane-authority", "identity-stale");
    assert!(replay(&release.bundle(), &release, Some(600), late.now).is_err());
}

/// What is not accepted is exported as FAILED, and nothing lies between.
#[test]
fn zoo_ampel_softfail_passed() {
    let mut release = Release::local();
    release.context.source.dirty.push("src/app".to_owned());
    let decision = release.decision();
    assert_eq!(decision.denied_by().count(), 1, "the mildest rejection there is");
    let statement = summary::statement(&decision, Digest::of(b"x"), &release.evidence()).unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(statement["predicate"]["verificationResult"], "FAILED");
    assert_eq!(statement["predicate"]["verifiedLevels"], json!(["FAILED"]));

    let accepted = Release::local();
    let passed = summary::statement(&accepted.decision(), Digest::of(b"x"), &accepted.evidence()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&passed).unwrap()["predicate"]["verificationResult"], "PASSED");
}

fn timed_out(release: &mut Release, stage: &str) {
    match release.commands.commands.iter_mut().find(|run| run.stage == stage) {
        Some(run) => run.exit_code = None,
        None => {
            let killed =
                CommandRun { stage: stage.to_owned(), exit_code: None, ..release.commands.commands[0].clone() };
            release.commands.commands.push(killed);
        }
    }
}

/// A command that was killed has no exit code, and no exit code is no success: whatever stage it ran in.
#[test]
fn zoo_datadog_pass_on_timeout() {
    for (stage, gate, code) in [
        ("tests", "tests", "test-command-failed"),
        ("scan", "vulnerability-budget", "scan-results-inconsistent"),
        ("build", "provenance-complete", "build-failed"),
        ("sbom", "provenance-complete", "command-failed"),
        ("anything", "provenance-complete", "command-failed"),
    ] {
        let mut release = Release::authoritative();
        timed_out(&mut release, stage);
        denies(&release, gate, code);
    }
}

/// A scanner that ran out of time may have left a report without findings: that is not a report.
#[test]
fn zoo_ratify_timeout_success() {
    let mut release = Release::local();
    timed_out(&mut release, "scan");
    let facts = release.facts();
    assert!(facts.scan.is_err(), "no fact comes of it");
    denies(&release, "vulnerability-budget", "scan-results-inconsistent");

    let mut unanswered = Release::local();
    unanswered.smoke.probes[0].passed = false;
    unanswered.smoke.probes[0].detail = "no answer within 30 s".to_owned();
    denies(&unanswered, "runtime-viability", "probe-failed");
}
