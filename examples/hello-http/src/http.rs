//! Requests to responses. Pure: bytes in, bytes out.

use smallvec::SmallVec;

/// Longest request head that is read, in bytes.
pub const MAX_HEAD_BYTES: usize = 8192;

/// A response, ready to send; the short ones stay on the stack.
pub type Response = SmallVec<[u8; 256]>;

/// Answers the request whose first bytes are `head`; `None` asks for more of them.
pub fn answer(head: &[u8]) -> Option<Response> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Err(_) => Some(response(400, "bad request\n", true)),
        Ok(httparse::Status::Partial) if head.len() >= MAX_HEAD_BYTES => {
            Some(response(431, "request head too large\n", true))
        }
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(_)) => {
            let method = request.method.unwrap_or_default();
            let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
            Some(route(method, path))
        }
    }
}

fn route(method: &str, path: &str) -> Response {
    let with_body = method != "HEAD";
    match (method, path) {
        ("GET" | "HEAD", "/") => response(200, "Hello from an accepted digest.\n", with_body),
        ("GET" | "HEAD", "/healthz") => response(200, "ok\n", with_body),
        (_, "/" | "/healthz") => response(405, "method not allowed\n", with_body),
        _ => response(404, "not found\n", with_body),
    }
}

fn response(status: u16, body: &str, with_body: bool) -> Response {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Request Header Fields Too Large",
    };
    let allow = if status == 405 { "allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n{allow}connection: close\r\n\r\n",
        body.len()
    );
    let mut out = SmallVec::from_slice(head.as_bytes());
    if with_body {
        out.extend_from_slice(body.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(head: &[u8]) -> String {
        let response = answer(head).expect("a whole head is answered");
        String::from_utf8(response.to_vec()).unwrap()
    }

    #[test]
    fn health_answers_200() {
        let text = sent(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nok\n"), "{text}");
    }

    #[test]
    fn query_is_no_part_of_the_path() {
        assert!(sent(b"GET /healthz?x=1 HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }

    #[test]
    fn head_has_the_length_but_no_body() {
        let text = sent(b"HEAD /healthz HTTP/1.1\r\n\r\n");
        assert!(text.contains("content-length: 3\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn other_methods_reject_and_name_the_allowed_ones() {
        let text = sent(b"POST / HTTP/1.1\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("allow: GET, HEAD\r\n"), "{text}");
    }

    #[test]
    fn unknown_paths_are_not_found() {
        assert!(sent(b"GET /healthz/ HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn garbage_rejects() {
        assert!(sent(b"\x00\x01\x02\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn half_a_head_waits_and_an_endless_one_rejects() {
        assert_eq!(answer(b"GET / HTTP/1.1\r\nHost: "), None);
        let mut endless = b"GET / HTTP/1.1\r\nx: ".to_vec();
        endless.resize(MAX_HEAD_BYTES, b'a');
        assert!(sent(&endless).starts_with("HTTP/1.1 431 "));
    }
}
