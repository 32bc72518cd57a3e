//! The commands, one file each.

pub(crate) mod config;
mod doctor;
pub(crate) mod evidence;
pub(crate) mod history;
mod init;
pub(crate) mod key;
mod release;
pub(crate) mod trust;
mod verify;
mod why;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui;

pub(crate) fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Release(args) => release::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Why(args) => why::run(&args),
        Command::History(args) => history::run(&args),
        Command::Evidence(command) => evidence::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Key(command) => key::run(&command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut crate::args::command(), "ci-intel", &mut out);
            ui::print(&String::from_utf8_lossy(&out));
            Ok(Exit::Ok)
        }
    }
}
