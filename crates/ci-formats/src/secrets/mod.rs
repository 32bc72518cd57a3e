//! Secrets in bytes: rules as data, one engine to find and to redact them. Nothing here ever returns a secret's value.
//!
//! Failing closed means two things here: what looks like a secret is one until a structure check clears it, and what was
//! redacted once scans clean.

mod check;
mod example;
mod redact;
mod rule;
mod rules;
mod scanner;
mod values;

pub use example::Example;
pub use redact::Redactor;
pub use rule::{Check, Rule};
pub use scanner::{Hit, Scanner, ValuesTooLarge};

/// Whether a value only stands where a secret will be (`changeme`, `${TOKEN}`, `xxxx`).
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    value.is_empty() || check::is_placeholder(value.as_bytes())
}

#[cfg(test)]
mod tests;
