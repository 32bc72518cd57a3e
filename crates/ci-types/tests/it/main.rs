//! The configuration as its users meet it: texts in, values or errors with places out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config_corpus;
mod config_errors;
mod config_layers;

use ci_types::config::{ConfigError, Effective, Layer, LayerOrigin, load};

/// The smallest good repository file.
const MINIMAL: &str = "\
version: 1
project:
  name: org/app
build:
  context:
    include:
      - src/**
  assemble:
    files:
      - from: src/app
        to: /app
smoke:
  exec:
    - [/app, --version]
";

fn read(text: &str) -> Result<Effective, Vec<ConfigError>> {
    load(None, &Layer { origin: LayerOrigin::Repository, file: "config.yml", bytes: text.as_bytes() })
}

fn read_with_overlay(overlay: &str, text: &str) -> Result<Effective, Vec<ConfigError>> {
    let overlay = Layer { origin: LayerOrigin::Overlay, file: "overlay.yml", bytes: overlay.as_bytes() };
    load(Some(&overlay), &Layer { origin: LayerOrigin::Repository, file: "config.yml", bytes: text.as_bytes() })
}

/// The minimal file with one text exchanged, which must be there.
fn with(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    MINIMAL.replacen(from, to, 1)
}

/// The minimal file with more keys at its end.
fn and(more: &str) -> String {
    format!("{MINIMAL}{more}")
}
