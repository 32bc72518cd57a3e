//! A candidate that passed preflight and the key that signs for it; runs that begin or are resumed.

use std::ops::Deref;
use std::rc::Rc;

use ci_evidence::keys::SigningKey;
use ci_types::record::SourceState;
use ci_types::{Digest, canonical};
use serde_json::json;

use super::candidate::Candidate;
use super::preflight::Cleared;
use super::state::{ReleaseFolder, State};
use crate::commands::key;
use crate::failure::Failure;
use crate::ui;

/// Everything that is fixed for a lane.
pub(crate) struct Setup {
    candidate: Rc<Candidate>,
    /// The source, with repository and ref as the issuer knows them: a job's checkout is detached and may name any remote.
    pub(crate) source: SourceState,
    pub(crate) key: SigningKey,
}

impl Deref for Setup {
    type Target = Candidate;

    fn deref(&self) -> &Candidate {
        &self.candidate
    }
}

/// A run that has begun or is resumed.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) resume_key: Digest,
    pub(crate) folder: ReleaseFolder,
    /// The build of the interrupted attempt. It is read before any command runs, so no command can plant it.
    pub(crate) kept_build: Option<super::build::Built>,
}

impl Setup {
    /// Takes the signing key, or makes it on first use: only now that the candidate may be released.
    pub(crate) fn sign_with_key(candidate: Rc<Candidate>, cleared: &Cleared) -> Result<Self, Failure> {
        let (key, made) = key::load_or_generate(&candidate.key_path)?;
        if made {
            ui::note(&format!(
                "made your signing key {}; give {} to whoever verifies",
                candidate.key_path.display(),
                key::public_path(&candidate.key_path).display()
            ));
        }
        let mut source = candidate.source.clone();
        if let Some(claims) = cleared.identity.claims() {
            source.repository.clone_from(&claims.repository);
            source.git_ref.clone_from(&claims.git_ref);
        }
        Ok(Self { candidate, source, key })
    }

    /// What a run is resumed by: the same commit, configuration, environment, target, identity, key and program.
    fn resume_key(&self, cleared: &Cleared) -> Result<Digest, Failure> {
        let overlay = self.overlay.as_ref().map(|overlay| overlay.digest);
        let key_id = self.key.verifying_key().id().map_err(Failure::internal)?;
        canonical::to_vec(&json!({
            "commit": self.source.commit,
            "dirty": self.source.dirty,
            "config": Digest::of(&self.config_bytes),
            "overlay": overlay,
            "environment": self.environment,
            "target": self.effective.config.publish.target,
            "tag": self.tag,
            "identity": cleared.identity.subject(),
            "key": key_id,
            "version": env!("CARGO_PKG_VERSION"),
        }))
        .map(|bytes| Digest::of(&bytes))
        .map_err(Failure::internal)
    }

    /// Resumes the unfinished run of the same inputs, or begins one.
    pub(crate) fn begin(&self, state: &State, cleared: &Cleared, fresh: bool) -> Result<Run, Failure> {
        let resume_key = self.resume_key(cleared)?;
        if fresh {
            state.finish(&resume_key)?;
        }
        let unfinished = state.unfinished(&resume_key);
        let resumed = unfinished.is_some();
        let id = match unfinished {
            Some(id) => {
                ui::note(&format!("resuming run {id}"));
                id
            }
            None => {
                let id = uuid::Uuid::new_v4().to_string();
                state.begin(&resume_key, &id)?;
                id
            }
        };
        let folder = ReleaseFolder::new(state.release(&id));
        folder.sweep()?;
        let kept_build = if resumed { folder.stage("build") } else { None };
        Ok(Run { id, resume_key, folder, kept_build })
    }
}
