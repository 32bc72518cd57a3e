//! The contract of `.ci-intel/config.yml`: bytes to an effective configuration, or to errors with place, reason and fix.
//!
//! [`Config`] is the effective configuration: defaults, then the signed organisation overlay, then the repository's file,
//! where each layer may only be stricter than the one before. What "stricter" means stands key by key in [`KEYS`], which is
//! also what `explain`, the JSON Schema and the reference page are made from. Invariant: [`Effective`] is only made by
//! [`merge`], and admits nothing that a layer, or a default that binds, refused.

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
pub use template::{Detected, Machine, NpmTests, ProjectKind, SCHEMA_URL, Scanner, template};
