//! HTTP for the adapters: bounded in time and size, no silent redirects, no secret in any error.
//!
//! The invariant of every answer: it is complete (its length is what the server announced), not encoded, and came from a
//! host that the caller's credentials were meant for.

mod client;
mod error;
mod url;

pub(crate) use client::{Answer, Body, Call, Client, Limits};
pub(crate) use error::HttpError;
pub(crate) use url::Url;
