//! Runtime viability: the image is really started, asked, and what it loads is compared with what it contains.
//!
//! A report never says yes by saying nothing: without a probe there is no report, and a program that cannot be found,
//! started, reached or ended is a failing probe.

mod elf;
mod http;
mod output;
mod plan;
mod procfs;
mod running;
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ci_formats::secrets::Scanner;
use ci_types::config::{HttpProbe, Smoke};
use ci_types::record::{Dependency, Isolation, Probe, ProbeKind, SmokeReport};

use crate::rootfs::{Image, ImageOnDisk, Limits, RootfsError, Tree};
use elf::Loader;
use output::Tail;
use running::Running;
use sandbox::{Network, Plan, Sandbox};

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a service must stay up after its last probe passed.
const STAYS_UP: Duration = Duration::from_millis(250);

/// Why there is no report at all. Each is a rejection.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// Nothing would be proven.
    #[error("no probe is configured; set `smoke.http`, `smoke.exec` or `smoke.exits` in .ci-intel/config.yml")]
    NoProbes,
    /// There is nothing to start.
    #[error("the image has neither entrypoint nor command; set `smoke.args`, or an entrypoint in the image")]
    NoCommand,
    /// A probe makes no sense.
    #[error("smoke.{key}: {reason}")]
    BadProbe {
        /// Key in the configuration.
        key: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The image's files cannot be had.
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    /// None of the wanted isolations works here.
    #[error("no isolation of `smoke.isolation` works on this machine: {}", tried.iter().map(|(isolation, reason)| format!("{isolation:?}: {reason}")).collect::<Vec<_>>().join("; "))]
    NoIsolation {
        /// Each with the reason.
        tried: Vec<(Isolation, String)>,
    },
    /// The image's user is not in its own user database.
    #[error("the image's user `{user}` is not in its /etc/passwd and /etc/group; use numeric ids or add the user")]
    UnknownUser {
        /// As the image config has it.
        user: String,
    },
    /// A directory that every container needs is something else in the image.
    #[error("`/{path}` of the image is no directory, so nothing can be mounted there")]
    NoMountPoint {
        /// Name.
        path: &'static str,
    },
    /// A file of this machine.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Starts the image, probes it and reports. Every text of the report is redacted by `scanner`. `work` is an existing directory
/// of the lane; what is written there is gone afterwards.
///
/// Whether the image is viable is for a gate to say: every probe passed and every dependency is resolved.
///
/// # Errors
/// See [`SmokeError`].
pub fn smoke(image: &ImageOnDisk, config: &Smoke, scanner: &Scanner, work: &Path) -> Result<SmokeReport, SmokeError> {
    let started = Instant::now();
    check(config)?;
    let digest = image.manifest.digest;
    let image = Image::open(image, Limits::default())?;
    let starts_entrypoint = config.exits || !config.http.is_empty();

    let dir = directory(&image, config, work)?;
    let root = dir.path().join("root");
    image.unpack(&root, sandbox::is_root())?;
    let (uid, gid) = plan::user(&image, &root)?;
    let mut plan = Plan {
        writable: plan::mount_points(&image, &root)?,
        root,
        env: BTreeMap::new(),
        cwd: plan::cwd(&image),
        uid,
        gid,
        port: plan::exposed_port(&image),
        marker: plan::marker(),
    };
    let mut argv = plan::argv(&image, config, plan.port);
    if starts_entrypoint && argv.is_empty() {
        return Err(SmokeError::NoCommand);
    }

    plan.env = plan::environment(&image, config, plan.port);
    let root = plan.root.clone();
    let (path, library_path) = (value(&plan, "PATH"), value(&plan, "LD_LIBRARY_PATH"));
    let loader = Loader { tree: &image.tree, root: &root, path: &path, library_path: &library_path };
    let mut facts = Facts::default();
    if starts_entrypoint {
        facts.add(&loader, &argv, &plan.cwd);
    }
    for command in &config.exec {
        facts.add(&loader, command, &plan.cwd);
    }

    let sandbox = pick(config, &plan, facts.all_static)?;
    if sandbox.network == Network::Shared {
        plan.port =
            plan::free_port().map_err(|source| SmokeError::Io { path: PathBuf::from("127.0.0.1:0"), source })?;
        plan.env = plan::environment(&image, config, plan.port);
        argv = plan::argv(&image, config, plan.port);
    }
    let run = Run {
        plan: &plan,
        sandbox: &sandbox,
        scanner,
        tree: &image.tree,
        tail: Tail::default(),
        deadline: Instant::now() + Duration::from_secs(config.timeout_s),
        timeout_s: config.timeout_s,
    };
    let mut probes: Vec<Probe> = config.exec.iter().map(|command| run.exec(command, &loader)).collect();
    if starts_entrypoint {
        probes.extend(run.entrypoint(&argv, config, &loader, &mut facts));
    }
    sandbox.dispose(&plan);

    let clean = |text: &String| String::from_utf8_lossy(&scanner.redact(text.as_bytes())).into_owned();
    Ok(SmokeReport {
        schema: Default::default(),
        image: digest,
        isolation: sandbox.isolation,
        argv: argv.iter().map(clean).collect(),
        probes: probes
            .into_iter()
            .map(|probe| Probe { target: clean(&probe.target), detail: clean(&probe.detail), ..probe })
            .collect(),
        dependencies: facts.into_dependencies(),
        duration_ms: millis(started),
        output_tail: run.tail.lines(),
    })
}

fn check(config: &Smoke) -> Result<(), SmokeError> {
    let bad = |key, reason| Err(SmokeError::BadProbe { key, reason });
    if config.http.is_empty() && config.exec.is_empty() && !config.exits {
        return Err(SmokeError::NoProbes);
    }
    if config.timeout_s == 0 {
        return bad("timeout_s", "0 leaves no time for any probe");
    }
    if config.exec.iter().any(|command| command.first().is_none_or(String::is_empty)) {
        return bad("exec", "a command is empty");
    }
    if config
        .http
        .iter()
        .any(|probe| !probe.path.starts_with('/') || probe.path.bytes().any(|b| b <= b' ' || b == 0x7f))
    {
        return bad("http", "a path must start with `/` and hold no space");
    }
    if config.http.iter().any(|probe| !(200..600).contains(&probe.status)) {
        return bad("http", "a status must be between 200 and 599");
    }
    Ok(())
}

/// A directory for the root, reachable by the image's user where the program will run as that user.
fn directory(image: &Image, config: &Smoke, work: &Path) -> Result<tempfile::TempDir, SmokeError> {
    let shared =
        sandbox::is_root() && !matches!(image.config.config.user.as_str(), "" | "0" | "root" | "0:0" | "root:root");
    // Without a sandbox the program runs as nobody.
    let shared = shared || (sandbox::is_root() && config.isolation.first() == Some(&Isolation::Process));
    let parent =
        if shared && !sandbox::is_reachable_by_all(work) { tempfile::env::temp_dir() } else { work.to_owned() };
    let io = |source| SmokeError::Io { path: parent.clone(), source };
    let dir = tempfile::Builder::new().prefix("ci-intel-smoke-").tempdir_in(&parent).map_err(io)?;
    if shared {
        // Its name cannot be guessed and its files carry no set-user-id bit.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).map_err(io)?;
    }
    Ok(dir)
}

fn pick(config: &Smoke, plan: &Plan, all_static: bool) -> Result<Sandbox, SmokeError> {
    let mut tried = Vec::new();
    for isolation in &config.isolation {
        match Sandbox::try_new(*isolation, plan, all_static) {
            Ok(sandbox) => return Ok(sandbox),
            Err(reason) => tried.push((*isolation, reason)),
        }
    }
    Err(SmokeError::NoIsolation { tried })
}

fn value(plan: &Plan, name: &str) -> String {
    plan.env.get(name).cloned().unwrap_or_default()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the programs load, as found without and while running them.
struct Facts {
    dependencies: Vec<Dependency>,
    loaded: BTreeSet<String>,
    all_static: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self { dependencies: Vec::new(), loaded: BTreeSet::new(), all_static: true }
    }
}

impl Facts {
    fn add(&mut self, loader: &Loader<'_>, argv: &[String], cwd: &str) {
        let Some(name) = argv.first() else { return };
        let Some(program) = loader.program(name, cwd) else {
            self.all_static = false;
            self.dependencies.push(Dependency { of: "image config".to_owned(), needs: name.clone(), resolved: None });
            return;
        };
        let needs = loader.needs(&program);
        let resolved = loader.tree.resolve(&program).map(|(path, _)| format!("/{path}"));
        self.dependencies.push(Dependency { of: "image config".to_owned(), needs: name.clone(), resolved });
        self.all_static &= needs.is_static;
        self.dependencies.extend(needs.dependencies);
        self.loaded.extend(needs.loaded);
    }

    /// Code that a running process has mapped and that was not known before: libraries opened at run time.
    fn add_mapped(&mut self, run: &Run<'_>, processes: &BTreeSet<procfs::Process>) {
        for process in processes {
            let mapped = procfs::mapped_code(process.pid);
            for file in &mapped {
                let inside = match run.sandbox.isolation {
                    Isolation::Process => file.strip_prefix(&*run.plan.root.to_string_lossy()),
                    _ => Some(file.as_str()),
                };
                let path = inside.unwrap_or(file).trim_start_matches('/');
                // What a program unpacks into its own scratch space comes from the image too.
                let scratch = run.plan.writable.iter().any(|dir| file.starts_with(&format!("{dir}/")));
                if self.loaded.contains(path) && inside.is_some() || scratch {
                    continue;
                }
                let resolved = inside.and_then(|inside| run.tree.resolve(inside)).map(|(path, _)| format!("/{path}"));
                let of = "running process".to_owned();
                self.dependencies.push(Dependency { of, needs: file.clone(), resolved });
            }
        }
    }

    fn into_dependencies(mut self) -> Vec<Dependency> {
        self.dependencies.sort_by(|a, b| (&a.of, &a.needs, &a.resolved).cmp(&(&b.of, &b.needs, &b.resolved)));
        self.dependencies.dedup();
        self.dependencies
    }
}

struct Run<'a> {
    plan: &'a Plan,
    sandbox: &'a Sandbox,
    scanner: &'a Scanner,
    tree: &'a Tree,
    tail: Tail,
    deadline: Instant,
    timeout_s: u64,
}

impl Run<'_> {
    /// A command of the image that must exit 0.
    fn exec(&self, command: &[String], loader: &Loader<'_>) -> Probe {
        let started = Instant::now();
        let command: Vec<String> = command.iter().map(|part| plan::with_port(part, self.plan.port)).collect();
        let (outcome, last) = self.start(&command, loader, "exec", |running| self.exit(running));
        with_output(probe(ProbeKind::Exec, command.join(" "), outcome, started), last.as_deref())
    }

    /// The image's own program with its HTTP probes, and its exit where it is a job.
    fn entrypoint(&self, argv: &[String], config: &Smoke, loader: &Loader<'_>, facts: &mut Facts) -> Vec<Probe> {
        let started = Instant::now();
        let mut probes = Vec::new();
        let (outcome, last) = self.start(argv, loader, "main", |running| {
            for wanted in &config.http {
                let started = Instant::now();
                let outcome = self.http(running, wanted);
                probes.push(probe(ProbeKind::Http, wanted.path.clone(), outcome, started));
            }
            facts.add_mapped(self, &running.processes());
            if config.exits {
                let started = Instant::now();
                let outcome = self.exit(running);
                probes.push(probe(ProbeKind::Exit, argv.join(" "), outcome, started));
            } else if let Some(last) = probes.last_mut().filter(|last| last.passed) {
                std::thread::sleep(STAYS_UP);
                if let Some(status) = running.ended() {
                    last.passed = false;
                    last.detail = format!("{}, but then the process ended: {status}", last.detail);
                }
            }
            Ok(String::new())
        });
        if let Err(reason) = outcome {
            let kind = if config.exits { ProbeKind::Exit } else { ProbeKind::Http };
            probes.push(probe(kind, argv.join(" "), Err(reason), started));
        }
        probes.into_iter().map(|probe| with_output(probe, last.as_deref())).collect()
    }

    /// Starts a program, lets `ask` work on it, and ends whatever is left of it. Also gives the last line it wrote.
    fn start(
        &self,
        argv: &[String],
        loader: &Loader<'_>,
        name: &str,
        ask: impl FnOnce(&mut Running<'_>) -> Result<String, String>,
    ) -> (Result<String, String>, Option<String>) {
        let Some((first, rest)) = argv.split_first() else {
            return (Err("there is nothing to start".to_owned()), None);
        };
        let Some(program) = loader.program(first, &self.plan.cwd) else {
            return (Err(format!("`{first}` is not in the image, or not executable")), None);
        };
        let argv: Vec<String> = std::iter::once(program).chain(rest.iter().cloned()).collect();
        let name = format!("{}-{name}", self.plan.marker.1);
        let tail = Tail::default();
        let outcome = std::thread::scope(|scope| {
            let mut running = Running::start(self.plan, self.sandbox, &argv, name)
                .map_err(|error| format!("cannot start: {error}"))?;
            let out = running.child.stdout.take().map(|stream| tail.follow(scope, self.scanner, stream));
            let err = running.child.stderr.take().map(|stream| tail.follow(scope, self.scanner, stream));
            let outcome = ask(&mut running);
            let left = running.end();
            tail.stop();
            for reader in [out, err].into_iter().flatten() {
                drop(reader.join());
            }
            if left.is_empty() { outcome } else { Err(format!("processes {left:?} could not be ended")) }
        });
        let lines = tail.lines();
        let last = lines.iter().rfind(|line| !line.trim().is_empty()).cloned();
        self.tail.extend(lines);
        (outcome, last)
    }

    fn exit(&self, running: &mut Running<'_>) -> Result<String, String> {
        loop {
            if let Some(status) = running.ended() {
                return if status.success() { Ok("exit 0".to_owned()) } else { Err(status.to_string()) };
            }
            if Instant::now() >= self.deadline {
                return Err(format!("did not end within {} s", self.timeout_s));
            }
            // Whoever is started and orphaned meanwhile is known and will be ended.
            running.processes();
            std::thread::sleep(PAUSE);
        }
    }

    fn http(&self, running: &mut Running<'_>, wanted: &HttpProbe) -> Result<String, String> {
        let mut last = "no attempt".to_owned();
        loop {
            if let Some(status) = running.ended() {
                return Err(format!("the process ended ({status}) before it answered"));
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no passing answer within {} s; last: {last}", self.timeout_s));
            }
            match running.get(&wanted.path, left.min(ANSWER)) {
                Ok(answer) if answer.status != wanted.status => {
                    last = format!("status {}, expected {}", answer.status, wanted.status);
                }
                Ok(answer) => {
                    let body = String::from_utf8_lossy(&answer.body);
                    match &wanted.contains {
                        Some(text) if !body.contains(text.as_str()) => {
                            let shown: String = body.chars().take(80).collect();
                            last =
                                format!("status {}, but the body does not contain `{text}`: `{shown}`", answer.status);
                        }
                        _ => return Ok(format!("status {}", answer.status)),
                    }
                }
                Err(error) => last = error.to_string(),
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn probe(kind: ProbeKind, target: String, outcome: Result<String, String>, started: Instant) -> Probe {
    let passed = outcome.is_ok();
    let detail = outcome.unwrap_or_else(|reason| reason);
    Probe { kind, target, passed, detail, duration_ms: millis(started) }
}

/// What a program wrote last often says why it failed.
fn with_output(mut probe: Probe, last: Option<&str>) -> Probe {
    if let Some(last) = last.filter(|_| !probe.passed) {
        probe.detail = format!("{}; last output: {last}", probe.detail);
    }
    probe
}

#[cfg(test)]
mod tests;
