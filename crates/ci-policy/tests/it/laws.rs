//! Laws of deciding, over releases that no one wrote by hand.

use ci_evidence::set::EvidenceSet;
use ci_evidence::verifiers::{self, Inputs};
use ci_policy::gates;
use ci_policy::{Question, decide};
use ci_testkit::release::{RUN_ID, Release, junit, sarif};
use ci_types::record::{Decision, EvidenceKind, GateVerdict, Verdict};
use ci_types::{Timestamp, canonical};
use proptest::prelude::*;

/// A release that may be good or bad in several ways at once.
#[derive(Debug, Clone)]
struct Shape {
    authoritative: bool,
    findings: Vec<u8>,
    failed_tests: usize,
    dirty: bool,
    probe_passes: bool,
    tag_taken: bool,
    exit_code: Option<i32>,
    token_age_s: i64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let good = |flag: bool| prop_oneof![6 => Just(flag), 1 => Just(!flag)];
    (
        any::<bool>(),
        prop::collection::vec(0_u8..100, 0..4),
        prop_oneof![6 => Just(0_usize), 1 => 1_usize..3],
        good(false),
        good(true),
        good(false),
        prop_oneof![6 => Just(Some(0)), 1 => any::<Option<i32>>()],
        0_i64..900,
    )
        .prop_map(
            |(authoritative, findings, failed_tests, dirty, probe_passes, tag_taken, exit_code, token_age_s)| Shape {
                authoritative,
                findings,
                failed_tests,
                dirty,
                probe_passes,
                tag_taken,
                exit_code,
                token_age_s,
            },
        )
}

fn release(shape: &Shape) -> Release {
    let mut release = if shape.authoritative { Release::authoritative() } else { Release::local() };
    let scores: Vec<(String, String)> = shape
        .findings
        .iter()
        .enumerate()
        .map(|(index, score)| (format!("CVE-{index}"), format!("{}.{}", score / 10, score % 10)))
        .collect();
    let scores: Vec<(&str, &str)> = scores.iter().map(|(id, score)| (id.as_str(), score.as_str())).collect();
    release.scan = sarif(&scores);
    let mut cases = vec![("works", "")];
    cases.extend(std::iter::repeat_n(("fails", "<failure/>"), shape.failed_tests));
    release.junit = junit(&cases);
    if shape.dirty {
        release.context.source.dirty.push("src/app".to_owned());
    }
    if shape.tag_taken {
        release.publication.tag_before = Some(ci_types::Digest::of(b"other"));
    }
    release.smoke.probes[0].passed = shape.probe_passes;
    release.commands.commands[0].exit_code = shape.exit_code;
    if let Some(claims) = &mut release.claims {
        let issued = release.now.unix_s() - shape.token_age_s;
        (claims.iat, claims.nbf, claims.exp) = (issued, issued, issued + 300);
    }
    release
}

/// The decision over these files at this time.
fn over(release: &Release, set: &EvidenceSet, now: Timestamp) -> Decision {
    let config = release.effective();
    let subject = &release.publication.subject;
    let trust = &release.trust();
    let facts = verifiers::derive(&Inputs { set, subject, run_id: RUN_ID, trust, config: &config, now });
    let environment = release.environment;
    decide(&Question { run_id: RUN_ID, subject, environment, facts: &facts, config: &config, overlay: None, now })
        .unwrap()
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(time.unix_s() + seconds).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn removing_evidence_never_turns_a_rejection_into_acceptance(
        shape in shapes(),
        kinds in prop::collection::btree_set(prop::sample::select(EvidenceKind::ALL.to_vec()), 1..4),
    ) {
        let before = release(&shape);
        let rejected = before.decision().verdict == Verdict::Rejected;
        let mut after = release(&shape);
        let present = before.evidence().files().iter().any(|(file, _)| kinds.contains(&file.kind));
        after.without = kinds;
        // Stronger than asked: what removes anything at all is rejected, however good the rest.
        prop_assert!(after.decision().verdict == Verdict::Rejected || !(rejected || present));
    }

    #[test]
    fn removing_files_after_the_sweep_never_accepts(shape in shapes(), pick in any::<prop::sample::Index>()) {
        let release = release(&shape);
        let mut files = release.evidence().files().to_vec();
        files.remove(pick.index(files.len()));
        let decision = over(&release, &EvidenceSet::new(files).unwrap(), release.now);
        prop_assert_eq!(decision.verdict, Verdict::Rejected);
    }

    #[test]
    fn the_order_of_evidence_is_irrelevant(shape in shapes(), seed in any::<u64>()) {
        let release = release(&shape);
        let set = release.evidence();
        let mut shuffled = set.files().to_vec();
        let mut state = seed;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let shuffled = over(&release, &EvidenceSet::new(shuffled).unwrap(), release.now);
        prop_assert_eq!(canonical::to_vec(&shuffled).unwrap(), canonical::to_vec(&over(&release, &set, release.now)).unwrap());
    }

    #[test]
    fn deciding_twice_gives_the_same_bytes(shape in shapes()) {
        let (one, two) = (release(&shape).decision(), release(&shape).decision());
        prop_assert_eq!(canonical::to_vec(&one).unwrap(), canonical::to_vec(&two).unwrap());
    }

    #[test]
    fn accepted_means_that_every_gate_passed(shape in shapes()) {
        let decision = release(&shape).decision();
        let all = decision.gates.len() == gates::all().len()
            && decision.gates.iter().all(|gate| gate.verdict == GateVerdict::Pass);
        prop_assert_eq!(decision.verdict == Verdict::Accepted, all);
        for gate in &decision.gates {
            prop_assert!(!gate.reasons.is_empty(), "{} says nothing", gate.gate);
        }
    }

    #[test]
    fn a_stricter_budget_never_accepts_more(shape in shapes(), loose in (0_u64..4, 0_u64..4), less in (0_u64..4, 0_u64..4)) {
        let with = |medium: u64, low: u64| {
            let mut release = release(&shape);
            release.config.push_str(&format!("budgets:\n  vulnerabilities:\n    medium: {medium}\n    low: {low}\n"));
            release.decision().verdict
        };
        let strict = with(loose.0.saturating_sub(less.0), loose.1.saturating_sub(less.1));
        prop_assert!(strict == Verdict::Rejected || with(loose.0, loose.1) == Verdict::Accepted);
    }

    #[test]
    fn more_demanded_tests_never_accept_more(shape in shapes(), least in 1_u64..5, more in 0_u64..5) {
        let with = |least: u64| {
            let mut release = release(&shape);
            release.config = release.config.replace("tests:\n", &format!("tests:\n  min_total: {least}\n"));
            release.decision().verdict
        };
        prop_assert!(with(least + more) == Verdict::Rejected || with(least) == Verdict::Accepted);
    }

    /// Once everything that the evidence speaks of lies in the past, time only ever takes acceptance away.
    #[test]
    fn a_later_time_never_turns_a_rejection_into_acceptance(shape in shapes(), waits in (0_i64..2_000, 0_i64..2_000)) {
        let release = release(&shape);
        let set = release.evidence();
        let sooner = over(&release, &set, later(release.now, waits.0)).verdict;
        let afterwards = over(&release, &set, later(release.now, waits.0 + waits.1)).verdict;
        prop_assert!(afterwards == Verdict::Rejected || sooner == Verdict::Accepted);
    }
}

#[test]
fn the_shapes_are_both_accepted_and_rejected() {
    let good = Shape {
        authoritative: true,
        findings: vec![5, 45],
        failed_tests: 0,
        dirty: false,
        probe_passes: true,
        tag_taken: false,
        exit_code: Some(0),
        token_age_s: 10,
    };
    assert_eq!(release(&good).decision().verdict, Verdict::Accepted);
    assert_eq!(release(&Shape { token_age_s: 601, ..good.clone() }).decision().verdict, Verdict::Rejected);
    assert_eq!(release(&Shape { findings: vec![70], ..good }).decision().verdict, Verdict::Rejected);
}

#[test]
fn several_result_files_replay_in_any_order() {
    use ci_policy::bundle;
    use ci_types::record::Producer;

    let release = Release::local();
    let producer = || Producer { name: "tool".to_owned(), version: None, command: Some(0) };
    let file = |path: &str, name: &str| {
        let bytes = junit(&[(name, "<failure/>")]);
        (bundle::entry(EvidenceKind::TestResults, path.to_owned(), &bytes, producer()), bytes)
    };
    let mut names = Vec::new();
    for order in [["tests/a.xml", "tests/b.xml"], ["tests/b.xml", "tests/a.xml"]] {
        let mut files = release.evidence().files().to_vec();
        files.retain(|(entry, _)| entry.kind != EvidenceKind::TestResults);
        files.extend(order.map(|path| file(path, path)));
        let mut set = EvidenceSet::new(files).unwrap();
        let (_, mut receipt) = set.record::<ci_types::record::CommandReceipt>(EvidenceKind::Commands).unwrap();
        let results = set.all(EvidenceKind::TestResults);
        receipt.commands[0].outputs = results
            .map(|(entry, _)| ci_types::record::FileDigest { path: entry.path.clone(), digest: entry.digest })
            .collect();
        let bytes = canonical::to_vec(&receipt).unwrap();
        let mut files = set.files().to_vec();
        for (entry, content) in files.iter_mut().filter(|(entry, _)| entry.kind == EvidenceKind::Commands) {
            *entry = bundle::entry(EvidenceKind::Commands, entry.path.clone(), &bytes, entry.producer.clone());
            content.clone_from(&bytes);
        }
        set = EvidenceSet::new(files).unwrap();
        let decision = over(&release, &set, release.now);
        let tests = decision.gates.iter().find(|gate| gate.gate == "tests").unwrap();
        names.push(tests.reasons.iter().map(|reason| reason.message.clone()).collect::<Vec<_>>());
    }
    assert!(names[0][0].contains("tests/a.xml"), "{names:?}");
    assert_eq!(names[0], names[1]);
}
