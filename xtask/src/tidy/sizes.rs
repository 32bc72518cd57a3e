//! Files stay small, and names say what a thing is.

use crate::repo::{Repo, without_tests};

const MAX_LINES: usize = 500;
const BANNED: &[&str] = &["utils", "util", "manager", "helper", "helpers", "common", "imp", "misc"];

pub fn check(repo: &Repo) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, text) in repo.texts(|path| path.ends_with(".rs") || path.ends_with(".sh")) {
        let lines = if path.ends_with(".rs") { without_tests(text).len() } else { text.lines().count() };
        if lines > MAX_LINES && !repo.is_test(path) {
            failures.push(format!("{path}: {lines} lines without tests; past {MAX_LINES}, split along a real seam"));
        }
    }
    for path in repo.files.keys() {
        let stems = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        for stem in stems.filter(|stem| BANNED.contains(stem)) {
            failures.push(format!("{path}: `{stem}` says nothing; name it by what it holds"));
        }
    }
    for (path, text) in repo.texts(|path| path.ends_with(".rs")) {
        for (index, line) in text.lines().enumerate() {
            let inline = line.trim_start().trim_start_matches("pub ").strip_prefix("mod ");
            let name = inline.map(|rest| rest.trim_end_matches(['{', ';', ' ']));
            if let Some(name) = name.filter(|name| BANNED.contains(name)) {
                failures.push(format!("{path}:{}: module `{name}` says nothing; name it by what it holds", index + 1));
            }
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> usize {
        check(&Repo { files: [(path.to_owned(), Some(text.to_owned()))].into() }).len()
    }

    #[test]
    fn long_files_reject_but_their_tests_do_not_count() {
        let long = "fn a() {}\n".repeat(MAX_LINES + 1);
        assert_eq!(told("crates/a/src/x.rs", &long), 1);
        let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn b() {}\n".repeat(MAX_LINES));
        assert_eq!(told("crates/a/src/x.rs", &tested), 0);
    }

    #[test]
    fn empty_words_reject() {
        assert_eq!(told("crates/a/src/utils.rs", ""), 1);
        assert_eq!(told("crates/a/src/helpers/x.rs", ""), 1);
        assert_eq!(told("crates/a/src/x.rs", "pub mod common {"), 1);
        assert_eq!(told("crates/a/src/commonmark.rs", "mod importer;"), 0);
    }
}
