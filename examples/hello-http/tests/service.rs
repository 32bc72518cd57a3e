//! The real program, started and asked over TCP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hello-http"))
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("still running 10 s after SIGTERM");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn answers_over_tcp() {
    let service = Service::start();
    assert!(service.get("/healthz").ends_with("ok\n"));
    assert!(service.get("/").contains("Hello"));
    assert!(service.get("/nothing").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_silent_client_does_not_block_the_others() {
    let service = Service::start();
    let _silent: Vec<TcpStream> = (0..8).map(|_| service.connect()).collect();
    assert!(service.get("/healthz").ends_with("ok\n"));
}

#[test]
fn sigterm_finishes_the_request_in_hand_and_exits_0() {
    let mut service = Service::start();
    let mut stream = service.connect();
    write!(stream, "GET /healthz HTTP/1.1\r\n").unwrap();
    // The answer to another connection shows that the first one has been taken from the backlog.
    assert!(service.get("/healthz").ends_with("ok\n"));
    service.terminate();
    write!(stream, "\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("ok\n"), "{text}");
    assert_eq!(service.exit_code(), Some(0));
}

#[test]
fn a_bad_port_is_named_and_exits_1() {
    let output = Command::new(env!("CARGO_BIN_EXE_hello-http")).env("PORT", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("PORT is `many`"));
}
