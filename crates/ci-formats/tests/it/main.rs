//! Integration tests of `ci-formats`: one binary, one module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod catalogue;
mod elf;
mod sbom;
