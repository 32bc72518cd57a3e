//! Evidence to [`VerifiedFact`](facts::VerifiedFact). Pure: bytes, trust roots and time come in, facts or typed rejections come out.
//!
//! Invariant: a fact has a private constructor and no `Deserialize`. Whoever holds one holds something that a verifier of
//! this crate proved from evidence bytes.

pub mod archive;
pub mod decision_log;
pub mod dsse;
pub mod facts;
pub mod jwt;
pub mod keys;
pub mod layout;
pub mod set;
mod template;
pub mod trust;
pub mod verifiers;
