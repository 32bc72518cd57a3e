//! The release lane: preflight, build, publish, smoke, evidence, decision, record. One file a stage.
//!
//! Order is the safety argument: nothing is built before the lane may release, the image is published by digest only, the
//! decision is signed and logged before the bundle exists, and the tag moves last, after acceptance.

mod build;
mod candidate;
mod collect;
mod commands;
mod decide;
mod evidence;
mod identity;
mod plan;
mod planned;
mod preflight;
mod publish;
mod setup;
mod smoke;
mod state;
pub(crate) mod tools;

use std::path::PathBuf;
use std::rc::Rc;

use ci_evidence::decision_log::{Attempt, StageFailure};
use ci_types::Timestamp;
use ci_types::record::{Decision, Lane as LaneName};

use crate::args::ReleaseArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::Progress;
use candidate::Candidate;
pub(crate) use candidate::load_effective;
use setup::Setup;
pub(crate) use state::State;

/// What a finished lane leaves.
pub(crate) struct Released {
    pub(crate) decision: Decision,
    pub(crate) bundle: PathBuf,
    pub(crate) key_id: String,
    pub(crate) public_key: PathBuf,
}

/// The wall clock.
pub(crate) fn now() -> Result<Timestamp, Failure> {
    ci_agent::clock::now().map_err(Failure::internal)
}

/// A stage that did not end well.
struct StageError {
    stage: &'static str,
    failure: Failure,
}

trait InStage<T> {
    fn stage(self, stage: &'static str) -> Result<T, StageError>;
}

impl<T> InStage<T> for Result<T, Failure> {
    fn stage(self, stage: &'static str) -> Result<T, StageError> {
        self.map_err(|failure| StageError { stage, failure })
    }
}

/// Runs the lane. `None` after a dry run.
pub(crate) fn run(args: &ReleaseArgs) -> Result<Option<Released>, Failure> {
    let candidate = Rc::new(Candidate::load(args)?);
    let mut progress = Progress::new();
    if args.dry_run {
        plan::show(&candidate, &mut progress)?;
        return Ok(None);
    }
    let state = State::of(&candidate.repo);
    let _lock = state.lock()?;
    // A log whose chain is broken is found before anything is released on top of it.
    state.log()?;
    let mut run_id = uuid::Uuid::new_v4().to_string();
    match stages(args, &candidate, &state, &mut run_id, &mut progress) {
        Ok(released) => Ok(Some(released)),
        Err(StageError { stage, failure }) => {
            progress.stopped();
            state.forget_outputs(&run_id);
            // A fault of the machine is no statement about the release; everything else is an attempt that failed.
            if failure.exit() != Exit::Internal {
                record_failure(&candidate, &state, run_id, stage, &failure)?;
            }
            Err(failure)
        }
    }
}

fn stages(
    args: &ReleaseArgs,
    candidate: &Rc<Candidate>,
    state: &State,
    run_id: &mut String,
    progress: &mut Progress,
) -> Result<Released, StageError> {
    let cleared = preflight::run(candidate, progress).stage("preflight")?;
    let setup = &Setup::sign_with_key(Rc::clone(candidate), &cleared).stage("preflight")?;
    let run = setup.begin(state, &cleared, args.fresh).stage("preflight")?;
    run_id.clone_from(&run.id);
    let built = build::run(setup, &run, progress).stage("build")?;
    let publication = publish::run(setup, &cleared, &built, progress).stage("publish")?;
    let smoke = smoke::run(setup, &run, &built, progress).stage("smoke")?;
    let evidence = evidence::run(setup, &run, &cleared, &built, &publication, &smoke, progress).stage("evidence")?;
    decide::run(args, setup, state, &run, &cleared, &publication, evidence, progress).stage("decision")
}

fn record_failure(
    candidate: &Candidate,
    state: &State,
    run_id: String,
    stage: &str,
    failure: &Failure,
) -> Result<(), Failure> {
    let attempt = Attempt {
        run_id,
        project: candidate.effective.config.project.name.clone(),
        at: now()?,
        commit: candidate.source.commit.clone(),
        name: candidate.store.name().to_owned(),
        tag: candidate.tag.clone(),
        environment: candidate.environment,
        lane: LaneName { id: candidate.lane_id(), actor: identity::claimed_actor(), authoritative: false },
    };
    let message = candidate.redact_text(&failure.summary());
    state.append_failure(attempt, StageFailure { stage: stage.to_owned(), message })
}
