//! What a started program writes: read as it comes, redacted line by line, only the last lines kept.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use ci_formats::secrets::Scanner;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Lines kept.
const LINES: usize = 60;
/// Longest line; a longer one is cut into several.
const LINE_BYTES: usize = 4 << 10;

/// The last lines of both streams, redacted, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: Mutex<VecDeque<String>>,
    stop: AtomicBool,
}

impl Tail {
    /// Reads `stream` on a thread of its own until it ends or [`Tail::stop`] is called: a process that escaped may hold the pipe
    /// open for ever.
    pub(super) fn follow<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        scanner: &'scope Scanner,
        mut stream: impl Read + AsFd + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, ()> {
        scope.spawn(move || {
            let mut redactor = scanner.redactor();
            let (mut line, mut buffer) = (Vec::new(), [0; 8 << 10]);
            let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            loop {
                let mut fds = [PollFd::new(&stream, PollFlags::IN)];
                match poll(&mut fds, Some(&tick)) {
                    Ok(0) if self.stop.load(Ordering::Relaxed) => break,
                    Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                    Ok(_) => {}
                    Err(_) => break,
                }
                let Ok(read @ 1..) = stream.read(&mut buffer) else { break };
                for byte in &buffer[..read] {
                    if *byte != b'\n' {
                        line.push(*byte);
                    }
                    if *byte == b'\n' || line.len() >= LINE_BYTES {
                        self.push(redactor.line(&String::from_utf8_lossy(&line)));
                        line.clear();
                    }
                }
            }
            if !line.is_empty() {
                self.push(redactor.line(&String::from_utf8_lossy(&line)));
            }
        })
    }

    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.trim_end_matches('\r').to_owned());
    }

    pub(super) fn extend(&self, lines: Vec<String>) {
        for line in lines {
            self.push(line);
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect()
    }
}
