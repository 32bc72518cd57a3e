//! `ci-intel why`: the five audit questions, and for a rejection the shortest path to acceptance.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ci_evidence::decision_log::LogEntry;
use ci_policy::replay::{self, Expectations, Refusal};
use ci_types::canonical;
use ci_types::record::{Decision, EvidenceKind, GateVerdict, Verdict};

use crate::args::{Format, WhyArgs};
use crate::commands::evidence::Opened;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::lane::State;
use crate::render::{self, View};
use crate::ui::{self, plain};

pub(crate) fn run(args: &WhyArgs) -> Result<Exit, Failure> {
    let as_file = Path::new(&args.reference);
    let bundle = if as_file.is_file() { as_file.to_owned() } else { find(args)? };
    // What this repository's own lane left is taken as what it is; a file from elsewhere vouches for nothing by itself.
    let verified = is_own(&bundle, args) || !args.trust.key.is_empty();
    if !is_own(&bundle, args) && verified {
        let trust = super::trust::roots(&args.trust)?;
        let replayed = replay::replay(&files::read(&bundle)?, &trust, &Expectations::default(), crate::lane::now()?);
        if let Err(refusal) = replayed {
            ui::print(&render::refusal(&refusal, &bundle, &format!("ci-intel why {}", bundle.display()), args.format)?);
            return Ok(match refusal {
                Refusal::Undecided(_) => Exit::Undecided,
                Refusal::Rejected(_) => Exit::Rejected,
            });
        }
    }
    let opened = Opened::read(&bundle)?;
    let decision: Decision = opened
        .kind(EvidenceKind::Decision)
        .ok_or_else(|| Failure::rejected(format!("{} holds no decision", bundle.display())))
        .and_then(|bytes| {
            canonical::from_slice(bytes)
                .map_err(|error| Failure::rejected(format!("{}: decision: {error}", bundle.display())))
        })?;
    if !verified && args.format != Format::Text {
        return Err(unverified(&bundle));
    }
    if args.format == Format::Text {
        if !verified {
            ui::print("NOT VERIFIED: this is what the file says of itself");
        }
        ui::print(&answers(&decision, &opened, &bundle));
    } else {
        ui::print(&render::decision(&View::of(&decision).bundle(&bundle), args.format)?);
    }
    match decision.verdict {
        Verdict::Accepted if !verified => Err(unverified(&bundle)),
        Verdict::Accepted => Ok(Exit::Ok),
        Verdict::Rejected => Ok(Exit::Rejected),
    }
}

fn unverified(bundle: &Path) -> Failure {
    Failure::undecided(format!("{} was not verified, so what it says proves nothing", bundle.display()))
        .fix(format!("ci-intel why {} --key FILE", bundle.display()))
}

/// Whether a bundle stands in the state of the repository in question.
fn is_own(bundle: &Path, args: &WhyArgs) -> bool {
    let state = args.repo.repo.join(".ci-intel/state").canonicalize();
    let bundle = bundle.canonicalize();
    matches!((state, bundle), (Ok(state), Ok(bundle)) if bundle.starts_with(&state))
}

/// The newest release that the reference names.
fn find(args: &WhyArgs) -> Result<PathBuf, Failure> {
    let state = State::existing(&args.repo.repo)?;
    let log = state.log()?;
    let entry = log.entries.iter().rev().find(|entry| names(entry, &args.reference)).ok_or_else(|| {
        Failure::usage(format!("no release here is named `{}`", args.reference)).fix("ci-intel history lists them")
    })?;
    if let Some(failure) = &entry.failure {
        return Err(Failure::rejected(format!(
            "run {} ended in stage {} before it could be decided: {}",
            entry.run_id, failure.stage, failure.message
        ))
        .fix("mend that, then: ci-intel release"));
    }
    let bundle = state.release(&entry.run_id).join(format!("evidence-{}.tar.zst", entry.tag));
    if bundle.is_file() {
        Ok(bundle)
    } else {
        Err(Failure::rejected(format!(
            "the log knows run {} ({:?}), but its bundle {} is gone",
            entry.run_id,
            entry.verdict,
            bundle.display()
        ))
        .fix("give the bundle file itself: ci-intel why FILE"))
    }
}

fn names(entry: &LogEntry, reference: &str) -> bool {
    let by_digest = entry.digest.is_some_and(|digest| {
        let text = digest.to_string();
        reference == text
            || reference == format!("{}@{text}", entry.name)
            || reference == format!("{}:{}@{text}", entry.name, entry.tag)
            || (reference.len() >= 12 && digest.hex().starts_with(reference))
    });
    by_digest
        || reference == entry.tag.as_str()
        || reference == entry.run_id
        || reference == format!("{}:{}", entry.name, entry.tag)
        || (reference.len() >= 7 && entry.commit.starts_with(reference))
}

fn answers(decision: &Decision, opened: &Opened, bundle: &Path) -> String {
    let mut out = String::new();
    let subject = &decision.subject;
    let authority = if decision.lane.authoritative { "the authoritative lane" } else { "not authoritative" };
    let rows = [
        ("what", subject.reference()),
        ("source", format!("{} at {}", decision.repository, decision.commit)),
        ("lane", format!("{} ({authority}), run {}", decision.lane.id, decision.run_id)),
        ("identity", decision.lane.actor.clone()),
        (
            "gates",
            format!(
                "{} of {} passed, decided {} for {}",
                View::of(decision).passed(),
                decision.gates.len(),
                decision.now,
                decision.environment
            ),
        ),
    ];
    for (question, answer) in rows {
        let _ = writeln!(out, "{question:<9} {}", plain(&answer));
    }
    for gate in &decision.gates {
        let word = if gate.verdict == GateVerdict::Pass { "pass" } else { "DENY" };
        for reason in &gate.reasons {
            let _ = writeln!(out, "          {word} {:<21} {}", gate.gate, plain(&reason.message));
        }
    }
    let denied: Vec<_> = decision.gates.iter().filter(|gate| gate.verdict == GateVerdict::Deny).collect();
    if denied.is_empty() {
        let _ = writeln!(out, "verdict   accepted for {}", decision.environment);
    } else {
        let _ = writeln!(out, "verdict   rejected; the shortest path to acceptance:");
        for (step, fix) in shortest_path(&denied).into_iter().enumerate() {
            let _ = writeln!(out, "          {}. {}", step + 1, plain(&fix));
        }
    }
    let _ = writeln!(out, "evidence  {} files in {}", opened.manifest.files.len(), ui::path(bundle));
    out
}

/// Each remediation once. Causes come first: a build that failed explains the evidence that is missing after it.
fn shortest_path(denied: &[&ci_types::record::GateOutcome]) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let content = denied.iter().filter(|gate| gate.gate != "evidence-complete");
    let absence = denied.iter().filter(|gate| gate.gate == "evidence-complete");
    for gate in content.chain(absence) {
        for reason in &gate.reasons {
            // The last step says it once for all.
            let step = reason.remediation.trim_end_matches(", then: ci-intel release").to_owned();
            if step != "ci-intel release" && !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps.push("ci-intel release".to_owned());
    steps
}
