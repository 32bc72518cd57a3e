//! Whom the verifier trusts. Always an argument: a bundle never vouches for itself.

use ci_types::config::LanePolicy;

use crate::keys::VerifyingKey;

/// Trust roots, named by whoever asks.
#[derive(Debug, Clone, Default)]
pub struct TrustRoots {
    /// Keys that may sign evidence, provenance, decisions and manifests.
    pub keys: Vec<VerifyingKey>,
    /// Keys that may sign an organisation overlay.
    pub organisation_keys: Vec<VerifyingKey>,
    /// Public keys of the OIDC issuer (JWKS bytes).
    pub issuer_keys: Option<Vec<u8>>,
    /// Identity that an authoritative lane must have.
    pub identity: Option<LanePolicy>,
}
