//! Python projects (PyPA specification "pyproject.toml", PEP 621).

use serde::Deserialize;

use super::Found;
use super::project::Project;
use crate::failure::Failure;

#[derive(Deserialize, Default)]
struct Manifest {
    project: Option<Named>,
    tool: Option<Tool>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    poetry: Option<Named>,
}

pub(super) fn look(project: &Project, found: &mut Found) -> Result<(), Failure> {
    let manifest: Manifest = match project.text("pyproject.toml")? {
        None => Manifest::default(),
        Some(text) => toml::from_str(&text).map_err(|error| {
            Failure::usage(format!("pyproject.toml cannot be read: {}", error.to_string().trim_end()))
                .fix("correct the line it names")
        })?,
    };
    let poetry = manifest.tool.and_then(|tool| tool.poetry);
    let detected = &mut found.detected;
    if let Some(name) = manifest.project.and_then(|named| named.name).or(poetry.and_then(|named| named.name)) {
        detected.name = name;
    }
    detected.include = project.include(&[], &|_| true);
    let servers = ["fastapi", "flask", "Flask", "django", "uvicorn", "gunicorn", "aiohttp", "http.server", "starlette"];
    let sources = |path: &str| path.ends_with(".py") || path == "pyproject.toml" || path.starts_with("requirements");
    detected.service = project.mentions(&sources, &servers);
    super::dockerfile(project, found);
    Ok(())
}
