//! One request, one complete answer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, SendBody};

use super::{HttpError, Url};

const MAX_REDIRECTS: usize = 5;
/// Most bytes of an error's body.
const MAX_EXPLANATION_BYTES: u64 = 64 << 10;
/// What a slow but living line moves; the time limit of a large transfer grows by its size over this.
const SLOWEST_BYTES_PER_S: u64 = 256 << 10;
/// Up to this size the time limit does not grow.
const SMALL_BYTES: u64 = 4 << 20;

/// Limits of every call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// To be connected, TLS included.
    pub(crate) connect: Duration,
    /// From sending to the last byte of a small answer; grows with the bytes to move.
    pub(crate) overall: Duration,
    /// How often an idempotent request is sent at most.
    pub(crate) attempts: u32,
    /// Pause before the second attempt; doubles.
    pub(crate) backoff: Duration,
}

/// What to send.
pub(crate) enum Body<'a> {
    /// Nothing, not even a length (GET, HEAD, DELETE).
    None,
    /// These bytes.
    Bytes(&'a [u8]),
    /// A part of a file.
    File {
        /// The file.
        path: &'a Path,
        /// First byte.
        from: u64,
        /// How many.
        bytes: u64,
    },
}

impl Body<'_> {
    /// The same body once more.
    pub(crate) const fn reborrow(&self) -> Body<'_> {
        match self {
            Self::None => Body::None,
            Self::Bytes(content) => Body::Bytes(content),
            Self::File { path, from, bytes } => Body::File { path, from: *from, bytes: *bytes },
        }
    }

    const fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Bytes(content) => content.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    /// Sent to `url`'s own origin only.
    pub(crate) authorization: Option<&'a str>,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Body<'a>,
    /// Most bytes of the answer.
    pub(crate) limit_bytes: u64,
    /// May be sent again after a broken connection or 502, 503, 504.
    pub(crate) idempotent: bool,
}

/// A complete answer of any status but a redirect.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Who answered, after redirects.
    pub(crate) url: Url,
    /// How often it was asked.
    pub(crate) attempts: u32,
}

impl Answer {
    /// A header, where it is there once and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    }
}

/// The client.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    limits: Limits,
}

impl Client {
    /// A client that trusts Mozilla's roots, or instead the certificates in `ca_pem`. Requests to this machine never go
    /// through a proxy.
    pub(crate) fn new(limits: Limits, ca_pem: Option<&[u8]>, loopback: bool) -> Result<Self, HttpError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(limits.connect))
            .user_agent(concat!("ci-intel/", env!("CARGO_PKG_VERSION")));
        if loopback {
            config = config.proxy(None);
        }
        if let Some(pem) = ca_pem {
            let certificates: Vec<Certificate<'static>> = parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                let cause = "the extra CA file holds no PEM certificate".to_owned();
                return Err(HttpError::Tls { host: "any host".to_owned(), cause });
            }
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self { agent: config.build().new_agent(), limits })
    }

    /// Sends, follows redirects of GET and HEAD, and sends again where that is safe.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Answer, HttpError> {
        let attempts = if call.idempotent { self.limits.attempts.max(1) } else { 1 };
        let mut attempt = 1;
        loop {
            let outcome = self.follow(call, attempt);
            let again = match &outcome {
                Ok(answer) => matches!(answer.status, 502..=504),
                Err(error) => error.is_reset(),
            };
            if !again || attempt >= attempts {
                return outcome;
            }
            sleep(self.limits.backoff * (1 << (attempt - 1).min(6)));
            attempt += 1;
        }
    }

    fn follow(&self, call: &Call<'_>, attempts: u32) -> Result<Answer, HttpError> {
        let mut url = call.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let (status, headers, body) = self.once(call, &url)?;
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return Ok(Answer { status, headers, body, url, attempts });
            }
            let refuse = |cause| HttpError::Redirect { host: url.host_and_port(), cause };
            if call.method != Method::GET && call.method != Method::HEAD {
                return Err(refuse("a request that writes"));
            }
            let location = headers.get("location").and_then(|value| value.to_str().ok());
            let next = location.and_then(|text| url.join(text).ok()).ok_or_else(|| refuse("to nowhere"))?;
            if !next.is_safe(!call.url.is_safe(false)) {
                return Err(refuse("to plain HTTP"));
            }
            url = next;
        }
        Err(HttpError::Redirect { host: url.host_and_port(), cause: "too often" })
    }

    fn once(&self, call: &Call<'_>, url: &Url) -> Result<(u16, HeaderMap, Vec<u8>), HttpError> {
        let host = url.host_and_port();
        let growth =
            Duration::from_secs((call.body.len() + call.limit_bytes).saturating_sub(SMALL_BYTES) / SLOWEST_BYTES_PER_S);
        let limit = self.limits.overall + growth.min(Duration::from_secs(3600));
        let mut request = Request::builder().method(call.method.clone()).uri(url.to_wire());
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let (Some(value), true) = (call.authorization, url.same_origin(call.url)) {
            request = request.header("authorization", value);
        }
        let malformed = |cause: &str| HttpError::Malformed { host: host.clone(), cause: cause.to_owned() };
        let failed = |error| HttpError::of(error, &host, limit);
        let answer = match call.body {
            Body::None => self.run(request, (), limit),
            Body::Bytes(content) => self.run(request, content, limit),
            Body::File { path, from, bytes } => {
                let unreadable = |_| malformed("the file to send cannot be read");
                let mut file = File::open(path).map_err(unreadable)?;
                file.seek(SeekFrom::Start(from)).map_err(unreadable)?;
                let body = SendBody::from_owned_reader(file.take(bytes));
                self.run(request.header("content-length", bytes), body, limit)
            }
        };
        let answer = answer.map_err(failed)?;
        let (parts, body) = answer.into_parts();
        if parts.headers.get("content-encoding").is_some_and(|value| value != "identity") {
            return Err(malformed("the answer is content-encoded, which was not asked for"));
        }
        let announced = announced_bytes(&parts.headers).map_err(malformed)?;
        if call.method == Method::HEAD {
            return Ok((parts.status.as_u16(), parts.headers, Vec::new()));
        }
        if !parts.status.is_success() {
            // The status says it all; of a long explanation the beginning is enough.
            let mut said = Vec::new();
            let read = body.into_reader().take(MAX_EXPLANATION_BYTES).read_to_end(&mut said);
            let received = said.len() as u64;
            return match (read.err().map(|error| failed(error.into())), announced) {
                (Some(error @ HttpError::Timeout { .. }), _) => Err(error),
                (_, Some(announced)) if received < announced.min(MAX_EXPLANATION_BYTES) => {
                    Err(HttpError::Truncated { host, announced, received })
                }
                (Some(error), _) => Err(error),
                (None, _) => Ok((parts.status.as_u16(), parts.headers, said)),
            };
        }
        if announced.is_some_and(|announced| announced > call.limit_bytes) {
            return Err(HttpError::TooLarge { host, limit: call.limit_bytes });
        }
        let mut content = Vec::new();
        let read = body.into_with_config().limit(call.limit_bytes).reader().read_to_end(&mut content);
        let received = content.len() as u64;
        let failure = read.err().map(|error| failed(ureq::Error::from(error)));
        let short = announced.filter(|announced| *announced != received);
        match (failure, short) {
            (Some(error @ (HttpError::Timeout { .. } | HttpError::TooLarge { .. })), _) => Err(error),
            (_, Some(announced)) => Err(HttpError::Truncated { host, announced, received }),
            (Some(error), None) => Err(error),
            (None, None) => Ok((parts.status.as_u16(), parts.headers, content)),
        }
    }

    fn run(&self, head: Builder, body: impl AsSendBody, limit: Duration) -> Result<Response<ureq::Body>, ureq::Error> {
        let request = self.agent.configure_request(head.body(body)?).timeout_global(Some(limit)).build();
        self.agent.run(request)
    }
}

/// `Content-Length`; several that differ, or one that is no number, are an attack or a bug.
fn announced_bytes(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut announced = None;
    for value in headers.get_all("content-length") {
        let text = value.to_str().map_err(|_| "Content-Length is not text")?;
        let bytes = text.trim().parse::<u64>().map_err(|_| "Content-Length is not a number")?;
        if announced.is_some_and(|other| other != bytes) {
            return Err("two Content-Length headers differ");
        }
        announced = Some(bytes);
    }
    Ok(announced)
}
