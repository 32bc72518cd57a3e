//! Shared vocabulary. Pure: no file system, clock, environment or randomness; every value is an argument.

pub mod artifact;
pub mod canonical;
pub mod config;
pub mod digest;
pub mod environment;
pub mod finding;
pub mod pipeline_run;
pub mod record;
pub mod strict_json;
pub mod time;

pub use artifact::{Descriptor, Subject, Tag};
pub use digest::Digest;
pub use environment::Environment;
pub use finding::Severity;
pub use time::Timestamp;
