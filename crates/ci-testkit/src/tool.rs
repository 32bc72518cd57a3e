//! Programs that tests run.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// Whether `program` is installed. Where not: prints a named skip, or panics in CI (`CI=true`), where nothing may be skipped.
#[must_use]
pub fn require(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{program} is missing and CI=true skips nothing: apt-get install {package}"
    );
    eprintln!("SKIP {program}: apt-get install {package}");
    false
}

/// Runs a program in `dir` and returns its output; panics with what it printed unless it exits 0.
#[must_use]
pub fn run(dir: &Path, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).current_dir(dir).output().expect(program);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
