//! `ci-intel verify` needs no network and opens no socket (fail-open zoo: gh-bundle-still-online).

use std::process::Command;

use ci_testkit::require;

use crate::fixture::{CI_INTEL, Repo, Run, text};

#[test]
fn zoo_gh_bundle_still_online() {
    let Some(repo) = Repo::new() else { return };
    let (bundle, key) = (repo.accepted(), repo.public_key());
    let verify = [CI_INTEL, "verify", text(&bundle), "--key", text(&key)];
    if require("strace", "strace") {
        let trace = repo.root().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=network", "-o", text(&trace)]).args(verify);
        repo.prepare(&mut command);
        Run::from(command.output().unwrap()).exits(0).says("ACCEPTED");
        let calls = std::fs::read_to_string(&trace).unwrap();
        let calls: Vec<&str> = calls.lines().filter(|line| !line.contains("+++ exited")).collect();
        assert_eq!(calls, Vec::<&str>::new());
    }
    // A control: the same trace does see what a release does at a registry.
    if require("strace", "strace") {
        let trace = repo.root().join("control");
        repo.configure("publish: { target: \"registry:127.0.0.1:1/app\", plain_http: true }\n");
        repo.commit("Publish to nobody");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=network", "-o", text(&trace), CI_INTEL, "release", "--dry-run"]);
        repo.prepare(&mut command);
        Run::from(command.output().unwrap()).exits(1);
        assert!(std::fs::read_to_string(&trace).unwrap().contains("connect("));
    }
    if require("unshare", "util-linux") {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]).args(verify);
        repo.prepare(&mut command);
        Run::from(command.output().unwrap()).exits(0).says("ACCEPTED").says("replayed byte for byte");
    }
}

#[test]
fn a_bundle_needs_nothing_of_the_machine_that_made_it() {
    let Some(repo) = Repo::new() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let (bundle, key) = (elsewhere.path().join("b.tar.zst"), elsewhere.path().join("k.pub"));
    std::fs::copy(repo.accepted(), &bundle).unwrap();
    std::fs::copy(repo.public_key(), &key).unwrap();
    drop(repo);
    let command = ["verify", text(&bundle), "--key", text(&key)];
    let output = Command::new(CI_INTEL).args(command).env_clear().current_dir("/").output().unwrap();
    Run::from(output).exits(0).says("ACCEPTED");
}
