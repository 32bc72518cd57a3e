//! Spec, section 8.4: what must stop a release, at which point, with which words, and what may be left behind.

use std::fs;

use ci_testkit::{DebianRegistry, Fault, FaultProxy, RegistrySetup, Response, Server, run};

use crate::fixture::{self, Repo, SERVER, compile, text};

/// Lets the repository publish to `host`.
pub(crate) fn publish_to(repo: &Repo, host: &str) {
    repo.configure(&format!("publish: {{ target: \"registry:{host}/team/app\", plain_http: true }}\n"));
    repo.commit("Publish to a registry");
}

/// A registry, and a proxy in front of it that the repository publishes through.
fn behind_proxy() -> Option<(Repo, DebianRegistry, FaultProxy)> {
    let (repo, registry) = (Repo::new()?, DebianRegistry::start()?);
    let proxy = FaultProxy::start(&registry.host());
    publish_to(&repo, &proxy.server().host());
    Some((repo, registry, proxy))
}

/// What the registry itself answers, past every proxy.
fn stored(registry: &DebianRegistry, below: &str) -> String {
    let url = format!("http://{}/v2/team/app/{below}", registry.host());
    let output = run(std::path::Path::new("/"), "curl", &["--silent", "--show-error", &url]);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn missing_federated_identity_stops_before_any_registry_request() {
    let Some(repo) = Repo::new() else { return };
    let registry = Server::start(|_| Response::status(500));
    publish_to(&repo, &registry.host());
    repo.run(&["release", "--env", "dev"])
        .exits(1)
        .says("there is no CI identity here, and dev needs one")
        .says("run this in the workflow that `lane` names, or decide for `--env local`");
    assert_eq!(registry.requests().len(), 0);
    repo.nothing_released();
    let log = repo.log();
    assert_eq!(
        (log.len(), log[0]["verdict"].as_str(), log[0]["failure"]["stage"].as_str()),
        (1, Some("rejected"), Some("preflight"))
    );
}

#[test]
fn a_job_without_the_id_token_permission_stops_before_any_registry_request() {
    let Some(mut repo) = Repo::new() else { return };
    let registry = Server::start(|_| Response::status(500));
    publish_to(&repo, &registry.host());
    repo.env("GITHUB_ACTIONS", "true");
    repo.run(&["release", "--env", "prod"])
        .exits(1)
        .says("this job may not ask for an OIDC token")
        .says("permissions: { id-token: write");
    assert_eq!(registry.requests().len(), 0);
    repo.nothing_released();
}

#[test]
fn missing_registry_login_rejects_before_the_build() {
    let (Some(repo), Some(registry)) =
        (Repo::new(), DebianRegistry::start_with(RegistrySetup { password: true, tls: false }))
    else {
        return;
    };
    publish_to(&repo, &registry.host());
    let run = repo.release().exits(1).says("does not permit `pull`").says("`push`").says("not authenticated");
    assert!(!run.err.contains("build "), "it was built: {}", run.err);
    repo.nothing_released();
    assert!(!registry.data().join("docker/registry/v2/repositories/team").exists());
}

#[test]
fn a_wrong_registry_password_rejects_and_is_not_shown() {
    let (Some(repo), Some(registry)) =
        (Repo::new(), DebianRegistry::start_with(RegistrySetup { password: true, tls: false }))
    else {
        return;
    };
    publish_to(&repo, &registry.host());
    log_in(&repo, &registry.host(), "ci", "not-the-password");
    repo.release().exits(1).says("not authenticated").never_says("not-the-password");
    repo.nothing_released();
    log_in(&repo, &registry.host(), "ci", "correct-horse");
    repo.release().exits(0).never_says("correct-horse");
}

fn log_in(repo: &Repo, host: &str, user: &str, password: &str) {
    let script = format!("printf '%s:%s' '{user}' '{password}' | base64 -w0");
    let auth = run(repo.root(), "sh", &["-c", &script]);
    let auth = String::from_utf8(auth.stdout).unwrap();
    let folder = repo.root().join("home/.docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#)).unwrap();
}

#[test]
fn each_missing_registry_permission_is_named_before_the_build() {
    let Some((repo, _registry, proxy)) = behind_proxy() else { return };
    let denied = || {
        let body = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
        Fault::Answer(Response::json(403, body))
    };
    for (line, permission) in [
        ("GET /v2/team/app/manifests/", "`pull`"),
        ("POST /v2/team/app/blobs/uploads/", "`push`"),
        ("PUT /v2/team/app/manifests/", "`tag`"),
        ("GET /v2/team/app/referrers/", "`list-referrers`"),
    ] {
        proxy.clear();
        proxy.inject(line, 100, denied());
        let run = repo.release().exits(1).says("does not permit").says(permission).says("denied").says("grant that on");
        assert!(!run.err.contains("ok build"), "{permission}: it was built: {}", run.err);
    }
    repo.nothing_released();
    assert_eq!(proxy.server().count("PUT /v2/team/app/blobs"), 0);
}

#[test]
fn a_right_lost_between_probe_and_push_rejects_without_tag_or_bundle() {
    let Some((repo, registry, proxy)) = behind_proxy() else { return };
    // The probe starts an upload and cancels it; the first PUT is of real content.
    proxy.inject("PUT /v2/team/app/blobs", 100, Fault::Answer(Response::status(403)));
    repo.release().exits(1).says("is not permitted");
    repo.nothing_released();
    assert!(stored(&registry, "tags/list").contains("NAME_UNKNOWN"), "{}", stored(&registry, "tags/list"));
}

#[test]
fn a_silent_scanner_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/scan", "exit 0");
    repo.commit("Stop scanning");
    rejected_by(&repo, "evidence-complete", "scan-results-missing");
}

#[test]
fn a_scanner_that_changes_what_the_next_one_reads_rejects() {
    for change in ["sed -i s/a/b/ \"$1\"", "rm \"$1\""] {
        let Some(repo) = Repo::new() else { return };
        repo.script("ci/scan", &format!("{change}; cat >\"$2\" <<'END'\n{}\nEND", crate::fixture::SARIF));
        repo.commit("Help the scanner");
        repo.release().exits(1).says("changed the SBOM or the image that it was to scan");
        assert!(repo.tags().is_empty());
    }
}

#[test]
fn a_scanner_sees_no_file_of_the_repository_unasked() {
    let Some(repo) = Repo::new() else { return };
    let report = crate::fixture::SARIF;
    repo.script("ci/scan", &format!("test -z \"$(ls -A)\" || exit 7; cat >\"$2\" <<'END'\n{report}\nEND"));
    repo.commit("Look around");
    repo.release().exits(0);
}

#[test]
fn a_result_file_with_an_odd_name_rejects() {
    let Some(repo) = Repo::new() else { return };
    let junit = crate::fixture::JUNIT;
    repo.script(
        "ci/tests",
        &format!("cat >\"$1/junit.xml\" <<'END'\n{junit}\nEND\n: >\"$1/$(printf 'bad\\377.xml')\""),
    );
    repo.commit("Name a result oddly");
    repo.release().exits(1).says("odd name");
    assert!(repo.tags().is_empty());
}

#[test]
fn an_empty_scan_report_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/scan", ": >\"$2\"");
    repo.commit("Scan nothing");
    rejected_by(&repo, "evidence-complete", "scan-results-");
}

#[test]
fn tests_without_results_reject() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/tests", "exit 0");
    repo.commit("Test nothing");
    rejected_by(&repo, "evidence-complete", "test-results-missing");
}

#[test]
fn a_failing_test_command_shows_the_end_of_its_output() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/tests", "seq -f 'line %g' 1 40; echo 'cannot find libfoo' >&2; exit 3");
    repo.commit("Break the test command");
    let run = repo.release().exits(1).says("` exited with 3").says("  | cannot find libfoo").says("  | line 40\n");
    run.never_says("  | line 20\n");
    assert!(repo.tags().is_empty());
}

#[test]
fn a_failed_test_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.script(
        "ci/tests",
        "echo '<testsuite name=\"a\"><testcase name=\"adds\"><failure>1</failure></testcase></testsuite>' >\"$1/a.xml\"",
    );
    repo.commit("Break a test");
    rejected_by(&repo, "tests", "tests-failed: 1 of 1 tests failed: ");
}

#[test]
fn an_image_without_a_known_component_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.config("      - { from: Cargo.lock, to: /usr/share/app/Cargo.lock }\n", "");
    repo.commit("Ship no lock file");
    rejected_by(&repo, "evidence-complete", "sbom-empty");
}

#[test]
fn a_critical_vulnerability_rejects() {
    let Some(repo) = Repo::new() else { return };
    let finding =
        r#"{"ruleId":"CVE-2026-1","level":"error","message":{"text":"bad"},"properties":{"security-severity":"9.8"}}"#;
    let report = fixture::SARIF.replace("\"results\":[]", &format!("\"results\":[{finding}]"));
    repo.script("ci/scan", &format!("cat >\"$2\" <<'END'\n{report}\nEND"));
    repo.commit("Depend on something bad");
    rejected_by(&repo, "vulnerability-budget", "critical-over-budget: 1 critical findings, 0 allowed: CVE-2026-1");
}

/// The image has to be pushed before it can be judged by digest; nothing that names it for use exists before the verdict, and
/// no flag skips a gate.
#[test]
fn zoo_chainloop_gate_after_push() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/scan", "exit 0");
    repo.commit("Say nothing");
    rejected_by(&repo, "vulnerability-budget", "scan-results-missing");
    assert!(repo.tags().is_empty());
    let bundle = repo.bundles().pop().unwrap();
    let summary = repo.run(&["evidence", "export", text(&bundle), "summary"]).exits(0).out;
    assert!(!summary.is_empty());
    repo.verify(&bundle, &[]).exits(1).says("REJECTED");
    let help = repo.run(&["release", "--help"]).exits(0).out;
    for flag in ["--skip", "--force", "--no-verify", "--ignore", "--warn", "--allow"] {
        assert!(!help.contains(flag), "{flag} would be a way around");
    }
}

/// Releases, and demands: exit 1, that gate and reason, a signed bundle that says so, and no tag.
#[track_caller]
fn rejected_by(repo: &Repo, gate: &str, reason: &str) {
    repo.release().exits(1).says("REJECTED for local").says(gate).says(reason).says("fix:");
    let bundles = repo.bundles();
    assert_eq!(bundles.len(), 1);
    repo.verify(&bundles[0], &[]).exits(1).says("REJECTED").says(reason);
    assert!(repo.tags().is_empty(), "a rejected image has a tag: {:?}", repo.tags());
}

#[test]
fn a_store_that_returns_another_manifest_rejects() {
    let Some((repo, registry, proxy)) = behind_proxy() else { return };
    // The probe asks for one manifest by digest; what is asked for after it was pushed is the read-back.
    proxy.inject("GET /v2/team/app/manifests/sha256:", 1, Fault::Header("x-probe", String::new()));
    proxy.inject("GET /v2/team/app/manifests/sha256:", 100, Fault::SwapByte);
    repo.release().exits(1).says("has digest").says("expected");
    repo.nothing_released();
    assert!(!stored(&registry, "tags/list").contains("git-"));
}

#[test]
fn a_registry_that_acknowledges_another_digest_rejects() {
    let Some((repo, registry, proxy)) = behind_proxy() else { return };
    let other = format!("sha256:{}", "ab".repeat(32));
    proxy.inject("PUT /v2/team/app/manifests/sha256:", 100, Fault::Header("docker-content-digest", other.clone()));
    repo.release().exits(1).says(&other);
    repo.nothing_released();
    assert!(!stored(&registry, "tags/list").contains("git-"));
}

#[test]
fn a_manifest_that_vanished_after_the_push_rejects() {
    let Some((repo, registry, proxy)) = behind_proxy() else { return };
    let gone = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    proxy.inject("GET /v2/team/app/manifests/sha256:", 100, Fault::Answer(Response::json(404, gone)));
    repo.release().exits(1).says("is not there");
    repo.nothing_released();
    assert!(!stored(&registry, "tags/list").contains("git-"));
}

#[test]
fn a_tag_that_does_not_read_back_rejects_until_it_does() {
    let Some((repo, _registry, proxy)) = behind_proxy() else { return };
    let tag = repo.tag();
    let gone = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    for method in ["GET", "HEAD"] {
        let line = format!("{method} /v2/team/app/manifests/{tag}");
        proxy.inject(&line, 100, Fault::Answer(Response::json(404, gone)));
    }
    repo.release().exits(1).says(&format!("set tag {tag}: the registry acknowledged it and does not have it"));
    repo.run(&["why", &tag]).exits(1).says("ended in stage decision");
    // The same run is resumed: nothing is built again, and the log's last word about it is the acceptance.
    proxy.clear();
    repo.release().exits(0).says("resuming run").says("(resumed)");
    let verdicts: Vec<_> = repo.log().iter().map(|entry| entry["verdict"].clone()).collect();
    assert_eq!(verdicts, ["accepted", "rejected", "accepted"]);
    repo.run(&["why", &tag]).exits(0).says("accepted for local");
    repo.run(&["history"]).exits(0).says("fixed and passed in #2");
}

#[test]
fn a_missing_shared_library_rejects_after_publish() {
    let Some(repo) = Repo::new() else { return };
    compile(SERVER, &[], &repo.path().join("bin/server"));
    repo.commit("Link dynamically");
    repo.release().exits(1).says("REJECTED").says("dependency-drift").says("libc.so.6");
    assert!(repo.tags().is_empty());
    // The corrective rebuild is a new commit with a new digest; it closes the rejection.
    compile(SERVER, &["-static"], &repo.path().join("bin/server"));
    repo.commit("Link statically again");
    repo.accepted();
    let log = repo.log();
    assert_ne!(log[0]["digest"], log[1]["digest"]);
    repo.run(&["history"]).exits(0).says("fixed and passed in #1").says("closes #0");
}

#[test]
fn a_service_that_does_not_answer_rejects() {
    let Some(repo) = Repo::new() else { return };
    compile("int main(void) { return 1; }", &["-static"], &repo.path().join("bin/server"));
    repo.config("smoke:\n", "smoke:\n  timeout_s: 3\n");
    repo.commit("Fail at start");
    rejected_by(&repo, "runtime-viability", "probe-failed");
}

#[test]
fn an_undeclared_file_rejects_before_publish() {
    let Some(repo) = Repo::new() else { return };
    repo.write("motd", "hello");
    repo.config("    entrypoint:", "      - { from: motd, to: /etc/motd }\n    entrypoint:");
    repo.commit("Add a message");
    repo.release().exits(1).says("motd").says("build.context.include");
    repo.nothing_released();
}

#[test]
fn an_unbounded_context_is_no_configuration() {
    for unbounded in ["'**'", "'.'", "'*'", "'**/*'", "'*/**'", "../**", "/etc/**"] {
        let Some(repo) = Repo::new() else { return };
        repo.config("['bin/**', Cargo.lock, 'ci/**']", &format!("[{unbounded}]"));
        repo.commit("Include everything");
        repo.release().exits(2).says("build.context.include").says(".ci-intel/config.yml:7");
        repo.nothing_released();
    }
}

#[test]
fn an_untracked_file_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.write("bin/left-over", "x");
    repo.release().exits(1).says("the working tree differs from the commit: bin/left-over").says("git status");
    repo.nothing_released();
}

#[test]
fn a_changed_file_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.write("Cargo.lock", "version = 4\n");
    repo.release().exits(1).says("the working tree differs from the commit: Cargo.lock");
    repo.nothing_released();
}

#[test]
fn a_changed_file_that_git_was_told_to_overlook_rejects() {
    let Some(repo) = Repo::new() else { return };
    repo.git(&["update-index", "--assume-unchanged", "Cargo.lock"]);
    repo.write("Cargo.lock", "version = 4\n");
    repo.release().exits(1).says("differs from the commit: Cargo.lock");
    repo.nothing_released();
}

#[test]
fn a_link_out_of_the_context_rejects() {
    let Some(repo) = Repo::new() else { return };
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("bin/passwd")).unwrap();
    repo.config("    entrypoint:", "      - { from: bin/passwd, to: /etc/passwd }\n    entrypoint:");
    repo.commit("Ship the machine's accounts");
    repo.release().exits(1).says("bin/passwd");
    repo.nothing_released();
}

#[test]
fn a_tag_in_a_layout_is_never_moved() {
    let Some(repo) = Repo::new() else { return };
    repo.configure("publish: { tag: v1 }\n");
    repo.commit("Use a fixed tag");
    repo.accepted();
    let before = repo.tags();
    repo.script("ci/extra", "true");
    repo.config("    entrypoint:", "      - { from: ci/extra, to: /extra }\n    entrypoint:");
    repo.commit("Change the image");
    repo.release().exits(1).says("REJECTED").says("`v1`").says("publish.tag");
    assert_eq!(repo.tags(), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn a_tag_in_a_registry_is_never_moved() {
    let (Some(repo), Some(registry)) = (Repo::new(), DebianRegistry::start()) else { return };
    repo.configure(&format!(
        "publish: {{ tag: v1, target: \"registry:{}/team/app\", plain_http: true }}\n",
        registry.host()
    ));
    repo.commit("Use a fixed tag");
    repo.accepted();
    let before = stored(&registry, "manifests/v1");
    repo.script("ci/extra", "true");
    repo.config("    entrypoint:", "      - { from: ci/extra, to: /extra }\n    entrypoint:");
    repo.commit("Change the image");
    repo.release().exits(1).says("REJECTED").says("`v1`");
    assert_eq!(stored(&registry, "manifests/v1"), before);
}

#[test]
fn two_builds_that_differ_reject_and_the_difference_is_named() {
    let Some(repo) = Repo::new() else { return };
    repo.config("determinism: single", "determinism: dual\n  steps: [[ci/build]]\n  outputs: [out/stamp]");
    repo.config("    entrypoint:", "      - { from: out/stamp, to: /etc/stamp }\n    entrypoint:");
    repo.script("ci/build", "mkdir -p out; date +%s.%N >out/stamp");
    repo.commit("Record the time of the build");
    repo.release().exits(1).says("REJECTED").says("not-deterministic").says("etc/stamp").says("SOURCE_DATE_EPOCH");
    assert!(repo.tags().is_empty());
    repo.script("ci/build", "mkdir -p out; date -d @$SOURCE_DATE_EPOCH +%s >out/stamp");
    repo.commit("Record the time of the commit");
    repo.accepted();
}

#[test]
fn a_failing_build_step_rejects_and_names_its_log() {
    let Some(repo) = Repo::new() else { return };
    repo.config("determinism: single", "determinism: single\n  steps: [[ci/build]]");
    repo.script("ci/build", "echo 'no such compiler' >&2; exit 7");
    repo.commit("Break the build");
    let run = repo.release().exits(1).says("exited with 7").says("read the log");
    let log = run.err.split("read the log: ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(fs::read_to_string(log.trim_end_matches(')')).unwrap(), "no such compiler\n");
    repo.nothing_released();
}

#[test]
fn an_untested_or_unscanned_project_rejects_before_the_build() {
    for (key, from, to) in [
        ("tests.command", "  command: [ci/tests, \"{results}\"]\n", "  min_total: 1\n"),
        (
            "scan.commands",
            "  commands:\n    - { run: [\"{source}/ci/scan\", \"{sbom}\", \"{output}\"], format: sarif }\n",
            "  timeout_s: 9\n",
        ),
    ] {
        let Some(repo) = Repo::new() else { return };
        repo.config(from, to);
        repo.commit("Skip it");
        let run = repo.release().says(key);
        assert!(matches!(run.code, Some(1 | 2)), "{run:?}");
        repo.nothing_released();
    }
}

#[test]
fn a_broken_decision_log_stops_the_next_release() {
    let Some(repo) = Repo::new() else { return };
    repo.accepted();
    repo.accepted();
    let path = repo.state().join("decisions.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("accepted", "rejected", 1)).unwrap();
    repo.release().exits(1).says("decisions.ndjson").says("never edit it");
    repo.run(&["history"]).exits(1).says("decisions.ndjson");
    fs::write(&path, format!("{}\n", text.lines().nth(1).unwrap())).unwrap();
    repo.run(&["history"]).exits(1);
    for cut in ["".to_owned(), format!("{}\n", text.lines().next().unwrap())] {
        fs::write(&path, cut).unwrap();
        repo.run(&["history"]).exits(1).says("the end was cut off or replaced");
        repo.release().exits(1).says("the end was cut off or replaced");
    }
    fs::remove_file(&path).unwrap();
    repo.run(&["history"]).exits(1);
    fs::write(&path, &text).unwrap();
    repo.run(&["history"]).exits(0);
}

#[test]
fn a_folder_that_is_no_repository_is_a_usage_error() {
    let Some(repo) = Repo::new() else { return };
    fs::remove_dir_all(repo.path().join(".git")).unwrap();
    repo.release().exits(2).says("is not a git repository");
    let elsewhere = repo.root().join("nowhere");
    repo.run(&["release", "--repo", text(&elsewhere)]).exits(2).says("nowhere");
}
