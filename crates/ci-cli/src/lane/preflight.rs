//! Preflight: who am I, may I, is the tree clean, is the base known, are the tools here. Nothing is built before all of it holds.

use ci_types::record::{Permission, RegistryAction};

use super::identity::{self, Identity};
use super::setup::Setup;
use crate::failure::Failure;
use crate::ui::Progress;

/// What preflight established.
pub(crate) struct Cleared {
    pub(crate) identity: Identity,
    pub(crate) permissions: Vec<Permission>,
}

pub(crate) fn run(setup: &Setup, progress: &mut Progress) -> Result<Cleared, Failure> {
    progress.begin("preflight", "identity, permissions, source, tools");
    let identity = identity::establish(setup)?;
    clean(setup)?;
    tools(setup)?;
    ci_agent::engine::bases_known(&setup.effective.config.build, &setup.repo).map_err(Failure::rejected)?;
    let permissions: Vec<Permission> = RegistryAction::ALL.map(|action| setup.store.probe(action)).to_vec();
    let missing: Vec<String> = permissions
        .iter()
        .filter(|permission| !permission.granted)
        .map(|permission| format!("`{}` ({})", permission.action.as_str(), setup.redact_text(&permission.detail)))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::rejected(format!("{} does not permit {}", setup.store.name(), missing.join(", ")))
            .fix(format!("grant that on {} to {}", setup.store.name(), identity.subject())));
    }
    tag_is_free(setup)?;
    progress.end(&format!("{} may release {}:{}", identity.subject(), setup.store.name(), setup.tag), true);
    Ok(Cleared { identity, permissions })
}

fn clean(setup: &Setup) -> Result<(), Failure> {
    let dirty = &setup.source.dirty;
    if dirty.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = dirty.iter().take(5).map(String::as_str).collect();
    let more = if dirty.len() > shown.len() { ", …" } else { "" };
    Err(Failure::rejected(format!("the working tree differs from the commit: {}{more}", shown.join(", ")))
        .fix("commit, ignore or remove those files: git status"))
}

/// Programs that the configuration names must be there before the build starts, not after it ended.
fn tools(setup: &Setup) -> Result<(), Failure> {
    let config = &setup.effective.config;
    if config.tests.command.is_empty() {
        return Err(Failure::rejected("`tests.command` is not set; untested is not releasable")
            .fix("set `tests.command` so that it writes JUnit XML into {results}"));
    }
    if config.scan.commands.is_empty() {
        return Err(Failure::rejected("`scan.commands` is not set; unscanned is not releasable")
            .fix("set `scan.commands`, for example to grype or trivy: ci-intel config explain scan.commands"));
    }
    let programs = [config.tests.command.first(), config.sbom.command.first()]
        .into_iter()
        .chain(config.scan.commands.iter().map(|command| command.run.first()))
        .flatten();
    // A path with a slash may be made by the build; a bare name must be on PATH now.
    for program in programs.filter(|program| !program.contains('/')) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            return Err(Failure::rejected(format!("`{program}` is not on PATH")).fix(format!("install {program}")));
        }
    }
    Ok(())
}

/// A tag that names something already can only be released again to the same digest; that is decided after the build. What
/// can be told now is that the store answers.
fn tag_is_free(setup: &Setup) -> Result<(), Failure> {
    setup.store.resolve_tag(&setup.tag).map(drop).map_err(Failure::rejected)
}
