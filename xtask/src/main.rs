//! `cargo xtask COMMAND`: what keeps the repository true to itself. Not shipped.

mod bench;
mod codegen;
mod example;
mod licences;
mod readme;
mod repo;
mod tidy;
mod zoo;

use std::process::ExitCode;

/// A command: its arguments in, whether it found everything in order out.
type Run = fn(&[String]) -> anyhow::Result<bool>;

/// Every command: name, arguments, what it does.
const COMMANDS: &[(&str, &str, &str, Run)] = &[
    ("codegen", "[--check]", "write schema/*.json and docs/reference/config.md from the types", |args| {
        codegen::run(args).map(|()| true)
    }),
    ("tidy", "", "check the repository's own rules", tidy::run),
    ("licences", "", "check licence, origin and yank state of every dependency", licences::run),
    ("readme", "", "run the commands of the README", readme::run),
    ("eval", "zoo", "run the fail-open zoo", zoo::run),
    ("bench", "verify|version|lane|all", "measure whole processes against limits and peers", bench::run),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((_, _, _, run)) = COMMANDS.iter().find(|(name, ..)| Some(*name) == args.first().map(String::as_str))
    else {
        eprintln!("usage: cargo xtask COMMAND\n");
        for (name, operands, about, _) in COMMANDS {
            eprintln!("  {:<32} {about}", format!("{name} {operands}"));
        }
        return ExitCode::from(2);
    };
    match run(&args[1..]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(4)
        }
    }
}
