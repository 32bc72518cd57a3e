//! The smallest HTTP/1.1 client (RFC 9112) that a probe needs: one GET, one answer, everything bounded.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Most bytes of an answer that are looked at.
const ANSWER_LIMIT: usize = 1 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// `GET path` on 127.0.0.1 in the network of the calling thread.
pub(super) fn get(port: u16, path: &str, timeout: Duration) -> io::Result<Answer> {
    if !path.starts_with('/') || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(invalid("a probe's path starts with `/` and has no spaces"));
    }
    let deadline = Instant::now() + timeout;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: ci-intel-smoke\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !bytes.is_empty() => 0,
            other => other?,
        };
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(answer) = parse(&bytes, read == 0)? {
            return Ok(answer);
        }
        if bytes.len() > ANSWER_LIMIT {
            return Err(invalid("the answer is larger than 1 MiB"));
        }
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::Error::new(io::ErrorKind::TimedOut, "no complete answer in time")),
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Interim answers (RFC 9110, 15.2) that are put up with before the final one.
const INTERIM_LIMIT: usize = 8;

/// The answer, once it is complete. `ended`: the peer has closed.
fn parse(bytes: &[u8], ended: bool) -> io::Result<Option<Answer>> {
    parse_after(bytes, ended, INTERIM_LIMIT)
}

fn parse_after(bytes: &[u8], ended: bool, interim_left: usize) -> io::Result<Option<Answer>> {
    let Some(head_end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
        return if ended { Err(invalid("the answer ends before its headers do")) } else { Ok(None) };
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| invalid("headers that are no text"))?;
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().splitn(3, ' ');
    let version = start.next().unwrap_or_default();
    let status = start.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
    let Some(status) = status.filter(|_| version.starts_with("HTTP/1.")) else {
        return Err(invalid("no HTTP/1.x status line"));
    };
    let header = |name: &str| {
        lines.clone().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let body = &bytes[head_end + 4..];
    if matches!(status, 100..=199) {
        let left = interim_left.checked_sub(1).ok_or_else(|| invalid("interim answers without end"))?;
        return parse_after(body, ended, left);
    }
    if matches!(status, 204 | 304) {
        return Ok(Some(Answer { status, body: Vec::new() }));
    }
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return match chunks(body)? {
            Some(body) => Ok(Some(Answer { status, body })),
            None if ended => Err(invalid("the answer ends inside a chunk")),
            None => Ok(None),
        };
    }
    if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| invalid("a malformed Content-Length"))?;
        return match body.get(..length) {
            Some(body) => Ok(Some(Answer { status, body: body.to_vec() })),
            None if ended => Err(invalid("the body is shorter than its Content-Length")),
            None => Ok(None),
        };
    }
    Ok(ended.then(|| Answer { status, body: body.to_vec() }))
}

fn chunks(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|part| part == b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|line| line.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.filter(|size| *size <= ANSWER_LIMIT).ok_or_else(|| invalid("a malformed chunk size"))?;
        let start = end + 2;
        if size == 0 {
            return Ok(Some(body));
        }
        let Some(chunk) = rest.get(start..start + size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        let Some(after) = rest.get(start + size + 2..) else { return Ok(None) };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn answers_are_read_in_every_framing() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ] {
            assert_eq!(
                parse(text.as_bytes(), false).unwrap().unwrap(),
                Answer { status: 200, body: b"ok".to_vec() },
                "{text}"
            );
        }
        let until_close = b"HTTP/1.0 503 x\r\n\r\nok";
        assert_eq!(parse(until_close, false).unwrap(), None);
        assert_eq!(parse(until_close, true).unwrap().unwrap().status, 503);
    }

    #[test]
    fn interim_answers_without_end_reject() {
        let interim = "HTTP/1.1 100 X\r\n\r\n";
        let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert!(parse(format!("{}{last}", interim.repeat(INTERIM_LIMIT)).as_bytes(), true).is_ok());
        assert!(parse(format!("{}{last}", interim.repeat(50_000)).as_bytes(), true).is_err());
    }

    #[test]
    fn answers_that_are_cut_off_reject() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
            "HTTP/1.1 2000 OK\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes(), true).is_err(), "{text:?}");
        }
    }
}
