//! Building twice.

use std::fs;

use ci_agent::dual::{BuildOutcome, DualError};
use ci_agent::engine::BuildError;
use ci_types::config::Build;
use ci_types::record::DeterminismMode;

use super::fixture::{Repo, assemble, file, have, words};

/// A dual build of one output that a shell script writes to `out`.
fn script(script: &str) -> Build {
    let mut config = assemble(&["src"], vec![file("out", "/opt/out"), file("src", "/opt/src")]);
    config.steps = vec![words(&["sh", "-c", script])];
    config.outputs = words(&["out"]);
    config.determinism = DeterminismMode::Dual;
    config
}

fn build(config: &Build) -> (Repo, BuildOutcome) {
    let repo =
        Repo::with(&[("src/a", "1"), ("src/m.c", "const char where[] = __FILE__; int main(void) { return 0; }")]);
    let outcome = repo.build("work", config).0.unwrap();
    (repo, outcome)
}

fn what(config: &Build) -> (String, Option<String>, Option<String>, String) {
    let found = build(config).1.report.first_difference.expect("the runs differ");
    (found.part, found.path, found.member, found.what)
}

fn named(member: Option<&str>, what: &str) -> (String, Option<String>, Option<String>, String) {
    ("layer 1".to_owned(), Some("opt/out".to_owned()), member.map(str::to_owned), what.to_owned())
}

#[test]
fn a_reproducible_build_agrees() {
    let (_repo, outcome) = build(&script("echo $SOURCE_DATE_EPOCH $TZ > out; umask >> out"));
    let report = outcome.report;
    assert_eq!((report.mode, report.engine.as_str()), (DeterminismMode::Dual, "assemble"));
    assert_eq!(report.first_difference, None);
    let [first, second] = report.runs.as_slice() else { panic!("{:?}", report.runs) };
    assert_eq!((first.manifest, &first.layers, &first.env), (second.manifest, &second.layers, &second.env));
    assert_ne!(first.directory.len(), second.directory.len());
    assert!(second.started_at > first.started_at);
    assert_eq!(first.manifest, outcome.image.manifest.digest);
    assert!(outcome.directory.join("src/a").is_file());
}

#[test]
fn the_build_directory_in_the_output_is_found() {
    assert_eq!(what(&script("pwd > out")), named(None, "content"));
}

#[test]
fn the_temporary_directory_in_the_output_is_found() {
    assert_eq!(what(&script("echo $TMPDIR > out")), named(None, "content"));
}

#[test]
fn the_time_in_an_archive_is_found_whatever_its_resolution() {
    assert_eq!(what(&script("date +%s > /dev/null; echo 1 > x; gzip -c x > out")), named(None, "gzip mtime"));
    if have("zip", "apt-get install zip") {
        assert_eq!(what(&script("echo 1 > x; zip -qX x.zip x; mv x.zip out")), named(Some("x"), "mtime"));
    }
}

#[test]
fn randomness_and_modes_are_found() {
    assert_eq!(what(&script("cat /proc/sys/kernel/random/uuid > out")), named(None, "content"));
    assert_eq!(what(&script("echo 1 > out; case $PWD in */a/source) chmod 755 out;; esac")), named(None, "mode"));
}

#[test]
fn a_file_that_only_one_run_makes_is_found() {
    let config = script("mkdir out; echo 1 > out/x; case $PWD in */a/source) echo 2 > out/y;; esac");
    let found = build(&config).1.report.first_difference.unwrap();
    assert_eq!((found.path.as_deref(), found.what.as_str()), (Some("opt/out/y"), "only in run 1"));
}

#[test]
fn a_compiler_that_keeps_the_path_is_found() {
    if have("gcc", "apt-get install gcc") {
        assert_eq!(what(&script("gcc $PWD/src/m.c -o out")).2.as_deref(), Some(".rodata"));
    }
}

#[test]
fn single_mode_builds_once_and_says_so() {
    let mut config = script("echo 1 > out");
    config.determinism = DeterminismMode::Single;
    let report = build(&config).1.report;
    assert_eq!((report.mode, report.runs.len()), (DeterminismMode::Single, 1));
}

#[test]
fn a_work_directory_in_use_rejects() {
    let repo = Repo::with(&[("src/a", "1")]);
    fs::create_dir_all(repo.temp.path().join("work/a")).unwrap();
    let result = repo.build("work", &assemble(&["src"], vec![file("src", "/src")])).0;
    assert!(matches!(result, Err(DualError::Build(BuildError::Context(_)))));
}

#[test]
fn the_time_limit_covers_both_builds() {
    let mut config = script("sleep 1.2; echo 1 > out");
    config.timeout_s = 2;
    let repo = Repo::with(&[("src/a", "1")]);
    let result = repo.build("work", &config).0;
    assert!(matches!(result, Err(DualError::Build(BuildError::OutOfTime | BuildError::Run(_)))), "{result:?}");
}

#[test]
fn a_rust_program_with_debug_information_agrees() {
    if !have("cargo", "install Rust") {
        return;
    }
    let repo = Repo::with(&[
        ("Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n"),
        ("Cargo.lock", "version = 3\n\n[[package]]\nname = \"p\"\nversion = \"0.1.0\"\n"),
        (".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"from_the_repository\"]\n"),
        (
            "src/main.rs",
            "#[cfg(not(from_the_repository))]\ncompile_error!(\"flags were replaced\");\nfn main() { panic!(\"{}\", file!()) }\n",
        ),
    ]);
    let mut config = assemble(&["Cargo.*", "src", ".cargo"], vec![file("target/debug/p", "/usr/bin/app")]);
    config.steps = vec![words(&["cargo", "build", "--quiet", "--offline", "--locked"])];
    config.outputs = words(&["target/debug/p"]);
    config.determinism = DeterminismMode::Dual;
    assert_eq!(repo.build("work", &config).0.unwrap().report.first_difference, None);
}
