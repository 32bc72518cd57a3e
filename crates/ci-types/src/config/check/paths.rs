//! Paths and patterns. Patterns have a deliberately small grammar, so that "does this have a boundary?" is decidable:
//! `/`-separated components of literal characters, `*` and `?`, or `**` as a whole component; and the first component
//! is literal unless it is the only one and holds a letter or digit (`*.toml`). So a pattern never reaches into two
//! directories at the top of the repository, and never takes every file there.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Sink;
use crate::config::error::{Fault, Reason, clip};
use crate::config::yaml::Node;

/// `build.context.include` and `build.outputs`.
pub(in crate::config) fn patterns(list: &Node, sink: &mut Sink<'_>) {
    sink.each(list, bounded_pattern);
}

/// One glob below a directory that the lane made; no boundary needed.
pub(in crate::config) fn glob(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, |text| {
        let fix = || "write a glob like `**/*.xml`".to_owned();
        components(text)?;
        matcher(text).map(drop).map_err(|_| (Fault::Glob(clip(text)), fix()))
    });
}

/// A path inside the repository, without wildcards.
pub(in crate::config) fn relative_path(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, relative);
}

/// An absolute, normalised path in an image.
pub(in crate::config) fn absolute_path(node: &Node, sink: &mut Sink<'_>) {
    sink.one(node, absolute);
}

pub(super) fn relative(text: &str) -> Result<(), (Fault, String)> {
    components(text).map(drop)
}

pub(super) fn absolute(text: &str) -> Result<(), (Fault, String)> {
    let normalised = text.strip_prefix('/').is_some_and(|rest| {
        rest.is_empty() || rest.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(is_control))
    });
    if normalised {
        Ok(())
    } else {
        Err((
            Fault::NotAbsolute(clip(text)),
            "write it from `/`, without `.`, `..`, `//` or a `/` at the end, like `/usr/bin/app`".to_owned(),
        ))
    }
}

/// The components of a relative path or pattern.
fn components(text: &str) -> Result<Vec<&str>, (Fault, String)> {
    let inside = !text.is_empty()
        && text.len() <= 4096
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !text.contains(|character| is_control(character) || character == '\\');
    if inside {
        Ok(text.split('/').collect())
    } else {
        let fix = "write it relative to the repository root, without `.`, `..`, `//`, `\\` or a `/` at either end, \
                   like `src/main.rs`";
        Err((Fault::Outside(clip(text)), fix.to_owned()))
    }
}

fn bounded_pattern(text: &str) -> Result<(), (Fault, String)> {
    // The commonest ways to say "everything" deserve the reason that fits them.
    if matches!(text, "" | "." | "./" | "/") {
        return Err((Fault::Unbounded(text.to_owned()), unbounded_fix()));
    }
    if let Some(character) = text.chars().find(|character| matches!(character, '[' | ']' | '{' | '}' | '!')) {
        let fault = Fault::PatternCharacter { pattern: clip(text), character };
        return Err((fault, "write each alternative as an entry of its own, using `*`, `?` and `**` only".to_owned()));
    }
    let parts = components(text)?;
    let wild = |part: &str| part.contains(['*', '?']);
    if let Some(part) = parts.iter().find(|part| part.contains("**") && **part != "**") {
        return Err((Fault::Glob(clip(text)), format!("write `**` as a component of its own instead of `{part}`")));
    }
    let first = parts.first().copied().unwrap_or_default();
    let names_something = first.contains(|character: char| character.is_alphanumeric());
    if wild(first) && (parts.len() > 1 || !names_something) {
        return Err((Fault::Unbounded(clip(text)), unbounded_fix()));
    }
    let own_state = first.eq_ignore_ascii_case(".git")
        || (first.eq_ignore_ascii_case(".ci-intel") && text != ".ci-intel/config.yml");
    if own_state {
        let fix = "leave it out; it holds state and keys, not source".to_owned();
        return Err((Fault::OwnState(clip(text)), fix));
    }
    matcher(text).map(drop).map_err(|_| (Fault::Glob(clip(text)), "write a path or a glob like `src/**`".to_owned()))
}

fn unbounded_fix() -> String {
    "name the directories and files that the build reads, like `src/**` and `Cargo.toml`".to_owned()
}

fn matcher(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(false).build()
}

/// The matcher of `build.context.include` and `build.outputs`: `*` and `?` stop at `/`; paths are relative to the root,
/// `/` separated. An empty list matches nothing.
///
/// # Errors
/// When a pattern is not a glob; validated ones are.
pub fn context_matcher(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(matcher(pattern)?);
    }
    set.build()
}

/// The image paths of `build.assemble.files` must differ.
pub(super) fn no_repeats(places: &[(&str, &Node, String)], sink: &mut Sink<'_>) {
    for (index, (text, node, suffix)) in places.iter().enumerate() {
        if places[..index].iter().any(|(earlier, ..)| earlier == text) {
            let reason = Reason::RepeatedEntry(clip(text));
            sink.refuse(node.place, suffix, reason, "give each file a path of its own");
        }
    }
}

fn is_control(character: char) -> bool {
    character.is_control()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_without_a_boundary_reject() {
        for text in [
            "",
            ".",
            "./",
            "/",
            "*",
            "**",
            "**/*",
            "*/**",
            "**/**",
            "?",
            "?*",
            "*.*",
            ".*",
            "**/src",
            "*/src",
            "a*/**",
            "{**,x}",
            "{a,b}/**",
            "[!a]*",
            "[a-z]*/**",
            "!x",
            "***",
            "src**",
            "a/**b",
            "?/**",
            "*?*",
            "-*",
            "**/*.rs",
        ] {
            assert!(bounded_pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_that_leave_the_repository_reject() {
        for text in ["..", "../x", "a/../b", "/etc/passwd", "./src/**", "a//b", "src/", "a\\b", "a/./b", "a\0b", "\n"] {
            assert!(bounded_pattern(text).is_err(), "{text}");
            assert!(relative(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_and_git_state_never_enter_a_context() {
        for text in [".git/**", ".git", ".GIT/config", ".ci-intel/**", ".ci-intel/keys/release.pem", ".ci-intel/*"] {
            assert!(matches!(bounded_pattern(text), Err((Fault::OwnState(_), _))), "{text}");
        }
        assert!(bounded_pattern(".ci-intel/config.yml").is_ok());
        assert!(bounded_pattern(".github/workflows/release.yml").is_ok());
    }

    #[test]
    fn bounded_patterns_pass() {
        for text in ["src/**", "Cargo.toml", "*.toml", "Cargo.*", "a/*/b", "a/**/*.rs", "a/b?.c", ".cargo/config.toml"]
        {
            assert_eq!(bounded_pattern(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn image_paths_are_absolute_and_normalised() {
        for text in ["/", "/app", "/usr/bin/app", "/a..b"] {
            assert!(absolute(text).is_ok(), "{text}");
        }
        for text in ["", "app", "./app", "/a/../b", "/a//b", "/a/", "//a", "/a/.", "/a\nb"] {
            assert!(absolute(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whatever is accepted never reaches below two top-level directories, and never takes all top-level files.
        #[test]
        fn an_accepted_pattern_has_a_boundary(text in "[ab*?/.{},!\\[\\]\\\\-]{0,9}") {
            if bounded_pattern(&text).is_ok() {
                let set = context_matcher(std::slice::from_ref(&text)).unwrap();
                let tops = ["a", "b", "aa", "ab", "ba", "c", "-", ".a", "zz"];
                let deep = tops.iter().filter(|top| {
                    ["a", "b", "c", "a/a", "a/b/c", "b/a", "c/c/c/c"].iter().any(|rest| set.is_match(format!("{top}/{rest}")))
                });
                prop_assert!(deep.count() <= 1, "reaches into several directories");
                prop_assert!(!["a", "b", "c", "-", "zz"].iter().all(|top| set.is_match(top)), "takes every top-level file");
            }
        }
    }
}
