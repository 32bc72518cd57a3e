//! `ci-intel release`.

use ci_types::record::Verdict;

use crate::args::ReleaseArgs;
use crate::exit::Exit;
use crate::failure::Failure;
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
        ui::note(&format!(
            "check it anywhere, offline: ci-intel verify {} --key {}",
            ui::path(&released.bundle),
            released.public_key.display()
        ));
    }
    Ok(match released.decision.verdict {
        Verdict::Accepted => Exit::Ok,
        Verdict::Rejected => Exit::Rejected,
    })
}
