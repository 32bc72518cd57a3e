//! The tamper sweep: a good bundle changed in every way an attacker could, by one without a key, one with a key of his own,
//! and one who has the lane's key but not its decision. All of it is rejected, none of it panics, the untouched is accepted.
//!
//! It has a harness of its own so that `cargo test -p ci-evidence tamper` prints the counts also when all is well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod attacks;
mod harness;
mod json;
mod sample;

fn main() -> std::process::ExitCode {
    harness::run(&attacks::all())
}
