//! Fail → fix → pass chains over real releases.

use serde_json::json;

use crate::fixture::{Repo, text};

fn break_scan(repo: &Repo) {
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    repo.release().exits(1);
}

fn mend_scan(repo: &Repo) {
    repo.script("ci/scan", &format!("cat >\"$2\" <<'END'\n{}\nEND", crate::fixture::SARIF));
    repo.commit("Scan again");
}

#[test]
fn an_acceptance_closes_the_failures_before_it() {
    let Some(repo) = Repo::new() else { return };
    break_scan(&repo);
    repo.write("bin/left-over", "x");
    repo.release().exits(1);
    std::fs::remove_file(repo.path().join("bin/left-over")).unwrap();
    mend_scan(&repo);
    repo.accepted();
    let run = repo.run(&["history"]).exits(0);
    assert_eq!(run.out.matches("fixed and passed in #2").count(), 2, "{}", run.out);
    assert!(run.out.contains("closes #0, #1") && run.out.contains("denied by evidence-complete"), "{}", run.out);
    assert!(run.out.contains("ended in stage preflight: the working tree differs"), "{}", run.out);
    let rows = repo.run(&["history", "--format", "json"]).exits(0).json();
    assert_eq!(rows[0]["closes"], json!([0, 1]));
    assert_eq!((&rows[2]["closed_by"], &rows[2]["entry"]["verdict"]), (&json!(2), &json!("rejected")));
    let page = repo.root().join("history.html");
    repo.run(&["history", "--format", "html", "--out", text(&page)]).exits(0);
    let page = std::fs::read_to_string(page).unwrap();
    for part in
        ["<b>3</b> releases decided", "fixed and passed in <a href=#r2>", "closes <a href=#r0>", "<!doctype html>"]
    {
        assert!(page.contains(part), "no `{part}` in {page}");
    }
}

#[test]
fn a_local_acceptance_does_not_close_a_failure_of_the_ci() {
    let Some(mut repo) = Repo::new() else { return };
    repo.configure(
        "lane:\n  issuer: https://token.actions.githubusercontent.com\n  repository_id: '4711'\n  \
         workflow: org/app/.github/workflows/release.yml\n  refs: [refs/heads/main]\n",
    );
    repo.commit("Declare the lane");
    repo.env("GITHUB_ACTIONS", "true");
    repo.run(&["release", "--env", "dev"]).exits(1);
    repo.env("GITHUB_ACTIONS", "");
    let mut local = repo.command(&["release", "--env", "local"]);
    local.env_remove("GITHUB_ACTIONS");
    assert!(local.status().unwrap().success());
    let rows = repo.run(&["history", "--format", "json"]).exits(0).json();
    assert_eq!((&rows[0]["closes"], &rows[1]["closed_by"]), (&json!([]), &json!(null)));
}

#[test]
fn the_newest_releases_come_first_and_the_limit_holds() {
    let Some(repo) = Repo::new() else { return };
    repo.run(&["history"]).exits(0).says("no release yet; run: ci-intel release");
    for number in 0..3 {
        repo.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("Again {number}")]);
        repo.accepted();
    }
    let run = repo.run(&["history", "--limit", "2"]).exits(0);
    assert!(run.out.starts_with("#2 ") && run.out.contains("#1 ") && !run.out.contains("#0 "), "{}", run.out);
    assert_eq!(repo.run(&["history", "--format", "json", "--limit", "1"]).json().as_array().unwrap().len(), 1);
}
