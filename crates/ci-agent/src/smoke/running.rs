//! A started program: who belongs to it, how to ask it, and that nothing of it stays.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use ci_types::record::Isolation;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::http::{self, Answer};
use super::procfs::{self, Process};
use super::sandbox::{FIRST_FREE_PORT, Network, Plan, Sandbox, foreign_network};

pub(super) struct Running<'a> {
    plan: &'a Plan,
    sandbox: &'a Sandbox,
    name: String,
    pub(super) child: Child,
    network: Option<File>,
    published: Option<u16>,
    seen: BTreeSet<Process>,
    ended: bool,
}

impl<'a> Running<'a> {
    pub(super) fn start(plan: &'a Plan, sandbox: &'a Sandbox, argv: &[String], name: String) -> io::Result<Self> {
        let opens_ports = sandbox.isolation == Isolation::Bubblewrap
            && sandbox.network == Network::Own
            && plan.port < FIRST_FREE_PORT;
        let hold = if opens_ports { Some(pipe_with(PipeFlags::CLOEXEC)?) } else { None };
        if let Some((wait, _)) = &hold {
            // Inherited by bubblewrap, which closes it before the program starts.
            fcntl_setfd(wait, FdFlags::empty())?;
        }
        let wait = hold.as_ref().map(|(wait, _)| wait.as_raw_fd());
        let child = sandbox.command(plan, argv, &name, wait).spawn()?;
        let mut running =
            Self { plan, sandbox, name, child, network: None, published: None, seen: BTreeSet::new(), ended: false };
        if let Some((_, go)) = hold {
            running.open_low_ports()?;
            rustix::io::write(&go, b"1")?;
        }
        Ok(running)
    }

    /// Lets any user bind any port of the program's own network, as container engines do.
    fn open_low_ports(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.network.is_none() && self.ended().is_none() && Instant::now() < deadline {
            self.network = self.first_process().and_then(foreign_network);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.in_its_network(|| std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"))
    }

    /// Runs `work` on a thread that has entered the program's network; only that thread changes, and it ends with the work.
    fn in_its_network<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let network = self.network.as_ref().ok_or_else(|| not_yet("its network is not there yet"))?;
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            worker.join().unwrap_or_else(|_| Err(not_yet("the request failed")))
        })
    }

    /// The exit status, once the program has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The processes of the image, without the sandbox's own.
    pub(super) fn processes(&mut self) -> BTreeSet<Process> {
        let Ok(own) = i32::try_from(self.child.id()) else { return BTreeSet::new() };
        let found = match self.sandbox.isolation {
            Isolation::Bubblewrap => {
                let tool = procfs::program(own);
                let mut found = procfs::descendants(own);
                self.seen.extend(&found);
                found.retain(|process| procfs::program(process.pid) != tool);
                found
            }
            Isolation::Process => {
                let mut found = procfs::descendants(own);
                found.extend(Process::of(own));
                found.extend(procfs::marked(&format!("{}={}", self.plan.marker.0, self.plan.marker.1)));
                found
            }
            Isolation::Podman | Isolation::Docker => {
                let mut found = BTreeSet::new();
                if let Some(pid) = self.sandbox.container_pid(&self.name) {
                    found = procfs::descendants(pid);
                    found.extend(Process::of(pid));
                }
                found
            }
        };
        self.seen.extend(&found);
        found
    }

    /// One request to the service; an answer of anyone else is an error.
    pub(super) fn get(&mut self, path: &str, timeout: Duration) -> io::Result<Answer> {
        match self.sandbox.network {
            Network::Own => {
                if self.network.is_none() {
                    self.network = self.first_process().and_then(foreign_network);
                }
                let port = self.plan.port;
                self.in_its_network(|| http::get(port, path, timeout))
            }
            Network::Shared => {
                let answer = http::get(self.plan.port, path, timeout)?;
                self.owns_port()?;
                Ok(answer)
            }
            Network::Published => {
                if self.published.is_none() {
                    self.published = self.sandbox.published_port(self.plan, &self.name);
                }
                http::get(self.published.ok_or_else(|| not_yet("its port is not published yet"))?, path, timeout)
            }
        }
    }

    fn first_process(&self) -> Option<i32> {
        match self.sandbox.isolation {
            Isolation::Bubblewrap => {
                let own = i32::try_from(self.child.id()).ok()?;
                procfs::descendants(own).first().map(|process| process.pid)
            }
            _ => self.sandbox.container_pid(&self.name),
        }
    }

    fn owns_port(&mut self) -> io::Result<()> {
        let listeners = procfs::listeners(self.plan.port);
        let ours: BTreeSet<_> = self.processes().iter().flat_map(|process| procfs::sockets(process.pid)).collect();
        if !listeners.is_empty() && listeners.is_subset(&ours) {
            Ok(())
        } else {
            Err(io::Error::other("another process of this machine answered on the port"))
        }
    }

    /// Ends everything that was started. Gives the processes that would not die.
    pub(super) fn end(&mut self) -> Vec<i32> {
        if self.ended {
            return Vec::new();
        }
        self.ended = true;
        self.processes();
        self.sandbox.remove_container(&self.name);
        drop(self.child.kill());
        let marker = format!("{}={}", self.plan.marker.0, self.plan.marker.1);
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            // A process that forks while it is being killed shows up in the next round.
            let mut alive: BTreeSet<_> = procfs::marked(&marker);
            alive.extend(self.seen.iter().copied().collect::<BTreeSet<_>>());
            for process in alive.clone() {
                alive.extend(procfs::descendants(process.pid));
            }
            alive.retain(|process| process.is_alive());
            for process in &alive {
                if let Some(pid) = Pid::from_raw(process.pid) {
                    // It may have ended in between, which is what is wanted.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            drop(self.child.try_wait());
            if alive.is_empty() || Instant::now() > deadline {
                drop(self.child.wait());
                return alive.iter().map(|process| process.pid).collect();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn not_yet(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, text.to_owned())
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
