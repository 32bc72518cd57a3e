//! Include patterns: globs and literal paths, each with a boundary.

use std::collections::BTreeSet;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::ContextError;

/// Names that no repository has: a pattern that matches one of them matches about everything.
const STRANGERS: [&str; 4] = ["zq7wv", "zq7wv.x9k", "zq7wv/u3", "zq7wv/u3/p.x9k"];

pub(super) struct Patterns {
    texts: Vec<String>,
    /// Two globs for each text: itself, and everything below it.
    set: GlobSet,
}

impl Patterns {
    pub(super) fn new(include: &[String]) -> Result<Self, ContextError> {
        if include.is_empty() {
            return Err(ContextError::Empty);
        }
        let mut builder = GlobSetBuilder::new();
        for pattern in include {
            let bad = |detail: &str| ContextError::BadPattern { pattern: pattern.clone(), detail: detail.to_owned() };
            let plain = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
            if plain.is_empty() || plain == "." {
                return Err(ContextError::Unbounded { pattern: pattern.clone() });
            }
            if plain.starts_with('/') || plain.split('/').any(|part| part == "..") {
                return Err(bad("it must be relative to the repository and stay inside it"));
            }
            if plain.starts_with('!') {
                return Err(bad("negation is not supported; name what belongs to the context"));
            }
            if plain == ".git" || plain.starts_with(".git/") {
                return Err(bad("git's own directory is never part of a context"));
            }
            let this = glob(plain).map_err(|error| bad(error.kind().to_string().as_str()))?;
            let matcher = this.compile_matcher();
            if STRANGERS.iter().any(|path| matcher.is_match(path)) {
                return Err(ContextError::Unbounded { pattern: pattern.clone() });
            }
            // Only a literal directory means its tree; `a*` must not take in `abc/deep/file`.
            let literal = !plain.contains(['*', '?', '[', '{', '\\']);
            let below = if literal { glob(&format!("{plain}/**")) } else { glob(plain) };
            builder.add(this).add(below.map_err(|error| bad(error.kind().to_string().as_str()))?);
        }
        let set = builder.build().map_err(|error| ContextError::BadPattern {
            pattern: error.glob().unwrap_or_default().to_owned(),
            detail: error.kind().to_string(),
        })?;
        Ok(Self { texts: include.to_vec(), set })
    }

    /// Indexes of the patterns that match a path.
    pub(super) fn matches(&self, path: &[u8]) -> Vec<usize> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path));
        self.set.matches(path).into_iter().map(|index| index / 2).collect()
    }

    /// The first pattern that is not in `used`.
    pub(super) fn unused(&self, used: &BTreeSet<usize>) -> Option<&str> {
        self.texts.iter().enumerate().find(|(index, _)| !used.contains(index)).map(|(_, text)| text.as_str())
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn matched(pattern: &str, path: &str) -> bool {
        !Patterns::new(&[pattern.to_owned()]).unwrap().matches(path.as_bytes()).is_empty()
    }

    #[test]
    fn patterns_match_as_documented() {
        for (pattern, path, expected) in [
            ("src", "src/a/b.rs", true),
            ("src/", "src/a.rs", true),
            ("./src", "src/a.rs", true),
            ("src", "src2/a.rs", false),
            ("src/*", "src/a/b.rs", false),
            ("src/**", "src/a/b.rs", true),
            ("**/*.rs", "a/b/c.rs", true),
            ("*.toml", "Cargo.toml", true),
            ("*.toml", "a/Cargo.toml", false),
            ("cr*", "crates/a.rs", false),
            ("Cargo.toml", "Cargo.toml", true),
        ] {
            assert_eq!(matched(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_without_a_boundary_reject() {
        for pattern in [
            "", ".", "./", "/", "*", "**", "**/*", "?*", "*/**", "*.*", "{*,**}", "**/**", "[!.]*", "**/?*", "{src,**}",
        ] {
            let result = Patterns::new(&[pattern.to_owned()]);
            assert!(matches!(result, Err(ContextError::Unbounded { .. })), "{pattern}");
        }
        assert!(matches!(Patterns::new(&[]), Err(ContextError::Empty)));
    }

    #[test]
    fn patterns_that_leave_the_repository_reject() {
        for pattern in ["/etc/passwd", "../x", "src/../../x", "!src", ".git/config", "a["] {
            assert!(matches!(Patterns::new(&[pattern.to_owned()]), Err(ContextError::BadPattern { .. })), "{pattern}");
        }
    }
}
