//! `ci-intel release`.

use ci_types::record::Verdict;

use crate::args::ReleaseArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lane::Released;
use crate::render::{self, View};
use crate::{files, lane, ui};

pub(crate) fn run(args: &ReleaseArgs) -> Result<Exit, Failure> {
    let released = match lane::run(args) {
        Ok(Some(released)) => released,
        Ok(None) => return Ok(Exit::Ok),
        Err(failure) => {
            if !args.dry_run {
                files::github_output(&format!("verdict={}\n", failure.verdict()))?;
            }
            // Programs read standard output; they must find a rejection there too.
            if let Some(report) = render::stopped(&failure, args.format)? {
                ui::print(&report);
            }
            return Err(failure);
        }
    };
    let view = View::of(&released.decision).bundle(&released.bundle).signed_by(&released.key_id);
    ui::print(&render::decision(&view, args.format)?);
    if args.format == crate::args::Format::Text {
        ui::note(&next(&released));
    }
    Ok(match released.decision.verdict {
        Verdict::Accepted => Exit::Ok,
        Verdict::Rejected => Exit::Rejected,
    })
}

/// The commands that answer what one asks next.
fn next(released: &Released) -> String {
    let bundle = ui::path(&released.bundle);
    let verify = format!("ci-intel verify {bundle} --key {}", ui::path(&released.public_key));
    let history = "ci-intel history";
    let commit = released.decision.commit.get(..12).unwrap_or(&released.decision.commit);
    let why = format!("ci-intel why {commit}");
    let rows = match released.decision.verdict {
        Verdict::Accepted => [
            ("check it anywhere, offline", verify),
            ("what was proven, and by whom", why),
            ("every release", history.to_owned()),
        ],
        Verdict::Rejected => [
            ("the shortest path to acceptance", why),
            ("logs and reports", format!("ci-intel evidence show {bundle}")),
            ("every release", history.to_owned()),
        ],
    };
    rows.iter().map(|(question, command)| format!("{question:<32} {command}")).collect::<Vec<_>>().join("\n")
}
