//! Why there was no usable answer. Texts never hold a query string, a header or a body: those may carry secrets.

use std::io::ErrorKind;
use std::time::Duration;

/// No usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// Connection refused, host unknown, network down.
    #[error("cannot connect to {host}: {cause}")]
    Connect { host: String, cause: String },
    /// The connection broke before or while answering.
    #[error("{host} closed the connection without a complete answer")]
    Reset { host: String },
    /// Too slow.
    #[error("{host} did not answer within {limit_s} s ({phase})")]
    Timeout { host: String, limit_s: u64, phase: String },
    /// TLS failed.
    #[error("TLS with {host} failed: {cause}; for a private CA name its PEM file in SSL_CERT_FILE")]
    Tls { host: String, cause: String },
    /// Fewer or more bytes than announced.
    #[error("{host} announced {announced} bytes and sent {received}")]
    Truncated { host: String, announced: u64, received: u64 },
    /// More bytes than the caller accepts.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge { host: String, limit: u64 },
    /// A redirect that must not be followed.
    #[error("{host} redirects {cause}")]
    Redirect { host: String, cause: &'static str },
    /// Not HTTP as it should be.
    #[error("{host}: {cause}")]
    Malformed { host: String, cause: String },
}

impl HttpError {
    /// Whether the connection broke in a way that sending again may mend.
    pub(crate) const fn is_reset(&self) -> bool {
        matches!(self, Self::Reset { .. } | Self::Truncated { .. })
    }

    /// Whether the server spoke, but against the rules.
    pub(crate) const fn is_protocol(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::TooLarge { .. } | Self::Redirect { .. } | Self::Malformed { .. })
    }

    pub(super) fn of(error: ureq::Error, host: &str, limit: Duration) -> Self {
        let host = host.to_owned();
        match error {
            ureq::Error::Timeout(phase) => Self::Timeout { host, limit_s: limit.as_secs(), phase: phase.to_string() },
            ureq::Error::Io(io) => match io.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof => Self::Reset { host },
                ErrorKind::InvalidData => Self::Tls { host, cause: io.to_string() },
                kind => Self::Connect { host, cause: kind.to_string() },
            },
            ureq::Error::HostNotFound => Self::Connect { host, cause: "host not found".to_owned() },
            ureq::Error::ConnectionFailed => Self::Connect { host, cause: "connection failed".to_owned() },
            ureq::Error::ConnectProxyFailed(_) => Self::Connect { host, cause: "the proxy refused".to_owned() },
            ureq::Error::BodyExceedsLimit(limit) => Self::TooLarge { host, limit },
            ureq::Error::Tls(cause) => Self::Tls { host, cause: cause.to_owned() },
            ureq::Error::Rustls(cause) => Self::Tls { host, cause: cause.to_string() },
            ureq::Error::Pem(_) => Self::Tls { host, cause: "not a PEM certificate".to_owned() },
            ureq::Error::Protocol(cause) => Self::Malformed { host, cause: cause.to_string() },
            ureq::Error::LargeResponseHeader(..) => {
                Self::Malformed { host, cause: "response header too large".to_owned() }
            }
            // Whatever else ureq can say may quote the URL; name the kind only.
            _ => Self::Malformed { host, cause: "request failed".to_owned() },
        }
    }
}
