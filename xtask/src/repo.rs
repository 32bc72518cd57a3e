//! The repository as the checks see it: the files that git knows or would add, and small readers for what is in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Files by path, `/` separated and relative to the root. Binary files have no text.
#[derive(Debug, Default)]
pub struct Repo {
    /// Text of each file.
    pub files: BTreeMap<String, Option<String>>,
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Runs a program in `dir` and returns what it printed; its failure is ours.
pub fn capture(dir: &Path, program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}\n{}", args.join(" "), output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Repo {
    /// Reads the working tree.
    pub fn read() -> anyhow::Result<Self> {
        let root = root();
        let list = capture(&root, "git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut files = BTreeMap::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // Removed but not yet committed: listed, not there.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files.insert(path.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        if files.is_empty() {
            bail!("git lists no files below {}", root.display());
        }
        Ok(Self { files })
    }

    /// Text files whose path fits.
    pub fn texts(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| fits(path))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether `path` is a file or a folder with files.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.contains_key(path)
            || self
                .files
                .range(format!("{path}/")..)
                .next()
                .is_some_and(|(next, _)| next.starts_with(&format!("{path}/")))
    }
}

impl Repo {
    /// Whether a Rust file is for tests only: an integration test, or a module that its parent declares under `#[cfg(test)]`.
    pub fn is_test(&self, path: &str) -> bool {
        let Some((folder, file)) = path.rsplit_once('/') else { return false };
        let stem = file.trim_end_matches(".rs");
        let (owner, name) =
            if stem == "mod" { folder.rsplit_once('/').unwrap_or((folder, "")) } else { (folder, stem) };
        let parents =
            [format!("{owner}/mod.rs"), format!("{owner}/lib.rs"), format!("{owner}/main.rs"), format!("{owner}.rs")];
        let declared = |text: &str| {
            let mut armed = false;
            text.lines().map(str::trim).any(|line| {
                let declares = armed
                    && line.trim_start_matches("pub(crate) ").trim_start_matches("pub ") == format!("mod {name};");
                armed = line == "#[cfg(test)]" || (armed && line.starts_with("#["));
                declares
            })
        };
        let integration = path.split_once("/tests/").is_some_and(|(owner, _)| self.has(&format!("{owner}/Cargo.toml")));
        integration || parents.iter().filter_map(|parent| self.text(parent)).any(declared)
    }
}

/// The rows of the first Markdown table whose header starts with `first_column`; cells trimmed, one level of back-ticks removed.
pub fn table(text: &str, first_column: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    text.lines()
        .skip_while(|line| !(line.starts_with('|') && cells(line)[0] == first_column))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// Lines of a Rust file with their 1-based numbers, without its `#[cfg(test)]` modules.
pub fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let opens = |next: &str| next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{');
        if line.trim() == "#[cfg(test)]" {
            // Attributes such as `#[allow(…)]` may stand between.
            while lines.peek().is_some_and(|(_, next)| next.trim_start().starts_with("#[")) {
                lines.next();
            }
            if lines.peek().is_some_and(|(_, next)| opens(next)) {
                let indent = line.len() - line.trim_start().len();
                let end = format!("{}}}", " ".repeat(indent));
                lines.by_ref().find(|(_, next)| *next == end);
            }
            continue;
        }
        out.push((index + 1, line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_cut_and_numbers_stay() {
        let text = "a\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() {\n    }\n}\nc\n";
        assert_eq!(without_tests(text), [(1, "a"), (8, "c")]);
        assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nc"), [(2, "mod tests;"), (3, "c")]);
    }

    #[test]
    fn test_modules_are_known_by_their_declaration() {
        let files = [
            ("crates/a/Cargo.toml", ""),
            ("crates/a/tests/it/x.rs", ""),
            ("crates/a/src/lib.rs", "#[cfg(test)]\n#[allow(x)]\nmod law;\nmod tests;\n"),
            ("crates/a/src/law.rs", ""),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/src/junit.rs", "#[cfg(test)]\nmod tests;"),
            ("crates/a/src/junit/tests.rs", ""),
        ];
        let repo = Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() };
        let tests: Vec<&str> = repo.texts(|path| repo.is_test(path)).map(|(path, _)| path).collect();
        assert_eq!(tests, ["crates/a/src/junit/tests.rs", "crates/a/src/law.rs", "crates/a/tests/it/x.rs"]);
    }

    #[test]
    fn tables_are_found_by_their_first_column() {
        let text = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| id | c |\n|---|---|\n| `x` | y z |\n| w | |\n\ntext";
        assert_eq!(table(text, "id"), [["x", "y z"], ["w", ""]]);
        assert!(table(text, "none").is_empty());
    }
}
