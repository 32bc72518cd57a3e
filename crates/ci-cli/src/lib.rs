//! The `ci-intel` command. A thin shell: it reads files and flags, calls the libraries and renders what they say.

mod args;
mod commands;
#[cfg(test)]
mod docs;
mod exit;
mod failure;
mod files;
mod lane;
mod render;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use args::command;

/// Parses `argv`, runs the command and returns its exit code.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The environment may hold the job's credentials: no program that the lane starts may read it off this process
    // (proc(5), /proc/PID/environ). Where the kernel refuses, nothing else here depends on it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    match args::Cli::try_parse_from(argv) {
        Ok(cli) => match commands::run(cli) {
            Ok(exit) => exit.into(),
            Err(failure) => {
                ui::error(&failure);
                failure.exit().into()
            }
        },
        Err(error) => {
            // Help and version are printed by clap with success; everything else is a usage error.
            let exit = if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Ok };
            let _ = error.print();
            exit.into()
        }
    }
}
