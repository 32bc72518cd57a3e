//! Cargo projects: the package that makes a program, in a workspace or alone (The Cargo Book, "Package Layout").

use serde::Deserialize;

use super::Found;
use super::project::Project;
use crate::failure::Failure;

/// Crates that serve HTTP.
const SERVERS: [&str; 9] =
    ["axum", "actix-web", "warp", "rocket", "poem", "salvo", "tiny_http", "tide", "TcpListener::bind"];

#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
    #[serde(default)]
    bin: Vec<Bin>,
    workspace: Option<Workspace>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(rename = "default-run")]
    default_run: Option<String>,
    autobins: Option<bool>,
}

#[derive(Deserialize)]
struct Bin {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Workspace {
    #[serde(default)]
    members: Vec<String>,
}

/// A package and its programs.
struct Candidate {
    /// Folder, empty for the top.
    folder: String,
    package: String,
    default_run: Option<String>,
    programs: Vec<String>,
}

pub(super) fn look(project: &Project, found: &mut Found) -> Result<(), Failure> {
    let manifest = manifest(project, "Cargo.toml")?;
    let mut candidates: Vec<Candidate> = candidate(project, "", &manifest).into_iter().collect();
    for folder in members(project, &manifest) {
        let member = self::manifest(project, &format!("{folder}/Cargo.toml"))?;
        candidates.extend(candidate(project, &folder, &member));
    }
    let libraries: Vec<String> =
        candidates.iter().filter(|one| one.programs.is_empty()).map(|one| one.package.clone()).collect();
    candidates.retain(|one| !one.programs.is_empty());
    let Some(chosen) = candidates.first() else {
        return Err(Failure::usage(format!(
            "{} has no program, only a library: there is nothing that an image could start",
            if libraries.is_empty() { "this Cargo project".to_owned() } else { libraries.join(", ") }
        ))
        .fix("add src/main.rs or a [[bin]] to Cargo.toml, or run ci-intel init where the service is"));
    };
    let program = chosen.default_run.clone().unwrap_or_else(|| {
        // Cargo's own choice where it has one: the program that is called like its package.
        let same = chosen.programs.iter().find(|program| **program == chosen.package);
        same.or(chosen.programs.first()).cloned().unwrap_or_default()
    });
    let others: Vec<&str> = candidates
        .iter()
        .flat_map(|one| &one.programs)
        .filter(|other| **other != program)
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        found.todo.push(format!("an image starts one program: `{program}` was taken, not {}", others.join(", ")));
    }
    let detected = &mut found.detected;
    detected.name.clone_from(if candidates.len() == 1 { &chosen.package } else { &program });
    detected.target = (!chosen.folder.is_empty()).then(|| chosen.package.clone());
    let rust = |path: &str| path.ends_with(".rs") || path.ends_with("/Cargo.toml");
    let extra = [".cargo/config.toml", ".cargo/config", ".config/nextest.toml"];
    detected.include = project.include(&extra, &rust);
    let sources = |path: &str| path.ends_with(".rs") || path.ends_with("Cargo.toml");
    detected.service = project.mentions(&sources, &SERVERS);
    detected.program = Some(program);
    if !project.has("Cargo.lock") {
        detected.include.push("Cargo.lock".to_owned());
        found.todo.push(
            "there is no Cargo.lock, which --locked and the SBOM need: cargo generate-lockfile, and commit it"
                .to_owned(),
        );
    }
    Ok(())
}

fn manifest(project: &Project, path: &str) -> Result<Manifest, Failure> {
    let text = project.text(path)?.ok_or_else(|| Failure::usage(format!("{path} is not there")))?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!("{path} cannot be read: {}", error.to_string().trim_end()))
            .fix("cargo metadata --no-deps")
    })
}

/// Folders of workspace members; a pattern's `*` stands for one folder name.
fn members(project: &Project, manifest: &Manifest) -> Vec<String> {
    let patterns = manifest.workspace.iter().flat_map(|workspace| &workspace.members);
    let mut folders = Vec::new();
    for pattern in patterns {
        let parts: Vec<&str> = pattern.trim_start_matches("./").trim_end_matches('/').split('/').collect();
        let fits = |folder: &str| {
            let found: Vec<&str> = folder.split('/').collect();
            found.len() == parts.len()
                && parts.iter().zip(&found).all(|(part, name)| match part.split_once('*') {
                    Some((before, after)) => name.starts_with(before) && name.ends_with(after),
                    None => part == name,
                })
        };
        let all = project.paths().filter_map(|path| path.strip_suffix("/Cargo.toml"));
        folders.extend(all.filter(|folder| fits(folder)).map(str::to_owned));
    }
    folders.dedup();
    folders
}

fn candidate(project: &Project, folder: &str, manifest: &Manifest) -> Option<Candidate> {
    let package = manifest.package.as_ref()?;
    let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut programs: Vec<String> = manifest.bin.iter().filter_map(|bin| bin.name.clone()).collect();
    let discovered = package.autobins != Some(false);
    // An explicit [[bin]] may give src/main.rs another name.
    if discovered && programs.is_empty() && project.has(&format!("{below}src/main.rs")) {
        programs.push(package.name.clone());
    }
    for path in project.paths().filter(|_| discovered) {
        let Some(name) = path.strip_prefix(&format!("{below}src/bin/")) else { continue };
        let name =
            name.strip_suffix("/main.rs").or_else(|| name.strip_suffix(".rs")).filter(|name| !name.contains('/'));
        if let Some(name) = name.filter(|name| !programs.iter().any(|other| other == name)) {
            programs.push(name.to_owned());
        }
    }
    let default_run = package.default_run.clone().filter(|name| programs.contains(name));
    Some(Candidate { folder: folder.to_owned(), package: package.name.clone(), default_run, programs })
}
