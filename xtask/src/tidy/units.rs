//! A unit of extension is one file named by its id, one line in an `all()` list, one reference page, and cases.

use crate::repo::{Repo, without_tests};

/// A kind of unit.
struct Kind {
    name: &'static str,
    /// Folder of the sources; `mod.rs` there holds the list `all()` or `ALL`.
    source: &'static str,
    /// Folder of the pages.
    pages: &'static str,
    /// Folder of integration tests where cases may live, besides the source's own test module.
    cases: &'static str,
    /// Without `all()` list and with sources that are no unit: only pages that exist are compared with their sources.
    listed: bool,
    /// The page names every code in the source: a string of words joined by `-`.
    codes: bool,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "gate",
        source: "crates/ci-policy/src/gates",
        pages: "docs/reference/gates",
        cases: "crates/ci-policy/tests",
        listed: true,
        codes: true,
    },
    Kind {
        name: "verifier",
        source: "crates/ci-evidence/src/verifiers",
        pages: "docs/reference/verifiers",
        // Only a whole release and its decision show what a verifier lets through.
        cases: "crates/ci-policy/tests",
        listed: true,
        codes: false,
    },
    Kind {
        name: "format",
        source: "crates/ci-formats/src",
        pages: "docs/reference/formats",
        cases: "crates/ci-formats/tests",
        listed: false,
        codes: false,
    },
];

pub fn check(repo: &Repo) -> Vec<String> {
    KINDS.iter().flat_map(|kind| check_kind(repo, kind)).collect()
}

fn check_kind(repo: &Repo, kind: &Kind) -> Vec<String> {
    // Not built yet.
    if !repo.has(kind.source) {
        return Vec::new();
    }
    let Kind { name, source, pages, cases, .. } = kind;
    let mut failures = Vec::new();
    let units = units(repo, kind);
    for page in repo.texts(|path| path.starts_with(&format!("{pages}/")) && path.ends_with(".md")).map(|(path, _)| path)
    {
        let id = page.trim_start_matches(pages).trim_matches('/').trim_end_matches(".md");
        if id != "README" && !units.iter().any(|(stem, _)| stem.replace('_', "-") == id) {
            failures.push(format!("{page}: there is no {name} `{id}` in {source}; rename or remove the page"));
        }
    }
    if !kind.listed {
        return failures;
    }
    let list = list(repo.text(&format!("{source}/mod.rs")).unwrap_or_default());
    if list.is_empty() {
        failures.push(format!("{source}/mod.rs: no `all()` or `ALL` list; add one that names every {name} in order"));
    }
    for (stem, files) in units {
        let id = stem.replace('_', "-");
        let place = &files[0].0;
        if !words(&list).any(|word| word == stem) {
            failures.push(format!("{place}: {name} `{id}` is not in `all()` of {source}/mod.rs; add its line"));
        }
        let page = format!("{pages}/{id}.md");
        match repo.text(&page) {
            None => failures.push(format!("{place}: {name} `{id}` has no page; write {page}")),
            Some(text) if kind.codes => {
                let codes = files.iter().flat_map(|(_, source)| codes(source)).filter(|code| *code != id);
                let lost = codes.filter(|code| !text.contains(&format!("`{code}`")));
                failures.extend(lost.map(|code| format!("{page}: does not explain `{code}`; say when it comes")));
            }
            Some(_) => {}
        }
        let own_tests = files.iter().any(|(_, text)| text.contains("#[test]") || text.contains("proptest!"));
        let named = |text: &str| words(text).any(|word| word == stem) || text.contains(&format!("\"{id}"));
        let mut integration = repo.texts(|path| path.starts_with(&format!("{cases}/")) && path.ends_with(".rs"));
        if !own_tests && !integration.any(|(_, text)| text.contains("#[test]") && named(text)) {
            failures
                .push(format!("{place}: {name} `{id}` has no case; test it there, or name it in a test of {cases}"));
        }
    }
    failures
}

/// Units by stem, each with its files.
fn units<'a>(repo: &'a Repo, kind: &Kind) -> Vec<(String, Vec<(&'a str, &'a str)>)> {
    let mut units: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
    for (path, text) in repo.texts(|path| path.starts_with(&format!("{}/", kind.source)) && path.ends_with(".rs")) {
        let below = &path[kind.source.len() + 1..];
        let stems: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        // A listed unit is a file or folder directly below; a format may lie deeper.
        let stem = if kind.listed {
            stems[0]
        } else {
            stems.iter().rev().find(|stem| **stem != "mod").copied().unwrap_or("mod")
        };
        // The registry itself, and tests in a file of their own. (`tests` can be the id of a gate.)
        if below == "mod.rs" || repo.is_test(path) {
            continue;
        }
        match units.iter_mut().find(|(known, _)| known == stem) {
            Some((_, files)) => files.push((path, text)),
            None => units.push((stem.to_owned(), vec![(path, text)])),
        }
    }
    units
}

/// The text of `fn all() … { … }` or `ALL … = … ;`.
fn list(text: &str) -> String {
    text.lines()
        .skip_while(|line| !line.contains("fn all(") && !line.contains(" ALL:"))
        .scan(false, |done, line| {
            if *done {
                return None;
            }
            // One line, or the first line that closes at the left margin.
            *done = line.starts_with('}') || line.starts_with(']') || line.ends_with("];");
            Some(line)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Codes of reasons in a source, outside its tests.
fn codes(source: &str) -> impl Iterator<Item = &str> {
    let strings = without_tests(source).into_iter().flat_map(|(_, line)| line.split('"').skip(1).step_by(2));
    strings.filter(|text| {
        text.contains('-')
            && text.split('-').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> String {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect();
        check(&Repo { files }).join("\n")
    }

    const MOD: &str =
        "mod tests_pass;\npub fn all() -> Vec<Gate> {\n    vec![tests_pass::GATE]\n}\nfn other() { lost }\n";

    #[test]
    fn a_whole_unit_passes() {
        let files = [
            ("crates/ci-policy/src/gates/mod.rs", MOD),
            ("crates/ci-policy/src/gates/tests_pass.rs", "#[test]"),
            ("docs/reference/gates/tests-pass.md", ""),
        ];
        assert_eq!(told(&files), "");
    }

    #[test]
    fn each_missing_part_rejects() {
        let text = told(&[("crates/ci-policy/src/gates/mod.rs", MOD), ("crates/ci-policy/src/gates/lost.rs", "")]);
        for part in ["`lost` is not in `all()`", "`lost` has no page", "`lost` has no case"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_code_that_the_page_does_not_explain_rejects() {
        let files = [
            ("crates/ci-policy/src/gates/mod.rs", MOD),
            (
                "crates/ci-policy/src/gates/tests_pass.rs",
                "#[test]\ndeny(\"too-few\", \"too few, well-known\", \"all-well\")",
            ),
            ("docs/reference/gates/tests-pass.md", "`too-few`"),
        ];
        assert!(
            told(&files).contains("does not explain `all-well`") && !told(&files).contains("too-few"),
            "{}",
            told(&files)
        );
    }

    #[test]
    fn a_page_without_source_rejects() {
        let text = told(&[("crates/ci-formats/src/junit.rs", ""), ("docs/reference/formats/xunit.md", "")]);
        assert!(text.contains("there is no format `xunit`"), "{text}");
    }

    #[test]
    fn a_registry_without_list_rejects() {
        assert!(told(&[("crates/ci-evidence/src/verifiers/mod.rs", "mod a;")]).contains("no `all()`"));
    }
}
