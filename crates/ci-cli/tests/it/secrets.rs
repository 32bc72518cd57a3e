//! Planted credentials of every kind, in every place that ci-intel reads: none is ever shown or kept, and where one is evidence
//! or context the release is rejected.

use std::fs;
use std::path::Path;

use ci_formats::secrets::{Example, Scanner};
use ci_testkit::{require, run};

use crate::fixture::{JUNIT, Repo, Run, SARIF, files, text};

/// One made-up secret of each built-in rule.
fn planted(seed: u64) -> Vec<(&'static str, Example)> {
    let examples: Vec<_> = Scanner::builtin().rules().map(|rule| (rule.id, rule.example(seed))).collect();
    assert!(examples.len() >= 30, "only {} kinds", examples.len());
    examples
}

fn secret(example: &Example) -> &str {
    &example.text[example.secret.clone()]
}

/// The long lines of a secret: a private key is many of them, each of which would give part of it away.
fn parts(example: &Example) -> impl Iterator<Item = &str> {
    let whole = secret(example);
    let lines = whole.lines().map(str::trim).filter(|line| line.len() >= 8 && !line.contains("-----"));
    let lines: Vec<&str> = lines.collect();
    if lines.is_empty() { vec![whole].into_iter() } else { lines.into_iter() }
}

/// Every byte below the state folder, bundles unpacked: path and content.
fn kept(repo: &Repo) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files(&repo.state()) {
        let content = fs::read(&path).unwrap();
        if text(&path).ends_with(".tar.zst") {
            let tar = ci_evidence::archive::unpack(&content).unwrap();
            all.extend(tar.into_iter().map(|(inner, bytes)| (format!("{}!{inner}", path.display()), bytes)));
        }
        all.push((path.display().to_string(), content));
    }
    all
}

/// Demands that none of the secrets was shown or kept.
#[track_caller]
fn nowhere(repo: &Repo, run: &Run, secrets: &[(&str, Example)]) {
    let kept = kept(repo);
    assert!(!kept.is_empty());
    for (rule, example) in secrets {
        for part in parts(example) {
            assert!(!run.out.contains(part) && !run.err.contains(part), "{rule} was shown:\n{}{}", run.out, run.err);
            for (path, content) in &kept {
                let found = content.windows(part.len()).any(|window| window == part.as_bytes());
                assert!(!found, "{rule} is in {path}");
            }
        }
    }
}

/// A file outside the repository that scripts print: the context itself stays clean.
fn outside(repo: &Repo, secrets: &[(&str, Example)]) -> String {
    let path = repo.root().join("planted");
    let lines: String = secrets.iter().map(|(_, example)| format!("{}\n", example.text)).collect();
    fs::write(&path, lines).unwrap();
    path.display().to_string()
}

/// A long random-looking word that no rule knows: only the environment tells that it is secret.
const UNKNOWN: &str = "zq81-Lantern-Orchard-7734-Basalt";

#[test]
fn credentials_of_the_environment_are_withheld_and_never_shown() {
    let Some(mut repo) = Repo::new() else { return };
    let secrets = planted(1);
    for (number, (_, example)) in secrets.iter().enumerate() {
        repo.env(&format!("PLANTED_{number}_TOKEN"), secret(example));
    }
    repo.env("DEPLOY_PASSWORD", UNKNOWN).env("GITHUB_ACTIONS", "true");
    // A credential cannot even be asked for by name; one under an innocent name is known by its value's form only.
    let asks = "determinism: single\n  pass_env: [DEPLOY_PASSWORD]";
    repo.config("determinism: single", asks);
    repo.commit("Ask for a credential");
    repo.release().exits(2).says("`DEPLOY_PASSWORD` looks like a credential");
    repo.config(asks, "determinism: single");
    repo.script("ci/tests", &format!("env\necho password is {UNKNOWN}\ncat >\"$1/junit.xml\" <<'END'\n{JUNIT}\nEND"));
    // The word stands in a tracked script, which is a secret in the context.
    repo.commit("Print the environment");
    let run = repo.release().exits(1).says("secret-in-context").never_says(UNKNOWN);
    nowhere(&repo, &run, &secrets);

    repo.script("ci/tests", &format!("env\ncat >\"$1/junit.xml\" <<'END'\n{JUNIT}\nEND"));
    repo.commit("Print the environment only");
    let run = repo.release().exits(0).never_says(UNKNOWN);
    nowhere(&repo, &run, &secrets);
    let bundle = repo.bundles().into_iter().find(|path| text(path).contains(&repo.tag())).unwrap();
    let sweep = repo.run(&["evidence", "export", text(&bundle), "secret-sweep"]).exits(0).json();
    let withheld = sweep["withheld_env"].as_array().unwrap();
    assert_eq!(withheld.len(), secrets.len() + 1, "{withheld:?}");
}

#[test]
fn secrets_in_build_and_test_output_are_redacted_on_screen_and_in_logs() {
    for actions in [false, true] {
        let Some(mut repo) = Repo::new() else { return };
        if actions {
            repo.env("GITHUB_ACTIONS", "true");
        }
        let secrets = planted(2);
        let file = outside(&repo, &secrets);
        repo.config("determinism: single", "determinism: single\n  steps: [[ci/build]]");
        repo.script("ci/build", &format!("cat {file}; cat {file} >&2"));
        repo.script("ci/tests", &format!("cat {file}\ncat >\"$1/junit.xml\" <<'END'\n{JUNIT}\nEND"));
        repo.script("ci/scan", &format!("cat {file}\ncat >\"$2\" <<'END'\n{SARIF}\nEND"));
        repo.commit("Print secrets");
        // Redacted logs are no reason to reject.
        let run = repo.release().exits(0);
        nowhere(&repo, &run, &secrets);
        assert!(
            kept(&repo).iter().any(|(path, log)| path.contains("!") && find(log, b"[redacted:")),
            "nothing was logged"
        );
        assert_eq!(actions, run.err.contains("[redacted:"), "{}", run.err);
    }
}

fn find(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_secret_in_test_results_rejects_and_is_not_kept() {
    let Some(repo) = Repo::new() else { return };
    let secrets = planted(3);
    let file = outside(&repo, &secrets);
    let body = "echo '<testsuite name=\"a\"><testcase name=\"b\"><system-out><![CDATA['; cat FILE; echo ']]></system-out></testcase></testsuite>'";
    repo.script("ci/tests", &format!("{{ {}; }} >\"$1/a.xml\"", body.replace("FILE", &file)));
    repo.commit("Print secrets in a test");
    let run = repo.release().exits(1).says("secret-in-evidence").says("tests/a.xml:").says("revoke that credential");
    nowhere(&repo, &run, &secrets);
    let why = repo.run(&["why", &repo.tag()]).exits(1).says("secret-in-evidence".trim_start_matches("secret-in-"));
    nowhere(&repo, &why, &secrets);
}

#[test]
fn a_secret_in_a_scan_report_rejects_and_is_not_kept() {
    let Some(repo) = Repo::new() else { return };
    for (number, planted) in planted(4).into_iter().enumerate().filter(|(number, _)| number % 6 == 0) {
        let message = serde_json::to_string(&planted.1.text).unwrap();
        let note = format!(
            "\"results\":[{{\"ruleId\":\"note\",\"level\":\"note\",\"message\":{{\"text\":{message}}},\"properties\":{{\"security-severity\":\"0.0\"}}}}]"
        );
        let report = repo.root().join("report.json");
        fs::write(&report, SARIF.replace("\"results\":[]", &note)).unwrap();
        repo.script("ci/scan", &format!("cp {} \"$2\" # {number}", report.display()));
        repo.commit("Report a secret");
        let run = repo.release().exits(1).says("secret-in-evidence").says("scans/1-scan.json:");
        nowhere(&repo, &run, &[planted]);
    }
}

#[test]
fn secrets_in_the_context_reject_and_are_not_kept() {
    let Some(repo) = Repo::new() else { return };
    let secrets = planted(5);
    for (number, (_, example)) in secrets.iter().enumerate() {
        repo.write(&format!("ci/notes-{number}"), &example.text);
    }
    repo.commit("Keep notes");
    let run = repo.release().exits(1).says("secret-in-context");
    for (number, (rule, _)) in secrets.iter().enumerate() {
        let place = format!("ci/notes-{number}:");
        assert!(run.err.contains(&place), "{rule} was not found in the context:\n{}", run.err);
    }
    nowhere(&repo, &run, &secrets);
    // An image with a secret in it is not published, not even by digest.
    repo.nothing_released();
}

#[test]
fn a_secret_in_the_configuration_rejects_before_anything_else() {
    let Some(repo) = Repo::new() else { return };
    let secrets: Vec<_> = planted(6).into_iter().filter(|(_, example)| !example.text.contains('\n')).collect();
    for (rule, example) in secrets.iter().step_by(5) {
        let value = serde_json::to_string(&example.text).unwrap();
        repo.config("    entrypoint:", &format!("    env: {{ SETTING: {value} }}\n    entrypoint:"));
        repo.commit("Configure");
        let run = repo.release().exits(1).says(".ci-intel/config.yml:").says("it holds a secret");
        for part in parts(example) {
            let run = Run { code: run.code, out: run.out.clone(), err: run.err.clone() };
            run.never_says(part);
        }
        assert!(!repo.state().exists(), "{rule}: something was written");
        repo.config(&format!("    env: {{ SETTING: {value} }}\n"), "");
    }
}

#[test]
fn a_secret_in_a_broken_configuration_is_not_quoted() {
    let Some(repo) = Repo::new() else { return };
    let (_, example) = planted(7).into_iter().find(|(rule, _)| rule.starts_with("github")).unwrap();
    repo.config("    entrypoint:", &format!("    evn: {{ TOKEN: {} }}\n    entrypoint:", secret(&example)));
    for command in [&["release"][..], &["config", "validate"], &["config", "show"], &["doctor"]] {
        let run = repo.run(command).never_says(secret(&example));
        assert_ne!(run.code, Some(0), "{run:?}");
    }
}

#[test]
fn a_secret_baked_into_the_image_config_is_never_published() {
    let Some(repo) = Repo::new() else { return };
    if !require("buildah", "buildah") {
        return;
    }
    let (_, example) = planted(8).into_iter().find(|(rule, _)| rule.starts_with("github")).unwrap();
    let (one, two) = secret(&example).split_at(9);
    repo.config("engine: assemble", "engine: buildah");
    repo.config("include: [", "include: [Dockerfile, ");
    let path = repo.path().join(".ci-intel/config.yml");
    let config = fs::read_to_string(&path).unwrap();
    let (before, after) = (config.split("  assemble:").next().unwrap(), config.split("smoke:").nth(1).unwrap());
    fs::write(&path, format!("{before}smoke:{after}")).unwrap();
    repo.write(
        "Dockerfile",
        format!(
            "FROM scratch\nCOPY bin/server /server\nARG A={one}\nARG B={two}\nENV SETTING=${{A}}${{B}}\nENTRYPOINT [\"/server\"]\n"
        ),
    );
    repo.commit("Bake a secret");
    let run = repo.release().exits(1).says("the image config holds a secret").says("it was not published");
    nowhere(&repo, &run, &[("image config", example)]);
    assert!(repo.tags().is_empty() && repo.bundles().is_empty());
    let published = files(&repo.state().join("images/blobs"));
    assert!(published.is_empty(), "{published:?}");
}

#[test]
fn a_password_in_the_remotes_url_is_never_shown_or_kept() {
    let Some(repo) = Repo::new() else { return };
    let password = &["Kestrel", "Quarry", "90210"].join("-");
    repo.git(&["remote", "add", "origin", &format!("https://deploy:{password}@git.example.org/org/app.git")]);
    let run = repo.release().exits(0).says("org/app").never_says(password);
    assert!(run.out.contains("org/app"));
    for (path, content) in kept(&repo) {
        assert!(!find(&content, password.as_bytes()), "{path}");
    }
    repo.run(&["init", "--force", "--dry-run"]).exits(0).says("org/app").never_says(password);
}

#[test]
fn a_password_in_an_argument_is_not_repeated() {
    let Some(mut repo) = Repo::new() else { return };
    repo.env("DEPLOY_PASSWORD", UNKNOWN);
    repo.run(&["why", UNKNOWN]).exits(2).never_says(UNKNOWN);
    repo.run(&["evidence", "show", &format!("/{UNKNOWN}")]).exits(2).never_says(UNKNOWN);
}

#[test]
fn the_signing_key_is_never_kept_in_the_state() {
    let Some(repo) = Repo::new() else { return };
    let run = repo.release().exits(0);
    let private = fs::read_to_string(repo.root().join("home/.config/ci-intel/signing.key")).unwrap();
    let body = private.lines().nth(1).unwrap();
    let run = run.never_says(body);
    assert!(run.err.contains("signing.key.pub"));
    for (path, content) in kept(&repo) {
        assert!(!find(&content, body.as_bytes()), "{path}");
    }
    let mode = run_stat(&repo.root().join("home/.config/ci-intel/signing.key"));
    assert_eq!(mode, "600");
}

fn run_stat(path: &Path) -> String {
    let output = run(Path::new("/"), "stat", &["-c", "%a", text(path)]);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
