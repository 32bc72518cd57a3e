//! The `ci-intel` command: parse, run, render, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    ci_cli::run(std::env::args_os())
}
