//! What goes into an image, and what a build may see of its surroundings.

use super::Sink;
use super::paths::{absolute, no_repeats, relative};
use crate::Digest;
use crate::config::error::{Fault, clip};
use crate::config::yaml::Node;

/// `build.assemble.base`.
pub(in crate::config) fn base(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let pinned = text.split_once('@').is_some_and(|(path, digest)| {
            (relative(path).is_ok() || absolute(path).is_ok())
                && !path.contains(':')
                && digest.parse::<Digest>().is_ok()
        });
        if text == "scratch" || pinned {
            Ok(())
        } else {
            let fix =
                "write `scratch`, or a layout's path and digest: `base@sha256:` and 64 hex digits (`skopeo inspect`)";
            Err((Fault::BaseNotPinned(clip(text)), fix.to_owned()))
        }
    });
}

/// `build.assemble.files`.
pub(in crate::config) fn assemble_files(list: &Node, sink: &mut Sink<'_>) {
    let mut targets = Vec::new();
    for (index, item) in list.items().iter().enumerate() {
        if let Some(from) = item.field("from")
            && let Err((fault, fix)) = relative(from.text())
        {
            sink.refuse(from.place, &format!("[{index}].from"), fault, fix);
        }
        if let Some(to) = item.field("to") {
            let suffix = format!("[{index}].to");
            if let Err((fault, fix)) = absolute(to.text()) {
                sink.refuse(to.place, &suffix, fault, fix);
            } else {
                targets.push((to.text(), to, suffix));
            }
        }
        if let Some(mode) = item.field("mode")
            && !is_mode(mode.text())
        {
            let fix = "write four octal digits in quotes, like \"0755\"";
            sink.refuse(mode.place, &format!("[{index}].mode"), Fault::Mode(clip(mode.text())), fix);
        }
    }
    no_repeats(&targets, sink);
}

/// `0755` or `755`, up to `7777`.
fn is_mode(text: &str) -> bool {
    let digits = text.strip_prefix('0').filter(|rest| rest.len() >= 3).unwrap_or(text);
    (3..=4).contains(&digits.len()) && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

/// `build.assemble.user`.
pub(in crate::config) fn user(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let id = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits && text.parse::<u32>().is_ok_and(|id| id < 1 << 31)
        };
        let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
        if id(uid) && gid.is_none_or(id) {
            Ok(())
        } else {
            Err((Fault::User(clip(text)), "write numbers in quotes, like \"65532:65532\"".to_owned()))
        }
    });
}

/// `build.assemble.ports`.
pub(in crate::config) fn ports(list: &Node, sink: &mut Sink<'_>) {
    sink.each(list, |text| {
        let ok = text.split_once('/').is_some_and(|(port, protocol)| {
            matches!(protocol, "tcp" | "udp" | "sctp")
                && !port.starts_with(['0', '+'])
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if ok {
            Ok(())
        } else {
            Err((Fault::Port(clip(text)), "write a port and its protocol, like `8080/tcp`".to_owned()))
        }
    });
}

/// `build.pass_env`.
pub(in crate::config) fn env_names(list: &Node, sink: &mut Sink<'_>) {
    sink.each(list, |text| {
        if !is_env_name(text) {
            let fix = "write the variable's name in full: letters, digits and `_`";
            Err((Fault::EnvName(clip(text)), fix.to_owned()))
        } else if looks_like_credential(text) {
            let fix = "remove it: a build gets no credentials; fetch what needs them in a step before the release";
            Err((Fault::Credential(clip(text)), fix.to_owned()))
        } else if LANE_ENV.contains(&text) {
            Err((Fault::LaneEnv(clip(text)), "remove it: the lane gives every build the same value".to_owned()))
        } else {
            Ok(())
        }
    });
}

/// Variables that the lane fixes for determinism, or that change what every program loads.
const LANE_ENV: [&str; 10] = [
    "SOURCE_DATE_EPOCH",
    "TZ",
    "LC_ALL",
    "LANG",
    "LANGUAGE",
    "PYTHONHASHSEED",
    "TMPDIR",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
];

pub(super) fn is_env_name(text: &str) -> bool {
    text.len() <= 128
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether an environment variable's name says that its value is a credential. Errs on the side of yes.
#[must_use]
pub fn looks_like_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let anywhere = [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "APIKEY",
        "PRIVATE",
        "WEBHOOK",
        "KUBECONFIG",
        "NETRC",
        "COOKIE",
        "DATABASE_URL",
        "CONNECTION_STRING",
    ];
    let words =
        ["KEY", "KEYS", "PASS", "PWD", "PAT", "AUTH", "AUTHORIZATION", "CERT", "SAS", "DSN", "JWT", "OAUTH", "PSK"];
    let owners = ["AWS_", "VAULT_", "ACTIONS_", "GOOGLE_APPLICATION_", "SSH_", "GPG_", "COSIGN_", "DOCKER_AUTH"];
    anywhere.iter().any(|part| name.contains(part))
        || name.split('_').any(|word| words.contains(&word))
        || owners.iter().any(|owner| name.starts_with(owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_name() {
        for name in [
            "GITHUB_TOKEN",
            "NPM_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_REGION",
            "api_key",
            "SSH_AUTH_SOCK",
            "DB_PASS",
            "MYSECRET",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "DOCKER_AUTH_CONFIG",
            "KUBECONFIG",
            "DATABASE_URL",
        ] {
            assert!(looks_like_credential(name), "{name}");
        }
        for name in
            ["CARGO_HOME", "GOPROXY", "GOFLAGS", "RUSTFLAGS", "PIP_INDEX_URL", "KEYBOARD", "COMPASS", "PATTERN", "CI"]
        {
            assert!(!looks_like_credential(name), "{name}");
        }
    }

    #[test]
    fn modes_are_octal() {
        for good in ["0755", "755", "0644", "4755", "04755", "1777", "0000"] {
            assert!(is_mode(good), "{good}");
        }
        for bad in ["", "0", "75", "0o755", "0888", "rwxr-xr-x", "77777", "+755", "0x1ff"] {
            assert!(!is_mode(bad), "{bad}");
        }
    }
}
