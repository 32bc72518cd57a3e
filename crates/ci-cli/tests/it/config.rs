//! Configuration: init, validate, explain, and the organisation's overlay from its signature to the verifier.

use std::fs;

use crate::fixture::{Repo, text};

const KINDS: [(&str, &str); 7] = [
    ("Cargo.toml", "Cargo"),
    ("go.mod", "Go"),
    ("package.json", "Npm"),
    ("pyproject.toml", "Python"),
    ("requirements.txt", "Python"),
    ("Dockerfile", "Dockerfile"),
    ("README", "Plain"),
];

#[test]
fn init_writes_a_valid_file_for_every_kind_of_project() {
    for (marker, kind) in KINDS {
        let Some(repo) = Repo::new() else { return };
        let folder = repo.root().join("My Project");
        fs::create_dir(&folder).unwrap();
        let content = match kind {
            "Cargo" => "[package]\nname = \"svc\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            "Go" => "module example.org/svc\n\ngo 1.22\n",
            "Npm" => "{ \"name\": \"svc\", \"version\": \"1.0.0\" }\n",
            _ => "",
        };
        fs::write(folder.join(marker), content).unwrap();
        if kind == "Cargo" {
            fs::create_dir(folder.join("src")).unwrap();
            fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
        }
        if kind == "Go" {
            fs::write(folder.join("main.go"), "package main\n\nfunc main() {}\n").unwrap();
        }
        let run = repo.run(&["init", "--repo", text(&folder)]).exits(0).says("config.yml for ");
        run.says("ci-intel doctor");
        repo.run(&["config", "validate", "--repo", text(&folder)]).exits(0).says("valid");
        repo.run(&["init", "--repo", text(&folder)]).exits(2).says("--force");
        repo.run(&["init", "--repo", text(&folder), "--force"]).exits(0);
        let shown = repo.run(&["init", "--repo", text(&folder), "--dry-run"]).exits(0).out;
        assert_eq!(shown, fs::read_to_string(folder.join(".ci-intel/config.yml")).unwrap());
    }
}

#[test]
fn init_names_the_repository_of_its_remote() {
    let Some(repo) = Repo::new() else { return };
    repo.git(&["remote", "add", "origin", "git@github.com:org/app.git"]);
    repo.run(&["init", "--dry-run"]).exits(0).says("repository: \"org/app\"").says("gh api repos/org/app");
}

#[test]
fn a_missing_configuration_says_how_to_get_one() {
    let Some(repo) = Repo::new() else { return };
    fs::remove_dir_all(repo.path().join(".ci-intel")).unwrap();
    repo.release().exits(2).says("does not exist").says("ci-intel init --repo ");
    repo.run(&["config", "validate"]).exits(2).says("ci-intel init");
    repo.run(&["config", "explain", "build.engine"]).exits(0).says("build.engine");
}

#[test]
fn errors_name_file_line_column_and_fix() {
    let Some(repo) = Repo::new() else { return };
    repo.config("  engine: assemble\n", "  engin: assemble\n");
    repo.config("determinism: single", "determinism: triple");
    repo.config("include: ['bin/**', Cargo.lock, 'ci/**']", "include: ['**']");
    let run = repo.run(&["config", "validate"]).exits(2);
    insta::assert_snapshot!(run.err, @"
    error: the configuration is not usable, for 3 reasons
    error: build.engin: unknown key `engin`
     --> .ci-intel/config.yml:4:3
      |
    4 |   engin: assemble
      |   ^^^^^ did you mean `engine`?
    error: build.determinism: `triple` is not one of single, dual
     --> .ci-intel/config.yml:5:16
      |
    5 |   determinism: triple
      |                ^^^^^^ write one of single, dual
    error: build.context.include[0]: `**` has no boundary: it can match everything at the top of the repository
     --> .ci-intel/config.yml:7:15
      |
    7 |     include: ['**']
      |               ^^^^ name the directories and files that the build reads, like `src/**` and `Cargo.toml`
    ");
    repo.release().exits(2);
}

#[test]
fn a_budget_for_critical_findings_is_no_configuration() {
    let Some(repo) = Repo::new() else { return };
    repo.configure("budgets: { vulnerabilities: { critical: 3 } }\n");
    repo.run(&["config", "validate"]).exits(2).says("budgets.vulnerabilities.critical").says("config.yml:23:");
}

#[test]
fn malformed_yaml_names_its_place() {
    for (yaml, place) in
        [("version: 1\nproject: [\n", ".ci-intel/config.yml:"), ("", ".ci-intel/config.yml"), ("- 1\n", ":1")]
    {
        let Some(repo) = Repo::new() else { return };
        repo.write(".ci-intel/config.yml", yaml);
        repo.run(&["config", "validate"]).exits(2).says(place);
    }
    let Some(repo) = Repo::new() else { return };
    repo.write(".ci-intel/config.yml", b"version: 1\n\xff\xfe\n");
    repo.run(&["config", "validate"]).exits(2).says(".ci-intel/config.yml");
}

#[test]
fn explain_knows_keys_prefixes_and_typos() {
    let Some(repo) = Repo::new() else { return };
    let one = repo.run(&["config", "explain", "build.engine"]).exits(0);
    assert!(
        one.out.starts_with("build.engine (") && one.out.contains("value: \"assemble\" (.ci-intel/config.yml:4)"),
        "{}",
        one.out
    );
    let below = repo.run(&["config", "explain", "build.context"]).exits(0);
    for key in ["build.context.include", "build.context.max_files", "build.context.max_bytes"] {
        assert!(below.out.contains(key), "{}", below.out);
    }
    let all = repo.run(&["config", "explain"]).exits(0);
    assert!(all.out.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).count() > 40);
    repo.run(&["config", "explain", "build.engin"]).exits(2).says("did you mean `build.engine`");
    repo.run(&["config", "schema"]).exits(0).says("\"$schema\"");
}

#[test]
fn show_tells_where_each_value_comes_from() {
    let Some(repo) = Repo::new() else { return };
    let run = repo.run(&["config", "show"]).exits(0);
    assert!(run.out.contains("build.determinism = \"single\"  # .ci-intel/config.yml:5"), "{}", run.out);
    assert!(run.out.contains("build.timeout_s = 3600  # built-in default"), "{}", run.out);
    let json = repo.run(&["config", "show", "--format", "json"]).exits(0).json();
    assert_eq!(json["project"]["name"], "app");
}

/// An organisation: its key pair, and an overlay it signed.
struct Organisation {
    overlay: String,
    public: String,
}

fn organisation(repo: &Repo, overlay: &str) -> Organisation {
    let (key, file) = (repo.root().join("org.key"), repo.root().join("overlay.yml"));
    fs::write(&file, overlay).unwrap();
    if !key.exists() {
        repo.run(&["key", "generate", "--out", text(&key)]).exits(0);
    }
    repo.run(&["config", "sign-overlay", text(&file), "--key", text(&key)]).exits(0).says("signed");
    Organisation { overlay: text(&file).to_owned(), public: format!("{}.pub", text(&key)) }
}

impl Organisation {
    fn flags(&self) -> [&str; 4] {
        ["--overlay", &self.overlay, "--organisation-key", &self.public]
    }
}

#[test]
fn an_overlay_applies_and_the_verifier_must_name_its_key() {
    let Some(repo) = Repo::new() else { return };
    let organisation = organisation(&repo, "version: 1\nbudgets: { vulnerabilities: { medium: 0 } }\n");
    let release = [&["release", "--format", "json"][..], &organisation.flags()].concat();
    let report = repo.run(&release).exits(0).json();
    let bundle = std::path::PathBuf::from(report["bundle"].as_str().unwrap());
    repo.verify(&bundle, &[]).exits(3).says("--organisation-key FILE");
    repo.verify(&bundle, &["--organisation-key", &organisation.public]).exits(0);
    let other = repo.root().join("other.key");
    repo.run(&["key", "generate", "--out", text(&other)]).exits(0);
    repo.verify(&bundle, &["--organisation-key", &format!("{}.pub", text(&other))]).exits(1).says("REJECTED");
    // Whoever demands an overlay does not take a bundle without one.
    let without = repo.accepted();
    repo.verify(&without, &["--organisation-key", &organisation.public]).exits(1).says("without one");
}

#[test]
fn a_repository_may_be_stricter_than_the_overlay_and_never_looser() {
    let Some(repo) = Repo::new() else { return };
    let medium = |count: u64| format!("budgets: {{ vulnerabilities: {{ medium: {count} }} }}\n");
    let organisation = organisation(&repo, &format!("version: 1\n{}", medium(5)));
    let release = [&["release"][..], &organisation.flags()].concat();
    repo.configure(&medium(2));
    repo.commit("Be stricter");
    repo.run(&release).exits(0);
    repo.run(&[&["config", "explain", "budgets.vulnerabilities.medium"][..], &organisation.flags()].concat())
        .exits(0)
        .says("value: 2");
    repo.config("medium: 2", "medium: 9");
    repo.commit("Be looser");
    let run = repo.run(&release).exits(2).says("budgets.vulnerabilities.medium").says(".ci-intel/config.yml:");
    assert!(run.err.contains("looser") || run.err.contains("loosen") || run.err.contains("stricter"), "{}", run.err);
    assert!(!repo.tags().contains_key(&repo.tag()));
}

#[test]
fn an_overlay_that_its_organisation_did_not_sign_rejects() {
    let Some(repo) = Repo::new() else { return };
    let organisation = organisation(&repo, "version: 1\nbudgets: { vulnerabilities: { medium: 0 } }\n");
    let release = [&["release"][..], &organisation.flags()].concat();
    fs::write(&organisation.overlay, "version: 1\n").unwrap();
    repo.run(&release).exits(1).says("is not what").says("signs");
    fs::remove_file(format!("{}.dsse.json", organisation.overlay)).unwrap();
    repo.run(&release).exits(2).says("overlay.yml.dsse.json");
    let own = repo.root().join("own.key");
    repo.run(&["key", "generate", "--out", text(&own)]).exits(0);
    repo.run(&["config", "sign-overlay", &organisation.overlay, "--key", text(&own)]).exits(0);
    repo.run(&release).exits(1).says("overlay.yml.dsse.json");
    repo.run(&["release", "--overlay", &organisation.overlay]).exits(2).says("--organisation-key");
    repo.run(&["release", "--organisation-key", &organisation.public]).exits(2).says("no overlay");
    repo.nothing_released();
}

#[test]
fn a_broken_overlay_is_not_signed() {
    let Some(repo) = Repo::new() else { return };
    let (key, file) = (repo.root().join("org.key"), repo.root().join("overlay.yml"));
    repo.run(&["key", "generate", "--out", text(&key)]).exits(0);
    fs::write(&file, "version: 1\nbudgets: { vulnerabilties: { medium: 0 } }\n").unwrap();
    repo.run(&["config", "sign-overlay", text(&file), "--key", text(&key)]).exits(2).says("overlay.yml:2:");
    assert!(!repo.root().join("overlay.yml.dsse.json").exists());
}

#[test]
fn doctor_finds_what_a_release_would_miss() {
    let Some(repo) = Repo::new() else { return };
    repo.run(&["doctor"]).exits(0).says("ok source").says("ok programs").says("the first release will make it");
    repo.config("command: [ci/tests, ", "command: [no-such-test-runner, ");
    repo.run(&["doctor"]).exits(1).says("`no-such-test-runner`, which tests.command runs, is not on PATH");
    let report = repo.run(&["doctor", "--format", "json"]).exits(1).json();
    let missing = |row: &serde_json::Value| row["state"] == "missing" && row["what"] == "programs";
    assert!(report.as_array().unwrap().iter().any(missing), "{report:#}");
    repo.commit("Use a test runner that is not there");
    repo.release().exits(1).says("is not on PATH").says("install no-such-test-runner");
}
