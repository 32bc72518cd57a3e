//! `ci-intel init`.

use std::path::Path;

use ci_types::config::{Detected, ProjectKind, template};

use crate::args::InitArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, ui};

pub(crate) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let repo = args
        .repo
        .repo
        .canonicalize()
        .map_err(|error| Failure::file("open", &args.repo.repo, error))?;
    let path = repo.join(".ci-intel/config.yml");
    let detected = detect(&repo);
    let text = template(&detected);
    if args.dry_run {
        ui::print(&text);
        return Ok(Exit::Ok);
    }
    if path.exists() && !args.force {
        return Err(Failure::usage(format!("{} exists", path.display())).fix("ci-intel init --force overwrites it"));
    }
    files::write(&path, text.as_bytes())?;
    ui::print(&format!(
        "wrote {} for a {:?} project\nread its comments, commit it, then: ci-intel release --dry-run",
        path.display(),
        detected.kind
    ));
    Ok(Exit::Ok)
}

fn detect(repo: &Path) -> Detected {
    let has = |name: &str| repo.join(name).is_file();
    let kind = ProjectKind::ALL
        .into_iter()
        .find(|kind| kind.markers().iter().any(|marker| has(marker)))
        .unwrap_or(ProjectKind::Plain);
    let name = repo.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // An empty answer means that no forge is known.
    let repository = ci_agent::source::source_state(repo, "").map(|source| source.repository).ok();
    Detected { name, repository: repository.filter(|text| !text.is_empty()), kind }
}
