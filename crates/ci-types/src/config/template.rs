//! `ci-intel init`: a commented, minimal configuration for the project that was found.

mod sections;

use super::check::{is_image_name, is_repository};

/// Where editors find the schema of the file.
pub const SCHEMA_URL: &str = "https://ci-intel.dev/schema/config.v1.json";

/// What was found in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Name of the service, as its manifest has it; turned into a valid one where it is not.
    pub name: String,
    /// `owner/name` on the forge, from the remote. Left out where it is not of that form.
    pub repository: Option<String>,
    /// What kind of project it is.
    pub kind: ProjectKind,
    /// File name of the program that the image starts; by default the last part of the name.
    pub program: Option<String>,
    /// What the compiler is told to build where there is a choice: a Cargo package, a Go package path like `./cmd/app`.
    pub target: Option<String>,
    /// Patterns for `build.context.include`, each matching something. Empty: the usual places of the kind.
    pub include: Vec<String>,
    /// It seems to answer HTTP: the smoke stage asks it.
    pub service: bool,
    /// Processor of the image.
    pub machine: Machine,
    /// The scanner that is there, or the one to install.
    pub scanner: Scanner,
    /// What runs the tests of an npm project.
    pub npm_tests: NpmTests,
}

impl Detected {
    /// A project of which only name and kind are known.
    #[must_use]
    pub fn new(name: &str, kind: ProjectKind) -> Self {
        Self {
            name: name.to_owned(),
            repository: None,
            kind,
            program: None,
            target: None,
            include: Vec::new(),
            service: false,
            machine: Machine::Amd64,
            scanner: Scanner::Grype,
            npm_tests: NpmTests::Node,
        }
    }
}

/// Processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Machine {
    /// As OCI and Go call it.
    const fn oci(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The Rust target with a C library that can be linked statically.
    const fn rust(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }
}

/// Scanners with a command of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanner {
    /// <https://github.com/anchore/grype>
    Grype,
    /// <https://trivy.dev>
    Trivy,
}

/// What runs the tests of an npm project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NpmTests {
    /// `node --test`, built into Node.
    Node,
    /// The same, after `npm ci`: the tests import packages.
    NodeWithPackages,
    /// Vitest.
    Vitest,
    /// Jest with the reporter `jest-junit`.
    Jest,
    /// Mocha.
    Mocha,
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
    let plain = |program: &&str| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !program.is_empty() && program.bytes().all(word) && !program.starts_with(['.', '-'])
    };
    let program = detected.program.as_deref().filter(plain).unwrap_or_else(|| name.rsplit('/').next().unwrap_or("app"));
    let repository = detected.repository.as_deref().filter(|text| is_repository(text));
    let mut text = format!(
        "# yaml-language-server: $schema={SCHEMA_URL}\n\
         # What a release of this repository is made of. Lines marked EDIT are guesses: look at them first.\n\
         # Every key: `ci-intel config explain`. What is still missing: `ci-intel doctor`.\n\
         version: 1\n\nproject:\n  name: \"{name}\"\n"
    );
    if let Some(repository) = repository {
        text.push_str(&format!("  repository: \"{repository}\"\n"));
    }
    for section in sections::of(detected, program) {
        text.push('\n');
        text.push_str(&section);
    }
    text.push('\n');
    text.push_str(&sections::lane(repository.unwrap_or("OWNER/NAME")));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::{Layer, LayerOrigin, ScanFormat, load};

    fn effective(text: &str) -> crate::config::Effective {
        let layer = Layer { origin: LayerOrigin::Repository, file: ".ci-intel/config.yml", bytes: text.as_bytes() };
        load(None, &layer).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
    }

    /// Every kind with every choice that changes its text.
    fn all() -> Vec<Detected> {
        let mut all = Vec::new();
        for kind in ProjectKind::ALL {
            let known = Detected { repository: Some("Org/My.App".to_owned()), ..Detected::new("My App (v2)", kind) };
            all.push(Detected { service: true, scanner: Scanner::Trivy, ..known.clone() });
            all.push(Detected {
                machine: Machine::Arm64,
                program: Some("server".to_owned()),
                target: Some("./cmd/server".to_owned()),
                ..known.clone()
            });
            for npm_tests in [NpmTests::NodeWithPackages, NpmTests::Vitest, NpmTests::Jest, NpmTests::Mocha] {
                all.push(Detected { npm_tests, ..known.clone() });
            }
            all.push(known);
        }
        all
    }

    #[test]
    fn every_template_is_a_valid_configuration() {
        for detected in all() {
            let text = template(&detected);
            assert!(text.starts_with("# yaml-language-server: $schema=https://"), "{text}");
            let config = effective(&text).config;
            assert_eq!(config.project.name, "my-app-v2");
            assert_eq!(config.project.repository.as_deref(), Some("Org/My.App"));
            assert!(!config.tests.command.is_empty(), "{detected:?} runs no tests");
            assert!(!config.smoke.exec.is_empty() || !config.smoke.http.is_empty(), "{detected:?} starts nothing");
            assert!(text.lines().all(|line| line.len() <= 170), "{text}");
        }
    }

    #[test]
    fn every_template_scans() {
        for (scanner, format) in [(Scanner::Grype, ScanFormat::Grype), (Scanner::Trivy, ScanFormat::Trivy)] {
            let config = effective(&template(&Detected { scanner, ..Detected::new("app", ProjectKind::Go) })).config;
            assert_eq!(config.scan.commands.len(), 1);
            assert_eq!(config.scan.commands[0].format, format);
        }
    }

    #[test]
    fn every_template_stays_valid_with_its_lane_uncommented() {
        for detected in all() {
            let text = template(&detected);
            let (head, tail) = text.split_once("# lane:").unwrap();
            let tail: String = format!("# lane:{tail}")
                .lines()
                .map(|line| line.trim_start_matches("# ").trim_start_matches('#').to_owned() + "\n")
                .collect();
            let effective = effective(&format!("{head}{tail}"));
            assert_eq!(effective.config.lane.unwrap().workflow, "Org/My.App/.github/workflows/release.yml");
        }
    }

    #[test]
    fn program_and_patterns_found_are_the_ones_written() {
        let include = ["Cargo.toml", "my dir/**", "*.proto", "true", "42"].map(str::to_owned).to_vec();
        let program = Some("true".to_owned());
        let found = Detected { program, include: include.clone(), ..Detected::new("app", ProjectKind::Cargo) };
        let config = effective(&template(&found)).config;
        assert_eq!(config.build.context.include, include);
        assert_eq!(config.build.assemble.entrypoint, ["/usr/bin/true"]);
        assert!(config.build.assemble.files.iter().any(|file| file.from == "Cargo.lock"), "the SBOM would be empty");
    }

    #[test]
    fn a_name_cannot_break_out_of_the_template() {
        for name in ["", "\"\nversion: 2 #", "…", "a/../b", "-", &"x".repeat(500), "A__b.c"] {
            for kind in ProjectKind::ALL {
                let hostile = Detected {
                    repository: Some("a b\n".to_owned()),
                    program: Some(name.to_owned()),
                    target: Some(name.to_owned()),
                    ..Detected::new(name, kind)
                };
                assert!(effective(&template(&hostile)).config.project.repository.is_none());
            }
        }
    }
}
