//! Go modules: the package `main` that makes the program (The Go Programming Language Specification, "Program execution").

use std::collections::BTreeSet;

use super::Found;
use super::project::Project;
use crate::failure::Failure;

pub(super) fn look(project: &Project, found: &mut Found) -> Result<(), Failure> {
    let text = project.text("go.mod")?.unwrap_or_default();
    let module = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("module"))
        .map(|rest| rest.split("//").next().unwrap_or_default().trim().trim_matches('"').to_owned())
        .filter(|module| !module.is_empty())
        .ok_or_else(|| Failure::usage("go.mod names no module").fix("go mod init NAME"))?;
    let mains = mains(project)?;
    let Some(chosen) = mains.iter().next() else {
        return Err(Failure::usage(format!(
            "module {module} has no package `main`: there is nothing that an image could start"
        ))
        .fix("add one, for example in cmd/NAME/main.go, or run ci-intel init where the service is"));
    };
    if mains.len() > 1 {
        let others: Vec<&str> = mains.iter().skip(1).map(String::as_str).collect();
        found.todo.push(format!("an image starts one program: `{chosen}` was taken, not {}", others.join(", ")));
    }
    let name = last_element(&module);
    let program = match chosen.rsplit_once('/') {
        Some((_, folder)) => folder.to_owned(),
        None => name.clone(),
    };
    let detected = &mut found.detected;
    detected.name = name;
    detected.target = Some(chosen.clone());
    let source = |path: &str| path.ends_with(".go") || path.starts_with("testdata/") || path.starts_with("vendor/");
    // Top files one by one would go stale with the next .go file.
    let listed = project.include(&[], &source);
    let top_go = listed.iter().any(|path| !path.contains('/') && path.ends_with(".go"));
    detected.include = listed.into_iter().filter(|path| path.contains('/') || !path.ends_with(".go")).collect();
    if top_go {
        detected.include.push("*.go".to_owned());
    }
    detected.service =
        project.mentions(&|path| path.ends_with(".go"), &["ListenAndServe", "http.Serve(", "net.Listen("]);
    detected.program = Some(program);
    Ok(())
}

/// Folders with a package `main` as Go names them, `.` and `./cmd/…` first.
fn mains(project: &Project) -> Result<BTreeSet<String>, Failure> {
    let mut mains = BTreeSet::new();
    for path in project.paths().filter(|path| path.ends_with(".go") && !path.ends_with("_test.go")) {
        let hidden = |part: &str| part.starts_with(['_', '.']) || matches!(part, "testdata" | "vendor");
        if path.split('/').any(hidden) {
            continue;
        }
        let text = project.text(path)?.unwrap_or_default();
        let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
        if !ignored && text.lines().any(|line| line.split("//").next().unwrap_or_default().trim() == "package main") {
            mains.insert(path.rsplit_once('/').map_or_else(|| ".".to_owned(), |(folder, _)| format!("./{folder}")));
        }
    }
    Ok(mains)
}

/// `example.org/team/app/v2` → `app`: a major version is no name (Go Modules Reference, "Module paths").
fn last_element(module: &str) -> String {
    let is_version = |part: &&str| part.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    let mut parts = module.rsplit('/');
    let last = parts.next().unwrap_or_default();
    let name = if is_version(&last) { parts.next().unwrap_or(last) } else { last };
    name.to_owned()
}
