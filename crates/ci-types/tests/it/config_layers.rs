//! Overlay and repository together.

use ci_types::config::{LayerOrigin, explain};
use ci_types::record::DeterminismMode;
use ci_types::{Digest, canonical};

use crate::{MINIMAL, and, read, read_with_overlay, with};

const LANE: &str = "\
lane:
  issuer: https://token.actions.githubusercontent.com
  repository_id: \"1\"
  workflow: org/app/.github/workflows/release.yml
  refs: [refs/heads/main]
";

#[test]
fn a_key_that_nobody_sets_has_its_default() {
    let effective = read(MINIMAL).unwrap();
    assert_eq!(effective.config.build.determinism, DeterminismMode::Dual);
    assert_eq!(effective.origin("build.determinism").unwrap().layer, LayerOrigin::Defaults);
    assert_eq!(effective.config.lane, None);
    assert_eq!(effective.value("lane.events"), None, "without a lane nothing of it is in force");
}

#[test]
fn an_overlay_fixes_what_it_sets() {
    let effective = read_with_overlay("version: 1\nbuild:\n  determinism: dual\n", MINIMAL).unwrap();
    assert_eq!(effective.config.build.determinism, DeterminismMode::Dual);
    let origin = effective.origin("build.determinism").unwrap();
    assert_eq!((origin.layer, origin.file.as_str(), origin.place.line), (LayerOrigin::Overlay, "overlay.yml", 3));

    let single = with("  context:", "  determinism: single\n  context:");
    assert_eq!(read(&single).unwrap().config.build.determinism, DeterminismMode::Single);
    let errors = read_with_overlay("version: 1\nbuild:\n  determinism: dual\n", &single).unwrap_err();
    assert_eq!(errors[0].reason.code(), "config-loosens");
    // The other way round the repository is the stricter one.
    let dual = with("  context:", "  determinism: dual\n  context:");
    assert!(read_with_overlay("version: 1\nbuild: { determinism: single }\n", &dual).is_ok());
}

#[test]
fn an_overlay_that_describes_a_repository_rejects() {
    for (overlay, key) in [
        ("version: 1\nproject: { name: other }\n", "project.name"),
        ("version: 1\nbuild: { context: { include: [a] } }\n", "build.context.include"),
        ("version: 1\ntests: { command: [\"true\", \"{results}\"] }\n", "tests.command"),
    ] {
        let errors = read_with_overlay(overlay, MINIMAL).unwrap_err();
        assert_eq!((errors[0].reason.code(), errors[0].key.as_str()), ("config-not-for-overlay", key));
        assert_eq!(errors[0].path, "overlay.yml");
    }
}

#[test]
fn an_overlay_may_loosen_no_default_either() {
    let errors = read_with_overlay("version: 1\nbudgets: { vulnerabilities: { high: 3 } }\n", MINIMAL).unwrap_err();
    assert_eq!((errors[0].path.as_str(), errors[0].reason.code()), ("overlay.yml", "config-loosens"));
}

#[test]
fn an_overlay_is_checked_like_any_file() {
    let errors = read_with_overlay("version: 1\ncolour: red\n", &and("colour: red\n")).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["overlay.yml", "config.yml"], "both files are told");
    assert!(read_with_overlay("", MINIMAL).is_err(), "an empty overlay is no overlay");
    assert!(read_with_overlay("tests: {}\n", MINIMAL).is_err(), "a version is required");
}

#[test]
fn a_partial_lane_of_an_overlay_completes_or_stays_out() {
    let overlay = "version: 1\nlane:\n  issuer: https://token.actions.githubusercontent.com\n  events: [push]\n";
    // The repository names none: its releases are local.
    assert_eq!(read_with_overlay(overlay, MINIMAL).unwrap().config.lane, None);
    let rest = LANE.replace("  issuer: https://token.actions.githubusercontent.com\n", "");
    let lane = read_with_overlay(overlay, &and(&rest)).unwrap().config.lane.unwrap();
    assert_eq!(lane.events, ["push"]);
    let other = LANE.replace("githubusercontent", "evil");
    let errors = read_with_overlay(overlay, &and(&other)).unwrap_err();
    assert_eq!((errors[0].key.as_str(), errors[0].reason.code()), ("lane.issuer", "config-loosens"));
    let errors = read_with_overlay(overlay, &and("lane: { refs: [refs/heads/main] }\n")).unwrap_err();
    let missing: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(missing, ["lane.repository_id", "lane.workflow"]);
    assert_eq!(errors[0].line(), 15, "the lane's own key is pointed at");
}

#[test]
fn an_overlays_scanner_cannot_be_dropped() {
    let overlay = "version: 1\nscan:\n  commands:\n    - { run: [grype, \"{sbom}\", \"{output}\"], format: grype }\n";
    assert_eq!(read_with_overlay(overlay, MINIMAL).unwrap().config.scan.commands.len(), 1);
    assert!(read_with_overlay(overlay, &and("scan: { commands: [] }\n")).is_err());
    let more = and(
        "scan:\n  commands:\n    - { run: [trivy, \"{sbom}\", \"{output}\"], format: trivy }\n    - { run: [grype, \"{sbom}\", \"{output}\"], format: grype }\n",
    );
    assert_eq!(read_with_overlay(overlay, &more).unwrap().config.scan.commands.len(), 2);
}

#[test]
fn a_repository_may_not_write_the_sbom_that_an_overlays_scanner_reads() {
    let overlay = "version: 1\nscan:\n  commands:\n    - { run: [grype, \"{sbom}\", \"{output}\"], format: grype }\n";
    let own = and("sbom: { command: [forge, \"{layout}\", \"{output}\"] }\n");
    assert!(read(&own).is_ok(), "without an overlay the repository answers for itself");
    let errors = read_with_overlay(overlay, &own).unwrap_err();
    assert!(errors.iter().any(|error| error.key == "sbom.command"), "{errors:?}");
}

#[test]
fn the_digest_is_of_the_meaning_not_of_the_spelling() {
    let effective = read(MINIMAL).unwrap();
    assert_eq!(effective.canonical(), canonical::to_vec(&effective.config).unwrap());
    assert_eq!(effective.digest(), Digest::of(effective.canonical()));
    let respelt = format!("# a comment\n{}", with("    - [/app, --version]", "    - - /app\n      - \"--version\""));
    assert_eq!(read(&respelt).unwrap().digest(), effective.digest());
    assert_ne!(read(&with("src/**", "lib/**")).unwrap().digest(), effective.digest());
    let back: ci_types::config::Config = canonical::from_slice(effective.canonical()).unwrap();
    assert_eq!(back, effective.config);
}

#[test]
fn explain_tells_value_and_place() {
    let effective = read_with_overlay("version: 1\ntests:\n  min_total: 5\n", MINIMAL).unwrap();
    let found = &explain("tests.min_total", Some(&effective)).unwrap()[0];
    assert_eq!(found.value, Some(5.into()));
    assert_eq!(found.default, Some(1.into()));
    let set_by = found.set_by.as_ref().unwrap();
    assert_eq!((set_by.file.as_str(), set_by.place.line), ("overlay.yml", 3));
    assert_eq!(found.rule, "a lower layer may only raise it; the default already binds");
}
