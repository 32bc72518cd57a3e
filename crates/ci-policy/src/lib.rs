//! Gates and decisions. Pure: [`decide`] is a function of facts, configuration and an explicit `now`.
//!
//! Invariant: acceptance needs every gate of [`gates::all`] to pass. A gate cannot be switched off, and there is no third
//! answer between pass and deny.

pub mod bundle;
pub mod check;
pub mod decide;
pub mod gates;
pub mod replay;
pub mod summary;
pub mod telemetry;

pub use decide::{Question, decide};
