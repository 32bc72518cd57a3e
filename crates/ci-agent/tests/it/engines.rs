//! Engines that run other programs.

use std::process::Command;

use ci_agent::dual::DualError;
use ci_agent::engine::{BuildError, Layout, bases_known, verify_layout};
use ci_types::config::{Build, Engine};
use ci_types::record::DeterminismMode;

use super::fixture::{EPOCH, Repo, have, include_only, top_layer, words};

fn with_engine(engine: Engine) -> Build {
    Build {
        engine,
        context: include_only(&["src", "Dockerfile"]),
        determinism: DeterminismMode::Single,
        ..Build::default()
    }
}

fn dockerfile(text: &str) -> Repo {
    Repo::with(&[("src/a", "1"), ("Dockerfile", text)])
}

fn error_of(repo: &Repo, config: &Build) -> BuildError {
    match repo.build("work", config).0 {
        Err(DualError::Build(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn buildah_builds_the_same_image_twice() {
    if !have("buildah", "apt-get install buildah") {
        return;
    }
    let repo = dockerfile("FROM scratch\nCOPY src /opt/src\nCOPY made /opt/\nENTRYPOINT [\"/opt/made\"]\n");
    let mut config = with_engine(Engine::Buildah);
    config.steps = vec![words(&["sh", "-c", "echo 1 > made; chmod 700 made; echo 1 > src/not-declared"])];
    config.outputs = words(&["made"]);
    config.determinism = DeterminismMode::Dual;
    let (outcome, recorded) = repo.build("work", &config);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.report.first_difference, None);
    assert_eq!(outcome.report.runs.len(), 2);
    let programs: Vec<&str> = recorded.iter().map(|r| r.run.argv[0].as_str()).collect();
    assert_eq!(programs, ["sh", "buildah", "buildah", "sh", "buildah", "buildah"]);
    let entries = top_layer(&outcome.image.layout);
    let paths: Vec<&str> = entries.iter().map(|(path, ..)| path.as_str()).collect();
    assert!(paths.contains(&"opt/made") && paths.contains(&"opt/src/a"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("not-declared")), "{paths:?}");
    assert!(entries.iter().all(|(_, _, mtime, ..)| *mtime == EPOCH.unsigned_abs()), "{entries:?}");
    // Whole root file systems would fill the disk.
    assert!(!repo.temp.path().join("work/a/engine/storage").exists());
}

#[test]
fn a_planted_difference_in_a_dockerfile_build_is_named() {
    if !have("buildah", "apt-get install buildah") {
        return;
    }
    let repo = dockerfile("FROM scratch\nCOPY made /opt/made\n");
    let mut config = with_engine(Engine::Buildah);
    config.steps = vec![words(&["sh", "-c", "pwd > made"])];
    config.outputs = words(&["made"]);
    config.determinism = DeterminismMode::Dual;
    let found = repo.build("work", &config).0.unwrap().report.first_difference.unwrap();
    assert_eq!(
        (found.part.as_str(), found.path.as_deref(), found.what.as_str()),
        ("layer 1", Some("opt/made"), "content")
    );
}

#[test]
fn an_unpinned_from_rejects_before_any_program_runs() {
    for engine in [Engine::Buildah, Engine::Docker] {
        let repo = dockerfile("# base\nFROM debian:12\n");
        let config = with_engine(engine);
        let error = error_of(&repo, &config);
        assert!(matches!(&error, BuildError::Unpinned { line: 2, image, .. } if image == "debian:12"), "{error}");
        assert!(bases_known(&config, &repo.root).is_err());
    }
}

#[test]
fn a_dockerfile_outside_the_context_rejects() {
    let repo = dockerfile("FROM scratch\n");
    let mut config = with_engine(Engine::Buildah);
    config.context = include_only(&["src"]);
    assert!(matches!(error_of(&repo, &config), BuildError::Missing { path, .. } if path == "Dockerfile"));
}

#[test]
fn a_failing_dockerfile_rejects_with_its_log() {
    if !have("buildah", "apt-get install buildah") {
        return;
    }
    let repo = dockerfile("FROM scratch\nCOPY absent /x\n");
    let (result, recorded) = repo.build("work", &with_engine(Engine::Buildah));
    assert!(matches!(result, Err(DualError::Build(BuildError::Run(_)))), "{result:?}");
    assert!(std::fs::read_to_string(&recorded[0].log).unwrap().contains("absent"));
}

#[test]
fn docker_without_buildx_rejects_with_the_fix() {
    let there = Command::new("docker").args(["buildx", "version"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP no-buildx: its absence can only be shown where it is absent");
        return;
    }
    let error = error_of(&dockerfile("FROM scratch\n"), &with_engine(Engine::Docker));
    assert!(matches!(error, BuildError::EngineMissing { engine: "docker", .. }), "{error}");
    assert!(error.to_string().contains("apt-get install"), "{error}");
}

/// A script that leaves the layout which engine `assemble` made, after a change to it.
fn command(change: &str) -> (Repo, Build) {
    let repo = Repo::with(&[("src/a", "1")]);
    let made = super::fixture::assemble(&["src"], vec![super::fixture::file("src", "/src")]);
    let image = repo.build("made", &made).0.unwrap().image;
    let mut config = with_engine(Engine::Command);
    config.context = include_only(&["src"]);
    let script = format!("cp -r {} \"$1\" && cd \"$1\" && {change}", image.layout.display());
    config.command = words(&["sh", "-c", &script, "sh", "{layout}"]);
    (repo, config)
}

#[test]
fn a_command_that_leaves_a_layout_is_an_engine() {
    let (repo, config) = command("true");
    let image = repo.build("work", &config).0.unwrap().image;
    assert_eq!(verify_layout(&image.layout).unwrap(), image);
    assert_eq!(image.layers.len(), 1);
    assert!(Layout::open(&image.layout).is_ok());
}

#[test]
fn a_command_that_leaves_no_sound_layout_rejects() {
    for change in [
        "rm index.json",
        "rm oci-layout",
        "echo '{\"imageLayoutVersion\":\"2.0.0\"}' > oci-layout",
        "echo '{\"schemaVersion\":2,\"manifests\":[]}' > index.json",
        "sed -i 's/\"manifests\":\\[\\(.*\\)\\]/\"manifests\":[\\1,\\1]/' index.json",
        "sed -i 's/image.manifest.v1/image.index.v1/' index.json",
        "sed -i 's/\"size\":/\"size\":1/' index.json",
        "for f in blobs/sha256/*; do echo x >> $f; done",
        "rm -r blobs",
    ] {
        let (repo, config) = command(change);
        assert!(matches!(error_of(&repo, &config), BuildError::Layout(_)), "{change}");
    }
}

#[test]
fn a_command_without_the_layout_argument_rejects() {
    let mut config = with_engine(Engine::Command);
    config.context = include_only(&["src"]);
    for command in [&["make", "image"][..], &[]] {
        config.command = words(command);
        let error = error_of(&Repo::with(&[("src/a", "1")]), &config);
        assert!(matches!(error, BuildError::Config { key: "build.command", .. }), "{error}");
    }
}

#[test]
fn a_run_instruction_runs_in_the_image_and_its_randomness_is_found() {
    if !have("buildah", "apt-get install buildah") || !have("gcc", "apt-get install gcc libc6-dev") {
        return;
    }
    let program = "#include <stdio.h>\n#include <unistd.h>\n#include <sys/random.h>\nint main(int c, char **v) { unsigned n = 5;\n\
                   if (c > 1) getrandom(&n, sizeof n, 0);\nFILE *f = fopen(\"/made\", \"w\");\n\
                   fprintf(f, \"%u %d\", n, access(\"/usr\", F_OK)); return fclose(f); }\n";
    let build = |run: &str| {
        let repo =
            Repo::with(&[("src/t.c", program), ("Dockerfile", &format!("FROM scratch\nCOPY t /t\nRUN {run}\n"))]);
        let mut config = with_engine(Engine::Buildah);
        config.steps = vec![words(&["gcc", "-static", "-o", "t", "src/t.c"])];
        config.outputs = words(&["t"]);
        config.determinism = DeterminismMode::Dual;
        let outcome = repo.build("work", &config).0.unwrap();
        let made = top_layer(&outcome.image.layout).into_iter().find(|(path, ..)| path == "made").unwrap();
        (outcome.report.first_difference, String::from_utf8(made.4).unwrap())
    };
    let (difference, made) = build("[\"/t\"]");
    assert_eq!((difference, made.as_str()), (None, "5 -1"));
    let found = build("[\"/t\", \"random\"]").0.unwrap();
    assert_eq!((found.path.as_deref(), found.what.as_str()), (Some("made"), "content"));
}
