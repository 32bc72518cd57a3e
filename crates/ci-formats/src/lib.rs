//! Bytes to typed, one file a format. Pure: no file system, clock, environment or randomness.
//!
//! Readers take bytes of strangers: they never panic, are bounded in time and memory, and say where and why they refuse.

pub mod catalogue;
pub mod intoto;
pub mod junit;
pub mod license;
pub mod package;
pub mod purl;
pub mod sbom;
pub mod scan;
pub mod secrets;
