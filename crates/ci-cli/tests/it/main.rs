//! `ci-intel` as its users and its attackers meet it: the real program, real repositories, real registries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod config;
mod cosign;
mod evidence;
mod exit_codes;
mod fixture;
mod github_lane;
mod history;
mod killed;
mod negative_path;
mod offline;
mod outputs;
mod registry;
mod secrets;
