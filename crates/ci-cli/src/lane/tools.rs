//! The programs that a configuration needs, and what to do about those that are not here. Nothing is run.

use ci_types::config::{Config, Engine};
use ci_types::record::Isolation;

use crate::failure::Failure;

/// Everything that the configuration leaves out or names and this machine does not have.
pub(crate) fn missing(config: &Config) -> Vec<Failure> {
    let mut failures = Vec::new();
    if config.tests.command.is_empty() {
        failures.push(
            Failure::rejected("`tests.command` is not set; untested is not releasable")
                .fix("set `tests.command` so that it writes JUnit XML into {results}: ci-intel config explain tests"),
        );
    }
    if config.scan.commands.is_empty() {
        failures.push(
            Failure::rejected("`scan.commands` is not set; unscanned is not releasable")
                .fix("set `scan.commands`, for example to grype or trivy: ci-intel config explain scan.commands"),
        );
    }
    for (program, needed_by) in programs(config) {
        if !on_path(&program) {
            failures.push(
                Failure::rejected(format!("`{program}`, which {needed_by} runs, is not on PATH"))
                    .fix(install(&program)),
            );
        }
    }
    if isolation(config).is_none() {
        let wanted: Vec<&str> = config.smoke.isolation.iter().filter_map(|way| program_of(*way)).collect();
        failures.push(
            Failure::rejected(format!(
                "none of {} is on PATH, and `smoke.isolation` allows nothing else",
                wanted.join(", ")
            ))
            .fix(install("bwrap")),
        );
    }
    failures
}

/// The first way to isolate the image that the configuration allows and this machine has.
pub(crate) fn isolation(config: &Config) -> Option<Isolation> {
    config.smoke.isolation.iter().copied().find(|way| program_of(*way).is_none_or(on_path))
}

const fn program_of(way: Isolation) -> Option<&'static str> {
    match way {
        Isolation::Bubblewrap => Some("bwrap"),
        Isolation::Podman => Some("podman"),
        Isolation::Docker => Some("docker"),
        Isolation::Process => None,
    }
}

/// An isolation as people know it.
pub(crate) const fn isolation_name(way: Isolation) -> &'static str {
    match way {
        Isolation::Bubblewrap => "bubblewrap",
        Isolation::Podman => "podman",
        Isolation::Docker => "docker",
        Isolation::Process => "a plain process (static programs only)",
    }
}

/// Programs by name, each once, with the key that needs it. A path with a slash may be made by the build and is left out.
pub(crate) fn programs(config: &Config) -> Vec<(String, &'static str)> {
    let build = &config.build;
    let mut commands: Vec<(&[String], &'static str)> =
        build.steps.iter().map(|step| (&step[..], "build.steps")).collect();
    if build.engine == Engine::Command {
        commands.push((&build.command, "build.command"));
    }
    commands.push((&config.tests.command, "tests.command"));
    commands.extend(config.scan.commands.iter().map(|scanner| (&scanner.run[..], "scan.commands")));
    commands.push((&config.sbom.command, "sbom.command"));
    let engine = match build.engine {
        Engine::Buildah => Some("buildah"),
        Engine::Docker => Some("docker"),
        Engine::Assemble | Engine::Command => None,
    };
    let mut found: Vec<(String, &'static str)> =
        engine.into_iter().map(|program| (program.to_owned(), "build.engine")).collect();
    for (command, key) in commands {
        for program in named(command) {
            if !program.contains('/') && !found.iter().any(|(other, _)| *other == program) {
                found.push((program, key));
            }
        }
    }
    found
}

/// What a command needs: its program, what `env` starts for it, and the cargo subcommand that an inline script calls.
fn named(command: &[String]) -> Vec<String> {
    let mut words = command.iter().map(String::as_str);
    let Some(first) = words.next() else { return Vec::new() };
    let mut found = vec![first.to_owned()];
    if first == "env" {
        found.extend(words.clone().find(|word| !word.contains('=') && !word.starts_with('-')).map(str::to_owned));
    }
    let nextest = |word: &str| word.contains("cargo nextest ");
    if words.clone().any(nextest)
        || (found.iter().any(|word| word == "cargo") && command.iter().any(|w| w == "nextest"))
    {
        found.push("cargo-nextest".to_owned());
    }
    found
}

/// Whether a program of that name can be started.
pub(crate) fn on_path(program: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = |file: std::path::PathBuf| {
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| executable(folder.join(program)))
}

/// The one command that installs a program.
pub(crate) fn install(program: &str) -> String {
    let package = match program {
        "bwrap" => "bubblewrap",
        "node" => "nodejs",
        "git" | "buildah" | "podman" | "skopeo" | "make" | "npm" | "python3" => program,
        "cargo" | "rustc" => return "install Rust: https://rustup.rs".to_owned(),
        "cargo-nextest" => return "cargo install --locked cargo-nextest".to_owned(),
        "go" => return "install Go: https://go.dev/doc/install".to_owned(),
        "gotestsum" => return "go install gotest.tools/gotestsum@latest, with `go env GOPATH`/bin on PATH".to_owned(),
        "docker" => return "install Docker with buildx: https://docs.docker.com/engine/install".to_owned(),
        "grype" => {
            return "install grype (https://github.com/anchore/grype#installation), or name another scanner in \
                    `scan.commands`: ci-intel config explain scan.commands"
                .to_owned();
        }
        "trivy" => {
            return "install trivy (https://trivy.dev/latest/getting-started/installation), or name another scanner in \
                    `scan.commands`: ci-intel config explain scan.commands"
                .to_owned();
        }
        other => return format!("install {other}, or correct the command in .ci-intel/config.yml"),
    };
    format!("apt-get install {package}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn every_missing_program_is_named_at_once() {
        let mut config = Config::default();
        config.build.steps = vec![words(&["env", "A=1", "no-such-compiler", "build"]), words(&["./made-by-build"])];
        config.tests.command = words(&["no-such-runner", "{results}"]);
        config.smoke.isolation = vec![Isolation::Process];
        let messages: Vec<String> = missing(&config).into_iter().map(|failure| failure.message).collect();
        assert_eq!(
            messages,
            [
                "`scan.commands` is not set; unscanned is not releasable",
                "`no-such-compiler`, which build.steps runs, is not on PATH",
                "`no-such-runner`, which tests.command runs, is not on PATH",
            ]
        );
    }

    #[test]
    fn an_engine_needs_its_program() {
        let mut config = Config::default();
        config.build.engine = Engine::Docker;
        assert!(programs(&config).contains(&("docker".to_owned(), "build.engine")));
        config.build.engine = Engine::Assemble;
        assert!(programs(&config).is_empty());
    }

    #[test]
    fn nextest_inside_a_script_is_needed_too() {
        let script = words(&["sh", "-c", "cargo nextest run --locked", "sh", "{results}"]);
        assert_eq!(named(&script), ["sh", "cargo-nextest"]);
        assert_eq!(named(&words(&["cargo", "nextest", "run"])), ["cargo", "cargo-nextest"]);
        assert_eq!(named(&words(&["cargo", "test"])), ["cargo"]);
    }
}
