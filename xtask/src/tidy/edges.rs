//! Crate edges against the table "Crates" of docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

use crate::repo::{Repo, capture, root, table};

const DOC: &str = "docs/ARCHITECTURE.md";
/// Crates with an effect that a pure crate must not link, whatever it does with it.
const IMPURE: &[&str] = &["async-std", "getrandom", "rand", "reqwest", "rustix", "tempfile", "tokio", "ureq", "uuid"];

/// Asks cargo and compares.
pub fn failures(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let json = capture(&root(), "cargo", &["metadata", "--format-version", "1", "--locked", "--no-deps"])?;
    let metadata = serde_json::from_str(&json).context("cargo metadata is not JSON")?;
    Ok(compare(repo.text(DOC).unwrap_or_default(), &metadata))
}

struct Row {
    /// `None`: any.
    allowed: Option<BTreeSet<String>>,
    pure: bool,
}

fn rows(text: &str) -> BTreeMap<String, Row> {
    let full =
        |name: &str| if name.starts_with("ci-") || name == "xtask" { name.to_owned() } else { format!("ci-{name}") };
    table(text, "crate")
        .into_iter()
        .filter(|row| row.len() == 4)
        .map(|row| {
            let allowed = match row[2].as_str() {
                "any" => None,
                list => {
                    Some(list.split(',').map(str::trim).filter(|name| !["", "–"].contains(name)).map(full).collect())
                }
            };
            (row[0].clone(), Row { allowed, pure: row[3] == "none" })
        })
        .collect()
}

fn compare(text: &str, metadata: &Value) -> Vec<String> {
    let rows = rows(text);
    if rows.is_empty() {
        return vec![format!("{DOC}: no table that starts with `| crate |`; restore it")];
    }
    let mut failures = Vec::new();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for gone in rows.keys().filter(|name| !names.contains(name.as_str())) {
        failures.push(format!("{DOC}: crate {gone} is not in the workspace; remove its row"));
    }
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(row) = rows.get(name) else {
            failures.push(format!("{DOC}: crate {name} has no row; say what it holds and what it may depend on"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let dev = dependency["kind"] == "dev";
            let place = format!("{}: {name} -> {target}", manifest(name));
            if row.pure && !dev && IMPURE.contains(&target) {
                failures
                    .push(format!("{place}: a pure crate must not link it; move the effect to the crate that has it"));
            }
            if target == "ci-testkit" && !dev && name != "xtask" {
                failures.push(format!("{place}: ci-testkit is for tests; move it to [dev-dependencies]"));
            }
            // Tests may start whatever they need, but nothing may link a crate that its row does not list.
            let allowed =
                dev || !names.contains(target) || row.allowed.as_ref().is_none_or(|list| list.contains(target));
            if !allowed {
                failures.push(format!("{place}: {DOC} does not allow this edge; remove it or change the design there"));
            }
        }
    }
    failures
}

fn manifest(name: &str) -> String {
    if name == "xtask" { "xtask/Cargo.toml".to_owned() } else { format!("crates/{name}/Cargo.toml") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "| crate | holds | may depend on | effects |\n|---|---|---|---|\n| `ci-a` | x | – | none |\n| `ci-b` | x | a | files |\n";

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let list: Vec<Value> = dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": list })
    }

    fn told(packages: &[Value]) -> String {
        compare(TABLE, &json!({ "packages": packages })).join("\n")
    }

    #[test]
    fn listed_edges_pass() {
        assert_eq!(told(&[package("ci-a", &[("serde", None)]), package("ci-b", &[("ci-a", None)])]), "");
    }

    #[test]
    fn an_edge_that_is_not_listed_rejects() {
        let text = told(&[package("ci-a", &[("ci-b", None)]), package("ci-b", &[])]);
        assert!(text.contains("ci-a -> ci-b") && text.contains("does not allow"), "{text}");
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_reject() {
        let text = told(&[package("ci-a", &[]), package("ci-c", &[])]);
        assert!(text.contains("ci-c has no row") && text.contains("ci-b is not in the workspace"), "{text}");
    }

    #[test]
    fn a_pure_crate_may_not_link_effects_but_its_tests_may() {
        assert!(told(&[package("ci-a", &[("tokio", None)]), package("ci-b", &[])]).contains("pure crate"));
        assert_eq!(told(&[package("ci-a", &[("tempfile", Some("dev"))]), package("ci-b", &[("tokio", None)])]), "");
    }

    #[test]
    fn a_missing_table_rejects() {
        assert_eq!(compare("", &json!({ "packages": [] })).len(), 1);
    }
}
