#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The typed reader and the JSON Schema must agree on every mutation of the examples; then the rules beyond the schema.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::strategy::Strategy;
use serde_json::{Value, json};

use super::v1_1::{Change, PipelineRunV11};
use super::*;
use crate::strict_json;

const EXAMPLE: &[u8] = include_bytes!("../../../../schema/fixtures/pipeline_run.v1.2.example.ndjson");
const EXAMPLE_V11: &[u8] = include_bytes!("../../../../schema/fixtures/pipeline_run.v1.1.example.ndjson");

fn validator(text: &str) -> Validator {
    let schema: Value = serde_json::from_str(text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

static V12: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../schema/pipeline_run.v1.2.json")));
static V11: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../schema/pipeline_run.v1.1.json")));

fn example() -> Value {
    serde_json::from_slice(EXAMPLE).unwrap()
}

fn run() -> PipelineRun {
    read_line(EXAMPLE).unwrap()
}

/// Whether the typed reader takes the document, consistency rules left aside: they are beyond the schema.
fn typed_accepts(document: &Value, v11: bool) -> bool {
    let bytes = document.to_string();
    let problems = if v11 {
        strict_json::from_slice::<PipelineRunV11>(bytes.as_bytes()).map(|run| run.check())
    } else {
        strict_json::from_slice::<PipelineRun>(bytes.as_bytes()).map(|run| run.check())
    };
    problems.is_ok_and(|problems| !problems.iter().any(Problem::breaks_schema))
}

fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| pointers(value, format!("{at}/{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| pointers(value, format!("{at}/{n}"), out))
        }
        _ => {}
    }
    out.push(at);
}

fn all_pointers(document: &Value) -> Vec<String> {
    let mut out = Vec::new();
    pointers(document, String::new(), &mut out);
    out
}

/// An example with every optional field of the schema present, so that mutations reach all of them.
fn full(document: &Value, v11: bool) -> Value {
    let mut document = document.clone();
    document["rollback_reason"] = json!("burn rate");
    document["jobs"][0]["matrix"] = json!({"os": "linux", "shard": 3, "fast": true});
    if !v11 {
        document["policies"][0]["docs_uri"] = json!("https://docs.example.com/p");
        document["policies"][0]["time_ns"] = json!(1200);
        document["canary"]["notes"] = json!("quiet");
    }
    document
}

#[test]
fn the_examples_are_canonical_sound_and_schema_valid() {
    assert!(V12.is_valid(&example()));
    assert_eq!(run().to_line().unwrap(), EXAMPLE);
    assert!(read_ndjson(EXAMPLE).is_sound());
    let old: Value = serde_json::from_slice(EXAMPLE_V11).unwrap();
    assert!(V11.is_valid(&old) && !V12.is_valid(&old) && !V11.is_valid(&example()));
    assert!(read_ndjson(EXAMPLE_V11).is_sound());
}

#[test]
fn the_schema_and_the_typed_reader_agree_on_every_mutation() {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(0.5),
        json!(1.5),
        json!(-1.5),
        json!(5.0),
        json!(-0.0),
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_992_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("a/b"),
        json!("a/b/c"),
        json!("/"),
        json!("success"),
        json!("blue-green"),
        json!("self-hosted"),
        json!("local"),
        json!("Linux"),
        json!("https://example.com"),
        json!("no uri"),
        json!("relative/path"),
        json!("mailto:a@b"),
        json!("2025-10-23T12:00:00Z"),
        json!("2025-10-23T12:00:00.123+02:00"),
        json!("2025-10-23 12:00:00Z"),
        json!("2025-02-29T12:00:00Z"),
        json!("2025-10-23T12:00:00"),
        json!("2016-12-31T23:59:60Z"),
        json!("2016-12-31T22:59:60Z"),
        json!("1B7C2E4A-6b54-4e3b-9f1e-4e0d9ea9b1a1"),
        json!("1b7c2e4a6b544e3b9f1e4e0d9ea9b1a1"),
        json!("a".repeat(40)),
        json!("G".repeat(40)),
        json!(format!("sha256:{}", "A".repeat(64))),
        json!(format!("sha256:{}", "a".repeat(62))),
        json!([]),
        json!([null]),
        json!([1]),
        json!([{}]),
        json!({}),
        json!({"x": 1}),
        json!({"x": "y"}),
        json!({"x": null}),
        json!({"kwh": 1}),
    ];
    let (mut cases, mut accepted) = (0, 0);
    for (v11, bytes, schema) in [(false, EXAMPLE, &*V12), (true, EXAMPLE_V11, &*V11)] {
        let document = full(&serde_json::from_slice(bytes).unwrap(), v11);
        assert!(schema.is_valid(&document) && typed_accepts(&document, v11));
        let mut judge = |mutated: &Value, what: &str| {
            let valid = schema.is_valid(mutated);
            let reason = || schema.iter_errors(mutated).next().map(|error| error.to_string());
            assert_eq!(typed_accepts(mutated, v11), valid, "{what}: schema says {:?}", reason());
            cases += 1;
            accepted += u64::from(valid);
        };
        for pointer in all_pointers(&document) {
            for value in &values {
                let mut mutated = document.clone();
                *mutated.pointer_mut(&pointer).unwrap() = value.clone();
                judge(&mutated, &format!("{pointer} = {value}"));
            }
            if let Some((parent, key)) = pointer.rsplit_once('/') {
                let mut mutated = document.clone();
                match mutated.pointer_mut(parent).unwrap() {
                    Value::Object(map) => drop(map.remove(key)),
                    Value::Array(items) => drop(items.remove(key.parse().unwrap())),
                    _ => unreachable!("a parent holds its child"),
                }
                judge(&mutated, &format!("{pointer} removed"));
            }
            let mut mutated = document.clone();
            if let Value::Object(map) = mutated.pointer_mut(&pointer).unwrap() {
                map.insert("unknown_key".to_owned(), json!(1));
                judge(&mutated, &format!("{pointer} with an unknown key"));
            }
        }
    }
    // Both outcomes occur in numbers, or the agreement would mean nothing.
    assert!(cases > 8000 && accepted > 500 && cases - accepted > 4000, "{cases} cases, {accepted} accepted");
}

/// The specification's own example, as printed there, is refused for its three defects and only for them.
#[test]
fn the_example_of_the_specification_needs_exactly_its_corrections() {
    let mut printed = example();
    printed["image_digest"] = json!(format!("sha256:{}", &"0123456789abcdef".repeat(4)[..62]));
    assert!(!V12.is_valid(&printed));
    assert!(matches!(read_line(printed.to_string().as_bytes()), Err(LineError::Json(_))));
    let mut printed = example();
    printed["tests"]["resilience"]["score"] = json!(0.9);
    let Err(LineError::Invalid(problems)) = read_line(printed.to_string().as_bytes()) else { panic!() };
    let [Problem { field, reason: ProblemReason::Score { score, expected } }] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert_eq!((field.as_str(), *score), ("tests.resilience.score", 0.9));
    assert!((expected - 810.0 / 870.0).abs() < 1e-12);
}

#[test]
fn contradictions_reject_with_their_field() {
    let cases = [
        ("score", "/tests/resilience/score", json!(0.9316), "tests.resilience.score"),
        (
            "no mutants, a score",
            "/tests/resilience",
            json!({"mutants_total": 0, "killed": 0, "equiv": 0, "timeout": 0, "score": 1}),
            "tests.resilience.score",
        ),
        ("end", "/ended_at", json!("2025-10-23T11:59:59Z"), "ended_at"),
        ("end by offset", "/ended_at", json!("2025-10-23T12:04:10+01:00"), "ended_at"),
        ("end by fraction", "/started_at", json!("2025-10-23T12:04:10.000000001Z"), "ended_at"),
        ("window", "/canary/window/end", json!("2025-10-23T11:00:00Z"), "canary.window.end"),
        ("empty window", "/canary/window/end", json!("2025-10-23T11:59:20Z"), "canary.window"),
        ("recorded", "/canary/recorded_at", json!("2025-10-23T12:04:19Z"), "canary.recorded_at"),
        ("chaos", "/chaos/0/ended_at", json!("2025-10-23T12:01:09Z"), "chaos[0].ended_at"),
        ("tests", "/tests/failed", json!(1231), "tests.total"),
        ("skipped", "/tests/skipped", json!(1239), "tests.total"),
        ("mutants", "/tests/resilience/timeout", json!(61), "tests.resilience.mutants_total"),
    ];
    for (name, pointer, value, field) in cases {
        let mut document = example();
        *document.pointer_mut(pointer).unwrap() = value;
        assert!(V12.is_valid(&document), "{name}: the schema cannot see it");
        let Err(LineError::Invalid(problems)) = read_line(document.to_string().as_bytes()) else {
            panic!("{name} was accepted")
        };
        assert!(
            problems.len() == 1 && problems[0].field == field && !problems[0].breaks_schema(),
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn edges_of_the_rules_are_accepted() {
    for (pointer, value) in [
        ("/ended_at", json!("2025-10-23T12:00:00Z")),
        ("/ended_at", json!("2025-10-23T13:00:00+01:00")),
        ("/tests/resilience/score", json!(0.931)),
        ("/tests/resilience/timeout", json!(60)),
        ("/tests/skipped", json!(1238)),
        ("/chaos/0/ended_at", json!("2025-10-23T12:01:10Z")),
    ] {
        let mut document = example();
        *document.pointer_mut(pointer).unwrap() = value;
        assert_eq!(read_line(document.to_string().as_bytes()).err(), None, "{pointer}");
    }
}

#[test]
fn what_would_be_refused_is_not_written() {
    let mut bad = run();
    bad.tests.resilience.killed = 1;
    assert!(matches!(bad.to_line(), Err(LineError::Invalid(_))));
    bad = run();
    bad.carbon_g_co2e = Some(f64::NAN);
    assert!(matches!(bad.to_line(), Err(LineError::Invalid(_))));
    bad = run();
    bad.artifact_bytes = Some(MAX_INTEGER + 1);
    assert!(matches!(bad.to_line(), Err(LineError::Invalid(_))));
}

#[test]
fn a_minimal_record_is_sound() {
    let at = "2026-11-22T12:00:00Z".parse::<crate::Timestamp>().unwrap();
    let job = r#"{"id":"release","name":"release","status":"success","duration_ms":5}"#;
    let run = PipelineRun::new(Core {
        run_id: "1b7c2e4a-6b54-4e3b-9f1e-4e0d9ea9b1a1".parse().unwrap(),
        repo: "org/app".parse().unwrap(),
        commit_sha: "a".repeat(40).parse().unwrap(),
        branch: "main".to_owned(),
        started_at: at,
        ended_at: at,
        status: RunStatus::Success,
        jobs: vec![serde_json::from_str(job).unwrap()],
        tests: Tests {
            total: 1,
            failed: 0,
            skipped: None,
            duration_ms: 0,
            coverage: None,
            resilience: Resilience::none(),
        },
    });
    let line = run.to_line().unwrap();
    assert!(V12.is_valid(&serde_json::from_slice(&line).unwrap()));
    assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
    assert_eq!(read_line(&line), Ok(run));
    assert_eq!(RunEnvironment::of(crate::Environment::Local), None);
}

#[test]
fn digests_are_normalised() {
    let upper: ImageDigest = format!("sha256:{}", "AB".repeat(32)).parse().unwrap();
    let digest = upper.digest().unwrap();
    assert_eq!(ImageDigest::from(digest).as_str(), format!("sha256:{}", "ab".repeat(32)));
}

#[test]
fn a_bad_line_neither_hides_nor_spoils_the_others() {
    let unknown = br#"{"schema":"pipeline_run.v2.0"}"#;
    let file = [EXAMPLE.trim_ascii_end(), b"{", b"", unknown, b"{}", br#"{"schema":"a","schema":"b"}"#, EXAMPLE_V11]
        .join(&b'\n');
    let read = read_ndjson(&file);
    assert_eq!(read.runs.iter().map(|run| run.line).collect::<Vec<_>>(), [1, 7]);
    assert_eq!(read.errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert!(matches!(read.errors[0].1, LineError::Json(_)));
    assert_eq!(read.errors[1].1, LineError::Empty);
    assert_eq!(read.errors[2].1, LineError::UnknownSchema("pipeline_run.v2.0".to_owned()));
    assert_eq!(read.errors[3].1, LineError::UnknownSchema("missing".to_owned()));
    assert!(!read.is_sound() && !read_ndjson(b"").is_sound() && !read_ndjson(b"\n").is_sound());
    assert!(matches!(read_line(&vec![b'x'; MAX_LINE_BYTES + 1]), Err(LineError::TooLong { .. })));
    // Windows line ends are JSON white space.
    assert!(read_ndjson(&[EXAMPLE.trim_ascii_end(), b"\r\n"].concat()).is_sound());
}

#[test]
fn migration_moves_and_recomputes_and_says_so() {
    let read = read_ndjson(EXAMPLE_V11);
    let ReadLine { run: migrated, changes, .. } = &read.runs[0];
    assert_eq!(migrated.flakiness_index, Some(0.02));
    assert_eq!(migrated.policies, Some(Vec::new()));
    assert_eq!((&migrated.canary, &migrated.release_evidence_uri, &migrated.sbom_uri), (&None, &None, &None));
    assert_eq!(migrated.tests.resilience.score, 810.0 / 870.0);
    assert_eq!(
        changes.as_slice(),
        [
            Change::PoliciesUnknown,
            Change::FlakinessMoved,
            Change::ScoreRecomputed { from: 0.9, to: 810.0 / 870.0 },
            Change::DeltaDropped { was: 0.03 },
        ]
    );
    // Everything that 1.1 could say is in the 1.2 example too.
    let mut expected = run();
    expected.policies = Some(Vec::new());
    (expected.canary, expected.sbom_uri, expected.provenance_uri) = (None, None, None);
    (expected.signature_uri, expected.release_evidence_uri) = (None, None);
    expected.tests.resilience.delta_vs_main = None;
    assert_eq!(*migrated, expected);
    // And what was migrated is a record like any other.
    let line = migrated.to_line().unwrap();
    assert!(V12.is_valid(&serde_json::from_slice(&line).unwrap()));
    assert_eq!(read_line(&line).as_ref(), Ok(migrated));
}

#[test]
fn a_v1_1_score_follows_one_of_two_formulas() {
    let with_score = |score: f64| {
        let mut old: Value = serde_json::from_slice(EXAMPLE_V11).unwrap();
        old["tests"]["resilience"]["score"] = json!(score);
        read_ndjson(old.to_string().as_bytes())
    };
    let new_formula = with_score(0.931);
    assert_eq!(new_formula.runs[0].run.tests.resilience.delta_vs_main, Some(0.03));
    assert_eq!(new_formula.runs[0].changes.len(), 2);
    let neither = with_score(0.95);
    let LineError::Invalid(problems) = &neither.errors[0].1 else { panic!() };
    assert_eq!(problems[0].field, "tests.resilience.score");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read_line(&bytes).is_err());
        prop_assert!(read_ndjson(&bytes).runs.is_empty());
    }

    /// Whatever single bytes change: what is still read is schema-valid and survives a round trip.
    #[test]
    fn mutated_lines_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), 32_u8..127), 1..4)) {
        let mut bytes = EXAMPLE.to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len() - 1);
            bytes[at] = byte;
        }
        if let Ok(run) = read_line(&bytes) {
            let line = run.to_line().unwrap();
            prop_assert!(V12.is_valid(&serde_json::from_slice(&line).unwrap()));
            prop_assert_eq!(read_line(&line), Ok(run));
        }
    }

    #[test]
    fn date_times_agree_with_the_schema_format(
        text in "[0-9]{4}-(0[0-9]|1[0-3])-([0-2][0-9]|3[0-2])[Tt ]([01][0-9]|2[0-5]):[0-6][0-9]:([0-5][0-9]|6[01])(\\.[0-9]{0,12})?([Zz]|[+-][0-2][0-9]:[0-6][0-9]|)",
    ) {
        prop_assert_eq!(text.parse::<DateTime>().is_ok(), format_accepts("date-time", &text), "{}", text);
    }

    #[test]
    fn uris_agree_with_the_schema_format(
        text in "([a-z0-9+.-]{0,4}:)?(//([a-z:%@]{0,4}@)?([a-z0-9.%]{0,5}|\\[(::1|1::2:3|v1\\.a:b|[0-9a-f:]{0,8})\\])(:[0-9a]{0,3})?)?[a-z0-9/%:@!. A-F]{0,8}(\\?[a-z/?%#]{0,4})?(#[a-z/?#é]{0,4})?",
    ) {
        prop_assert_eq!(text.parse::<Uri>().is_ok(), format_accepts("uri", &text), "{}", text);
    }

    #[test]
    fn uuids_agree_with_the_schema_format(text in "[0-9a-fA-Fg]{7,9}-[0-9a-f]{4}(-[0-9a-f]{4}|-[0-9A-F]{4}){2}-?[0-9a-f]{11,12}") {
        prop_assert_eq!(text.parse::<RunId>().is_ok(), format_accepts("uuid", &text), "{}", text);
    }

    #[test]
    fn any_sound_record_is_schema_valid_and_round_trips(run in sound_run()) {
        let line = run.to_line().unwrap();
        let document: Value = serde_json::from_slice(&line).unwrap();
        prop_assert!(V12.is_valid(&document), "{:?}", V12.iter_errors(&document).next().map(|error| error.to_string()));
        prop_assert_eq!(read_line(&line), Ok(run));
    }

    /// A later offset or spelling never changes the order of two instants.
    #[test]
    fn instants_are_ordered_like_jiff(a in any::<i32>(), b in any::<i32>(), minutes in -1439_i64..1440) {
        let zulu = |unix_s: i32| jiff::Timestamp::from_second(unix_s.into()).unwrap().to_string().parse::<DateTime>().unwrap();
        let local = jiff::Timestamp::from_second(i64::from(b) + minutes * 60).unwrap().to_string();
        let sign = if minutes < 0 { '-' } else { '+' };
        let offset = format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        let shifted: DateTime = local.replace('Z', &offset).parse().unwrap();
        prop_assert_eq!(zulu(a).unix_s(), i64::from(a));
        prop_assert_eq!(shifted.unix_s(), i64::from(b));
        prop_assert_eq!(zulu(a).is_before(&shifted), a < b);
    }
}

fn format_accepts(format: &str, text: &str) -> bool {
    let schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string", "format": format});
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap().is_valid(&json!(text))
}

fn instant() -> impl Strategy<Value = crate::Timestamp> {
    (0_i64..4_000_000_000).prop_map(|unix_s| crate::Timestamp::from_unix_s(unix_s).unwrap())
}

fn later(from: crate::Timestamp, by: u32) -> crate::Timestamp {
    crate::Timestamp::from_unix_s(from.unix_s() + i64::from(by)).unwrap()
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0_u64..1000, Just(MAX_INTEGER), 0..=MAX_INTEGER]
}

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..1e12_f64, Just(f64::MAX), Just(5e-324)]
}

fn tests_part() -> impl Strategy<Value = Tests> {
    let mutants = (0_u64..100_000, 0_u64..100_000, 0_u64..100_000, 0_u64..100_000);
    let coverage = prop::option::of(0.0..=1.0_f64);
    (
        any::<u32>(),
        any::<u32>(),
        prop::option::of(any::<u32>()),
        count(),
        mutants,
        coverage,
        prop::option::of(-1.0..=1.0_f64),
    )
        .prop_map(|(passed, failed, skipped, duration_ms, (alive, killed, equiv, timeout), ratio, delta)| {
            let mut resilience = Resilience::of(alive + killed + equiv + timeout, killed, equiv, timeout);
            resilience.delta_vs_main = delta;
            Tests {
                total: u64::from(passed) + u64::from(failed) + u64::from(skipped.unwrap_or(0)),
                failed: failed.into(),
                skipped: skipped.map(u64::from),
                duration_ms,
                coverage: ratio.map(|ratio| Coverage {
                    lines_pct: Some(ratio),
                    branches_pct: None,
                    statements_pct: Some(1.0 - ratio),
                }),
                resilience,
            }
        })
}

fn jobs_part() -> impl Strategy<Value = Vec<Job>> {
    let value = prop_oneof![
        any::<String>().prop_map(MatrixValue::Text),
        (-1e15..1e15_f64).prop_map(MatrixValue::Number),
        any::<bool>().prop_map(MatrixValue::Flag),
    ];
    let matrix = prop::option::of(prop::collection::btree_map(any::<String>(), value, 0..3));
    let status =
        prop::sample::select(vec![RunStatus::Success, RunStatus::Failed, RunStatus::Canceled, RunStatus::Skipped]);
    let job =
        (any::<String>(), status, prop::option::of(1..=MAX_INTEGER), count(), matrix, prop::option::of(positive()))
            .prop_map(|(name, status, attempt, duration_ms, matrix, ram_gb)| Job {
                id: name.clone(),
                name,
                status,
                attempt,
                duration_ms,
                queue_ms: None,
                cache: Some(Cache { hit: Some(true), key: None }),
                machine: Some(Machine { class: None, cpu: None, ram_gb }),
                matrix,
                logs_uri: None,
            });
    prop::collection::vec(job, 1..4)
}

fn sound_run() -> impl Strategy<Value = PipelineRun> {
    let canary = prop::option::of((instant(), 1_u32..1000, 0_u32..1000, any::<String>()));
    let chaos = prop::option::of((instant(), any::<u32>(), -(1_i64 << 53) + 1..1 << 53));
    let numbers = (
        prop::option::of(positive()),
        prop::option::of(0.0..=1.0_f64),
        prop::option::of(count()),
        prop::option::of(1..=MAX_INTEGER),
    );
    (instant(), any::<u32>(), any::<String>(), tests_part(), jobs_part(), canary, chaos, numbers).prop_map(
        |(start, lasted, branch, tests, jobs, canary, chaos, (positive, ratio, count, pr))| {
            let mut run = PipelineRun::new(Core {
                run_id: "1b7c2e4a-6b54-4e3b-9f1e-4e0d9ea9b1a1".parse().unwrap(),
                repo: "org/app".parse().unwrap(),
                commit_sha: "0".repeat(40).parse().unwrap(),
                branch,
                started_at: start,
                ended_at: later(start, lasted),
                status: RunStatus::Canceled,
                jobs,
                tests,
            });
            run.pr = pr;
            run.artifact_bytes = count;
            run.carbon_g_co2e = positive;
            run.cost.usd = positive;
            run.flakiness_index = ratio;
            run.image_digest = Some(crate::Digest::of(b"x").into());
            run.environment = RunEnvironment::of(crate::Environment::Prod);
            run.canary = canary.map(|(from, span, wait, query)| Canary {
                decision: CanaryDecision::Rollback,
                recorded_at: later(from, span + wait).into(),
                window: Window { start: from.into(), end: later(from, span).into() },
                query,
                metrics_uri: Some("urn:x:y".parse().unwrap()),
                notes: None,
            });
            run.chaos = chaos.map(|(from, span, seed)| {
                vec![ChaosTrial {
                    fault: Fault::KillJob,
                    target: String::new(),
                    seed,
                    rate: ratio,
                    started_at: Some(from.into()),
                    ended_at: Some(later(from, span).into()),
                    outcome: FaultOutcome::Recovered,
                    retries: count,
                }]
            });
            run
        },
    )
}
