//! The repository's own rules. Each check returns failures that name the place and what to do.

mod adr;
mod cli;
mod docs;
mod edges;
mod purity;
mod secrets;
mod sizes;
mod units;

pub use docs::readme_commands;

use crate::repo::Repo;

/// A rule: what holds when it passes, and how to find what breaks it.
type Rule = (&'static str, fn(&Repo) -> Vec<String>);

/// The rules that need nothing but the files.
const CHECKS: &[Rule] = &[
    ("pure crates stay pure", purity::check),
    ("units of extension have source, registration, page and cases", units::check),
    ("files and names", sizes::check),
    ("docs name what exists", docs::check),
    ("decision records", adr::check),
    ("no secrets", secrets::check),
];

/// `cargo xtask tidy`
pub fn run(_: &[String]) -> anyhow::Result<bool> {
    let repo = Repo::read()?;
    let mut results: Vec<(&str, Vec<String>)> =
        vec![("crate edges match docs/ARCHITECTURE.md", edges::failures(&repo)?)];
    results.extend(CHECKS.iter().map(|(name, check)| (*name, check(&repo))));
    results.push(("docs name commands and flags of ci-intel that exist", cli::failures(&repo)?));
    let mut failed = 0;
    for (name, failures) in &results {
        println!("{} {name}", if failures.is_empty() { "ok  " } else { "FAIL" });
        for failure in failures {
            println!("     {failure}");
            failed += 1;
        }
    }
    println!("tidy: {} checks, {failed} failures", results.len());
    Ok(failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repo = Repo::read().unwrap();
        let mut failures = edges::failures(&repo).unwrap();
        failures.extend(CHECKS.iter().flat_map(|(_, check)| check(&repo)));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
