//! The contract of `.ci-intel/config.yml`.
//!
//! [`Config`] is the effective configuration: defaults, then the signed organisation overlay, then the repository's file,
//! where each layer may only be stricter than the one before. Every key has a default here, so the defaults are the floor.

mod check;
mod error;
mod explain;
mod keys;
#[cfg(test)]
mod law;
mod layer;
mod merge;
mod model;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod shape;
mod suggest;
mod template;
mod yaml;

pub use check::{PublishTarget, context_matcher, is_loopback_host, looks_like_credential};
pub use error::{ConfigError, Fault, LayerOrigin, Place, Reason};
pub use explain::{Explanation, UnknownKey, default_of, explain, rule_words};
pub use keys::{KEYS, Key};
pub use layer::{Layer, ParsedLayer, parse_layer};
pub use merge::{Effective, Origin, load, merge};
pub use model::*;
pub use rule::Rule;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use shape::{Field, Shape};
pub use template::{Detected, ProjectKind, SCHEMA_URL, template};
