//! `ci-intel release --dry-run`: who I am, what is permitted, what would happen, and everything that is missing. Writes nothing.

use std::fmt::Write as _;

use ci_types::record::{DeterminismMode, Permission, SecretHit};

use super::candidate::Candidate;
use super::identity::Identity;
use super::{preflight, tools};
use crate::failure::Failure;
use crate::ui::{self, Progress};

/// Prints the plan; fails with all that a release would be refused for.
pub(super) fn show(candidate: &Candidate, progress: &mut Progress) -> Result<(), Failure> {
    progress.begin("preflight", "identity, permissions, source, tools, context");
    let (identity, permissions, mut failures) = preflight::examine(candidate);
    let context = context(candidate).map_err(|failure| failures.push(failure)).ok();
    let count = failures.len();
    let found = match count {
        0 => "nothing stands in the way".to_owned(),
        1 => "1 problem".to_owned(),
        _ => format!("{count} problems"),
    };
    progress.end(&found, count == 0);
    ui::print(&plan(candidate, identity.as_ref(), &permissions, context.as_deref()));
    match Failure::all(failures) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// Looks at the build context as the build stage will.
fn context(candidate: &Candidate) -> Result<String, Failure> {
    let scanner = &candidate.scanner;
    let scan = |path: &str, content: &[u8]| {
        let hits = scanner.scan(content);
        hits.iter()
            .map(|hit| SecretHit { rule: hit.rule_id.to_owned(), path: path.to_owned(), line: hit.line })
            .collect()
    };
    let config = &candidate.effective.config.build.context;
    let context = ci_agent::context::collect(&candidate.repo, &candidate.source, config, &scan)
        .map_err(|error| Failure::rejected(error).fix("ci-intel config explain build.context.include"))?;
    if let Some(hit) = context.secrets.first() {
        let more = match context.secrets.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let SecretHit { rule, path, line } = hit;
        return Err(Failure::rejected(format!("the build context holds secrets: {rule} at {path}:{line}{more}"))
            .fix("revoke that credential and remove it from the file"));
    }
    Ok(format!("{} files, {} bytes", context.files.len(), context.total_bytes))
}

fn plan(
    candidate: &Candidate,
    identity: Option<&Identity>,
    permissions: &[Permission],
    context: Option<&str>,
) -> String {
    let config = &candidate.effective.config;
    let mut out = String::new();
    let mut row = |key: &str, value: &str| {
        let _ = writeln!(out, "{key:<8} {value}");
    };
    row(
        "who",
        &match identity {
            Some(Identity::Developer { subject }) => format!("{subject}, a developer: may release for `local` only"),
            Some(identity) => identity.subject().to_owned(),
            None => "not established".to_owned(),
        },
    );
    let granted: Vec<&str> = permissions.iter().filter(|one| one.granted).map(|one| one.action.as_str()).collect();
    row("may", &if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") });
    let source = &candidate.source;
    row("source", &format!("{} at {} ({})", source.repository, source.commit, source.git_ref));
    row("context", context.unwrap_or("not usable"));
    for step in &config.build.steps {
        row("step", &candidate.redact_text(&step.join(" ")));
    }
    let times = match config.build.determinism {
        DeterminismMode::Dual => "twice, and compare",
        DeterminismMode::Single => "once",
    };
    row("build", &format!("with {}, {times}", config.build.engine.as_str()));
    row("publish", &format!("{}:{} to {}", candidate.store.name(), candidate.tag, config.publish.target));
    let isolation = tools::isolation(config).map_or("nothing that is here", tools::isolation_name);
    row(
        "start",
        &format!("{} commands and {} HTTP probes in {isolation}", config.smoke.exec.len(), config.smoke.http.len()),
    );
    row("test", &candidate.redact_text(&config.tests.command.join(" ")));
    for scanner in &config.scan.commands {
        row("scan", &candidate.redact_text(&scanner.run.join(" ")));
    }
    let made = if candidate.key_path.exists() { "" } else { " (will be made by the first release)" };
    row("sign", &format!("with {}{made}", candidate.key_path.display()));
    row("decide", &format!("for `{}`", candidate.environment));
    out.push_str("dry run: nothing was built or written\n");
    out
}
