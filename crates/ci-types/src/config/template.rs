//! `ci-intel init`: a commented, minimal configuration for the project that was found.

use super::check::{is_image_name, is_repository};

/// Where editors find the schema of the file.
pub const SCHEMA_URL: &str = "https://ci-intel.dev/schema/config.v1.json";

/// What was found in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Name of the service, as found; turned into a valid one where it is not.
    pub name: String,
    /// `owner/name` on the forge, from the remote. Left out where it is not of that form.
    pub repository: Option<String>,
    /// What kind of project it is.
    pub kind: ProjectKind,
}

/// Kinds of projects with a template of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectKind {
    /// `Cargo.toml`: a static binary, assembled onto scratch.
    Cargo,
    /// `package.json`: built from a Dockerfile.
    Npm,
    /// `pyproject.toml` or `requirements.txt`: built from a Dockerfile.
    Python,
    /// `go.mod`: a static binary, assembled onto scratch.
    Go,
    /// A Dockerfile and nothing else that is known.
    Dockerfile,
    /// None of these: files that are there are assembled onto scratch.
    Plain,
}

impl ProjectKind {
    /// All of them, in the order of detection: a language before its Dockerfile.
    pub const ALL: [Self; 6] = [Self::Cargo, Self::Go, Self::Npm, Self::Python, Self::Dockerfile, Self::Plain];

    /// The files at the top of a repository that tell the kind; none for [`ProjectKind::Plain`].
    #[must_use]
    pub const fn markers(self) -> &'static [&'static str] {
        match self {
            Self::Cargo => &["Cargo.toml"],
            Self::Go => &["go.mod"],
            Self::Npm => &["package.json"],
            Self::Python => &["pyproject.toml", "requirements.txt"],
            Self::Dockerfile => &["Dockerfile", "Containerfile"],
            Self::Plain => &[],
        }
    }
}

/// The text of `.ci-intel/config.yml` for a project.
#[must_use]
pub fn template(detected: &Detected) -> String {
    let name = image_name(&detected.name);
    let program = name.rsplit('/').next().unwrap_or("app").to_owned();
    let repository = detected.repository.as_deref().filter(|text| is_repository(text));
    let mut text = format!(
        "# yaml-language-server: $schema={SCHEMA_URL}\n\
         # What a release of this repository is made of. Every key: `ci-intel config explain`.\n\
         version: 1\n\nproject:\n  name: \"{name}\"\n"
    );
    if let Some(repository) = repository {
        text.push_str(&format!("  repository: \"{repository}\"\n"));
    }
    let (build, smoke, tests) = match detected.kind {
        ProjectKind::Cargo => CARGO,
        ProjectKind::Go => GO,
        ProjectKind::Npm => NPM,
        ProjectKind::Python => PYTHON,
        ProjectKind::Dockerfile => DOCKERFILE,
        ProjectKind::Plain => PLAIN,
    };
    for section in [build, smoke, tests] {
        text.push('\n');
        text.push_str(&section.replace("PROGRAM", &program));
    }
    text.push('\n');
    text.push_str(&LANE.replace("OWNER/NAME", repository.unwrap_or("OWNER/NAME")));
    text
}

/// The nearest name that an image may have.
fn image_name(found: &str) -> String {
    let lower = found.to_lowercase();
    let mapped: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '/' { c } else { '-' }).take(100).collect();
    let parts =
        mapped.split('/').map(|part| part.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-"));
    let name = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    if is_image_name(&lower) && lower.len() <= 100 {
        lower
    } else if name.is_empty() {
        "app".to_owned()
    } else {
        name
    }
}

const LANE: &str = "\
# Until a lane is named, every release is good for environment `local` only. Name the one workflow that may release:
# lane:
#   issuer: https://token.actions.githubusercontent.com
#   repository_id: \"123456\" # gh api repos/OWNER/NAME --jq .id
#   workflow: OWNER/NAME/.github/workflows/release.yml
#   refs: [refs/heads/main]
#
# scan:
#   commands: # the vulnerability gate wants at least one
#     - run: [grype, \"sbom:{sbom}\", --output, json, --file, \"{output}\"]
#       format: grype
";

type Sections = (&'static str, &'static str, &'static str);

const CARGO: Sections = (
    "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
  context:
    include: # all that the build may read
      - Cargo.toml
      - Cargo.lock
      - src/**
      - tests/**
      - .config/nextest.toml
  steps:
    # crt-static: an image without a C library needs a static program.
    - [env, \"RUSTFLAGS=-C target-feature=+crt-static\", cargo, build, --release, --locked, --target, x86_64-unknown-linux-gnu]
  outputs:
    - target/x86_64-unknown-linux-gnu/release/PROGRAM
  assemble:
    base: scratch
    architecture: amd64
    files:
      - from: target/x86_64-unknown-linux-gnu/release/PROGRAM
        to: /usr/bin/PROGRAM
    entrypoint: [/usr/bin/PROGRAM]
    user: \"65532:65532\"
",
    "\
smoke:
  exec:
    - [/usr/bin/PROGRAM, --version]
  # http: # for a service
  #   - path: /healthz
",
    "\
tests:
  # .config/nextest.toml must hold: [profile.ci.junit] path = \"junit.xml\"
  command: [sh, -c, \"cargo nextest run --locked --profile ci && cp target/nextest/ci/junit.xml \\\"$1\\\"\", sh, \"{results}\"]
",
);

const GO: Sections = (
    "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
  context:
    include: # all that the build may read
      - go.mod
      - go.sum
      - \"*.go\"
      - cmd/**
      - internal/**
      - pkg/**
  pass_env: [GOPROXY, GOFLAGS]
  steps:
    - [env, CGO_ENABLED=0, GOOS=linux, GOARCH=amd64, go, build, -trimpath, -buildvcs=false, -o, out/PROGRAM, .]
  outputs:
    - out/PROGRAM
  assemble:
    base: scratch
    architecture: amd64
    files:
      - from: out/PROGRAM
        to: /usr/bin/PROGRAM
    entrypoint: [/usr/bin/PROGRAM]
    user: \"65532:65532\"
",
    "\
smoke:
  exec:
    - [/usr/bin/PROGRAM, -version]
  # http: # for a service
  #   - path: /healthz
",
    "\
tests:
  command: [gotestsum, --junitfile, \"{results}/junit.xml\", ./...]
",
);

const NPM: Sections = (
    "\
build:
  engine: buildah
  dockerfile: Dockerfile
  context:
    include: # all that the Dockerfile may copy
      - Dockerfile
      - package.json
      - package-lock.json
      - src/**
      - test/**
",
    "\
smoke:
  env:
    PORT: \"{port}\"
  http:
    - path: /healthz
      status: 200
",
    "\
tests:
  command: [node, --test, --test-reporter=junit, \"--test-reporter-destination={results}/junit.xml\"]
",
);

const PYTHON: Sections = (
    "\
build:
  engine: buildah
  dockerfile: Dockerfile
  context:
    include: # all that the Dockerfile may copy
      - Dockerfile
      - pyproject.toml
      - \"requirements*.txt\"
      - \"*.lock\"
      - src/**
      - tests/**
",
    "\
smoke:
  exec: # declared dependencies against installed ones; better still: import your package
    - [python3, -m, pip, check]
  # http: # for a service
  #   - path: /healthz
",
    "\
tests:
  command: [python3, -m, pytest, \"--junitxml={results}/junit.xml\"]
",
);

const DOCKERFILE: Sections = (
    "\
build:
  engine: buildah
  dockerfile: Dockerfile
  context:
    include: # all that the Dockerfile may copy
      - Dockerfile
      - src/**
",
    "\
smoke:
  env:
    PORT: \"{port}\"
  http:
    - path: /healthz
",
    "\
tests:
  # A program that writes JUnit XML into the directory it is given.
  command: [make, test, \"RESULTS={results}\"]
",
);

const PLAIN: Sections = (
    "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
  context:
    include: # all that the image may hold
      - app/**
  assemble:
    base: scratch # or a layout pinned by digest: path/to/layout@sha256:…
    files:
      - from: app
        to: /app
    entrypoint: [/app/run]
    user: \"65532:65532\"
",
    "\
smoke:
  exec:
    - [/app/run, --version]
",
    "\
tests:
  # A program that writes JUnit XML into the directory it is given.
  command: [make, test, \"RESULTS={results}\"]
",
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::{Layer, LayerOrigin, load};

    fn effective(text: &str) -> crate::config::Effective {
        let layer = Layer { origin: LayerOrigin::Repository, file: ".ci-intel/config.yml", bytes: text.as_bytes() };
        load(None, &layer).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
    }

    #[test]
    fn every_template_is_a_valid_configuration() {
        for kind in ProjectKind::ALL {
            let repository = Some("Org/My.App".to_owned());
            let text = template(&Detected { name: "My App (v2)".to_owned(), repository, kind });
            assert!(text.starts_with("# yaml-language-server: $schema=https://"), "{text}");
            let effective = effective(&text);
            assert_eq!(effective.config.project.name, "my-app-v2");
            assert_eq!(effective.config.project.repository.as_deref(), Some("Org/My.App"));
            assert!(!effective.config.tests.command.is_empty(), "{kind:?} runs no tests");
            assert!(!text.contains("PROGRAM"));
        }
    }

    #[test]
    fn every_template_stays_valid_with_its_lane_and_scanner_uncommented() {
        for kind in ProjectKind::ALL {
            let text = template(&Detected { name: "app".to_owned(), repository: Some("org/app".to_owned()), kind });
            let (head, tail) = text.split_once("# lane:").unwrap();
            let tail: String = format!("# lane:{tail}")
                .lines()
                .map(|line| line.trim_start_matches("# ").trim_start_matches('#').to_owned() + "\n")
                .collect();
            let effective = effective(&format!("{head}{tail}"));
            assert_eq!(effective.config.lane.unwrap().workflow, "org/app/.github/workflows/release.yml");
            assert_eq!(effective.config.scan.commands.len(), 1);
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_the_template() {
        for name in ["", "\"\nversion: 2 #", "…", "a/../b", "-", &"x".repeat(500), "A__b.c"] {
            let text = template(&Detected {
                name: name.to_owned(),
                repository: Some("a b\n".to_owned()),
                kind: ProjectKind::Plain,
            });
            assert!(effective(&text).config.project.repository.is_none());
        }
    }
}
