//! Names: of projects, repositories and labels.

use super::Sink;
use crate::config::error::{Fault, clip};
use crate::config::yaml::Node;

/// `project.name`.
pub(in crate::config) fn project_name(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        if text.len() <= 128 && is_image_name(text) {
            Ok(())
        } else {
            let fix = "use lower-case letters and digits, joined by `.`, `_`, `-` or `/`, like `org/app`; at most 128";
            Err((Fault::Name(clip(text)), fix.to_owned()))
        }
    });
}

/// `project.repository`.
pub(in crate::config) fn repository(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        if is_repository(text) {
            Ok(())
        } else {
            Err((Fault::Repository(clip(text)), "write `owner/name` as the forge shows it".to_owned()))
        }
    });
}

/// Labels: keys are not empty.
pub(in crate::config) fn labels(node: &Node, sink: &mut Sink<'_>) {
    for entry in node.entries() {
        if entry.key.is_empty() || entry.key.contains(char::is_control) {
            let fix = "name the label, like `org.opencontainers.image.title`";
            sink.refuse(entry.key_place, "", Fault::Text(clip(&entry.key)), fix);
        }
    }
}

/// OCI distribution-spec, "Pulling manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
pub(in crate::config) fn is_image_name(text: &str) -> bool {
    text.split('/').all(|part| {
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = part.bytes().next().is_some_and(|byte| alphanumeric(&byte))
            && part.bytes().last().is_some_and(|byte| alphanumeric(&byte));
        let runs = part.split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
        ends && runs.into_iter().all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
    })
}

pub(in crate::config) fn is_repository(text: &str) -> bool {
    let word = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= 100
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names_follow_the_distribution_spec() {
        for good in ["app", "org/app", "a.b", "a__b", "a---b", "0/1/2"] {
            assert!(is_image_name(good), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "A", "a..b", "a___b", "a.-b", "-a", "a_", "a b", "é", "a:b", "a@b"] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }
}
