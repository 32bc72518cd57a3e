//! What docs, scripts and the example say of `ci-intel`, against the program's own help.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::docs::{command, spans};
use crate::repo::{Repo, capture, root};

/// One command: what may follow it.
#[derive(Debug, Default)]
struct Surface {
    commands: BTreeSet<String>,
    flags: BTreeSet<String>,
}

/// Builds the program, asks it, and compares.
pub fn failures(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let root = root();
    capture(&root, "cargo", &["build", "--quiet", "--locked", "--package", "ci-cli"])?;
    let program = crate::bench::program(&root, "debug");
    let mut surfaces = BTreeMap::new();
    ask(&program, &mut Vec::new(), &mut surfaces)?;
    if surfaces[""].commands.is_empty() {
        bail!("{} --help names no commands", program.display());
    }
    Ok(compare(repo, &surfaces))
}

fn ask(program: &Path, path: &mut Vec<String>, surfaces: &mut BTreeMap<String, Surface>) -> anyhow::Result<()> {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help =
        capture(Path::new("."), &program.display().to_string(), &args).context("ci-intel does not explain itself")?;
    let surface = parse(&help);
    let commands = surface.commands.clone();
    surfaces.insert(path.join(" "), surface);
    for name in commands.into_iter().filter(|name| name != "help") {
        path.push(name);
        ask(program, path, surfaces)?;
        path.pop();
    }
    Ok(())
}

/// Reads clap's help: names below `Commands:`, flags at the start of other indented lines.
fn parse(help: &str) -> Surface {
    let mut surface = Surface::default();
    let mut section = "";
    for line in help.lines() {
        if !line.starts_with(' ') {
            section = line.trim();
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        let first = line.split_whitespace().next().unwrap_or_default();
        if section == "Commands:" && depth == 2 {
            surface.commands.insert(first.to_owned());
        } else if first.starts_with('-') {
            let head = line.trim().split("  ").next().unwrap_or_default();
            let names = head.split([' ', ',', '=', '[', '<']).filter(|word| word.starts_with('-'));
            surface.flags.extend(names.map(str::to_owned));
        }
    }
    surface
}

fn compare(repo: &Repo, surfaces: &BTreeMap<String, Surface>) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, text) in repo.texts(|path| path.ends_with(".md")) {
        for span in spans(text) {
            let Some(rest) = command(&span).and_then(|command| command.strip_prefix("ci-intel ")) else { continue };
            if let Some(wrong) = unknown(rest, surfaces) {
                failures.push(format!("{path}:{}: `ci-intel {rest}`: {wrong}; see its --help", span.line));
            }
        }
    }
    failures
}

fn unknown(rest: &str, surfaces: &BTreeMap<String, Surface>) -> Option<String> {
    let mut path = String::new();
    let mut operand = false;
    for word in rest.split_whitespace().take_while(|word| !["|", ">", "&&", "||", ";"].contains(word)) {
        let surface = surfaces.get(&path)?;
        if word.starts_with('-') && word.len() > 1 {
            let flag = word.split(['=', '|']).next().unwrap_or(word);
            let known = surface.flags.contains(flag) || surfaces.get("").is_some_and(|root| root.flags.contains(flag));
            if !known {
                return Some(format!("`ci-intel {path}` has no flag {flag}"));
            }
            // What follows may be its value.
            operand = true;
        } else if surface.commands.contains(word) {
            if !path.is_empty() {
                path.push(' ');
            }
            path.push_str(word);
            operand = false;
        } else if !operand && !surface.commands.is_empty() && !word.contains('|') {
            return Some(format!("`ci-intel {path}` has no command {word}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the shape that clap 4 prints.
    const ROOT: &str = "Releases\n\nUsage: ci-intel [OPTIONS] <COMMAND>\n\nCommands:\n  release  Release\n  evidence  Look\n  help     Help\n\nOptions:\n  -v, --verbose...     More\n      --format <FORMAT>  How [possible values: text, json]\n  -h, --help  Help\n";
    const RELEASE: &str =
        "Usage: ci-intel release [OPTIONS]\n\nOptions:\n      --env <ENV>\n          Where, not --nowhere\n";

    fn told(rest: &str) -> Option<String> {
        let mut evidence = Surface::default();
        evidence.commands.insert("show".to_owned());
        let surfaces = [
            (String::new(), parse(ROOT)),
            ("release".to_owned(), parse(RELEASE)),
            ("evidence".to_owned(), evidence),
            ("evidence show".to_owned(), Surface::default()),
        ];
        unknown(rest, &surfaces.into())
    }

    #[test]
    fn what_the_help_names_passes() {
        for rest in
            ["release", "release --env local", "release --env=local --format json", "-v release", "evidence show FILE"]
        {
            assert_eq!(told(rest), None, "{rest}");
        }
    }

    #[test]
    fn what_it_does_not_name_rejects() {
        for rest in ["deploy", "release --force", "release --nowhere", "evidence burn", "--quiet"] {
            assert!(told(rest).is_some(), "{rest}");
        }
    }
}
