//! `cargo xtask eval zoo`: every case of tests/zoo/README.md with the test that shows ours, run.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::bail;

use crate::repo::{Repo, root, table};

const DOC: &str = "tests/zoo/README.md";

/// One case.
#[derive(Debug, PartialEq, Eq)]
struct Case {
    id: String,
    /// The issue that will reach it.
    issue: String,
    /// Crates that have its test, by the name `zoo_<id>`.
    crates: BTreeSet<String>,
}

impl Case {
    fn test(&self) -> String {
        test_name(&self.id)
    }
}

fn test_name(id: &str) -> String {
    format!("zoo_{}", id.replace('-', "_"))
}

pub fn run(args: &[String]) -> anyhow::Result<bool> {
    if args != ["zoo"] {
        bail!("usage: cargo xtask eval zoo");
    }
    let repo = Repo::read()?;
    let (cases, strays) = cases(&repo);
    if cases.is_empty() {
        bail!("{DOC}: no table that starts with `| id |`; restore it");
    }
    let mut passed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in cases.iter().flat_map(|case| &case.crates).collect::<BTreeSet<_>>() {
        eprintln!("zoo: cargo test -p {name} zoo_");
        let output = Command::new("cargo")
            .args(["test", "--locked", "--no-fail-fast", "-p", name, "zoo_"])
            .current_dir(root())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = passing(&text);
        if names.is_empty() {
            // It did not build, or nothing ran: the cases below fail, and this tells why.
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
        passed.insert(name.clone(), names);
    }
    let (mut reached, mut good) = (0, 0);
    for case in &cases {
        let test = case.test();
        let state = if case.crates.is_empty() {
            format!("not reached yet (issue {})", case.issue)
        } else {
            reached += 1;
            let pass = case.crates.iter().all(|name| passed.get(name).is_some_and(|names| names.contains(&test)));
            good += usize::from(pass);
            let places: Vec<String> = case.crates.iter().map(|name| format!("{name}::{test}")).collect();
            format!("{} {}", if pass { "passed" } else { "FAILED" }, places.join(", "))
        };
        println!("{:<36} {state}", case.id);
    }
    for stray in &strays {
        println!("{stray}: no such id in {DOC}; add its row");
    }
    println!("zoo: reached={reached} passed={good} not_reached={}", cases.len() - reached);
    Ok(good == reached && strays.is_empty())
}

/// The cases of the table, and tests named for a case that is not there.
fn cases(repo: &Repo) -> (Vec<Case>, Vec<String>) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in repo.texts(|path| path.starts_with("crates/") && path.ends_with(".rs")) {
        let Some(name) = path.split('/').nth(1) else { continue };
        for line in text.lines() {
            let function = line.trim_start().trim_start_matches("async ").strip_prefix("fn ");
            if let Some(test) = function.and_then(|rest| rest.split('(').next()).filter(|test| test.starts_with("zoo_"))
            {
                found.entry(test.to_owned()).or_default().insert(name.to_owned());
            }
        }
    }
    let rows = table(repo.text(DOC).unwrap_or_default(), "id").into_iter().filter(|row| row.len() == 4);
    let cases: Vec<Case> = rows
        .map(|row| {
            let crates = found.remove(&test_name(&row[0])).unwrap_or_default();
            Case { id: row[0].clone(), issue: row[3].clone(), crates }
        })
        .collect();
    (cases, found.into_keys().collect())
}

/// Names (last path segment) of the tests that libtest says are ok.
fn passing(output: &str) -> BTreeSet<String> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"))
        .map(|path| path.rsplit("::").next().unwrap_or(path).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_by_name() {
        let files = [
            (DOC, "| id | a | b | issue |\n|---|---|---|---|\n| x-exit-0 | e | o | 2 |\n| y | e | o | 6 |\n"),
            ("crates/ci-cli/tests/it/main.rs", "    #[test]\n    fn zoo_x_exit_0() {}\n    fn zoo_lost() {}\n"),
        ];
        let (cases, strays) =
            cases(&Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() });
        assert_eq!(cases[0].crates, BTreeSet::from(["ci-cli".to_owned()]));
        assert_eq!((cases[1].crates.len(), cases[1].issue.as_str()), (0, "6"));
        assert_eq!(strays, ["zoo_lost"]);
    }

    #[test]
    fn only_ok_counts_as_passed() {
        let output = "test a::zoo_x ... ok\ntest zoo_y ... FAILED\ntest zoo_z ... ignored\nzoo_w ... ok\n";
        assert_eq!(passing(output), BTreeSet::from(["zoo_x".to_owned()]));
    }

    #[test]
    fn every_row_of_the_zoo_is_complete() {
        let repo = Repo::read().unwrap();
        let rows = table(repo.text(DOC).unwrap(), "id");
        assert!(rows.len() >= 26, "{}", rows.len());
        for row in rows {
            assert!(
                row.len() == 4 && row.iter().all(|cell| !cell.is_empty()) && row[3].parse::<u32>().is_ok(),
                "{row:?}"
            );
        }
    }
}
