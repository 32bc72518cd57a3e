//! `ci-intel doctor`: what this machine and repository lack for a release.

use std::fmt::Write as _;

use ci_types::config::Engine;
use serde_json::json;

use crate::args::{DoctorArgs, Format, OverlayArgs};
use crate::commands::key;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{lane, render, ui};

struct Finding {
    what: String,
    good: bool,
    detail: String,
}

pub(crate) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let overlay = OverlayArgs { overlay: None, overlay_signature: None, organisation_key: Vec::new() };
    let mut findings = Vec::new();
    let mut add = |what: &str, good: bool, detail: String| {
        findings.push(Finding { what: what.to_owned(), good, detail });
    };
    let git = on_path("git");
    add("git", git, hint(git, "needed to know the source: apt-get install git"));
    match lane::load_effective(&args.repo.repo, &overlay) {
        Err(failure) => add("configuration", false, failure.message),
        Ok((_, _, _, effective)) => {
            add("configuration", true, effective.digest().to_string());
            let config = &effective.config;
            let engine = match config.build.engine {
                Engine::Buildah => Some("buildah"),
                Engine::Docker => Some("docker"),
                Engine::Assemble | Engine::Command => None,
            };
            let programs = engine
                .into_iter()
                .chain(config.tests.command.first().map(String::as_str))
                .chain(config.scan.commands.iter().filter_map(|command| command.run.first().map(String::as_str)))
                .chain(config.sbom.command.first().map(String::as_str));
            for program in programs.filter(|program| !program.contains('/')) {
                let there = on_path(program);
                add(program, there, hint(there, "not on PATH; install it"));
            }
            let isolation = ["bwrap", "podman", "docker"].into_iter().find(|program| on_path(program));
            add(
                "isolation",
                isolation.is_some(),
                isolation.map_or_else(
                    || "none of bubblewrap, podman, docker; only static programs can be proven to start".to_owned(),
                    str::to_owned,
                ),
            );
            // Nothing to mend: a project may start without a lane, and the first release makes the key.
            add("lane", true, match &config.lane {
                Some(policy) => policy.workflow.clone(),
                None => "none declared; releases are good for local only".to_owned(),
            });
        }
    }
    let key = key::default_path()?;
    let there = key.exists();
    add("signing key", true, if there { key.display().to_string() } else { "made on first release".to_owned() });

    let good = findings.iter().all(|finding| finding.good);
    if args.format == Format::Json {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "what": finding.what, "good": finding.good, "detail": finding.detail }))
            .collect();
        ui::print(&render::pretty(&rows)?);
    } else {
        let mut out = String::new();
        for finding in &findings {
            let mark = if finding.good { "ok" } else { "--" };
            let _ = writeln!(out, "{mark} {:<14} {}", finding.what, finding.detail);
        }
        ui::print(&out);
    }
    Ok(if good { Exit::Ok } else { Exit::Rejected })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn hint(there: bool, otherwise: &str) -> String {
    if there { "found".to_owned() } else { otherwise.to_owned() }
}
