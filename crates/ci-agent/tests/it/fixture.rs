//! A git repository in a temporary directory, and what is needed to build from it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ci_agent::context::collect;
use ci_agent::dual::{BuildOutcome, BuildRequest, DualError, build};
use ci_agent::process::{Recorded, Recorder};
use ci_agent::source::source_state;
use ci_types::config::{Assemble, AssembleFile, Build, Context};
use ci_types::record::{ContextManifest, DeterminismMode};
use tempfile::TempDir;

/// Commit time of every fixture.
pub(crate) const EPOCH: i64 = 1_700_000_000;

pub(crate) struct Repo {
    pub(crate) temp: TempDir,
    pub(crate) root: PathBuf,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let root = temp.path().canonicalize().unwrap().join("repo");
        fs::create_dir(&root).unwrap();
        let repo = Self { temp, root };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// With these files committed.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        for (path, content) in files {
            repo.write(path, content);
        }
        repo.commit();
        repo
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let at = self.root.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
    }

    pub(crate) fn program(&self, path: &str, content: impl AsRef<[u8]>) {
        self.write(path, content);
        fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        fs::create_dir_all(self.root.join(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, self.root.join(path)).unwrap();
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=state"]);
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let date = format!("{EPOCH} +0000");
        let output = Command::new("git")
            .current_dir(&self.root)
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn context(&self, include: &[&str]) -> ContextManifest {
        let source = source_state(&self.root, "app").unwrap();
        collect(&self.root, &source, &include_only(include), &|_, _| Vec::new()).unwrap()
    }

    /// Builds in `<temp>/<name>`; output is passed on as it is.
    pub(crate) fn build(&self, name: &str, config: &Build) -> (Result<BuildOutcome, DualError>, Vec<Recorded>) {
        let context = self.context(&config.context.include.iter().map(String::as_str).collect::<Vec<_>>());
        let logs = self.temp.path().join(format!("{name}-logs"));
        fs::create_dir_all(&logs).unwrap();
        let (mut redact, mut on_line) = (str::to_owned, |_: &str| {});
        let mut recorder = Recorder::new("build", &logs, &mut redact, &mut on_line);
        let host_env = host_env();
        let work = self.temp.path().join(name);
        let request = BuildRequest { root: &self.root, context: &context, config, work: &work, host_env: &host_env };
        let result = build(&request, &mut recorder);
        (result, recorder.into_recorded())
    }
}

pub(crate) fn include_only(include: &[&str]) -> Context {
    Context { include: include.iter().map(|text| (*text).to_owned()).collect(), ..Context::default() }
}

pub(crate) fn host_env() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

pub(crate) fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn file(from: &str, to: &str) -> AssembleFile {
    AssembleFile { from: from.to_owned(), to: to.to_owned(), mode: None }
}

/// Engine `assemble`, one run, for amd64 whatever this machine is.
pub(crate) fn assemble(include: &[&str], files: Vec<AssembleFile>) -> Build {
    Build {
        context: include_only(include),
        determinism: DeterminismMode::Single,
        assemble: Assemble {
            files,
            entrypoint: words(&["/usr/bin/app"]),
            architecture: Some("amd64".to_owned()),
            ..Assemble::default()
        },
        ..Build::default()
    }
}

/// Whether a program is there. In CI a missing one is a failure, elsewhere the test says that it was skipped.
pub(crate) fn have(program: &str, fix: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) {
        return true;
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{program} is missing: {fix}");
    eprintln!("SKIP {program}: {fix}");
    false
}

/// Files and links of an image's top layer: path, mode, mtime, uid, content.
pub(crate) fn top_layer(layout: &Path) -> Vec<(String, u32, u64, u64, Vec<u8>)> {
    use std::io::Read;
    let layers = ci_agent::engine::Layout::open(layout).unwrap().layer_digests();
    let blob = fs::File::open(layout.join("blobs/sha256").join(layers.last().unwrap().hex())).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(blob));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let link = entry.link_name().unwrap().map(|target| format!("{path} -> {}", target.display()));
            let (mode, mtime) = (entry.header().mode().unwrap(), entry.header().mtime().unwrap());
            let (uid, mut content) = (entry.header().uid().unwrap(), Vec::new());
            entry.read_to_end(&mut content).unwrap();
            (link.unwrap_or(path), mode, mtime, uid, content)
        })
        .collect()
}
