//! The contract of `.ci-intel/config.yml`.
//!
//! [`Config`] is the effective configuration: defaults, then the signed organisation overlay, then the repository's file,
//! where each layer may only be stricter than the one before. Every key has a default here, so the defaults are the floor.

mod model;

pub use model::*;
