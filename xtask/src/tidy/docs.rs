//! What docs name exists: paths, links, make targets, xtask commands, crates. (`cli` checks what they say of ci-intel.)

use crate::repo::Repo;

/// Made by builds and runs; not in the repository.
const MADE: &[&str] = &["out", "target", ".ci-intel/state", ".ci-intel/keys"];

/// Something in code type: where and what.
#[derive(Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// 1-based line.
    pub line: usize,
    /// Text.
    pub text: &'a str,
    /// A line of a block that shows commands (`sh`, `text`, `console`); else a span in a sentence.
    pub block: Option<&'a str>,
}

/// Code of a Markdown document: spans in back-ticks, and lines of fenced blocks.
pub fn spans(text: &str) -> Vec<Span<'_>> {
    let mut out = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language.trim()) };
        } else if let Some(language) = fence {
            out.push(Span { line: index + 1, text: line.trim(), block: Some(language) });
        } else {
            let code = line.split('`').skip(1).step_by(2);
            out.extend(code.map(|text| Span { line: index + 1, text, block: None }));
        }
    }
    out
}

/// The command in a span, without prompt and comment.
pub fn command<'a>(span: &Span<'a>) -> Option<&'a str> {
    let shown = span.block.is_none_or(|language| ["sh", "text", "console"].contains(&language));
    let text = span.text.strip_prefix("$ ").unwrap_or(span.text).split(" #").next().unwrap_or_default().trim();
    (shown && !text.is_empty()).then_some(text)
}

pub fn check(repo: &Repo) -> Vec<String> {
    let mut failures = Vec::new();
    for (doc, text) in repo.texts(|path| path.ends_with(".md") && path != "LICENSE") {
        for span in spans(text) {
            let place = format!("{doc}:{}", span.line);
            if span.block.is_none() && is_path(repo, span.text) && !exists(repo, doc, span.text) {
                failures.push(format!("{place}: `{}` does not exist; correct or remove it", span.text));
            }
            let command = command(&span);
            if let Some(wrong) = command.and_then(|command| unknown(repo, command)) {
                failures.push(format!("{place}: `{}`: {wrong}", span.text));
            }
            let script = command.filter(|_| span.block.is_some()).and_then(|command| command.split_whitespace().next());
            if let Some(script) = script.filter(|script| is_path(repo, script) && !exists(repo, doc, script)) {
                failures.push(format!("{place}: `{script}` does not exist; correct or remove it"));
            }
        }
        for (index, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let path = target.split('#').next().unwrap_or_default();
                if !target.contains("://") && !path.is_empty() && !exists(repo, doc, path) {
                    failures.push(format!("{doc}:{}: link to {target} leads nowhere; correct or remove it", index + 1));
                }
            }
        }
    }
    failures.extend(readme_is_run(repo));
    failures
}

fn is_path(repo: &Repo, text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if !plain || !text.contains('/') || text.starts_with('/') || text.starts_with("./") {
        return false;
    }
    let first = text.split('/').next().unwrap_or_default();
    // What starts otherwise is a path of something else: inside an image, a bundle, another repository.
    repo.has(first) || text.ends_with(".rs") || text.ends_with(".sh")
}

fn exists(repo: &Repo, doc: &str, path: &str) -> bool {
    if MADE.iter().any(|made| path == *made || path.starts_with(&format!("{made}/"))) {
        return true;
    }
    // From the root, from the document's folder, or from any folder above it (an example has its own root).
    let mut folder = Some(doc);
    while let Some(above) = folder.map(|path| path.rsplit_once('/').map_or("", |(above, _)| above)) {
        let candidate = if above.is_empty() { path.to_owned() } else { format!("{above}/{path}") };
        if repo.has(&normalise(&candidate)) {
            return true;
        }
        folder = (!above.is_empty()).then_some(above);
    }
    false
}

fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Why a command cannot be run, where we can tell.
fn unknown(repo: &Repo, command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let makefile = repo.text("Makefile").unwrap_or_default();
    match words.as_slice() {
        ["make", targets @ ..] => targets
            .iter()
            .filter(|target| !target.contains('='))
            .find(|target| !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))))
            .map(|target| format!("the Makefile has no target {target}")),
        ["cargo", "xtask", name, ..] if !crate::COMMANDS.iter().any(|(known, ..)| known == name) => {
            Some(format!("xtask has no command {name}"))
        }
        ["cargo", _, "-p", name, ..] if !repo.has(&format!("crates/{name}")) && *name != "xtask" => {
            Some(format!("the workspace has no crate {name}"))
        }
        _ => None,
    }
}

/// Every command of the README is run: `make` by `.ci/run`, the rest by `cargo xtask readme`.
fn readme_is_run(repo: &Repo) -> Vec<String> {
    let (Some(readme), Some(ci)) = (repo.text("README.md"), repo.text(".ci/run")) else {
        return vec!["README.md or .ci/run is missing; restore it".to_owned()];
    };
    let runs = |command: &str| ci.lines().any(|line| line.split(" |").next().is_some_and(|run| run.trim() == command));
    let mut failures = Vec::new();
    for (line, command) in readme_commands(readme) {
        let by = if command.starts_with("make ") { command } else { "cargo xtask readme" };
        if !runs(by) {
            failures.push(format!("README.md:{line}: `{command}` is not run; add a line `{by}` to .ci/run"));
        }
    }
    failures
}

/// Lines of the README's `sh` blocks.
pub fn readme_commands(readme: &str) -> Vec<(usize, &str)> {
    spans(readme)
        .into_iter()
        .filter(|span| span.block == Some("sh"))
        .filter_map(|span| Some((span.line, command(&span)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(doc: &str) -> String {
        let files = [
            ("README.md", "```sh\nmake test\n```\n"),
            (".ci/run", "make test\n"),
            ("Makefile", "test: ## run\n"),
            ("docs/a/b.md", doc),
            ("docs/c.md", ""),
            ("crates/ci-types/src/lib.rs", ""),
        ];
        check(&Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() }).join("\n")
    }

    #[test]
    fn what_exists_passes() {
        for doc in [
            "see `crates/ci-types/src` and `docs/c.md`, [c](../c.md#part), [web](https://example.org/x)",
            "`make test`, `cargo xtask tidy`, `cargo test -p ci-types digest`",
            "images like `org/app`, `127.0.0.1:5000/org/app`, `out/demo/report.html`, `src/**`",
            "```sh\nmake test # all of it\n```",
            "```rust\nmake nothing\n```",
        ] {
            assert_eq!(told(doc), "", "{doc}");
        }
    }

    #[test]
    fn what_does_not_exist_rejects_with_its_place() {
        for doc in [
            "\nsee `crates/ci-gone/src`",
            "\n`docs/gone.md`",
            "\n[c](gone.md)",
            "\n`make gone`",
            "\n`cargo xtask gone`",
            "\n`cargo test -p ci-gone`",
            "```sh\nscripts/gone.sh now\n```",
        ] {
            assert!(told(doc).starts_with("docs/a/b.md:2: "), "{doc}: {}", told(doc));
        }
    }

    #[test]
    fn a_readme_command_that_nothing_runs_rejects() {
        let files =
            [("README.md", "```sh\nmake demo\nci-intel init\n```\n"), (".ci/run", "make demo-not\nmake test\n")];
        let repo = Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() };
        assert_eq!(readme_is_run(&repo).len(), 2);
    }
}
