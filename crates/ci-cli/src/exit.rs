//! Exit codes are public API; `docs/reference/exit-codes.md` documents them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Accepted, or done.
    Ok,
    /// Rejected, or findings.
    Rejected,
    /// Called wrongly, or the configuration is wrong.
    Usage,
    /// Could not decide; every caller treats it as a rejection.
    Undecided,
    /// A fault of ci-intel or of the machine.
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Rejected => 1,
            Exit::Usage => 2,
            Exit::Undecided => 3,
            Exit::Internal => 4,
        })
    }
}
