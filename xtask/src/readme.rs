//! `cargo xtask readme`: the commands of the README, run as written in a fresh repository. (`make` lines are run by .ci/run.)

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::example;
use crate::repo::{Repo, capture, root};
use crate::tidy::readme_commands;

pub fn run(_: &[String]) -> anyhow::Result<bool> {
    let root = root();
    let repo = Repo::read()?;
    let readme = repo.text("README.md").context("README.md is missing")?;
    capture(&root, "cargo", &["build", "--quiet", "--locked", "--package", "ci-cli"])?;
    let program = crate::bench::program(&root, "debug");
    let folder = example::fresh("out/readme")?;
    let before = std::env::var_os("PATH").unwrap_or_default();
    let programs = program.parent().map(ToOwned::to_owned);
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&before)))?;
    // The reader's own key and configuration are none of our business.
    let home = root.join("out/readme-config");
    let mut ran = 0;
    for (line, command) in readme_commands(readme).into_iter().filter(|(_, command)| !command.starts_with("make ")) {
        println!("README.md:{line}: $ {command}");
        let status = Command::new("sh")
            .args(["-c", command])
            .current_dir(&folder)
            .env("PATH", &path)
            .env("XDG_CONFIG_HOME", &home)
            .status()?;
        if !status.success() {
            bail!("README.md:{line}: `{command}` ended with {status}");
        }
        ran += 1;
    }
    println!("readme: {ran} commands ran");
    Ok(ran > 0)
}
