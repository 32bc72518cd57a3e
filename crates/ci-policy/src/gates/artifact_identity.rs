//! Immutable identity: built, published and read-back digest are one, and the tag is free or already this image's.

use ci_types::Severity;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "artifact-identity",
    title: "the digest that was built, published and read back is one, and the tag names no other image",
    severity: Severity::Critical,
    version: 1,
    check: |question, check| {
        let Some(image) = check.fact(&question.facts.image) else { return };
        check.require(
            image.tag_before.is_none_or(|before| before == image.subject.digest),
            "tag-taken",
            || {
                let before = image.tag_before.map(|digest| digest.to_string()).unwrap_or_default();
                format!("tag `{}` already names {before}; a tag is never moved to another image", image.subject.tag)
            },
            "release under a new tag: set `publish.tag` so that it contains {commit}",
        );
        if let Ok(context) = &question.facts.context {
            let wanted = question.config.publish.tag.replace("{commit}", &context.source.commit);
            check.require(
                image.subject.tag.as_str() == wanted,
                "tag-not-configured",
                || format!("the tag is `{}`, the configuration gives `{wanted}`", image.subject.tag),
                "run the whole lane again: ci-intel release --fresh",
            );
        }
        let target = &question.config.publish.target;
        let wanted = target.strip_prefix("registry:").unwrap_or(&question.config.project.name);
        check.require(
            image.subject.name == wanted,
            "name-not-configured",
            || format!("the image is named `{}`, the configuration gives `{wanted}`", image.subject.name),
            "run the whole lane again: ci-intel release --fresh",
        );
        check.because(format!("{} was built, published and read back", image.subject.digest));
    },
};
