//! `ci-intel init`: looks at the repository and writes the configuration that fits. One file a kind of project.
//!
//! Nothing but git is run and nothing is fetched: only manifests and the names of files are read. What cannot be known is said.

mod cargo;
mod go;
mod npm;
mod project;
mod python;

use std::path::Path;

use ci_types::config::{Detected, Machine, ProjectKind, Scanner, template};

use crate::args::InitArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lane::tools;
use crate::{files, ui};
use project::Project;

/// What was found, and what a person must still do before a release can work.
struct Found {
    detected: Detected,
    todo: Vec<String>,
}

pub(crate) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let repo = args.repo.repo.canonicalize().map_err(|error| Failure::file("open", &args.repo.repo, error))?;
    let path = repo.join(".ci-intel/config.yml");
    if !args.dry_run && !args.force && path.exists() {
        return Err(Failure::usage(format!("{} exists", path.display())).fix("ci-intel init --force overwrites it"));
    }
    let Found { detected, todo } = detect(&repo)?;
    let text = template(&detected);
    if args.dry_run {
        ui::print(&text);
    } else {
        files::write(&path, text.as_bytes())?;
        ui::print(&format!("wrote {} for {}", path.display(), describe(&detected)));
    }
    for item in &todo {
        ui::note(&format!("  to do: {item}"));
    }
    if !args.dry_run {
        ui::note("next: look at the lines marked EDIT, then: ci-intel doctor");
    }
    Ok(Exit::Ok)
}

fn describe(detected: &Detected) -> String {
    let kind = match detected.kind {
        ProjectKind::Cargo => "a Cargo project",
        ProjectKind::Go => "a Go module",
        ProjectKind::Npm => "an npm project",
        ProjectKind::Python => "a Python project",
        ProjectKind::Dockerfile => "a Dockerfile",
        ProjectKind::Plain => "plain files: no Cargo.toml, go.mod, package.json, pyproject.toml or Dockerfile is here",
    };
    match &detected.program {
        Some(program) => format!("{kind} with the program `{program}`"),
        None => kind.to_owned(),
    }
}

fn detect(repo: &Path) -> Result<Found, Failure> {
    let project = Project::open(repo)?;
    let kind = ProjectKind::ALL
        .into_iter()
        .find(|kind| kind.markers().iter().any(|marker| project.has(marker)))
        .unwrap_or(ProjectKind::Plain);
    let folder = repo.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let detected = Detected {
        // An empty answer means that no forge is known.
        repository: ci_agent::source::repository(repo),
        machine: if std::env::consts::ARCH == "aarch64" { Machine::Arm64 } else { Machine::Amd64 },
        scanner: if !tools::on_path("grype") && tools::on_path("trivy") { Scanner::Trivy } else { Scanner::Grype },
        ..Detected::new(&folder, kind)
    };
    let mut found = Found { detected, todo: Vec::new() };
    match kind {
        ProjectKind::Cargo => cargo::look(&project, &mut found)?,
        ProjectKind::Go => go::look(&project, &mut found)?,
        ProjectKind::Npm => npm::look(&project, &mut found)?,
        ProjectKind::Python => python::look(&project, &mut found)?,
        ProjectKind::Dockerfile => found.detected.include = project.include(&[], &|_| true),
        ProjectKind::Plain => plain(&project, &mut found),
    }
    Ok(found)
}

fn plain(project: &Project, found: &mut Found) {
    found.detected.include = project.folders(&|_| true);
    if found.detected.include.is_empty() {
        found.todo.push("no folder is here yet: the template expects the files of the image in app/".to_owned());
    }
}

/// A Dockerfile that is not there is the first thing to write.
fn dockerfile(project: &Project, found: &mut Found) {
    if !project.has("Dockerfile") {
        found.detected.include.insert(0, "Dockerfile".to_owned());
        found
            .todo
            .push("there is no Dockerfile: write one; the comments at `build` say what it should hold".to_owned());
    }
}

#[cfg(test)]
mod tests;
