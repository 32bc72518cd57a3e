//! What went wrong, where, and what to do next.

use std::fmt::Display;
use std::path::Path;

use crate::exit::Exit;

/// A command that did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// What went wrong, with place and cause.
    pub(crate) message: String,
    /// The exact next command, edit or permission.
    pub(crate) fix: Option<String>,
}

impl Failure {
    fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), fix: None }
    }

    /// The evidence or the world says no.
    pub(crate) fn rejected(message: impl Display) -> Self {
        Self::new(Exit::Rejected, message)
    }

    /// Called wrongly.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Nothing could be decided.
    pub(crate) fn undecided(message: impl Display) -> Self {
        Self::new(Exit::Undecided, message)
    }

    /// A fault of ci-intel or of the machine.
    pub(crate) fn internal(message: impl Display) -> Self {
        Self::new(Exit::Internal, message)
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(verb: &str, path: &Path, error: impl Display) -> Self {
        Self::new(Exit::Usage, format!("cannot {verb} {}: {error}", path.display()))
    }

    /// With the next step.
    pub(crate) fn fix(mut self, fix: impl Display) -> Self {
        self.fix = Some(fix.to_string());
        self
    }

    /// The verdict that this amounts to, in reports and step outputs.
    pub(crate) const fn verdict(&self) -> &'static str {
        match self.exit {
            Exit::Rejected => "rejected",
            Exit::Undecided => "undecided",
            Exit::Ok | Exit::Usage | Exit::Internal => "error",
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}
