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
    /// What else is wrong, where all of it can be told at once.
    pub(crate) more: Vec<Failure>,
}

impl Failure {
    fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), fix: None, more: Vec::new() }
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

    /// A file that cannot be read or written. What cannot be read was named wrongly; what cannot be written is the machine's
    /// fault and says nothing about a release.
    pub(crate) fn file(verb: &str, path: &Path, error: impl Display) -> Self {
        let exit = match verb {
            "write" | "append to" | "create" | "remove" => Exit::Internal,
            _ => Exit::Usage,
        };
        Self::new(exit, format!("cannot {verb} {}: {error}", path.display()))
    }

    /// With the next step.
    pub(crate) fn fix(mut self, fix: impl Display) -> Self {
        self.fix = Some(fix.to_string());
        self
    }

    /// Several as one, in their order; `None` for none. A rejection outweighs wrong use: the caller asked for a verdict.
    pub(crate) fn all(failures: Vec<Self>) -> Option<Self> {
        let rejected = failures.iter().any(|failure| failure.exit == Exit::Rejected);
        let mut failures = failures.into_iter();
        let mut first = failures.next()?;
        first.more.extend(failures);
        if rejected {
            first.exit = Exit::Rejected;
        }
        Some(first)
    }

    /// All messages in one line, for records.
    pub(crate) fn summary(&self) -> String {
        let messages = std::iter::once(self.message.clone()).chain(self.more.iter().map(Self::summary));
        messages.collect::<Vec<_>>().join("; ")
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn several_failures_keep_every_message_and_fix() {
        let failures = vec![Failure::usage("a").fix("do a"), Failure::rejected("b").fix("do b"), Failure::usage("c")];
        let all = Failure::all(failures).expect("three failures");
        assert_eq!(all.summary(), "a; b; c");
        assert_eq!(all.exit(), Exit::Rejected);
        assert_eq!(all.more[0].fix.as_deref(), Some("do b"));
        assert!(Failure::all(Vec::new()).is_none());
    }
}
