//! npm projects (npm, "package.json").

use std::collections::BTreeMap;

use ci_types::config::NpmTests;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Found;
use super::project::Project;
use crate::failure::Failure;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    name: Option<String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, IgnoredAny>,
}

pub(super) fn look(project: &Project, found: &mut Found) -> Result<(), Failure> {
    let text = project.text("package.json")?.unwrap_or_default();
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("package.json cannot be read: {error}")).fix("npm pkg fix"))?;
    let detected = &mut found.detected;
    if let Some(name) = &manifest.name {
        // A scope is an owner, as in image names: @org/app → org/app.
        detected.name = name.trim_start_matches('@').to_owned();
    }
    let script = manifest.scripts.get("test").map(String::as_str).unwrap_or_default();
    let uses = |runner: &str| script.contains(runner) || manifest.dev_dependencies.contains_key(runner);
    let node = match (manifest.dependencies.len(), manifest.dev_dependencies.len()) {
        (0, 0) => NpmTests::Node,
        _ => NpmTests::NodeWithPackages,
    };
    detected.npm_tests = match () {
        () if script.contains("node --test") => node,
        () if uses("vitest") => NpmTests::Vitest,
        () if uses("jest") => NpmTests::Jest,
        () if uses("mocha") => NpmTests::Mocha,
        () => node,
    };
    detected.include = project.include(&[], &|_| true);
    detected.service = true;
    if !project.has("package-lock.json") && !project.has("npm-shrinkwrap.json") {
        detected.include.push("package-lock.json".to_owned());
        found.todo.push(
            "there is no package-lock.json, which `npm ci` and the SBOM need: npm install --package-lock-only"
                .to_owned(),
        );
    }
    if manifest.dependencies.is_empty() {
        found.todo.push(
            "package.json names no dependencies: the SBOM is what the base image holds, and on an empty base that rejects"
                .to_owned(),
        );
    }
    super::dockerfile(project, found);
    Ok(())
}
