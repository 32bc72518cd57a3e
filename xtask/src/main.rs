//! Repository tasks: `cargo xtask TASK [ARGUMENT…]`.

mod codegen;

use std::process::ExitCode;

/// A task: name, one line of help, and what it does with its arguments.
type Task = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const TASKS: &[Task] = &[(
    "codegen",
    "write schema/*.json and docs/reference/config.md from the types; --check: fail where they differ",
    codegen::run,
)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = arguments.first().and_then(|name| TASKS.iter().find(|(task, ..)| task == name));
    let Some((name, _, run)) = task else {
        eprintln!("usage: cargo xtask TASK\n");
        for (name, help, _) in TASKS {
            eprintln!("  {name:<12} {help}");
        }
        return ExitCode::from(2);
    };
    match run(arguments.get(1..).unwrap_or_default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
