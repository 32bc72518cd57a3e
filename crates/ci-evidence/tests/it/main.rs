//! Tokens against real RSA keys, and bundles read by programs that are not ours.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod jwt;
mod peers;
