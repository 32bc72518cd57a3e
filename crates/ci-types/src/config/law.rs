//! The law of layers, tested: whatever the layers say, the result never admits anything that a layer before refused.
//!
//! The oracle does not compare values as the rules do. It asks which outcomes of a small world a value admits, and
//! demands set inclusion.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::error::{LayerOrigin, Reason};
use super::keys::{self, KEYS};
use super::layer::{Layer, ParsedLayer, parse_layer};
use super::merge::{defaults, insert, merge, stack};
use super::rule::Rule;

/// The outcomes that a value admits.
fn admits(path: &str, value: &Value) -> BTreeSet<String> {
    let list = || -> Vec<&str> { value.as_array().unwrap().iter().filter_map(Value::as_str).collect() };
    let world: Vec<String> = match path {
        "tests.min_total" => {
            (0..=12).filter(|ran| *ran >= value.as_u64().unwrap()).map(|ran| ran.to_string()).collect()
        }
        "lane.refs" => REFS
            .iter()
            .filter(|name| list().iter().any(|pattern| ref_matches(pattern, name)))
            .map(|name| (*name).to_owned())
            .collect(),
        "lane.environments" if list().is_empty() => ["none", "prod", "staging", "test"].map(str::to_owned).to_vec(),
        "lane.environments" | "lane.events" | "build.pass_env" => list().into_iter().map(str::to_owned).collect(),
        "smoke.isolation" => isolation_outcomes(&list()),
        "scan.commands" => {
            // Which sets of unhappy scanners are still accepted.
            let wanted: Vec<&str> =
                value.as_array().unwrap().iter().map(|scanner| scanner["run"][0].as_str().unwrap()).collect();
            let unhappy = (0..8u8).filter(|set| {
                !SCANNERS.iter().enumerate().any(|(bit, name)| set >> bit & 1 == 1 && wanted.contains(name))
            });
            unhappy.map(|set| set.to_string()).collect()
        }
        "build.determinism" => {
            if value == "dual" {
                vec!["dual".to_owned()]
            } else {
                vec!["single".to_owned(), "dual".to_owned()]
            }
        }
        "publish.plain_http" => {
            if value == true {
                vec!["https".to_owned(), "http".to_owned()]
            } else {
                vec!["https".to_owned()]
            }
        }
        _ if keys::find(path).unwrap().rule == Rule::Lower => {
            NUMBERS.iter().filter(|found| **found <= value.as_u64().unwrap()).map(u64::to_string).collect()
        }
        _ => vec![value.to_string()],
    };
    world.into_iter().collect()
}

const NUMBERS: [u64; 12] = [0, 1, 2, 3, 10, 60, 119, 120, 121, 600, 601, 3600];
const REFS: [&str; 9] = [
    "refs/heads/mob",
    "refs/tags/v2",
    "refs/heads/main",
    "refs/heads/mainline",
    "refs/heads/release/1",
    "refs/heads/release/2",
    "refs/tags/v1",
    "refs/tags/v1.2",
    "refs/tags/w",
];
const REF_PATTERNS: [&str; 8] = [
    "refs/heads/main",
    "refs/heads/main*",
    "refs/heads/m*",
    "refs/heads/release/*",
    "refs/heads/release/1",
    "refs/tags/v*",
    "refs/tags/v1",
    "refs/tags/v1*",
];
const SCANNERS: [&str; 3] = ["grype", "trivy", "other"];

fn ref_matches(pattern: &str, name: &str) -> bool {
    let glob = globset::Glob::new(pattern).unwrap();
    glob.compile_matcher().is_match(name)
}

/// For every set of ways that a machine may offer: whether the image would run isolated or as a plain process. A way that
/// refuses to start admits nothing; running isolated is admitted wherever running as a process is.
fn isolation_outcomes(list: &[&str]) -> Vec<String> {
    let ways = ["bubblewrap", "podman", "docker", "process"];
    let mut outcomes = Vec::new();
    for offered in 1..16u8 {
        let offers = |way: &str| ways.iter().position(|known| *known == way).is_some_and(|bit| offered >> bit & 1 == 1);
        match list.iter().find(|way| offers(way)) {
            Some(&"process") => outcomes.extend([format!("{offered} process"), format!("{offered} isolated")]),
            Some(_) => outcomes.push(format!("{offered} isolated")),
            None => {}
        }
    }
    outcomes
}

fn value_of(path: &'static str) -> BoxedStrategy<Value> {
    let words = |words: &'static [&'static str], fewest: usize| {
        subsequence(words.to_vec(), fewest..=words.len()).prop_shuffle().prop_map(|list| json!(list)).boxed()
    };
    let one = |values: Vec<Value>| select(values).boxed();
    match path {
        "lane.refs" => words(&REF_PATTERNS, 1),
        "lane.environments" => words(&["prod", "staging", "test"], 0),
        "lane.events" => words(&["push", "release", "schedule"], 1),
        "build.pass_env" => words(&["GOPROXY", "GOFLAGS", "CARGO_HOME"], 0),
        "smoke.isolation" => words(&["bubblewrap", "podman", "docker", "process"], 1),
        "scan.commands" => subsequence(SCANNERS.to_vec(), 0..=3)
            .prop_shuffle()
            .prop_map(|names| {
                names.iter().map(|name| json!({ "run": [name, "{sbom}", "{output}"], "format": "grype" })).collect()
            })
            .boxed(),
        "tests.min_total" => (1..12u64).prop_map(|number| json!(number)).boxed(),
        "build.determinism" => one(vec![json!("single"), json!("dual")]),
        "publish.plain_http" => one(vec![json!(true), json!(false)]),
        "build.engine" => one(vec![json!("assemble"), json!("buildah")]),
        "lane.issuer" => one(vec![json!("https://a.example"), json!("https://b.example")]),
        "lane.repository_id" => one(vec![json!("1"), json!("2")]),
        "lane.workflow" => one(vec![json!("o/a/.github/workflows/r.yml"), json!("o/b/.github/workflows/r.yml")]),
        "build.assemble.base" => one(vec![json!("scratch"), json!(format!("b@{}", crate::Digest::of(b"b")))]),
        "publish.target" => one(vec![json!("registry:127.0.0.1:5000/a"), json!("registry:127.0.0.1:5000/b")]),
        "publish.tag" => one(vec![json!("git-{commit}"), json!("v1")]),
        "sbom.command" => one(vec![json!([]), json!(["syft", "{layout}", "{output}"])]),
        "version" => Just(json!(1)).boxed(),
        _ => select(NUMBERS[1..].to_vec()).prop_map(|number| json!(number)).boxed(),
    }
}

fn bound_keys() -> impl Iterator<Item = &'static keys::Key> {
    KEYS.iter().filter(|key| key.rule != Rule::Free)
}

/// Budgets may be 0, which no timeout may.
fn adjusted(path: &str, value: Value, zero: bool) -> Value {
    if path.starts_with("budgets.") && zero { json!(0) } else { value }
}

/// A few keys that all layers of a case speak about: layers that never meet on a key would test nothing.
fn focus() -> impl Strategy<Value = Vec<&'static str>> {
    let keys: Vec<_> = bound_keys().filter(|key| key.path != "version").map(|key| key.path).collect();
    subsequence(keys, 1..=4)
}

/// A layer that gives values to some of the keys in `focus`, as the text of a file. JSON is YAML.
fn layer(origin: LayerOrigin, focus: &[&'static str]) -> impl Strategy<Value = (ParsedLayer, String)> + use<> {
    let mut keys: Vec<&'static str> = focus.to_vec();
    keys.extend(keys::LANE_REQUIRED.iter().filter(|key| !focus.contains(*key)));
    let focused = focus.len();
    let settings: Vec<_> = keys
        .into_iter()
        .enumerate()
        .map(|(at, path)| {
            (Just(path), value_of(path), any::<bool>(), prop::bool::weighted(if at < focused { 0.8 } else { 0.0 }))
        })
        .collect();
    (settings, any::<bool>()).prop_map(move |(settings, lane)| {
        let mut tree = Map::new();
        tree.insert("version".to_owned(), json!(1));
        if origin == LayerOrigin::Repository {
            tree.insert("project".to_owned(), json!({ "name": "app" }));
            tree.insert("smoke".to_owned(), json!({ "exec": [["/app"]] }));
            insert(&mut tree, "build.context.include", json!(["src/**"]));
            insert(&mut tree, "build.assemble.files", json!([{ "from": "a", "to": "/a" }]));
        }
        for (path, value, zero, chosen) in settings {
            let whole_lane = lane && origin == LayerOrigin::Repository && keys::LANE_REQUIRED.contains(&path);
            if chosen || whole_lane {
                insert(&mut tree, path, adjusted(path, value, zero));
            }
        }
        let text = Value::Object(tree).to_string();
        let parsed = parse_layer(&Layer { origin, file: "layer.yml", bytes: text.as_bytes() });
        (parsed.unwrap_or_else(|errors| panic!("{errors:#?} {text}")), text)
    })
}

/// The same mapping with its keys in the opposite order.
fn turned(value: &Value) -> String {
    let Value::Object(map) = value else { return value.to_string() };
    let mut entries: Vec<_> = map.iter().map(|(key, value)| format!("{}: {}", json!(key), turned(value))).collect();
    entries.sort();
    entries.reverse();
    format!("{{{}}}", entries.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    /// For any number of layers and any prefix of them: a key once set, or bound by its default, never admits more later;
    /// and a refusal always names a key that would have.
    #[test]
    fn no_layer_ever_loosens_what_stands_before_it(
        layers in focus().prop_flat_map(|focus| prop::collection::vec(layer(LayerOrigin::Overlay, &focus), 2..5))
    ) {
        let layers: Vec<&ParsedLayer> = layers.iter().map(|(layer, _)| layer).collect();
        let mut refusals = 0;
        for shorter in 0..layers.len() {
            let (before, earlier) = stack(&layers[..shorter]);
            let (after, errors) = stack(&layers[..=shorter]);
            for key in bound_keys() {
                let Some((value, origin)) = before.get(key.path) else { continue };
                if origin.layer == LayerOrigin::Defaults && !key.default_binds {
                    continue;
                }
                let (now, _) = &after[key.path];
                prop_assert!(admits(key.path, now).is_subset(&admits(key.path, value)), "{}: {value} became {now}", key.path);
            }
            let new = errors.len() - earlier.len();
            refusals += new;
            // What was refused would indeed have admitted more.
            let mut loosened = 0;
            for (path, setting) in &layers[shorter].settings {
                let Some((value, origin)) = before.get(path) else { continue };
                let binds = origin.layer != LayerOrigin::Defaults || setting.key.default_binds;
                if binds && !admits(path, &setting.value).is_subset(&admits(path, value)) {
                    loosened += 1;
                    prop_assert!(errors.iter().any(|error| error.key == *path), "{path} was let through");
                }
            }
            prop_assert_eq!(new, loosened, "{:#?}", errors);
        }
        // Otherwise the merge has refused something and must say so as a whole.
        prop_assert_eq!(stack(&layers).1.len(), refusals);
    }

    /// The public merge: what comes out is what the strictest said, on every key.
    #[test]
    fn the_effective_configuration_is_at_least_as_strict_as_each_file(
        ((overlay, _), (repository, text)) in focus().prop_flat_map(|focus| {
            (layer(LayerOrigin::Overlay, &focus), layer(LayerOrigin::Repository, &focus))
        }),
    ) {
        let merged = merge(Some(&overlay), &repository);
        let again = merge(Some(&overlay), &repository);
        match (merged, again) {
            (Ok(effective), Ok(again)) => {
                prop_assert_eq!(effective.canonical(), again.canonical());
                for key in bound_keys() {
                    let set = [overlay.value(key.path), repository.value(key.path)].into_iter().flatten();
                    let default = defaults().get(key.path).filter(|_| key.default_binds).cloned();
                    for said in set.cloned().chain(default) {
                        if let Some(value) = effective.value(key.path) {
                            prop_assert!(admits(key.path, value).is_subset(&admits(key.path, &said)), "{}", key.path);
                        }
                    }
                }
                // Turned around, the file means the same.
                let text = turned(&serde_json::from_str(&text).unwrap());
                let turned = Layer { origin: LayerOrigin::Repository, file: "layer.yml", bytes: text.as_bytes() };
                let turned = merge(Some(&overlay), &parse_layer(&turned).unwrap()).unwrap();
                prop_assert_eq!(turned.digest(), effective.digest());
            }
            (Err(errors), Err(again)) => prop_assert_eq!(errors, again),
            _ => prop_assert!(false, "merging twice differs"),
        }
    }
}

/// The property is not vacuous: each rule-bound key can be loosened, and is then refused by name.
#[test]
fn every_bound_key_can_refuse() {
    let pairs: &[(&str, Value, Value)] = &[
        ("lane.issuer", json!("https://a.example"), json!("https://b.example")),
        ("lane.repository_id", json!("1"), json!("2")),
        ("lane.workflow", json!("o/a/.github/workflows/r.yml"), json!("o/b/.github/workflows/r.yml")),
        ("lane.refs", json!(["refs/heads/main"]), json!(["refs/heads/m*"])),
        ("lane.environments", json!(["prod"]), json!([])),
        ("lane.events", json!(["push"]), json!(["push", "schedule"])),
        ("lane.max_token_age_s", json!(60), json!(61)),
        ("build.engine", json!("assemble"), json!("docker")),
        ("build.context.max_files", json!(10), json!(11)),
        ("build.context.max_bytes", json!(10), json!(11)),
        ("build.determinism", json!("dual"), json!("single")),
        ("build.pass_env", json!([]), json!(["GOFLAGS"])),
        ("build.assemble.base", json!("scratch"), json!(format!("b@{}", crate::Digest::of(b"b")))),
        ("build.timeout_s", json!(10), json!(11)),
        ("publish.target", json!("registry:127.0.0.1/a"), json!("registry:127.0.0.1/b")),
        ("publish.tag", json!("git-{commit}"), json!("v1")),
        ("publish.plain_http", json!(false), json!(true)),
        ("smoke.timeout_s", json!(10), json!(11)),
        ("smoke.isolation", json!(["bubblewrap"]), json!(["process"])),
        ("tests.min_total", json!(10), json!(9)),
        ("tests.timeout_s", json!(10), json!(11)),
        ("scan.commands", json!([{ "run": ["grype", "{sbom}", "{output}"], "format": "grype" }]), json!([])),
        ("scan.max_db_age_h", json!(10), json!(11)),
        ("scan.timeout_s", json!(10), json!(11)),
        ("sbom.command", json!(["syft", "{layout}", "{output}"]), json!([])),
        ("budgets.vulnerabilities.critical", json!(0), json!(1)),
        ("budgets.vulnerabilities.high", json!(0), json!(1)),
        ("budgets.vulnerabilities.medium", json!(3), json!(4)),
        ("budgets.vulnerabilities.low", json!(3), json!(4)),
    ];
    let tested: BTreeSet<&str> = pairs.iter().map(|(key, ..)| *key).collect();
    let bound: BTreeSet<&str> = bound_keys().map(|key| key.path).filter(|key| *key != "version").collect();
    assert_eq!(tested, bound, "every key with a rule stands in this list");
    let read = |origin, key: &str, value: &Value| {
        let mut tree = Map::new();
        tree.insert("version".to_owned(), json!(1));
        if origin == LayerOrigin::Repository {
            insert(&mut tree, "project.name", json!("app"));
        }
        insert(&mut tree, key, value.clone());
        let text = Value::Object(tree).to_string();
        parse_layer(&Layer { origin, file: "f.yml", bytes: text.as_bytes() }).unwrap()
    };
    for (key, strict, loose) in pairs {
        let errors = merge(Some(&read(LayerOrigin::Overlay, key, strict)), &read(LayerOrigin::Repository, key, loose))
            .unwrap_err();
        let refusal = errors.iter().find(|error| matches!(error.reason, Reason::Loosens { .. }));
        assert_eq!(refusal.map(|error| error.key.as_str()), Some(*key));
        let same = merge(Some(&read(LayerOrigin::Overlay, key, strict)), &read(LayerOrigin::Repository, key, strict));
        assert!(
            !same.err().unwrap_or_default().iter().any(|error| matches!(error.reason, Reason::Loosens { .. })),
            "{key}"
        );
    }
}
