//! A small repository whose whole lane takes about a second: a static C service, a lock file, shell scripts as tests and scanner.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use ci_testkit::require;
use serde_json::Value;

/// The program under test.
pub(crate) const CI_INTEL: &str = env!("CARGO_BIN_EXE_ci-intel");

/// The configuration of the repository.
pub(crate) const CONFIG: &str = r#"version: 1
project: { name: app }
build:
  engine: assemble
  determinism: single
  context:
    include: ['bin/**', Cargo.lock, 'ci/**']
  assemble:
    base: scratch
    files:
      - { from: bin/server, to: /server, mode: "0755" }
      - { from: Cargo.lock, to: /usr/share/app/Cargo.lock }
    entrypoint: [/server]
smoke:
  env: { PORT: "{port}" }
  http:
    - { path: /healthz, contains: ok }
tests:
  command: [ci/tests, "{results}"]
scan:
  commands:
    - { run: ["{source}/ci/scan", "{sbom}", "{output}"], format: sarif }
"#;

/// A JUnit file of one passed test.
pub(crate) const JUNIT: &str =
    r#"<testsuites><testsuite name="app"><testcase name="answers" time="0.1"/></testsuite></testsuites>"#;

/// A SARIF file without findings.
pub(crate) const SARIF: &str =
    r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scanner","version":"1.0"}},"results":[]}]}"#;

const LOCK: &str = r#"version = 4

[[package]]
name = "app"
version = "0.1.0"

[[package]]
name = "itoa"
version = "1.0.15"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c"
"#;

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Run {
    /// Demands an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Demands a text on either stream.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "`{text}` is nowhere in\n--- stdout\n{}\n--- stderr\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Demands that a text is on neither stream.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "`{text}` is in\n{}\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }
}

/// A repository with a home of its own, so that keys and logins are shared with nobody.
#[derive(Debug)]
pub(crate) struct Repo {
    root: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Repo {
    /// A good repository, committed. `None`, after a named skip, where a needed part is not installed.
    pub(crate) fn new() -> Option<Self> {
        let needed = [("git", "git"), ("cc", "gcc libc6-dev"), ("bwrap", "bubblewrap"), ("openssl", "openssl")];
        if !needed.into_iter().all(|(program, package)| require(program, package)) {
            return None;
        }
        let repo = Self { root: tempfile::tempdir().unwrap(), env: Vec::new() };
        for folder in ["home", "tmp", "repo"] {
            fs::create_dir(repo.root.path().join(folder)).unwrap();
        }
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.write("bin/server", server());
        fs::set_permissions(repo.path().join("bin/server"), fs::Permissions::from_mode(0o755)).unwrap();
        repo.write("Cargo.lock", LOCK);
        repo.script("ci/tests", &format!("cat >\"$1/junit.xml\" <<'END'\n{JUNIT}\nEND"));
        repo.script("ci/scan", &format!("cat >\"$2\" <<'END'\n{SARIF}\nEND"));
        repo.write(".ci-intel/config.yml", CONFIG);
        repo.commit("A small service");
        Some(repo)
    }

    /// Folder that holds everything of this test.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The working tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("repo")
    }

    /// `.ci-intel/state`.
    pub(crate) fn state(&self) -> PathBuf {
        self.path().join(".ci-intel/state")
    }

    /// Sets a variable for every later command.
    pub(crate) fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file of the working tree.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes an executable shell script.
    pub(crate) fn script(&self, path: &str, body: &str) {
        self.write(path, format!("#!/bin/sh\nset -eu\n{body}\n"));
        fs::set_permissions(self.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Replaces a text of the configuration, which must be there.
    #[track_caller]
    pub(crate) fn config(&self, from: &str, to: &str) {
        let path = self.path().join(".ci-intel/config.yml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in\n{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Appends to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let path = self.path().join(".ci-intel/config.yml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + more).unwrap();
    }

    /// Runs git and returns what it printed.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.root.path().join("home"))
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_AUTHOR_NAME", "T"), ("GIT_AUTHOR_EMAIL", "t@example.org")])
            .envs([("GIT_COMMITTER_NAME", "T"), ("GIT_COMMITTER_EMAIL", "t@example.org")])
            .envs([("GIT_AUTHOR_DATE", "1767225600 +0000"), ("GIT_COMMITTER_DATE", "1767225600 +0000")])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything and returns the commit.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    /// The commit.
    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// The tag that a release of HEAD gets.
    pub(crate) fn tag(&self) -> String {
        format!("git-{}", self.head())
    }

    /// `ci-intel` with arguments, in the working tree, knowing nothing of the test's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CI_INTEL);
        self.prepare(command.args(arguments));
        command
    }

    /// Gives a command the environment of this repository.
    pub(crate) fn prepare(&self, command: &mut Command) {
        let home = self.root.path().join("home");
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("HOME", home)
            .env("TMPDIR", self.root.path().join("tmp"))
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("USER", "alice")])
            .envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// Runs `ci-intel` with arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    /// `ci-intel release`.
    pub(crate) fn release(&self) -> Run {
        self.run(&["release"])
    }

    /// Releases, demands acceptance, and returns the bundle.
    #[track_caller]
    pub(crate) fn accepted(&self) -> PathBuf {
        let run = self.run(&["release", "--format", "json"]).exits(0);
        PathBuf::from(run.json()["bundle"].as_str().unwrap())
    }

    /// Verifies a bundle with this repository's key and more flags.
    pub(crate) fn verify(&self, bundle: &Path, more: &[&str]) -> Run {
        let key = self.public_key();
        self.run(&[&["verify", text(bundle), "--key", text(&key)], more].concat())
    }

    /// All bundles of the repository.
    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        files(&self.state()).into_iter().filter(|path| text(path).ends_with(".tar.zst")).collect()
    }

    /// The public half of the signing key that was made on first use.
    pub(crate) fn public_key(&self) -> PathBuf {
        self.root.path().join("home/.config/ci-intel/signing.key.pub")
    }

    /// Tags of the default layout and what they name.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        layout_tags(&self.state().join("images"))
    }

    /// Entries of the decision log, oldest first.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.state().join("decisions.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Demands that a release left neither bundle nor tag.
    #[track_caller]
    pub(crate) fn nothing_released(&self) {
        assert_eq!(self.bundles(), Vec::<PathBuf>::new());
        assert_eq!(self.tags(), BTreeMap::new());
    }
}

/// Tags of an OCI image layout and what they name; none where there is no layout.
pub(crate) fn layout_tags(layout: &Path) -> BTreeMap<String, String> {
    let Ok(index) = fs::read(layout.join("index.json")) else { return BTreeMap::new() };
    let index: Value = serde_json::from_slice(&index).unwrap();
    let name = |entry: &Value| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
        (!name.starts_with("sha256")).then(|| (name.to_owned(), entry["digest"].as_str().unwrap().to_owned()))
    };
    index["manifests"].as_array().unwrap().iter().filter_map(name).collect()
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// Compiles a C program; with `-static` unless other flags are given.
pub(crate) fn compile(source: &str, flags: &[&str], out: &Path) {
    let mut command = Command::new("cc");
    command.args(["-Os", "-s", "-x", "c", "-", "-o"]).arg(out).args(flags).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "cc");
}

/// Source of the service.
pub(crate) const SERVER: &str = include_str!("server.c");

fn server() -> &'static [u8] {
    static SERVER_PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    SERVER_PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("server");
        compile(SERVER, &["-static"], &program);
        fs::read(program).unwrap()
    })
}
