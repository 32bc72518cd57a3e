//! Ways to run a program of the unpacked image so that it sees the image and nothing else, and dies with us.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ci_types::record::Isolation;

use super::procfs;

/// What every program of the image runs with.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) root: PathBuf,
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Plain directories of the image to lay a writable, empty file system over.
    pub(super) writable: Vec<String>,
    pub(super) port: u16,
    /// Unique to this run: `NAME=value` in the environment of all its processes.
    pub(super) marker: (String, String),
}

/// How the service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// It has a network namespace of its own that we enter: nobody else can answer there.
    Own,
    /// It shares ours; whoever answers must be shown to be it.
    Shared,
    /// The container engine forwards a port of ours to it.
    Published,
}

#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) isolation: Isolation,
    pub(super) network: Network,
    /// Further arguments that this machine needs.
    extra: Vec<&'static str>,
}

/// Ports below this one need a privilege unless the network namespace says otherwise.
pub(super) const FIRST_FREE_PORT: u16 = 1024;
/// Longest wait for a tool to say whether it works.
const TRIAL: Duration = Duration::from_secs(20);

impl Sandbox {
    /// Whether this isolation works on this machine, tried with a real program.
    pub(super) fn try_new(isolation: Isolation, plan: &Plan, all_static: bool) -> Result<Self, String> {
        let privileged = procfs::may_enter_namespaces();
        let engine_network = if privileged { Network::Own } else { Network::Published };
        match isolation {
            Isolation::Bubblewrap => {
                let network = if privileged { Network::Own } else { Network::Shared };
                let sandbox = Self { isolation, network, extra: Vec::new() };
                let mut trial = sandbox.bubblewrap(plan, Path::new("/"), &[]);
                trial.args(["--", "true"]);
                run(trial).map(|_| sandbox)
            }
            Isolation::Podman => {
                let mut reason = String::new();
                let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
                for extra in [vec![], limits.to_vec()] {
                    let sandbox = Self { isolation, network: engine_network, extra };
                    let mut trial = Command::new("podman");
                    // Creating is enough to see whether the runtime accepts the limits; `true` may not be in the image.
                    sandbox.engine_run(&mut trial, plan, &format!("{}-trial", plan.marker.1));
                    trial.arg("--rootfs").arg(&plan.root).arg("/ci-intel-no-such-program");
                    match run(trial) {
                        // 127: started, and the program is not there.
                        Err(text) if text.starts_with("exit 127") => return Ok(sandbox),
                        Err(text) => reason = text,
                        Ok(_) => reason = "a program that is not there ran".to_owned(),
                    }
                }
                Err(reason)
            }
            Isolation::Docker => {
                let mut version = Command::new("docker");
                version.args(["version", "--format", "{{.Server.Version}}"]);
                run(version)?;
                let sandbox = Self { isolation, network: engine_network, extra: Vec::new() };
                sandbox.import(plan)?;
                Ok(sandbox)
            }
            Isolation::Process if !all_static => {
                Err("the entrypoint or a probe is no static program, and without isolation \
                 it would load this machine's libraries"
                    .to_owned())
            }
            Isolation::Process => Ok(Self { isolation, network: Network::Shared, extra: Vec::new() }),
        }
    }

    /// The command that runs `argv` (its program as an absolute path of the image) in the sandbox.
    ///
    /// `hold`: bubblewrap waits for a byte from this descriptor before it starts the program.
    pub(super) fn command(&self, plan: &Plan, argv: &[String], name: &str, hold: Option<i32>) -> Command {
        let mut command = match self.isolation {
            Isolation::Bubblewrap => {
                let mut command = self.bubblewrap(plan, &plan.root, &plan.writable);
                if let Some(hold) = hold {
                    command.args(["--block-fd", &hold.to_string()]);
                }
                command.args(["--chdir", &plan.cwd, "--clearenv"]);
                for (key, value) in plan.env.iter().chain([(&plan.marker.0, &plan.marker.1)]) {
                    command.args(["--setenv", key, value]);
                }
                command.arg("--").args(argv);
                command
            }
            Isolation::Podman | Isolation::Docker => {
                let podman = self.isolation == Isolation::Podman;
                let mut command = Command::new(if podman { "podman" } else { "docker" });
                self.engine_run(&mut command, plan, name);
                command.args(["--workdir", &plan.cwd]);
                for (key, value) in plan.env.iter().chain([(&plan.marker.0, &plan.marker.1)]) {
                    command.arg("--env").arg(format!("{key}={value}"));
                }
                for path in &plan.writable {
                    command.arg("--tmpfs").arg(path);
                }
                if podman {
                    command.arg("--rootfs").arg(&plan.root);
                } else {
                    command.arg(image_name(plan));
                }
                command.args(argv);
                command
            }
            Isolation::Process => {
                let (program, arguments) =
                    argv.split_first().map_or(("", argv), |(first, rest)| (first.as_str(), rest));
                let mut command = Command::new(plan.root.join(program.trim_start_matches('/')));
                command.args(arguments).env_clear().envs(&plan.env).env(&plan.marker.0, &plan.marker.1);
                command.current_dir(plan.root.join(plan.cwd.trim_start_matches('/'))).process_group(0);
                if is_root() {
                    // Without isolation a program of the image never runs as root.
                    let nobody = |id: u32| if id == 0 { 65_534 } else { id };
                    command.uid(nobody(plan.uid)).gid(nobody(plan.gid));
                }
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn bubblewrap(&self, plan: &Plan, root: &Path, writable: &[String]) -> Command {
        let mut command = Command::new("bwrap");
        // bubblewrap stays as process 1 of the sandbox, where the image can read its environment.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.args(["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        command.args(["--die-with-parent", "--new-session", "--hostname", "smoke", "--cap-drop", "ALL"]);
        if self.network == Network::Own {
            command.arg("--unshare-net");
        }
        command.args(["--uid", &plan.uid.to_string(), "--gid", &plan.gid.to_string()]);
        command.arg("--ro-bind").arg(root).arg("/");
        command.args(["--proc", "/proc", "--dev", "/dev"]);
        for path in writable {
            command.args(["--tmpfs", path]);
        }
        if is_root() && plan.uid != 0 {
            // The real user id decides which files of the image the program may read.
            command.uid(plan.uid).gid(plan.gid);
        }
        command
    }

    fn engine_run(&self, command: &mut Command, plan: &Plan, name: &str) {
        if self.isolation == Isolation::Podman {
            command.args(["--cgroup-manager=cgroupfs", "--log-level=error"]);
        }
        command.args([
            "run",
            "--rm",
            "--name",
            name,
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        ]);
        command.arg("--user").arg(format!("{}:{}", plan.uid, plan.gid)).args(&self.extra);
        if plan.port < FIRST_FREE_PORT {
            // As Docker does by itself: any user of the container may bind any port of the container.
            command.arg("--sysctl=net.ipv4.ip_unprivileged_port_start=0");
        }
        match self.network {
            Network::Published => command.arg("--publish").arg(format!("127.0.0.1::{}", plan.port)),
            _ => command.arg("--network=none"),
        };
    }

    /// The address to ask, where the engine forwards a port.
    pub(super) fn published_port(&self, plan: &Plan, name: &str) -> Option<u16> {
        let mut command = Command::new(if self.isolation == Isolation::Podman { "podman" } else { "docker" });
        command.args(["port", name, &format!("{}/tcp", plan.port)]);
        run(command).ok()?.lines().find_map(|line| line.trim().rsplit_once(':')?.1.parse().ok())
    }

    /// Process id of a container's first process.
    pub(super) fn container_pid(&self, name: &str) -> Option<i32> {
        let mut command = Command::new(if self.isolation == Isolation::Podman { "podman" } else { "docker" });
        command.args(["inspect", "--format", "{{.State.Pid}}", name]);
        run(command).ok()?.trim().parse().ok().filter(|pid| *pid > 0)
    }

    /// Removes a container, running or not.
    pub(super) fn remove_container(&self, name: &str) {
        let mut command = match self.isolation {
            Isolation::Podman => {
                let mut command = Command::new("podman");
                command.args(["rm", "--force", "--ignore", "--time=0", name]);
                command
            }
            Isolation::Docker => {
                let mut command = Command::new("docker");
                command.args(["rm", "--force", name]);
                command
            }
            Isolation::Bubblewrap | Isolation::Process => return,
        };
        // The container may be gone already; what is left of it is checked by process.
        drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
    }

    /// Gives the unpacked root to the Docker daemon as an image of one layer.
    fn import(&self, plan: &Plan) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let mut child = Command::new("docker")
            .args(["import", "-", &image_name(plan)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let written = child.stdin.take().map(|stdin| {
            let mut builder = tar::Builder::new(stdin);
            builder.follow_symlinks(false);
            builder.append_dir_all(".", &plan.root).and_then(|()| builder.into_inner().map(drop))
        });
        let status = child.wait().map_err(text)?;
        match written {
            Some(Ok(())) if status.success() => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            _ => Err(format!("docker import failed: {status}")),
        }
    }

    /// Removes what [`Sandbox::try_new`] left with the engine.
    pub(super) fn dispose(&self, plan: &Plan) {
        if self.isolation == Isolation::Docker {
            let mut command = Command::new("docker");
            command.args(["image", "rm", "--force", &image_name(plan)]);
            drop(run(command));
        }
    }
}

fn image_name(plan: &Plan) -> String {
    format!("localhost/ci-intel-smoke:{}", plan.marker.1)
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether any user may reach into `dir`.
pub(super) fn is_reachable_by_all(dir: &Path) -> bool {
    fs::canonicalize(dir).is_ok_and(|dir| {
        dir.ancestors().all(|part| fs::metadata(part).is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
    })
}

/// The network namespace of a process, if it is not ours.
pub(super) fn foreign_network(pid: i32) -> Option<File> {
    let theirs = File::open(format!("/proc/{pid}/ns/net")).ok()?;
    let ours = fs::metadata("/proc/self/ns/net").ok()?;
    (theirs.metadata().ok()?.ino() != ours.ino()).then_some(theirs)
}

/// Runs a tool to its end. Its standard output, or one line about why it failed.
fn run(mut command: Command) -> Result<String, String> {
    let program = OsString::from(command.get_program());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let deadline = Instant::now() + TRIAL;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > deadline {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("{} gave no answer in {} s", program.display(), TRIAL.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&stderr);
    let reason = reason.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim().to_owned();
    Err(match status.code() {
        Some(code) => format!("exit {code}: {reason}"),
        None => format!("{status}: {reason}"),
    })
}
