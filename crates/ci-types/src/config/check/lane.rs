//! The identity policy of the authoritative lane.

use super::names::is_repository;
use super::{Sink, is_loopback_host};
use crate::config::error::{Fault, clip};
use crate::config::yaml::Node;

/// `lane.issuer`.
pub(in crate::config) fn issuer(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let rest = text.strip_prefix("https://").map(|rest| (rest, false));
        let rest = rest.or_else(|| text.strip_prefix("http://").map(|rest| (rest, true)));
        let ok = rest.is_some_and(|(rest, plain)| {
            let host = rest.split('/').next().unwrap_or_default();
            let clean = |character: char| character.is_ascii_graphic() && !"@?#\\\"<>^`{|}*".contains(character);
            !host.is_empty()
                && !host.starts_with(':')
                && rest.chars().all(clean)
                && !rest.split('/').skip(1).any(|part| matches!(part, "." | ".."))
                && (!plain || is_loopback_host(host))
        });
        if ok {
            Ok(())
        } else {
            let fix = "write the `iss` of the CI's tokens, like `https://token.actions.githubusercontent.com`; `http` \
                       is for loopback hosts only";
            Err((Fault::Issuer(clip(text)), fix.to_owned()))
        }
    });
}

/// `lane.repository_id`.
pub(in crate::config) fn repository_id(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits && !text.starts_with('0') {
            Ok(())
        } else {
            let fix = "write the number that `gh api repos/OWNER/NAME --jq .id` prints, in quotes";
            Err((Fault::RepositoryId(clip(text)), fix.to_owned()))
        }
    });
}

/// `lane.workflow`.
pub(in crate::config) fn workflow(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let ok = text.split_once("/.github/workflows/").is_some_and(|(repository, file)| {
            let name = file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml")).unwrap_or_default();
            is_repository(repository)
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        });
        if ok {
            Ok(())
        } else {
            let fix = "write the workflow file in full, like `org/app/.github/workflows/release.yml`, without `@ref`";
            Err((Fault::Workflow(clip(text)), fix.to_owned()))
        }
    });
}

/// `lane.refs`.
pub(in crate::config) fn refs(list: &Node, sink: &mut Sink<'_>) {
    let fix = "list branches and tags in full, like `refs/heads/main` or `refs/tags/v*`";
    sink.not_empty(list, fix);
    sink.each(list, |text| {
        let name = text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/")).unwrap_or_default();
        let literal = name.strip_suffix('*').unwrap_or(name);
        // git-check-ref-format(1): what a ref never holds.
        let strange = |character: char| !character.is_ascii_graphic() || "~^:?*[\\".contains(character);
        let ok = literal.contains(|character: char| character.is_ascii_alphanumeric())
            && !literal.contains(strange)
            && !literal.contains("..")
            && !literal.contains("//")
            && !literal.contains("@{")
            && !literal.starts_with('/')
            && !name.ends_with(['/', '.']);
        if ok { Ok(()) } else { Err((Fault::Ref(clip(text)), fix.to_owned())) }
    });
}

/// `lane.environments`: names without wildcards.
pub(in crate::config) fn environments(list: &Node, sink: &mut Sink<'_>) {
    sink.each(list, |text| {
        if text.trim() == text && !text.is_empty() && !text.contains(|c: char| c.is_control() || c == '*') {
            Ok(())
        } else {
            Err((Fault::Text(clip(text)), "write the environment's name in full, without `*`".to_owned()))
        }
    });
}

/// `lane.events`.
pub(in crate::config) fn events(list: &Node, sink: &mut Sink<'_>) {
    sink.not_empty(list, "list the events that may start a release, like `push`");
    sink.each(list, |_| Ok(()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::error::Place;
    use crate::config::yaml::Data;

    fn accepts(check: super::super::Check, text: &str, list: bool) -> bool {
        let node = |data| Node { place: Place::START, data };
        let text = node(Data::Text(text.to_owned()));
        let value = if list { node(Data::List(vec![text])) } else { text };
        let mut errors = Vec::new();
        check(&value, &mut Sink { file: "f", key: "k".to_owned(), errors: &mut errors });
        errors.is_empty()
    }

    #[test]
    fn refs_without_a_boundary_reject() {
        for good in ["refs/heads/main", "refs/tags/v*", "refs/heads/release/*", "refs/tags/v1.2.3"] {
            assert!(accepts(refs, good, true), "{good}");
        }
        for bad in [
            "",
            "*",
            "refs/*",
            "refs/heads/*",
            "refs/tags/*",
            "main",
            "refs/pull/1/merge",
            "refs/heads/",
            "refs/heads/a*b",
            "refs/heads/-*",
            "refs/heads/a..b",
            "refs/heads/a b",
            "refs/heads/a/",
            "refs/heads/m?in",
            "refs/heads//a",
        ] {
            assert!(!accepts(refs, bad, true), "{bad}");
        }
    }

    #[test]
    fn issuers_are_https_or_loopback() {
        for good in ["https://token.actions.githubusercontent.com", "https://gitlab.com/x", "http://127.0.0.1:8080"] {
            assert!(accepts(issuer, good, false), "{good}");
        }
        for bad in [
            "",
            "https://",
            "http://example.com",
            "https://u@example.com",
            "https://e.com?x",
            "https://e.com#x",
            "e.com",
            "http://127.0.0.1.evil.com",
            "http://localhost@evil.com",
            "https://:443",
            "https://*",
            "HTTPS://e.com",
        ] {
            assert!(!accepts(issuer, bad, false), "{bad}");
        }
    }

    #[test]
    fn workflows_are_one_file() {
        assert!(accepts(workflow, "org/app/.github/workflows/release.yml", false));
        for bad in [
            "",
            "*",
            "release.yml",
            "org/app/.github/workflows/release.yml@refs/heads/main",
            "org/app/.github/workflows/*",
            "org/app/.github/workflows/.yml",
            "org/app/.github/workflows/a/b.yml",
            "org/.github/workflows/a.yml",
        ] {
            assert!(!accepts(workflow, bad, false), "{bad}");
        }
    }
}
