//! One corpus, two judges: the JSON Schema that editors use and the parser that decides must agree on everything that a
//! schema can say; what only the parser can know is listed as such.

use ci_types::config::{KEYS, explain};

use crate::{MINIMAL, and, read, with};

#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Good,
    /// Both refuse; the parser with this code.
    Both(&'static str),
    /// The schema cannot say this.
    Parser(&'static str),
}
use Expect::{Both, Good, Parser};

/// Sets every key of the table.
pub(crate) const FULL: &str = r#"
version: 1
project: { name: org/app, repository: Org/App }
lane:
  issuer: https://token.actions.githubusercontent.com
  repository_id: "123456"
  workflow: org/app/.github/workflows/release.yml
  refs: [refs/heads/main, "refs/tags/v*"]
  environments: [production]
  events: [push, release]
  max_token_age_s: 300
build:
  engine: assemble
  context: { include: [src/**, Cargo.toml], max_files: 100, max_bytes: 1000000 }
  determinism: single
  steps: [[cargo, build]]
  outputs: [target/release/app]
  pass_env: [CARGO_HOME]
  assemble:
    base: base/layout@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
    files: [{ from: target/release/app, to: /usr/bin/app, mode: "0755" }]
    entrypoint: [/usr/bin/app]
    cmd: [serve]
    env: { RUST_LOG: info }
    workdir: /srv
    user: "65532:65532"
    ports: [8080/tcp]
    labels: { org.opencontainers.image.title: app }
    architecture: amd64
  dockerfile: docker/Dockerfile
  command: [make, "OUT={layout}"]
  timeout_s: 1200
publish: { target: "registry:127.0.0.1:5000/org/app", tag: "v1-{commit}", plain_http: true }
smoke:
  args: [serve]
  env: { PORT: "{port}" }
  http: [{ path: /healthz, status: 204, contains: ok }]
  exec: [[/usr/bin/app, --version]]
  exits: false
  timeout_s: 60
  isolation: [podman, bubblewrap]
tests: { command: [make, "{results}"], results: "*.xml", min_total: 10, timeout_s: 600 }
scan:
  commands: [{ run: [grype, "sbom:{sbom}", "{output}"], format: grype }]
  max_db_age_h: 24
  timeout_s: 60
sbom: { command: [syft, "{layout}", "{output}"] }
budgets: { vulnerabilities: { critical: 0, high: 0, medium: 10, low: 100 } }
"#;

fn corpus() -> Vec<(&'static str, String, Expect)> {
    let minimal_without = |line: &str| with(line, "");
    vec![
        ("minimal", MINIMAL.to_owned(), Good),
        ("full", FULL.to_owned(), Good),
        ("flow style", "{version: 1, project: {name: a}, build: {context: {include: [a]}, assemble: {files: [{from: a, to: /a}]}}, smoke: {exits: true}}".to_owned(), Good),
        ("empty group", and("sbom: {}\n"), Good),
        ("crlf", MINIMAL.replace('\n', "\r\n"), Good),
        ("no version", minimal_without("version: 1\n"), Both("config-missing-key")),
        ("no name", with("  name: org/app\n", "  repository: org/app\n"), Both("config-missing-key")),
        ("no project", minimal_without("project:\n  name: org/app\n"), Both("config-missing-key")),
        ("version 2", with("version: 1", "version: 2"), Both("config-out-of-range")),
        ("version as text", with("version: 1", "version: \"1\""), Both("config-wrong-type")),
        ("unknown key", and("colour: red\n"), Both("config-unknown-key")),
        ("unknown inner key", with("    include:", "    inculde:"), Both("config-unknown-key")),
        ("unknown field", with("        to: /app", "        to: /app\n        mod: \"0755\""), Both("config-unknown-key")),
        ("missing field", with("        to: /app\n", ""), Both("config-missing-key")),
        ("group without value", and("sbom:\n"), Both("config-no-value")),
        ("key without value", and("tests:\n  command:\n"), Both("config-no-value")),
        ("null", and("tests: { results: ~ }\n"), Both("config-no-value")),
        ("list for a mapping", and("tests: []\n"), Both("config-wrong-type")),
        ("text for a list", with("include:\n      - src/**", "include: src/**"), Both("config-wrong-type")),
        ("shell line for a command", and("tests: { command: make test }\n"), Both("config-wrong-type")),
        ("number for text", with("name: org/app", "name: 7"), Both("config-wrong-type")),
        ("text for a bool", and("publish: { plain_http: \"true\" }\n"), Both("config-wrong-type")),
        ("text for a number", and("tests: { min_total: \"10\" }\n"), Both("config-wrong-type")),
        ("fraction", and("tests: { min_total: 1.5 }\n"), Both("config-wrong-type")),
        ("negative", and("tests: { min_total: -1 }\n"), Both("config-out-of-range")),
        ("zero tests", and("tests: { min_total: 0 }\n"), Both("config-out-of-range")),
        ("zero timeout", and("tests: { timeout_s: 0 }\n"), Both("config-out-of-range")),
        ("timeout beyond the limit", and("scan: { timeout_s: 999999 }\n"), Both("config-out-of-range")),
        ("unknown engine", with("  context:", "  engine: kaniko\n  context:"), Both("config-unknown-choice")),
        ("event of a fork", and("lane: { issuer: \"https://i\", repository_id: \"1\", workflow: o/a/.github/workflows/r.yml, refs: [refs/heads/main], events: [pull_request_target] }\n"), Both("config-unknown-choice")),
        ("all refs", and("lane: { issuer: \"https://i\", repository_id: \"1\", workflow: o/a/.github/workflows/r.yml, refs: [\"*\"] }\n"), Both("config-value")),
        ("no refs", and("lane: { issuer: \"https://i\", repository_id: \"1\", workflow: o/a/.github/workflows/r.yml, refs: [] }\n"), Both("config-nothing-listed")),
        ("half a lane", and("lane: { issuer: \"https://i\" }\n"), Parser("config-missing-key")),
        ("plain http issuer", and("lane: { issuer: \"http://i.example\", repository_id: \"1\", workflow: o/a/.github/workflows/r.yml, refs: [refs/heads/main] }\n"), Parser("config-value")),
        ("name in capitals", with("org/app", "Org/App"), Both("config-value")),
        ("name with empty part", with("org/app", "org//app"), Parser("config-value")),
        ("absolute include", with("src/**", "/src/**"), Both("config-value")),
        ("include with braces", with("src/**", "\"{src,lib}/**\""), Both("config-value")),
        ("include of everything", with("src/**", "\"**\""), Parser("config-value")),
        ("include outside", with("src/**", "../src/**"), Parser("config-value")),
        ("include twice", with("- src/**", "- src/**\n      - src/**"), Both("config-repeated-entry")),
        ("relative target in image", with("to: /app", "to: app"), Both("config-value")),
        ("unnormalised target in image", with("to: /app", "to: /a/../app"), Parser("config-value")),
        ("two files at one path", with("        to: /app", "        to: /app\n      - from: src/b\n        to: /app"), Parser("config-repeated-entry")),
        ("base by tag", with("  assemble:", "  assemble:\n    base: debian:12"), Both("config-value")),
        ("mode in words", with("to: /app", "to: /app\n        mode: rwxr-xr-x"), Both("config-value")),
        ("target without scheme", and("publish: { target: ghcr.io/org/app }\n"), Both("config-value")),
        ("target with a tag", and("publish: { target: \"registry:ghcr.io/org/app:v1\" }\n"), Both("config-value")),
        ("tag with a slash", and("publish: { tag: a/b }\n"), Both("config-value")),
        ("latest", and("publish: { tag: latest }\n"), Parser("config-value")),
        ("plain http to the world", and("publish: { target: \"registry:ghcr.io/a\", plain_http: true }\n"), Parser("config-value")),
        ("plain http to a layout", and("publish: { plain_http: true }\n"), Parser("config-value")),
        ("credential passed to the build", with("  context:", "  pass_env: [NPM_TOKEN]\n  context:"), Parser("config-value")),
        ("nothing probed", minimal_without("smoke:\n  exec:\n    - [/app, --version]\n"), Parser("config-value")),
        ("empty probe command", with("[/app, --version]", "[]"), Both("config-nothing-listed")),
        ("http and exits", with("  exec:", "  exits: true\n  http: [{ path: / }]\n  exec:"), Parser("config-value")),
        ("probe of a full url", with("  exec:", "  http: [{ path: \"http://x/\" }]\n  exec:"), Both("config-value")),
        ("status out of range", with("  exec:", "  http: [{ path: /, status: 600 }]\n  exec:"), Both("config-out-of-range")),
        ("body contains nothing", with("  exec:", "  http: [{ path: /, contains: \"\" }]\n  exec:"), Both("config-value")),
        ("engine command without one", with("  context:", "  engine: command\n  context:"), Parser("config-nothing-listed")),
        ("engine command without layout", with("  context:", "  engine: command\n  command: [make]\n  context:"), Parser("config-value")),
        ("nothing assembled", with("    files:\n      - from: src/app\n        to: /app\n", "    files: []\n"), Parser("config-nothing-listed")),
        ("empty context", with("include:\n      - src/**", "include: []"), Parser("config-nothing-listed")),
        ("scanner that scans nothing", and("scan: { commands: [{ run: [cat, \"{output}\"], format: sarif }] }\n"), Parser("config-value")),
        ("tests without results", and("tests: { command: [make, test] }\n"), Parser("config-value")),
        ("no isolation", with("  exec:", "  isolation: []\n  exec:"), Both("config-nothing-listed")),
        ("higher budget", and("budgets: { vulnerabilities: { high: 1 } }\n"), Both("config-loosens")),
        ("critical budget", and("budgets: { vulnerabilities: { critical: 1 } }\n"), Both("config-loosens")),
        ("older tokens", and("lane: { issuer: \"https://i\", repository_id: \"1\", workflow: o/a/.github/workflows/r.yml, refs: [refs/heads/main], max_token_age_s: 601 }\n"), Both("config-loosens")),
        ("older database", and("scan: { max_db_age_h: 121 }\n"), Both("config-loosens")),
    ]
}

#[test]
fn schema_and_parser_agree() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../../schema/config.v1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text, expect) in corpus() {
        // As an editor reads it, without our own reader.
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let schema_says = validator.is_valid(&value);
        assert_eq!(schema_says, !matches!(expect, Both(_)), "{name}: the schema accepts: {schema_says}\n{text}");
        match (read(&text), expect) {
            (Ok(_), Good) => {}
            (Err(errors), Both(code) | Parser(code)) => {
                assert_eq!(errors[0].reason.code(), code, "{name}: {errors:#?}");
                for error in errors {
                    assert!(error.line() >= 1 && error.column() >= 1 && !error.fix.is_empty(), "{name}: {error:?}");
                    assert!(error.place.start <= error.place.end && error.place.end <= text.len(), "{name}: {error:?}");
                }
            }
            (result, _) => panic!("{name}: {result:#?}"),
        }
    }
}

#[test]
fn the_full_file_sets_every_key_and_the_types_read_it_back() {
    let effective = read(FULL).unwrap();
    for explanation in explain("", Some(&effective)).unwrap() {
        let set_by = explanation.set_by.unwrap_or_else(|| panic!("{} is not set", explanation.key));
        assert_eq!(set_by.file, "config.yml", "{}", explanation.key);
        let typed = serde_json::to_value(&effective.config).unwrap();
        let typed = explanation.key.split('.').fold(&typed, |value, name| &value[name]);
        assert_eq!(Some(typed), explanation.value.as_ref(), "{}", explanation.key);
    }
    assert_eq!(effective.iter().count(), KEYS.len());
}

#[test]
fn every_template_satisfies_the_schema() {
    use ci_types::config::{Detected, ProjectKind, template};
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../../schema/config.v1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for kind in ProjectKind::ALL {
        let text = template(&Detected { repository: Some("org/app".to_owned()), ..Detected::new("app", kind) });
        validator.validate(&serde_saphyr::from_str(&text).unwrap()).unwrap();
    }
}

#[test]
fn the_schemas_are_schemas() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let schema: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        jsonschema::meta::validate(&schema).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let id = schema["$id"].as_str().unwrap_or_default();
        assert!(
            !id.starts_with("https://ci-intel.dev/") || id == format!("https://ci-intel.dev/schema/{name}"),
            "{id}"
        );
        count += 1;
    }
    assert!(count >= 12, "{count}");
}
