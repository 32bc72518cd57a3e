//! Debian's docker-registry (distribution 2.8): a real registry without the referrers API.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tool::{free_port, require, run};

/// User of a registry with passwords.
const USER: &str = "ci";
/// Its password, and the bcrypt hash that `htpasswd -B` makes of it.
const PASSWORD: &str = "correct-horse";
const HTPASSWD: &str = "ci:$2b$05$abcdefghijklmnopqrstuuZ0Fx87Pb/Aqb0E90lfvCwzXnaFKUHpS\n";

/// How to start it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistrySetup {
    /// Demand user name and password.
    pub password: bool,
    /// Serve TLS with a certificate of a private CA.
    pub tls: bool,
}

/// Certificates of a registry with TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM of the CA.
    pub ca_pem: Vec<u8>,
}

/// A running registry.
#[derive(Debug)]
pub struct DebianRegistry {
    child: Child,
    dir: TempDir,
    port: u16,
    tls: Option<Tls>,
}

impl DebianRegistry {
    /// Starts an open registry over plain HTTP. `None`, after a named skip, where it is not installed.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(RegistrySetup::default())
    }

    /// Starts a registry as told.
    #[must_use]
    pub fn start_with(setup: RegistrySetup) -> Option<Self> {
        if !require("docker-registry", "docker-registry") || (setup.tls && !require("openssl", "openssl")) {
            return None;
        }
        // The port may be taken between finding and using it.
        (0..5).find_map(|_| Self::try_start(setup)).or_else(|| panic!("docker-registry did not start"))
    }

    fn try_start(setup: RegistrySetup) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let root = dir.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n"
        );
        let tls = setup.tls.then(|| {
            config.push_str(&format!("  tls: {{certificate: {root}/server.pem, key: {root}/server.key}}\n"));
            make_certificates(dir.path())
        });
        if setup.password {
            fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
            config.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}\n"));
        }
        fs::write(dir.path().join("config.yml"), config).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(dir.path().join("config.yml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(15) {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { child, dir, port, tls });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// User and password that it takes.
    #[must_use]
    pub const fn login(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    /// Its certificates.
    #[must_use]
    pub const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for DebianRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_certificates(dir: &Path) -> Tls {
    fs::write(dir.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem"];
    let request = ["req", "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"];
    let _ = run(dir, "openssl", &[&ca[..], &key[..]].concat());
    let _ = run(dir, "openssl", &[&request[..], &key[..]].concat());
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    let _ = run(dir, "openssl", &[&sign[..], &["-days", "2", "-extfile", "san", "-out", "server.pem"][..]].concat());
    Tls { ca_pem: fs::read(dir.join("ca.pem")).unwrap() }
}
