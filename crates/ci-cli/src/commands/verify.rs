//! `ci-intel verify`: offline; opens no socket.

use std::path::Path;

use ci_policy::replay::{self, Expectations, Refusal};
use ci_types::record::Verdict;

use crate::args::{Format, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{self, View};
use crate::{commands, files, ui};

pub(crate) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let bytes = files::read(&args.bundle)?;
    let trust = commands::trust::roots(&args.trust)?;
    let expected = Expectations {
        digest: args.digest,
        environment: args.env,
        max_age_s: args.max_age_h.map(|hours| hours.saturating_mul(3600)),
    };
    match replay::replay(&bytes, &trust, &expected, crate::lane::now()?) {
        Ok(replayed) => {
            let view = View::of(&replayed.decision)
                .signed_by(&replayed.signed_by)
                .bundle(&args.bundle)
                .verified(replayed.manifest.files.len());
            ui::print(&render::decision(&view, args.format)?);
            if args.env.is_none() && args.format == Format::Text && !replayed.decision.lane.authoritative {
                ui::note(
                    "this was decided for a developer's machine; before a deployment demand one: --env ENVIRONMENT",
                );
            }
            Ok(match replayed.decision.verdict {
                Verdict::Accepted => Exit::Ok,
                Verdict::Rejected => Exit::Rejected,
            })
        }
        Err(refusal) => {
            ui::print(&render::refusal(&refusal, &args.bundle, &command(args), args.format)?);
            Ok(match refusal {
                Refusal::Undecided(_) => Exit::Undecided,
                Refusal::Rejected(_) => Exit::Rejected,
            })
        }
    }
}

/// The command as it was given, to add to.
fn command(args: &VerifyArgs) -> String {
    let mut words = vec!["ci-intel verify".to_owned(), args.bundle.display().to_string()];
    let mut flag = |name: &str, path: &Path| words.push(format!("{name} {}", path.display()));
    args.trust.key.iter().for_each(|path| flag("--key", path));
    args.trust.organisation_key.iter().for_each(|path| flag("--organisation-key", path));
    args.trust.identity.iter().for_each(|path| flag("--identity", path));
    args.trust.issuer_keys.iter().for_each(|path| flag("--issuer-keys", path));
    words.join(" ")
}
