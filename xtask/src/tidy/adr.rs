//! Decision records: `docs/adr/NNNN-words.md`, each number once, with a title.

use std::collections::BTreeMap;

use crate::repo::Repo;

pub fn check(repo: &Repo) -> Vec<String> {
    let mut failures = Vec::new();
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, text) in repo.texts(|path| path.starts_with("docs/adr/") && !path.ends_with("README.md")) {
        let name = path.trim_start_matches("docs/adr/");
        let (number, rest) = name.split_at_checked(4).unwrap_or((name, ""));
        if !number.bytes().all(|byte| byte.is_ascii_digit()) || !rest.starts_with('-') || !rest.ends_with(".md") {
            failures.push(format!("{path}: name it NNNN-words.md"));
            continue;
        }
        if let Some(other) = numbers.insert(number, path) {
            failures.push(format!("{path}: {other} has the same number; take the next free one"));
        }
        if !text.starts_with("# ") {
            failures.push(format!("{path}: start with the decision as the title: `# …`"));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_titles_there() {
        let whole = "# 1. Do it\n";
        let files = [("docs/adr/0001-a.md", whole), ("docs/adr/0001-b.md", "Context"), ("docs/adr/x.md", "")];
        let text = check(&Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() })
            .join("\n");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("same number") && text.contains("name it NNNN"), "{text}");
    }
}
