//! Build: the declared context, materialised and built as often as determinism demands.

use std::path::PathBuf;

use ci_agent::dual::{self, BuildRequest};
use ci_agent::engine;
use ci_agent::process::{Recorded, Recorder};
use ci_types::canonical;
use ci_types::record::{CommandRun, ContextManifest, DeterminismReport};
use ci_types::{Descriptor, Digest};
use serde::{Deserialize, Serialize};

use super::setup::{Run, Setup};
use crate::failure::Failure;
use crate::ui::Progress;

/// A finished build. Paths are absolute; objects are in the release folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Built {
    pub(crate) layout: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) manifest: Descriptor,
    pub(crate) config: Digest,
    pub(crate) layers: Vec<Digest>,
    pub(crate) image_bytes: u64,
    pub(crate) base: Option<Digest>,
    pub(crate) context: ContextManifest,
    pub(crate) determinism: DeterminismReport,
    pub(crate) commands: Vec<CommandRun>,
    /// Log name and object.
    pub(crate) logs: Vec<(String, Digest)>,
}

pub(crate) fn run(setup: &Setup, run: &Run, progress: &mut Progress) -> Result<Built, Failure> {
    let config = &setup.effective.config.build;
    progress.begin("build", &format!("{} ({:?})", config.engine.as_str(), config.determinism).to_lowercase());
    if let Some(built) = run.kept_build.clone().filter(intact) {
        progress.end(&format!("{} (resumed)", built.manifest.digest), true);
        return Ok(built);
    }
    let work = run.folder.work("build");
    if work.exists() {
        std::fs::remove_dir_all(&work).map_err(|error| Failure::file("remove", &work, error))?;
    }
    std::fs::create_dir_all(&work).map_err(|error| Failure::file("create", &work, error))?;

    let scanner = &setup.scanner;
    let scan = |path: &str, content: &[u8]| ci_agent::sweep::hits(scanner, path, content);
    let context = ci_agent::context::collect(&setup.repo, &setup.source, &config.context, &scan)
        .map_err(|error| Failure::rejected(error).fix("ci-intel config explain build.context.include"))?;
    // An image with a secret in it must not reach a store that others read, not even by digest.
    let secrets: Vec<String> =
        context.secrets.iter().map(|hit| format!("{} at {}:{}", hit.rule, hit.path, hit.line)).collect();
    if !secrets.is_empty() {
        return Err(Failure::rejected(format!("secret-in-context: {}", secrets.join(", ")))
            .fix("revoke that credential now, remove it from the file and its history, then release again"));
    }
    let request = BuildRequest { root: &setup.repo, context: &context, config, work: &work, host_env: &setup.host_env };
    let mut redactor = setup.scanner.redactor();
    let mut redact = |line: &str| redactor.line(line);
    let mut show = |line: &str| progress.line(line);
    let logs = run.folder.work("logs-build");
    fresh(&logs)?;
    let mut recorder = Recorder::new("build", &logs, &mut redact, &mut show);
    let outcome = dual::build(&request, &mut recorder).map_err(Failure::rejected);
    let recorded = recorder.into_recorded();
    let outcome = outcome?;
    if let Err(failure) = no_secret_in_image(setup, &outcome.image) {
        let _ = std::fs::remove_dir_all(&work);
        return Err(failure);
    }
    let logs = store_logs(run, &recorded)?;
    let built = Built {
        layout: outcome.image.layout,
        directory: outcome.directory,
        manifest: outcome.image.manifest,
        config: outcome.image.config,
        layers: outcome.image.layers,
        image_bytes: outcome.image.image_bytes,
        base: outcome.image.base,
        context,
        determinism: outcome.report,
        commands: recorded.into_iter().map(|recorded| recorded.run).collect(),
        logs,
    };
    run.folder.finish_stage("build", &built)?;
    let verdict = match (&built.determinism.first_difference, built.determinism.runs.len()) {
        (Some(_), _) => "two builds differ",
        (None, 2) => "two builds agree",
        _ => "built once",
    };
    progress.end(
        &format!("{}, {verdict}, {} files in context", built.manifest.digest, built.context.files.len()),
        built.determinism.first_difference.is_none(),
    );
    Ok(built)
}

/// What an image says of itself is public wherever it is pulled, so a secret in it stops the lane before it is published.
fn no_secret_in_image(setup: &Setup, image: &engine::BuiltImage) -> Result<(), Failure> {
    for (what, digest) in [("manifest", image.manifest.digest), ("config", image.config)] {
        let content = crate::files::read(&image.layout.join("blobs/sha256").join(digest.hex()))?;
        if let Some(hit) = setup.scanner.scan(&content).first() {
            return Err(Failure::rejected(format!(
                "the image {what} holds a secret ({}); it was not published",
                hit.rule_id
            ))
            .fix("revoke that credential and pass it at run time instead of baking it into the image"));
        }
    }
    Ok(())
}

/// A resumed build counts only while every byte of it is still there.
fn intact(built: &Built) -> bool {
    built.directory.is_dir()
        && canonical::to_vec(&built.context).is_ok()
        && engine::verify_layout(&built.layout).is_ok_and(|image| image.manifest.digest == built.manifest.digest)
}

/// An empty folder.
pub(crate) fn fresh(folder: &std::path::Path) -> Result<(), Failure> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| Failure::file("remove", folder, error))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, error))
}

/// Keeps the redacted logs as objects.
pub(crate) fn store_logs(run: &Run, recorded: &[Recorded]) -> Result<Vec<(String, Digest)>, Failure> {
    let mut logs = Vec::new();
    for entry in recorded {
        let Ok(content) = std::fs::read(&entry.log) else { continue };
        let name = entry.log.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        logs.push((name, run.folder.put(&content)?));
    }
    Ok(logs)
}
