//! What a scanner says, in one model.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Severity of a finding or a gate. `Unknown` is its own value and counts as [`Severity::High`] wherever it is budgeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Low,
    Medium,
    Unknown,
    High,
    Critical,
}

impl Severity {
    /// The budget that this severity draws on: `Unknown` draws on `High`.
    #[must_use]
    pub const fn budgeted_as(self) -> Self {
        match self {
            Self::Unknown => Self::High,
            other => other,
        }
    }

    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Unknown => "unknown",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
