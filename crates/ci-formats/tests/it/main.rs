//! Integration tests of `ci-formats`: one binary, one module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod catalogue;
mod elf;
mod sbom;
