//! The listener: one thread a connection, bounded in number and time.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::http::{MAX_HEAD_BYTES, answer};

/// How long a client may take to send its request, and we to send the answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests in hand may take after the signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections served at the same time; more wait in the backlog.
const MAX_CONNECTIONS: usize = 64;

/// Serves until `stop` is set, then finishes the requests in hand.
pub fn serve(listener: &TcpListener, stop: &AtomicBool) -> io::Result<()> {
    // Not blocking, so that a signal between two connections is seen.
    listener.set_nonblocking(true)?;
    let open = Arc::new(AtomicUsize::new(0));
    while !stop.load(Ordering::Relaxed) {
        if open.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) => {
                open.fetch_add(1, Ordering::AcqRel);
                let open = Arc::clone(&open);
                std::thread::spawn(move || {
                    // A client that leaves is its own affair.
                    let _ = handle(stream);
                    open.fetch_sub(1, Ordering::AcqRel);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
            // The client was gone before we took the connection; the listener is fine.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while open.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn handle(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let deadline = Instant::now() + CLIENT_TIMEOUT;
    let mut head = Vec::new();
    let mut chunk = [0_u8; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = stream.read(&mut chunk[..(MAX_HEAD_BYTES - head.len()).min(1024)])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&chunk[..count]);
        if let Some(bytes) = answer(&head) {
            stream.write_all(&bytes)?;
            return stream.shutdown(std::net::Shutdown::Write);
        }
    }
}
