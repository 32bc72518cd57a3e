//! A proxy in front of a real server that breaks chosen answers.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::server::{Request, Response, Server, read_chunks, read_headers};

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer instead of the server's.
    Answer(Response),
    /// The server's answer, cut to so many bytes of body.
    Truncate(usize),
    /// The server's answer, late.
    Delay(Duration),
    /// The server's answer with one byte of the body changed.
    SwapByte,
    /// The connection is closed without an answer; the server never hears of the request.
    Drop,
    /// The request reaches the server, its answer is lost.
    LoseAnswer,
    /// The server's answer with a header set (an empty value removes it).
    Header(&'static str, String),
}

#[derive(Debug)]
struct Rule {
    line: String,
    left: u32,
    fault: Fault,
}

/// A running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    server: Server,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl FaultProxy {
    /// Starts a proxy to `upstream` (`127.0.0.1:PORT`) without faults.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let rules = Arc::new(Mutex::new(Vec::<Rule>::new()));
        let (upstream, shared) = (upstream.to_owned(), Arc::clone(&rules));
        let server = Server::start(move |request| {
            let fault = next_fault(&shared, request);
            let forwarded = || forward(&upstream, request).unwrap_or_else(|_| Response::status(0));
            match fault {
                Some(Fault::Answer(response)) => response,
                Some(Fault::Drop) => Response::status(0),
                Some(Fault::LoseAnswer) => {
                    let _ = forwarded();
                    Response::status(0)
                }
                Some(Fault::Truncate(bytes)) => Response { truncate_to: Some(bytes), ..forwarded() },
                Some(Fault::Delay(delay)) => Response { delay, ..forwarded() },
                Some(Fault::SwapByte) => {
                    let mut response = forwarded();
                    if let Some(byte) = response.body.last_mut() {
                        *byte ^= 1;
                    }
                    response
                }
                Some(Fault::Header(name, value)) => {
                    let mut response = forwarded();
                    response.headers.retain(|(other, _)| other != name);
                    if value.is_empty() { response } else { response.with(name, &value) }
                }
                None => forwarded(),
            }
        });
        Self { server, rules }
    }

    /// From now on, `times` requests whose `METHOD /path` contains `line` suffer `fault`.
    pub fn inject(&self, line: &str, times: u32, fault: Fault) {
        self.rules.lock().unwrap().push(Rule { line: line.to_owned(), left: times, fault });
    }

    /// No more faults.
    pub fn clear(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// The server side: host and requests.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
}

fn next_fault(rules: &Mutex<Vec<Rule>>, request: &Request) -> Option<Fault> {
    let line = request.line();
    let mut rules = rules.lock().unwrap();
    let rule = rules.iter_mut().find(|rule| rule.left > 0 && line.contains(&rule.line))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}

/// Sends `request` on to `upstream` (`127.0.0.1:PORT`) and returns its answer.
///
/// # Errors
/// Where there is none.
pub fn forward(upstream: &str, request: &Request) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(upstream)?;
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD" | "DELETE") || !request.body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", request.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&request.body)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line)?;
    let status = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let mut response = Response { headers: read_headers(&mut reader)?, ..Response::status(status) };
    let chunked = response.headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    if chunked {
        response.body = read_chunks(&mut reader)?;
    } else if request.method != "HEAD" {
        reader.read_to_end(&mut response.body)?;
    }
    response.headers.retain(|(name, _)| name != "connection" && name != "transfer-encoding");
    Ok(response)
}
