//! The `ci-intel` command.
fn main() {}
