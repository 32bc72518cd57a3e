//! Writing a layout: a reader, a crash or another writer sees the old file or the new one, never a part.
//!
//! Scratch files and locks live in `.ci-intel/` inside the layout, on the same file system. A writer holds a shared lock on
//! `writers.lock` while it has scratch files; whoever gets it exclusively knows that all scratch files are left over.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

const LOCK_WAIT: Duration = Duration::from_secs(30);
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The private corner of a layout.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    dir: PathBuf,
}

/// A held lock; released when dropped or when the process ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Scratch {
    pub(super) fn of(layout: &Path) -> Self {
        Self { dir: layout.join(".ci-intel") }
    }

    pub(super) fn exists(&self) -> bool {
        self.dir.is_dir()
    }

    pub(super) fn create(&self) -> std::io::Result<()> {
        fs::create_dir_all(self.dir.join("tmp"))
    }

    /// The lock on index.json.
    pub(super) fn lock_index(&self) -> std::io::Result<Lock> {
        self.lock("index.lock", FlockOperation::NonBlockingLockExclusive, LOCK_WAIT)
    }

    fn lock_writer(&self) -> std::io::Result<Lock> {
        self.lock("writers.lock", FlockOperation::NonBlockingLockShared, LOCK_WAIT)
    }

    fn lock(&self, name: &str, operation: FlockOperation, wait: Duration) -> std::io::Result<Lock> {
        let path = self.dir.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        let start = Instant::now();
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < wait => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let text = format!("{} is held by another process for over {} s", path.display(), wait.as_secs());
                    return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes what killed writers left. Does nothing while anyone writes.
    pub(super) fn sweep(&self) -> std::io::Result<()> {
        let Ok(_alone) = self.lock("writers.lock", FlockOperation::NonBlockingLockExclusive, Duration::ZERO) else {
            return Ok(());
        };
        for entry in fs::read_dir(self.dir.join("tmp"))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// Writes and removes a scratch file.
    pub(super) fn try_write(&self) -> std::io::Result<()> {
        let _writing = self.lock_writer()?;
        let probe = self.dir.join("tmp").join(format!("{}-probe", std::process::id()));
        fs::write(&probe, b"probe")?;
        fs::remove_file(&probe)
    }

    /// Puts what `content` holds at `path`, on disk before it has that name. `check` sees the scratch file's content as it
    /// was written, through a tee, and may refuse.
    pub(super) fn place<T, E: From<std::io::Error>>(
        &self,
        path: &Path,
        content: impl Read,
        check: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let _writing = self.lock_writer()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let scratch = self.dir.join("tmp").join(format!("{}-{number}", std::process::id()));
        // A name left by a killed process with our id: nobody else writes it now.
        let _ = fs::remove_file(&scratch);
        let outcome = self.fill(&scratch, path, content, check);
        if outcome.is_err() {
            let _ = fs::remove_file(&scratch);
        }
        outcome
    }

    fn fill<T, E: From<std::io::Error>>(
        &self,
        scratch: &Path,
        path: &Path,
        content: impl Read,
        check: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let file = OpenOptions::new().create_new(true).write(true).open(scratch)?;
        let mut tee = Tee { content, file };
        let checked = check(&mut tee)?;
        tee.file.sync_all()?;
        fs::rename(scratch, path)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(checked)
    }
}

struct Tee<R> {
    content: R,
    file: File,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.file.write_all(&buffer[..count])?;
        Ok(count)
    }
}
