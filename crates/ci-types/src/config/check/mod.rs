//! Checks of single values, each given the value's node and told to say exactly what is wrong where.

mod build;
mod commands;
mod lane;
mod names;
mod paths;
mod publish;

pub(super) use build::{assemble_files, base, env_names, ports, user};
pub(super) use commands::{argv, argvs, env_table, http_probes, isolation, sbom_command, scan_commands, tests_command};
pub(super) use lane::{environments, events, issuer, refs, repository_id, workflow};
pub(super) use names::{is_image_name, is_repository, labels, project_name, repository};
pub(super) use paths::{absolute_path, glob, patterns, relative_path};
pub(super) use publish::{tag, target};

pub use build::looks_like_credential;
pub use paths::context_matcher;
pub use publish::{PublishTarget, is_loopback_host};

use super::error::{ConfigError, Fault, Place, Reason, clip};
use super::yaml::Node;

/// A check of one key's value.
pub(super) type Check = fn(&Node, &mut Sink<'_>);

/// For values whose shape says everything.
pub(super) fn nothing(_: &Node, _: &mut Sink<'_>) {}

/// Where checks report to.
pub(super) struct Sink<'a> {
    pub(super) file: &'a str,
    pub(super) key: String,
    pub(super) errors: &'a mut Vec<ConfigError>,
}

impl Sink<'_> {
    /// Reports against the key itself or, with a suffix like `[2].to`, a part of it.
    pub(super) fn refuse(&mut self, place: Place, suffix: &str, reason: impl Into<Reason>, fix: impl Into<String>) {
        self.errors.push(ConfigError {
            path: self.file.to_owned(),
            place,
            key: clip(&format!("{}{suffix}", self.key)),
            reason: reason.into(),
            fix: fix.into(),
        });
    }

    /// Reports what `judge` says about each text of a list; also repeats.
    fn each(&mut self, list: &Node, judge: impl Fn(&str) -> Result<(), (Fault, String)>) {
        for (index, item) in list.items().iter().enumerate() {
            let suffix = format!("[{index}]");
            if let Err((fault, fix)) = judge(item.text()) {
                self.refuse(item.place, &suffix, fault, fix);
            } else if list.items()[..index].iter().any(|earlier| earlier.text() == item.text()) {
                let reason = Reason::RepeatedEntry(clip(item.text()));
                self.refuse(item.place, &suffix, reason, "remove the repeated entry");
            }
        }
    }

    /// Reports an empty list.
    fn not_empty(&mut self, list: &Node, fix: &str) {
        if list.items().is_empty() {
            self.refuse(list.place, "", Reason::NothingListed, fix);
        }
    }

    /// Reports what `judge` says about one text.
    fn one(&mut self, node: &Node, judge: impl Fn(&str) -> Result<(), (Fault, String)>) {
        if let Err((fault, fix)) = judge(node.text()) {
            self.refuse(node.place, "", fault, fix);
        }
    }
}
