//! Proof that the core is fail-closed: every reason to deny, every piece of evidence gone or wrong, laws, and the zoo.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod evidence;
mod gates;
mod laws;
mod zoo;

use ci_evidence::keys::{Algorithm, SigningKey};

/// Key of the organisation that the samples belong to.
fn organisation() -> SigningKey {
    SigningKey::from_seed(Algorithm::EcdsaP256, &[11; 32]).unwrap()
}

/// A key that nobody trusts.
fn stranger() -> SigningKey {
    SigningKey::from_seed(Algorithm::EcdsaP256, &[13; 32]).unwrap()
}
