//! Where an image goes and what it is called there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Sink;
use super::names::is_image_name;
use super::paths::{absolute, relative};
use crate::Tag;
use crate::config::error::{Fault, clip};
use crate::config::yaml::Node;

/// `publish.target`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishTarget {
    /// A directory (OCI image-spec, "OCI Image Layout"): relative to the repository, or absolute.
    OciLayout {
        /// The path.
        path: String,
    },
    /// A server (OCI distribution-spec).
    Registry {
        /// `HOST` or `HOST:PORT`.
        host: String,
        /// Image name without tag.
        name: String,
    },
}

impl PublishTarget {
    /// Takes `oci-layout:PATH` or `registry:HOST[:PORT]/NAME` apart.
    ///
    /// # Errors
    /// [`Fault::Target`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let refuse = || Fault::Target(clip(text));
        if let Some(path) = text.strip_prefix("oci-layout:") {
            // `:` and `@` would be read as tag or digest by every tool that is given the layout.
            let ok = (relative(path).is_ok() || (absolute(path).is_ok() && path != "/")) && !path.contains([':', '@']);
            return if ok { Ok(Self::OciLayout { path: path.to_owned() }) } else { Err(refuse()) };
        }
        let (host, name) = text.strip_prefix("registry:").and_then(|rest| rest.split_once('/')).ok_or_else(refuse)?;
        if is_host(host) && is_image_name(name) && host.len() + name.len() < 255 {
            Ok(Self::Registry { host: host.to_owned(), name: name.to_owned() })
        } else {
            Err(refuse())
        }
    }
}

/// Whether `host` (with or without port) is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let Some(name) = split_port(host) else { return false };
    name == "localhost"
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
            .is_some_and(|address| IpAddr::V6(address).is_loopback())
}

/// `publish.target`.
pub(in crate::config) fn target(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let fix = "write `oci-layout:DIRECTORY` or `registry:ghcr.io/org/app`, without tag or digest";
        PublishTarget::parse(text).map(drop).map_err(|fault| (fault, fix.to_owned()))
    });
}

/// `publish.tag`.
pub(in crate::config) fn tag(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let rendered = text.replace("{commit}", &"0".repeat(40));
        // `latest` is what everyone's tools move; a release's tag never moves.
        if rendered.parse::<Tag>().is_ok() && rendered != "latest" {
            Ok(())
        } else {
            let fix =
                "write a tag of at most 128 of [a-zA-Z0-9_.-], other than `latest`; `{commit}` stands for the commit";
            Err((Fault::Tag(clip(text)), fix.to_owned()))
        }
    });
}

/// The host without its port; `None` where the port is none.
fn split_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let good =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    (!name.is_empty() && port.is_none_or(good)).then_some(name)
}

fn is_host(host: &str) -> bool {
    let Some(name) = split_port(host) else { return false };
    if let Some(inner) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart() {
        assert_eq!(
            PublishTarget::parse("oci-layout:.ci-intel/state/images"),
            Ok(PublishTarget::OciLayout { path: ".ci-intel/state/images".to_owned() })
        );
        assert_eq!(
            PublishTarget::parse("registry:127.0.0.1:5000/org/app"),
            Ok(PublishTarget::Registry { host: "127.0.0.1:5000".to_owned(), name: "org/app".to_owned() })
        );
        for bad in [
            "",
            "oci-layout:",
            "oci-layout:../x",
            "oci-layout:/",
            "oci-layout:a:b",
            "oci-layout:a@sha256:0",
            "ghcr.io/org/app",
            "registry:ghcr.io",
            "registry:ghcr.io/",
            "registry:/app",
            "registry:ghcr.io/App",
            "registry:ghcr.io/app:v1",
            "registry:ghcr.io/app@sha256:00",
            "registry:https://ghcr.io/app",
            "registry:host:0/app",
            "registry:host:x/app",
            "registry:host:99999/app",
            "registry:user@host/app",
            "registry:[::g]/app",
            "registry:-h/app",
            "registry:h:+1/app",
        ] {
            assert!(PublishTarget::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for good in ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:1", "[::1]", "[::1]:5000"] {
            assert!(is_loopback_host(good), "{good}");
        }
        for bad in
            ["", "127.0.0.1.evil.com", "localhost.evil.com", "10.0.0.1", "0.0.0.0", "[::]", "::1", "128.0.0.1", "127.1"]
        {
            assert!(!is_loopback_host(bad), "{bad}");
        }
    }
}
