//! A very small HTTP service: `/` greets, `/healthz` tells that it is up, SIGTERM ends it after the requests in hand.
//!
//! `PORT` chooses the port (default 8080; 0 lets the system choose) and `HOST` the address (default 0.0.0.0).

mod http;
mod server;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hello-http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    // As process 1 of a container nothing else would end us: the kernel ignores unhandled signals there.
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let port: u16 = match std::env::var("PORT") {
        Ok(text) => text.parse().map_err(|_| format!("PORT is `{text}`; expected a number from 0 to 65535"))?,
        Err(_) => 8080,
    };
    let host = std::env::var("HOST").unwrap_or_else(|_| "0.0.0.0".to_owned());
    let listener = std::net::TcpListener::bind((host.as_str(), port))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    server::serve(&listener, &stop)?;
    Ok(())
}
