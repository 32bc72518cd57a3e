//! SIGKILL at every line of progress and at random moments: nothing half-written counts, and the next run finishes.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ci_testkit::DebianRegistry;

use crate::fixture::{Repo, files, text};
use crate::negative_path::publish_to;

/// Starts a release, kills it when `when` says so, and returns whether it was killed before it ended.
fn kill(repo: &Repo, mut when: impl FnMut(usize, &str) -> bool) -> bool {
    let mut child = repo.command(&["release"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for (number, line) in lines.map_while(Result::ok).enumerate() {
        if when(number, &line) {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap().code().is_none()
}

/// Kills a release after a time.
fn kill_after(repo: &Repo, time: Duration) -> bool {
    let mut child = repo.command(&["release"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(time);
    let _ = child.kill();
    child.wait().unwrap().code().is_none()
}

/// What must hold at any moment: every bundle of the commit verifies, a tag names a digest whose acceptance is logged, the
/// log's chain holds.
#[track_caller]
fn sound(repo: &Repo) {
    let tag = repo.tag();
    for bundle in repo.bundles().iter().filter(|path| text(path).contains(&tag)) {
        repo.verify(bundle, &[]).exits(0);
    }
    let log = repo.log();
    for (tag, digest) in repo.tags() {
        let accepted = log.iter().any(|entry| {
            entry["verdict"] == "accepted" && entry["tag"] == tag.as_str() && entry["digest"] == digest.as_str()
        });
        assert!(accepted, "{tag} names {digest}, which was never accepted: {log:#?}");
    }
    repo.run(&["history"]).exits(0);
}

/// The next release of the same commit is accepted, and leaves the state of one that was never interrupted.
fn finishes(repo: &Repo) {
    let bundle = repo.accepted();
    repo.verify(&bundle, &[]).exits(0);
    sound(repo);
    assert!(repo.run(&["why", &repo.tag()]).exits(0).out.contains("accepted for local"));
    assert!(!bundle.with_file_name("work").exists());
}

#[test]
fn killed_at_every_line_of_progress_it_finishes_the_next_time() {
    let Some(repo) = Repo::new() else { return };
    let whole = repo.release().exits(0).err.lines().count();
    assert!(whole >= 12, "stages have no lines of progress");
    for at in 0..whole {
        // A commit of its own each time: no tag and no bundle of it can be there before.
        repo.commit("Again");
        repo.git(&["commit", "--quiet", "--allow-empty", "--amend", "--message", &format!("Again {at}")]);
        let tag = repo.tag();
        assert!(!repo.tags().contains_key(&tag));
        let _ = kill(&repo, |number, _| number == at);
        sound(&repo);
        finishes(&repo);
        assert_eq!(files(&repo.state().join("unfinished")), Vec::<PathBuf>::new());
    }
}

#[test]
fn killed_at_random_moments_it_finishes_the_next_time() {
    let Some(repo) = Repo::new() else { return };
    let start = Instant::now();
    repo.release().exits(0);
    let whole_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
    // A fixed sequence that falls everywhere: multiples of the golden ratio.
    let mut killed = 0;
    for number in 1..=20_u64 {
        repo.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("Again {number}")]);
        killed += u64::from(kill_after(&repo, Duration::from_millis(number * 618 % 1000 * whole_ms / 1000)));
        sound(&repo);
        if number % 4 == 0 {
            finishes(&repo);
        }
    }
    assert!(killed >= 10, "only {killed} of 20 were killed in the middle");
}

#[test]
fn killed_while_it_publishes_to_a_registry_it_finishes_the_next_time() {
    let (Some(repo), Some(registry)) = (Repo::new(), DebianRegistry::start()) else { return };
    publish_to(&repo, &registry.host());
    for (number, stage) in ["publish ", "ok publish", "decision "].into_iter().enumerate() {
        repo.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("Again {number}")]);
        assert!(kill(&repo, |_, line| {
            let now = line.starts_with(stage);
            if now {
                std::thread::sleep(Duration::from_millis(40));
            }
            now
        }));
        sound(&repo);
        finishes(&repo);
        let source = format!("docker://{}/team/app:{}", registry.host(), repo.tag());
        if ci_testkit::require("skopeo", "skopeo") {
            let _ = ci_testkit::run(repo.root(), "skopeo", &["inspect", "--tls-verify=false", &source]);
        }
    }
}

#[test]
fn a_resumed_run_does_not_build_again() {
    let Some(repo) = Repo::new() else { return };
    assert!(kill(&repo, |_, line| line.starts_with("ok publish")));
    repo.release().exits(0).says("resuming run").says("built once").never_says("ok build      sha256:\n");
    repo.release().exits(0).never_says("resuming");
}

#[test]
fn a_damaged_unfinished_build_is_built_again() {
    let Some(repo) = Repo::new() else { return };
    assert!(kill(&repo, |_, line| line.starts_with("ok publish")));
    let blobs = files(&repo.state().join("releases"));
    let layer = blobs
        .iter()
        .filter(|path| text(path).contains("blobs/sha256"))
        .max_by_key(|path| path.metadata().unwrap().len());
    std::fs::write(layer.unwrap(), b"damaged").unwrap();
    repo.release().exits(0).never_says("(resumed)");
    finishes(&repo);
}

#[test]
fn half_written_files_of_a_killed_run_are_swept() {
    let Some(repo) = Repo::new() else { return };
    assert!(kill(&repo, |_, line| line.starts_with("ok publish")));
    let release = std::fs::read_dir(repo.state().join("releases")).unwrap().next().unwrap().unwrap().path();
    let folders = [repo.state(), repo.state().join("unfinished"), release.join("stages"), release.join("objects")];
    for folder in &folders {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(".tmp-Ab3dE9"), "{").unwrap();
    }
    repo.release().exits(0).says("resuming run");
    let left: Vec<_> = files(&repo.state()).into_iter().filter(|path| text(path).contains(".tmp-")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn fresh_starts_anew() {
    let Some(repo) = Repo::new() else { return };
    assert!(kill(&repo, |_, line| line.starts_with("ok publish")));
    repo.run(&["release", "--fresh"]).exits(0).never_says("resum");
}

#[test]
fn a_lock_file_that_nobody_holds_does_not_block() {
    let Some(repo) = Repo::new() else { return };
    std::fs::create_dir_all(repo.state()).unwrap();
    std::fs::write(repo.state().join("lane.lock"), "4711").unwrap();
    repo.accepted();
}

#[test]
fn a_second_release_at_the_same_time_is_undecided() {
    let Some(repo) = Repo::new() else { return };
    repo.script("ci/tests", &format!("sleep 3\ncat >\"$1/junit.xml\" <<'END'\n{}\nEND", crate::fixture::JUNIT));
    repo.commit("Test slowly");
    let mut first = repo.command(&["release"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("evidence")));
    repo.release().exits(3).says("another ci-intel release is running").says("wait for it to end");
    for _ in lines {}
    assert!(first.wait().unwrap().success());
    assert_eq!(repo.log().len(), 1, "the second left a trace in the log");
    repo.release().exits(0);
}

#[test]
fn a_kill_leaves_no_process_behind() {
    let Some(repo) = Repo::new() else { return };
    if !ci_testkit::require("setpriv", "util-linux") {
        return;
    }
    let mark = repo.root().join("alive");
    repo.script("ci/tests", &format!("while :; do date >{}; sleep 0.1; done", mark.display()));
    repo.commit("Test for ever");
    let mut child = repo.command(&["release"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !mark.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the tests never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    std::fs::remove_file(&mark).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!mark.exists(), "the test command runs on without its lane");
}
