//! Builds an image once or twice. Twice means: other directories of other length, files created in another order, another
//! `TMPDIR`, another second (also in DOS time, which counts in twos), nothing cached in between; then both are compared.

mod archive;
mod compare;
mod content;
mod elf;
mod zip;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ci_types::config::Build;
use ci_types::record::determinism::DeterminismSchema;
use ci_types::record::{BuildRun, ContextManifest, DeterminismMode, DeterminismReport, Difference};
use ci_types::{Digest, Timestamp, canonical};

use crate::clock;
use crate::context::{Order, materialise_in};
use crate::engine::{BuildError, BuildJob, BuiltImage, engine, run_steps};
use crate::env::{BuildDirs, BuildEnv};
use crate::process::Recorder;
pub use compare::{CompareError, first_difference};

/// What to build.
#[derive(Debug, Clone, Copy)]
pub struct BuildRequest<'a> {
    /// The repository.
    pub root: &'a Path,
    /// Its build context.
    pub context: &'a ContextManifest,
    /// The build's configuration.
    pub config: &'a Build,
    /// Directory of this build alone; made where absent, must be empty.
    pub work: &'a Path,
    /// The machine's environment, of which commands see only what [`BuildEnv`] lets through.
    pub host_env: &'a BTreeMap<OsString, OsString>,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// The image of the first run.
    pub image: BuiltImage,
    /// Both runs, and where they differ first.
    pub report: DeterminismReport,
    /// The first run's build directory, where tests run.
    pub directory: PathBuf,
    /// The first run's environment, for the commands of later stages.
    pub env: BuildEnv,
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum DualError {
    /// A build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Both builds succeeded, but they could not be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
}

/// Below the work directory. The names differ in length and depth, so that a path that gets into the image shows.
const DIRECTORIES: [&str; 2] = ["a", "second-run/in-another-place"];

/// The least time between the end of the first build and the start of the second.
const GAP: Duration = Duration::from_millis(1100);

/// Builds as `build.determinism` demands. Two builds that differ are a result ([`DeterminismReport::first_difference`]), not an error.
///
/// # Errors
/// See [`DualError`].
pub fn build(request: &BuildRequest<'_>, recorder: &mut Recorder<'_>) -> Result<BuildOutcome, DualError> {
    let deadline = Instant::now() + Duration::from_secs(request.config.timeout_s);
    prepare(request.work)?;
    let first = once(request, 0, deadline, recorder)?;
    let mut runs = vec![first.run];
    let mut difference = None;
    if request.config.determinism == DeterminismMode::Dual {
        wait_for_another_time(deadline)?;
        let second = once(request, 1, deadline, recorder)?;
        if first.image.manifest != second.image.manifest {
            let found = first_difference(&first.image.layout, &second.image.layout)?;
            difference = Some(redacted(found, recorder));
        }
        runs.push(second.run);
    }
    let report = DeterminismReport {
        schema: DeterminismSchema::V1,
        mode: request.config.determinism,
        engine: request.config.engine.as_str().to_owned(),
        runs,
        first_difference: difference,
    };
    Ok(BuildOutcome { image: first.image, report, directory: first.directory, env: first.env })
}

struct Once {
    image: BuiltImage,
    run: BuildRun,
    directory: PathBuf,
    env: BuildEnv,
}

fn once(
    request: &BuildRequest<'_>,
    run: usize,
    deadline: Instant,
    recorder: &mut Recorder<'_>,
) -> Result<Once, BuildError> {
    let place = request.work.canonicalize().map_err(BuildError::file(request.work))?.join(DIRECTORIES[run]);
    let inside = |name: &str| -> Result<PathBuf, BuildError> {
        let path = place.join(name);
        fs::create_dir_all(&path).map_err(BuildError::file(&path))?;
        Ok(path)
    };
    let dirs = BuildDirs { build: place.join("source"), tmp: inside("tmp")?, cache: inside("cache")? };
    let directory = dirs.build.clone();
    let started_at = clock::now()?;
    let order = if run == 0 { Order::Sorted } else { Order::Reversed };
    materialise_in(order, request.context, request.root, &directory)?;
    let context_digest = Digest::of(&canonical::to_vec(request.context)?);
    let source_epoch = request.context.source.committed_at;
    let env = BuildEnv::new(request.host_env, &request.config.pass_env, source_epoch, dirs)?;
    let job = BuildJob {
        directory: &directory,
        layout_out: &place.join("layout"),
        work: &inside("engine")?,
        root: request.root,
        source_epoch,
        config: request.config,
        context: request.context,
        context_digest,
        env: &env,
        deadline,
    };
    run_steps(&job, recorder)?;
    let image = engine(request.config.engine).build(&job, recorder)?;
    let run = BuildRun {
        directory: format!("{}/source", DIRECTORIES[run]),
        started_at,
        manifest: image.manifest.digest,
        config: image.config,
        layers: image.layers.clone(),
        env: env.recorded(),
    };
    Ok(Once { image, run, directory, env })
}

fn prepare(work: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(work).map_err(BuildError::file(work))?;
    let mut entries = fs::read_dir(work).map_err(BuildError::file(work))?;
    if entries.next().is_some() {
        return Err(BuildError::Context(crate::context::MaterialiseError::NotFresh { dest: work.to_owned() }));
    }
    Ok(())
}

/// Waits until a file made now has another time than one made before, in every format that stores times in images: zip counts
/// in steps of two seconds.
fn wait_for_another_time(deadline: Instant) -> Result<(), BuildError> {
    let dos = |time: Timestamp| time.unix_s() / 2;
    let (start, before) = (Instant::now(), dos(clock::now()?));
    while start.elapsed() < GAP || dos(clock::now()?) == before {
        if Instant::now() >= deadline {
            return Err(BuildError::OutOfTime);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn redacted(difference: Difference, recorder: &mut Recorder<'_>) -> Difference {
    let (first, second) = (recorder.redact(&difference.first), recorder.redact(&difference.second));
    Difference { first, second, ..difference }
}
