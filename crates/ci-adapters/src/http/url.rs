//! The few URLs that registries and OIDC issuers use: `http(s)://host[:port]/path[?query]`.

use std::fmt;
use std::net::IpAddr;

/// An absolute URL without user info and fragment. `Display` and `Debug` leave the query out: it may hold upload state or a
/// signature.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    https: bool,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
}

/// Why a text is not such a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUrl {
    #[error("not an http or https URL")]
    Scheme,
    #[error("not a valid host and port")]
    Host,
    #[error("not a valid path or query")]
    Path,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(InvalidUrl::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, port) = split_authority(&rest[..end]).ok_or(InvalidUrl::Host)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        let mut url = Self { https, host, port, path: "/".to_owned(), query: None };
        url.set_path(&rest[end..])?;
        Ok(url)
    }

    /// `https://host[:port]` or, when `plain`, `http://host[:port]`.
    pub(crate) fn origin_of(host: &str, plain: bool) -> Result<Self, InvalidUrl> {
        Self::parse(&format!("{}://{host}/", if plain { "http" } else { "https" }))
    }

    /// The target of a `Location` or `Link` found in an answer to `self` (RFC 3986 section 5, without `..`).
    pub(crate) fn join(&self, reference: &str) -> Result<Self, InvalidUrl> {
        if reference.starts_with("http://") || reference.starts_with("https://") {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", if self.https { "https" } else { "http" }));
        }
        let mut url = self.clone();
        if reference.starts_with('/') {
            url.set_path(reference)?;
        } else if reference.starts_with('?') {
            url.set_path(&format!("{}{reference}", self.path))?;
        } else if reference.is_empty() || reference.contains("://") {
            return Err(InvalidUrl::Path);
        } else {
            let directory = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
            url.set_path(&format!("{directory}{reference}"))?;
        }
        Ok(url)
    }

    /// The same origin with another path and no query.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        let mut url = self.clone();
        path.clone_into(&mut url.path);
        url.query = None;
        url
    }

    /// Adds `key=value` to the query; the value is percent-encoded.
    pub(crate) fn with_query(mut self, key: &str, value: &str) -> Self {
        let pair = format!("{key}={}", encode(value));
        self.query = Some(match self.query {
            Some(query) if !query.is_empty() => format!("{query}&{pair}"),
            _ => pair,
        });
        self
    }

    fn set_path(&mut self, text: &str) -> Result<(), InvalidUrl> {
        let text = text.split('#').next().unwrap_or_default();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.split(['/', '?']).any(|part| part == "..") {
            return Err(InvalidUrl::Path);
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (text, None),
        };
        self.path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        self.query = query;
        Ok(())
    }

    /// Host, with the port where it is not the scheme's own.
    pub(crate) fn host_and_port(&self) -> String {
        let own = if self.https { 443 } else { 80 };
        if self.port == own { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.https == other.https && self.host == other.host && self.port == other.port
    }

    /// Whether secrets and content may travel there: encrypted, or, where `plain_loopback` allows it, inside this machine.
    pub(crate) fn is_safe(&self, plain_loopback: bool) -> bool {
        self.https || (plain_loopback && self.is_loopback())
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether the host is this machine, by number or as `localhost`.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The whole URL, for the wire only.
    pub(super) fn to_wire(&self) -> String {
        let query = self.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        format!("{self}{query}")
    }
}

fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let close = authority.find(']')?;
        authority[1..close].parse::<std::net::Ipv6Addr>().ok()?;
        (
            &authority[..=close],
            authority[close + 1..].strip_prefix(':').or(authority[close + 1..].is_empty().then_some("")),
        )
    } else {
        match authority.split_once(':') {
            Some((host, port)) if !port.is_empty() => (host, Some(port)),
            Some(_) => return None,
            None => (authority, Some("")),
        }
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if host.is_empty() || (!host.starts_with('[') && !host.bytes().all(plain)) {
        return None;
    }
    let port = match port? {
        "" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&format!("{byte:02X}"));
        }
    }
    out
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_and_port(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn references_resolve_against_the_answered_url() {
        let base = Url::parse("https://Reg.Example:5000/v2/a/blobs/uploads/").unwrap();
        for (reference, expected) in [
            ("/v2/a/x?s=1", "https://reg.example:5000/v2/a/x?s=1"),
            ("https://cdn.example/b?sig=2", "https://cdn.example/b?sig=2"),
            ("//cdn.example/b", "https://cdn.example/b"),
            ("?n=2", "https://reg.example:5000/v2/a/blobs/uploads/?n=2"),
            ("uuid", "https://reg.example:5000/v2/a/blobs/uploads/uuid"),
        ] {
            assert_eq!(base.join(reference).unwrap().to_wire(), expected);
        }
    }

    #[test]
    fn a_query_is_never_shown() {
        let url = Url::parse("https://r/p?token=hunter2").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://r/p https://r/p");
    }

    #[test]
    fn user_info_odd_hosts_and_other_schemes_reject() {
        for bad in [
            "https://u:p@r/",
            "ftp://r/",
            "https:///x",
            "https://r:/x",
            "https://r:99999/",
            "https://r/a b",
            "https://r/../x",
            "https://[::g]/",
            "file:///etc",
            "https://r:+1/",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, loopback) in [
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5", true),
            ("localhost", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("[::2]", false),
        ] {
            assert_eq!(Url::origin_of(host, true).unwrap().is_loopback(), loopback, "{host}");
        }
    }

    #[test]
    fn plain_http_is_safe_on_this_machine_only_and_only_if_allowed() {
        for (text, allowed, safe) in [
            ("https://r/", false, true),
            ("http://127.0.0.1/", true, true),
            ("http://127.0.0.1/", false, false),
            ("http://r/", true, false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_safe(allowed), safe, "{text}");
        }
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        let base = Url::parse("https://r/").unwrap();
        assert!(base.same_origin(&Url::parse("https://R:443/x").unwrap()));
        for other in ["https://r:444/", "http://r:443/", "https://s/"] {
            assert!(!base.same_origin(&Url::parse(other).unwrap()), "{other}");
        }
    }
}
