//! One command under control.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ci_agent::env::{BuildDirs, BuildEnv};
use ci_agent::process::{Recorded, Recorder, RunError};
use ci_types::Timestamp;
use tempfile::TempDir;

use super::fixture::{host_env, words};

struct Ran {
    result: Result<(), RunError>,
    recorded: Vec<Recorded>,
    seen: Vec<String>,
    log: String,
}

/// The other half of [`a_killed_lane_leaves_no_command_behind`]; without its variable there is nothing to do.
#[test]
fn long_command_for_the_test_below() {
    if let Some(mark) = std::env::var_os("IT_MARK") {
        let script = format!("echo $$ > {}; exec sleep 60", PathBuf::from(mark).display());
        run(&script, LONG).result.unwrap();
    }
}

#[test]
fn a_killed_lane_leaves_no_command_behind() {
    if !super::fixture::have("setpriv", "apt-get install util-linux") {
        return;
    }
    let temp = TempDir::new().unwrap();
    let mark = temp.path().join("pid");
    let mut lane = std::process::Command::new(std::env::current_exe().unwrap());
    let mut lane = lane
        .args(["--exact", "process::long_command_for_the_test_below"])
        .env("IT_MARK", &mark)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(10), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let pid = || fs::read_to_string(&mark).unwrap_or_default().trim().to_owned();
    wait("the command starts", &|| !pid().is_empty());
    let running = || fs::read_to_string(format!("/proc/{}/cmdline", pid())).is_ok_and(|line| line.contains("sleep"));
    wait("the command runs", &running);
    lane.kill().unwrap();
    lane.wait().unwrap();
    wait("the command ends with its lane", &|| !running());
}

fn run(script: &str, timeout: Duration) -> Ran {
    run_argv(&["sh", "-c", script], timeout)
}

fn run_argv(argv: &[&str], timeout: Duration) -> Ran {
    let temp = TempDir::new().unwrap();
    let dir: PathBuf = temp.path().into();
    let dirs = BuildDirs { build: dir.clone(), tmp: dir.clone(), cache: dir.clone() };
    let env = BuildEnv::new(&host_env(), &[], Timestamp::from_unix_s(1).unwrap(), dirs).unwrap();
    let (mut seen, mut redact) = (Vec::new(), |line: &str| line.replace("hunter2", "[redacted]"));
    let mut on_line = |line: &str| seen.push(line.to_owned());
    let mut recorder = Recorder::new("tests", &dir, &mut redact, &mut on_line);
    let result = recorder.run(&words(argv), &dir, &env, timeout, &[]).map(drop);
    let recorded = recorder.into_recorded();
    let log = fs::read_to_string(dir.join("tests-1.log")).unwrap_or_default();
    Ran { result, recorded, seen, log }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn output_is_redacted_everywhere_and_kept_in_order() {
    let ran = run("echo pw=hunter2; printf 'hun' >&2; sleep 0.1; echo ter2 >&2; cat; printf end # hunter2", LONG);
    ran.result.unwrap();
    assert_eq!(ran.seen, ["pw=[redacted]", "[redacted]", "end"]);
    assert_eq!(ran.log, "pw=[redacted]\n[redacted]\nend\n");
    assert_eq!(ran.recorded[0].run.exit_code, Some(0));
    assert!(!format!("{:?}", ran.recorded).contains("hunter2"));
}

#[test]
fn a_bad_exit_code_rejects_and_is_recorded() {
    let ran = run("echo why; exit 7", LONG);
    assert!(matches!(ran.result, Err(RunError::Failed { exit_code: Some(7), .. })));
    assert_eq!((ran.recorded[0].run.exit_code, ran.log.as_str()), (Some(7), "why\n"));
    let ran = run("kill -9 $$", LONG);
    assert!(matches!(ran.result, Err(RunError::Failed { exit_code: None, .. })));
}

#[test]
fn a_timeout_kills_the_whole_group() {
    let start = Instant::now();
    let ran = run("echo $$; (sleep 60; echo late) & sleep 60", Duration::from_millis(300));
    assert!(matches!(ran.result, Err(RunError::Timeout { .. })), "{:?}", ran.result);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(ran.recorded[0].run.exit_code, None);
    let leader = &ran.seen[0];
    let alive = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // State, parent, process group.
        fields.get(2) == Some(&leader.as_str()) && fields.first() != Some(&"Z")
    });
    assert!(!alive, "a process of group {leader} is still there");
}

#[test]
fn a_command_that_ignores_sigterm_is_killed() {
    let ran = run("trap '' TERM; while :; do sleep 0.1; done", Duration::from_millis(200));
    assert!(matches!(ran.result, Err(RunError::Timeout { .. })), "{:?}", ran.result);
}

#[test]
fn a_background_process_of_the_group_is_ended_with_its_command() {
    let start = Instant::now();
    let ran = run("sleep 60 & echo started", LONG);
    ran.result.unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_process_that_escapes_with_the_output_rejects() {
    let ran = run("setsid sh -c 'sleep 6' & sleep 0.3", LONG);
    assert!(matches!(ran.result, Err(RunError::LeftBehind { .. })), "{:?}", ran.result);
}

#[test]
fn a_missing_program_rejects_by_name() {
    for program in ["no-such-program-x", "./no-such-file", "/etc/passwd"] {
        match run_argv(&[program], LONG).result {
            Err(RunError::NotFound { program: named }) => assert_eq!(named, program),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(run_argv(&[], LONG).result, Err(RunError::Empty { .. })));
}

#[test]
fn the_environment_is_clean_and_the_umask_fixed() {
    let ran = run("umask; echo $TZ $LC_ALL; env | cut -d= -f1 | sort | tr '\\n' ' '", LONG);
    ran.result.unwrap();
    assert_eq!(&ran.seen[..2], ["0022", "UTC C"]);
    let names: Vec<&str> = ran.seen[2].split_whitespace().collect();
    for name in names {
        let recorded = &ran.recorded[0].run;
        let known = recorded.env.contains_key(name) || recorded.env_passed.iter().any(|passed| passed == name);
        assert!(known || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&name), "{name} is not in the receipt");
    }
}

#[test]
fn arguments_reach_the_program_unchanged() {
    let ran = run_argv(&["printf", "%s|", "a b", "$HOME", "'\"", "*"], LONG);
    assert_eq!(ran.seen, ["a b|$HOME|'\"|*|"]);
}
