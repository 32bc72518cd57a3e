//! Builders and launchers for tests: a complete good release to break one piece of, an OIDC issuer, real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::missing_panics_doc)]

pub mod oidc;
pub mod release;
