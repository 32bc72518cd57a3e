//! `ci-intel doctor`: what this machine and repository lack for a release. Everything is looked at, nothing is written.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ci_types::config::{Config, Engine};
use ci_types::record::Isolation;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::args::{DoctorArgs, Format, OverlayArgs};
use crate::commands::key;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lane::{self, tools};
use crate::{render, ui};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// In order.
    Ok,
    /// Good to know; a local release works without it.
    Info,
    /// A local release would fail.
    Missing,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: &'static str, detail: impl Into<String>) {
        self.0.push(Finding { what, state: State::Ok, detail: detail.into(), fix: None });
    }

    fn info(&mut self, what: &'static str, detail: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { what, state: State::Info, detail: detail.into(), fix: Some(fix.into()) });
    }

    fn missing(&mut self, what: &'static str, failure: Failure) {
        let Failure { message, fix, more, .. } = failure;
        self.0.push(Finding { what, state: State::Missing, detail: message, fix });
        more.into_iter().for_each(|failure| self.missing(what, failure));
    }
}

pub(crate) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let repo = args.repo.repo.canonicalize().map_err(|error| Failure::file("open", &args.repo.repo, error))?;
    let overlay = OverlayArgs { overlay: None, overlay_signature: None, organisation_key: Vec::new() };
    let mut findings = Findings::default();
    let effective = lane::load_effective(&repo, &overlay);
    source(&repo, effective.as_ref().ok().map(|(_, _, _, effective)| &effective.config), &mut findings);
    match effective {
        Err(failure) => findings.missing("configuration", failure),
        Ok((_, _, _, effective)) => {
            findings.ok("configuration", format!("valid, {}", effective.digest()));
            configured(&repo, &effective.config, &mut findings);
        }
    }
    signing_key(&mut findings)?;
    let Findings(findings) = findings;
    let missing = findings.iter().filter(|finding| finding.state == State::Missing).count();
    if args.format == Format::Json {
        ui::print(&render::pretty(&findings)?);
    } else {
        ui::print(&text(&findings, missing));
    }
    Ok(if missing == 0 { Exit::Ok } else { Exit::Rejected })
}

fn source(repo: &Path, config: Option<&Config>, findings: &mut Findings) {
    let failed = |error: &dyn std::fmt::Display, fix: &str| Failure::rejected(error).fix(fix);
    let source = match ci_agent::source::source_state(repo, "") {
        Ok(source) => source,
        Err(error) => {
            use ci_agent::source::SourceError::{NoCommit, NotARepository};
            let fix = match &error {
                NotARepository { .. } => "git init && git add --all && git commit",
                NoCommit { .. } => "git add --all && git commit",
                _ => "git status",
            };
            return findings.missing("source", failed(&error, fix));
        }
    };
    match source.dirty.as_slice() {
        [] => findings.ok("source", format!("commit {}, clean", source.commit)),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let detail = format!("the working tree differs from the commit: {first}{more}");
            findings.missing("source", failed(&detail, "git add --all && git commit"));
        }
    }
    let Some(context) = config.map(|config| &config.build.context) else { return };
    match ci_agent::context::collect(repo, &source, context, &|_, _| Vec::new()) {
        Ok(found) => findings.ok("context", format!("{} files, {} bytes", found.files.len(), found.total_bytes)),
        Err(error) => {
            findings.missing("context", failed(&error, "correct `build.context.include` in .ci-intel/config.yml"))
        }
    }
}

fn configured(repo: &Path, config: &Config, findings: &mut Findings) {
    let missing = tools::missing(config);
    if missing.is_empty() {
        let programs: Vec<String> = tools::programs(config).into_iter().map(|(program, _)| program).collect();
        findings.ok("programs", if programs.is_empty() { "none needed".to_owned() } else { programs.join(", ") });
    }
    missing.into_iter().for_each(|failure| findings.missing("programs", failure));
    if let Err(error) = ci_agent::engine::bases_known(&config.build, repo) {
        let fix = match config.build.engine {
            Engine::Buildah | Engine::Docker => {
                "write the Dockerfile, and name its images by digest: FROM NAME@sha256:…"
            }
            Engine::Assemble | Engine::Command => "ci-intel config explain build.assemble.base",
        };
        findings.missing("base image", Failure::rejected(error).fix(fix));
    }
    if config.build.engine == Engine::Docker && tools::on_path("docker") && !succeeds("docker", &["buildx", "version"])
    {
        let failure = Failure::rejected("docker is here, but not its buildx plugin, which `build.engine: docker` runs");
        findings.missing(
            "programs",
            failure.fix("apt-get install docker-buildx, or docker-buildx-plugin from Docker's repository"),
        );
    }
    isolation(config, findings);
    match &config.lane {
        Some(policy) => findings.ok("lane", policy.workflow.clone()),
        None => findings.info(
            "lane",
            "none is declared: releases are good for environment `local` only",
            "name the workflow that may release: ci-intel config explain lane",
        ),
    }
}

/// Whether the chosen isolation really starts something: user namespaces may be forbidden.
fn isolation(config: &Config, findings: &mut Findings) {
    let works = |way: Isolation| match way {
        Isolation::Bubblewrap => succeeds("bwrap", &["--ro-bind", "/", "/", "--unshare-all", "true"]),
        Isolation::Podman => succeeds("podman", &["info"]),
        Isolation::Docker => succeeds("docker", &["info"]),
        Isolation::Process => true,
    };
    match tools::isolation(config) {
        // That none is left is among the missing programs already.
        None => {}
        Some(Isolation::Process) => findings.info(
            "isolation",
            "neither bubblewrap, podman nor docker: only images with static programs can be started",
            tools::install("bwrap"),
        ),
        Some(way) if works(way) => findings.ok("isolation", tools::isolation_name(way)),
        Some(way) => findings.info(
            "isolation",
            format!("{} is installed, but starts nothing for this user", tools::isolation_name(way)),
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), or list another way in `smoke.isolation`",
        ),
    }
}

fn signing_key(findings: &mut Findings) -> Result<(), Failure> {
    let path = key::default_path()?;
    match key::problem(&path) {
        Some(failure) => findings.missing("signing key", failure),
        None if path.exists() => findings.ok("signing key", path.display().to_string()),
        None => findings.ok("signing key", format!("{} (the first release will make it)", path.display())),
    }
    Ok(())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn text(findings: &[Finding], missing: usize) -> String {
    let mut out = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok".green().to_string(),
            State::Info => "--".yellow().to_string(),
            State::Missing => "!!".red().to_string(),
        };
        let mut lines = finding.detail.lines();
        let _ = writeln!(out, "{mark} {:<13} {}", finding.what, lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(out, "                 {line}");
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(out, "                 {} {fix}", "fix:".cyan());
        }
    }
    let _ = match missing {
        0 => writeln!(out, "\nready for a local release: ci-intel release"),
        1 => writeln!(out, "\n1 thing is missing for a local release"),
        _ => writeln!(out, "\n{missing} things are missing for a local release"),
    };
    out
}
