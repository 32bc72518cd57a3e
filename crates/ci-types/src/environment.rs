//! Where an artifact may run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A deployment environment. `Local` is a developer's machine: the only one that a run outside the authoritative lane can
/// be accepted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum Environment {
    Local,
    Preview,
    Test,
    Dev,
    Staging,
    Prod,
}

impl Environment {
    /// All of them, weakest first.
    pub const ALL: [Self; 6] = [Self::Local, Self::Preview, Self::Test, Self::Dev, Self::Staging, Self::Prod];

    /// The name used in config, telemetry and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Preview => "preview",
            Self::Test => "test",
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an environment; expected local, preview, test, dev, staging or prod")]
pub struct UnknownEnvironment(pub String);

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        Self::ALL
            .into_iter()
            .find(|environment| environment.as_str() == text)
            .ok_or_else(|| UnknownEnvironment(text.to_owned()))
    }
}
