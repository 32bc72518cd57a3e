//! A real registry with the referrers API (`ferro-oci-server`), in this process, in memory.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::tool::free_port;

/// A running registry.
#[derive(Debug)]
pub struct ReferrersRegistry {
    runtime: Option<tokio::runtime::Runtime>,
    port: u16,
}

impl ReferrersRegistry {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let port = free_port();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = ferro_oci_server::Config { listen: format!("127.0.0.1:{port}"), storage_dir: None };
        runtime.spawn(async move {
            let failure = ferro_oci_server::serve(&config).await.map_err(|error| error.to_string());
            eprintln!("registry ended: {failure:?}");
        });
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "the registry did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { runtime: Some(runtime), port }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for ReferrersRegistry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
