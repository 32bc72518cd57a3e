//! Signing and verifying keys: ECDSA P-256 with SHA-256 (what cosign makes) and Ed25519.
//!
//! Keys are stored as PKCS#8 and SPKI PEM (RFC 5958, RFC 5280), which cosign and openssl read. Signing is deterministic
//! (RFC 6979, RFC 8032). P-256 signatures are DER with the low `s`; a high `s` is refused, so a signature has one spelling.

use std::fmt;

use ci_types::Digest;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes, spki::der::pem::LineEnding,
};
use p256::ecdsa::signature::{Signer, Verifier};

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither a P-256 nor an Ed25519 private key.
    #[error("not an unencrypted PKCS#8 PEM private key (ECDSA P-256 or Ed25519)")]
    NotPrivate,
    /// Neither a P-256 nor an Ed25519 public key.
    #[error("not an SPKI PEM public key (ECDSA P-256 or Ed25519)")]
    NotPublic,
    /// A public key was asked for and a private key was given.
    #[error("this is a private key where a public key is expected; `ci-intel key public` prints its public half")]
    PrivateGiven,
    /// The seed is not a valid scalar.
    #[error("the seed does not give a valid key")]
    BadSeed,
    /// Encoding failed.
    #[error("the key cannot be encoded")]
    Encoding,
}

/// Algorithms of new keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA P-256 with SHA-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// A private key. Its `Debug` shows only the key id.
pub enum SigningKey {
    /// ECDSA P-256 with SHA-256.
    EcdsaP256(Box<p256::ecdsa::SigningKey>),
    /// Ed25519.
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// A key from 32 random bytes of the caller.
    ///
    /// # Errors
    /// [`KeyError::BadSeed`] for the few P-256 seeds outside the group order.
    pub fn from_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(match algorithm {
            Algorithm::EcdsaP256 => {
                Self::EcdsaP256(Box::new(p256::ecdsa::SigningKey::from_slice(seed).map_err(|_| KeyError::BadSeed)?))
            }
            Algorithm::Ed25519 => Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))),
        })
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(text) {
            return Ok(Self::EcdsaP256(Box::new(key)));
        }
        ed25519_dalek::SigningKey::from_pkcs8_pem(text)
            .map(|key| Self::Ed25519(Box::new(key)))
            .map_err(|_| KeyError::NotPrivate)
    }

    /// PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::Encoding`].
    pub fn to_pem(&self) -> Result<String, KeyError> {
        match self {
            Self::EcdsaP256(key) => key.to_pkcs8_pem(LineEnding::LF),
            // Without the public half: OpenSSL 3.0 reads version 1 of the structure only (RFC 5208; RFC 8410, section 7).
            Self::Ed25519(key) => {
                KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_pem(LineEnding::LF)
            }
        }
        .map(|pem| pem.to_string())
        .map_err(|_| KeyError::Encoding)
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::EcdsaP256(key) => VerifyingKey::EcdsaP256(*key.verifying_key()),
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key()),
        }
    }

    /// Signs `message`: DER for P-256, 64 raw bytes for Ed25519.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying_key().id().unwrap_or_default())
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// ECDSA P-256 with SHA-256.
    EcdsaP256(p256::ecdsa::VerifyingKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl VerifyingKey {
    /// Reads SPKI PEM.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::PrivateGiven);
        }
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(text) {
            return Ok(Self::EcdsaP256(key));
        }
        ed25519_dalek::VerifyingKey::from_public_key_pem(text).map(Self::Ed25519).map_err(|_| KeyError::NotPublic)
    }

    /// SPKI PEM.
    ///
    /// # Errors
    /// [`KeyError::Encoding`].
    pub fn to_pem(&self) -> Result<String, KeyError> {
        match self {
            Self::EcdsaP256(key) => key.to_public_key_pem(LineEnding::LF),
            Self::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
        }
        .map_err(|_| KeyError::Encoding)
    }

    /// `sha256:` and the SHA-256 of the SPKI DER: the `keyid` of our envelopes.
    ///
    /// # Errors
    /// [`KeyError::Encoding`].
    pub fn id(&self) -> Result<String, KeyError> {
        match self {
            Self::EcdsaP256(key) => key.to_public_key_der(),
            Self::Ed25519(key) => key.to_public_key_der(),
        }
        .map(|der| Digest::of(der.as_bytes()).to_string())
        .map_err(|_| KeyError::Encoding)
    }

    /// Whether `signature` is this key's over `message`, in its one accepted spelling.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::EcdsaP256(key) => p256::ecdsa::Signature::from_der(signature).is_ok_and(|parsed| {
                parsed.normalize_s() == parsed
                    && parsed.to_der().as_bytes() == signature
                    && key.verify(message, &parsed).is_ok()
            }),
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|parsed| key.verify_strict(message, &parsed).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys() -> [SigningKey; 2] {
        [Algorithm::EcdsaP256, Algorithm::Ed25519].map(|algorithm| SigningKey::from_seed(algorithm, &[7; 32]).unwrap())
    }

    #[test]
    fn keys_round_trip_through_pem_and_sign_alike() {
        for key in keys() {
            let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
            assert_eq!(key.sign(b"x"), again.sign(b"x"));
            let public = VerifyingKey::from_pem(&key.verifying_key().to_pem().unwrap()).unwrap();
            assert!(public.verify(b"x", &key.sign(b"x")));
            assert!(!public.verify(b"y", &key.sign(b"x")));
        }
    }

    #[test]
    fn a_private_key_in_the_place_of_a_public_one_rejects() {
        for key in keys() {
            assert_eq!(VerifyingKey::from_pem(&key.to_pem().unwrap()), Err(KeyError::PrivateGiven));
        }
    }

    #[test]
    fn the_other_spelling_of_a_p256_signature_rejects() {
        let [key, _] = keys();
        let low = p256::ecdsa::Signature::from_der(&key.sign(b"x")).unwrap();
        let (r, s) = (low.r(), low.s());
        let high = p256::ecdsa::Signature::from_scalars(*r, -*s).unwrap();
        let public = key.verifying_key();
        let VerifyingKey::EcdsaP256(inner) = &public else { unreachable!() };
        assert!(inner.verify(b"x", &high).is_ok(), "the malleated signature is valid mathematically");
        assert!(!public.verify(b"x", high.to_der().as_bytes()));
    }
}
