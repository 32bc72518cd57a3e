//! Integration tests of `ci-agent`: real git repositories, real processes, real builders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

mod assemble;
mod context;
mod difference;
mod dual;
mod engines;
mod fixture;
mod process;
mod source;
