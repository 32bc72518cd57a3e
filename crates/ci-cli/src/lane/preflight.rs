//! Preflight: who am I, may I, is the tree clean, is the base known, are the tools here. Nothing is built before all of it
//! holds, and everything that does not hold is told at once.

use ci_types::record::{Permission, RegistryAction};

use super::candidate::Candidate;
use super::identity::{self, Identity};
use super::tools;
use crate::commands::key;
use crate::failure::Failure;
use crate::ui::Progress;

/// What preflight established.
pub(crate) struct Cleared {
    pub(crate) identity: Identity,
    pub(crate) permissions: Vec<Permission>,
}

pub(crate) fn run(candidate: &Candidate, progress: &mut Progress) -> Result<Cleared, Failure> {
    progress.begin("preflight", "identity, permissions, source, tools");
    let (identity, permissions, failures) = examine(candidate);
    match (identity, Failure::all(failures)) {
        (Some(identity), None) => {
            let (who, name) = (identity.subject(), candidate.store.name());
            progress.end(&format!("{who} may release {name}:{}", candidate.tag), true);
            Ok(Cleared { identity, permissions })
        }
        (_, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::internal("no identity was established, and nothing says why")),
    }
}

/// Everything that preflight looks at, and everything that forbids the release.
pub(super) fn examine(candidate: &Candidate) -> (Option<Identity>, Vec<Permission>, Vec<Failure>) {
    let mut failures = Vec::new();
    let identity = identity::establish(candidate).map_err(|failure| failures.push(failure)).ok();
    failures.extend(dirty(candidate));
    failures.extend(tools::missing(&candidate.effective.config));
    failures.extend(key::problem(&candidate.key_path));
    let bases = ci_agent::engine::bases_known(&candidate.effective.config.build, &candidate.repo);
    failures.extend(bases.err().map(Failure::rejected));
    // Whoever has no identity is not let near the registry (spec 8.4.1).
    let Some(identity) = identity else { return (None, Vec::new(), failures) };
    let permissions: Vec<Permission> = RegistryAction::ALL.map(|action| candidate.store.probe(action)).to_vec();
    let missing: Vec<String> = permissions
        .iter()
        .filter(|permission| !permission.granted)
        .map(|permission| format!("`{}` ({})", permission.action.as_str(), candidate.redact_text(&permission.detail)))
        .collect();
    if !missing.is_empty() {
        let name = candidate.store.name();
        failures.push(
            Failure::rejected(format!("{name} does not permit {}", missing.join(", ")))
                .fix(format!("grant that on {name} to {}", identity.subject())),
        );
    } else if let Err(error) = candidate.store.resolve_tag(&candidate.tag) {
        // A tag that names something already can only be released again to the same digest; that is decided after the
        // build. What can be told now is whether the store answers.
        failures.push(Failure::rejected(error));
    }
    (Some(identity), permissions, failures)
}

fn dirty(candidate: &Candidate) -> Option<Failure> {
    let dirty = &candidate.source.dirty;
    let shown: Vec<&str> = dirty.iter().take(5).map(String::as_str).collect();
    let more =
        if dirty.len() > shown.len() { format!(" and {} more", dirty.len() - shown.len()) } else { String::new() };
    (!dirty.is_empty()).then(|| {
        Failure::rejected(format!("the working tree differs from the commit: {}{more}", shown.join(", ")))
            .fix("commit, ignore or remove those files: git status")
    })
}
