//! The adapters against real registries, real tools and real faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod conformance;
mod copy;
mod layout;
mod layout_crash;
mod oidc;
mod registry_auth;
mod registry_faults;
mod registry_referrers;
mod support;
mod tools;
