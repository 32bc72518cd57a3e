//! Proof that the core is fail-closed: every reason to deny, every piece of evidence gone or wrong, laws, and the zoo.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gates;
