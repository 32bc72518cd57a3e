//! Exit codes are public API (fail-open zoo: witness-exit-0), and every report format holds the verdict.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fixture::{Repo, SARIF, text};

/// A repository with one accepted and one rejected bundle.
fn both() -> Option<(Repo, PathBuf, PathBuf)> {
    let repo = Repo::new()?;
    let accepted = repo.accepted();
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    let run = repo.run(&["release", "--format", "json"]).exits(1);
    let rejected = PathBuf::from(run.json()["bundle"].as_str().unwrap());
    Some((repo, accepted, rejected))
}

#[test]
fn zoo_witness_exit_0() {
    let Some((repo, accepted, rejected)) = both() else { return };
    // 0: accepted, done.
    repo.verify(&accepted, &[]).exits(0).says("ACCEPTED");
    repo.run(&["why", text(&accepted)]).exits(0);
    for done in [&["--help"][..], &["--version"], &["history"], &["config", "validate"], &["completions", "bash"]] {
        repo.run(done).exits(0);
    }
    // 1: rejected, whether the bundle says so or is not what it says it is.
    repo.verify(&rejected, &[]).exits(1).says("REJECTED");
    repo.run(&["why", text(&rejected)]).exits(1).says("shortest path");
    let tampered = repo.root().join("tampered.tar.zst");
    let mut bytes = fs::read(&accepted).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&tampered, &bytes).unwrap();
    repo.verify(&tampered, &[]).exits(1).says("REJECTED");
    repo.run(&["why", text(&tampered)]).exits(1);
    repo.run(&["evidence", "show", text(&tampered)]).exits(1);
    let other = format!("sha256:{}", "0".repeat(64));
    repo.verify(&accepted, &["--digest", &other]).exits(1).says(&other);
    repo.verify(&accepted, &["--env", "prod"]).exits(1);
    let key = repo.root().join("other.key");
    repo.run(&["key", "generate", "--out", text(&key)]).exits(0);
    repo.run(&["verify", text(&accepted), "--key", &format!("{}.pub", text(&key))]).exits(1).says("REJECTED");
    fs::write(&tampered, b"").unwrap();
    repo.verify(&tampered, &[]).exits(1);
    // 2: called wrongly, or the configuration is wrong.
    for wrong in [
        &["frobnicate"][..],
        &[],
        &["verify"],
        &["verify", "/nowhere/at/all"],
        &["verify", text(&accepted), "--key", "/nowhere/key"],
        &["verify", text(&accepted), "--digest", "sha256:12"],
        &["verify", text(&accepted), "--env", "moon"],
        &["verify", text(&accepted), "--max-age-h", "-1"],
        &["release", "--repo", "/nowhere/at/all"],
        &["history", "--repo", "/nowhere/at/all"],
        &["why", "no-such-release"],
        &["evidence", "export", text(&accepted), "no-such-kind"],
        &["evidence", "show", text(&accepted), "no/such/file"],
        &["config", "explain", "no.such.key"],
        &["key", "public", "--key", "/nowhere/key"],
    ] {
        let run = repo.run(wrong).exits(2);
        assert!(run.out.is_empty() && !run.err.is_empty(), "{wrong:?}: {run:?}");
    }
    // 3: nobody was named to trust.
    repo.run(&["verify", text(&accepted)]).exits(3).says("UNDECIDED").says("--key FILE");
    repo.run(&["verify", text(&rejected)]).exits(3);
}

#[test]
fn a_key_named_in_the_environment_counts() {
    let Some((mut repo, accepted, _)) = both() else { return };
    let key = repo.public_key();
    repo.env("CI_INTEL_TRUSTED_KEY", text(&key));
    repo.run(&["verify", text(&accepted)]).exits(0);
}

#[test]
fn an_old_decision_is_rejected_where_age_matters() {
    let Some(repo) = Repo::new() else { return };
    let bundle = repo.accepted();
    repo.verify(&bundle, &["--max-age-h", "1"]).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    repo.verify(&bundle, &["--max-age-h", "0"]).exits(1).says("older than demanded");
}

#[test]
fn every_format_holds_the_verdict_and_the_same_exit_code() {
    let Some((repo, accepted, rejected)) = both() else { return };
    for (bundle, code, word) in [(&accepted, 0, "accepted"), (&rejected, 1, "rejected")] {
        for format in ["text", "json", "sarif", "markdown", "github", "html"] {
            let verified = repo.verify(bundle, &["--format", format]).exits(code);
            let why = repo.run(&["why", text(bundle), "--format", format]).exits(code);
            for run in [verified, why] {
                holds_verdict(&run.out, format, word);
            }
        }
    }
}

#[track_caller]
fn holds_verdict(report: &str, format: &str, word: &str) {
    match format {
        "json" => {
            let report: Value = serde_json::from_str(report).unwrap();
            assert_eq!(report["verdict"], word);
            assert_eq!(report["denied_by"].as_array().unwrap().is_empty(), word == "accepted");
        }
        "sarif" => {
            let results = sarif_results(report);
            assert_eq!(results.is_empty(), word == "accepted", "{results:?}");
        }
        "github" if word == "accepted" => assert!(report.starts_with("::notice title=ci-intel::accepted app:git-")),
        "github" => {
            let all = report.lines().all(|line| line.starts_with("::error title=ci-intel "));
            assert!(all && report.contains("scan-results-missing"), "{report}");
        }
        "html" => {
            assert!(report.starts_with("<!doctype html>") && report.contains(&format!("'>{word}</span>")), "{report}");
            assert!(!report.contains("<script") && !report.contains("http://"), "{report}");
        }
        _ => assert!(report.to_lowercase().contains(word), "{format}: {report}"),
    }
    assert!(!report.contains('\u{1b}'), "{format}: colours in a pipe");
}

/// Results of a SARIF log; the structure is that of SARIF 2.1.0, sections 3.13 to 3.27.
fn sarif_results(report: &str) -> Vec<Value> {
    let log: Value = serde_json::from_str(report).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "ci-intel");
    let rules: Vec<&str> =
        driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let results = runs[0]["results"].as_array().unwrap().clone();
    for result in &results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert_eq!(result["level"], "error");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().len() > 3);
        assert_eq!(place["region"]["startLine"], json!(1));
    }
    results
}

#[test]
fn a_bundle_that_vouches_for_nothing_is_reported_in_every_format() {
    let Some((repo, accepted, _)) = both() else { return };
    let bad = repo.root().join("bad.tar.zst");
    fs::write(&bad, b"not a bundle").unwrap();
    for (bundle, code, word) in [(&bad, 1, "rejected"), (&accepted, 3, "undecided")] {
        for format in ["text", "json", "sarif", "markdown", "github", "html"] {
            let mut arguments = vec!["verify", text(bundle), "--format", format];
            let key = repo.public_key();
            if code == 1 {
                arguments.extend(["--key", text(&key)]);
            }
            let run = repo.run(&arguments).exits(code);
            match format {
                "sarif" => assert_eq!(sarif_results(&run.out).len(), 1),
                "github" => assert!(run.out.starts_with("::error title=ci-intel "), "{}", run.out),
                "json" => assert_eq!(run.json()["verdict"], word),
                _ => assert!(run.out.to_lowercase().contains(word), "{format}: {}", run.out),
            }
        }
    }
}

#[test]
fn a_release_that_ended_early_is_reported_in_every_format() {
    let Some(repo) = Repo::new() else { return };
    repo.write("bin/left-over", "x");
    for format in ["json", "sarif", "markdown", "github", "html"] {
        let run = repo.run(&["release", "--format", format]).exits(1);
        match format {
            "sarif" => assert_eq!(sarif_results(&run.out)[0]["ruleId"], "lane"),
            "github" => assert!(run.out.starts_with("::error title=ci-intel lane::"), "{}", run.out),
            "json" => assert_eq!(run.json()["verdict"], "rejected"),
            _ => assert!(run.out.contains("rejected"), "{format}: {}", run.out),
        }
        assert!(run.out.contains("left-over") || run.out.contains("left\\-over"), "{format}: {}", run.out);
        assert!(run.err.contains("error: the working tree differs"), "{}", run.err);
    }
}

#[test]
fn output_is_plain_in_pipes_and_with_no_color() {
    let Some(mut repo) = Repo::new() else { return };
    repo.env("NO_COLOR", "1").env("TERM", "xterm-256color");
    let run = repo.release().exits(0);
    assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{run:?}");
}

#[test]
fn text_of_others_cannot_steer_the_terminal_or_the_ci() {
    let Some(repo) = Repo::new() else { return };
    let rule = json!("CVE\u{1b}[2J\r\n::add-path::/evil\n::error::x <script>alert(1)</script> | @all").to_string();
    let finding = format!(
        "\"results\":[{{\"ruleId\":{rule},\"level\":\"error\",\"message\":{{\"text\":\"x\"}},\"properties\":{{\"security-severity\":\"9.8\"}}}}]"
    );
    let report = repo.root().join("report.json");
    fs::write(&report, SARIF.replace("\"results\":[]", &finding)).unwrap();
    repo.script("ci/scan", &format!("cp {} \"$2\"", report.display()));
    repo.commit("Report something odd");
    let run = repo.release().exits(1);
    let Some(bundle) = repo.bundles().first().cloned() else { panic!("{run:?}") };
    let mut shown = vec![run.out, run.err, repo.run(&["why", text(&bundle)]).out, repo.run(&["history"]).out];
    for format in ["text", "markdown", "github", "html"] {
        let report = repo.verify(&bundle, &["--format", format]).exits(1).out;
        let markup = ["markdown", "html"].contains(&format) && report.contains("<script");
        assert!(!markup, "{report}");
        shown.push(report);
    }
    for text in shown {
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("::add-path")), "{text}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let Some(repo) = Repo::new() else { return };
    let mut command = std::process::Command::new("sh");
    let script = format!("{} config explain 2>err | head -n 1; cat err", crate::fixture::CI_INTEL);
    repo.prepare(command.args(["-c", &script]));
    let run = crate::fixture::Run::from(command.output().unwrap()).exits(0);
    assert!(run.out.lines().count() == 1 && run.err.is_empty(), "{run:?}");
    assert!(!Path::new("core").exists());
}
