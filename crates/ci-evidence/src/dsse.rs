//! DSSE envelopes (secure-systems-lab/dsse v1.0.2) with exactly one signature, in canonical JSON.
//!
//! Everything in an envelope that the signature does not cover is pinned some other way: the key id must be the trusted
//! key's, base64 must be canonical, and the envelope's bytes must be the canonical form. Nothing can be changed unseen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_types::canonical;
use ci_types::strict_json::JsonError;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, SigningKey, VerifyingKey};

/// Payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Payload type of decisions.
pub const DECISION: &str = "application/vnd.ci-intel.decision.v1+json";
/// Payload type of evidence manifests.
pub const MANIFEST: &str = "application/vnd.ci-intel.evidence-manifest.v1+json";
/// Payload type of organisation overlays.
pub const OVERLAY: &str = "application/vnd.ci-intel.overlay.v1+yaml";

/// The envelope as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Base64 of the payload.
    pub payload: String,
    /// Type of the payload; covered by the signature.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Exactly one.
    pub signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// [`VerifyingKey::id`] of the signer.
    pub keyid: String,
    /// Base64 of the signature over the pre-authentication encoding.
    pub sig: String,
}

/// Why an envelope was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not an envelope in canonical JSON.
    #[error("not a DSSE envelope: {0}")]
    Malformed(#[from] JsonError),
    /// Another payload type.
    #[error("payload type is `{found}`, expected `{expected}`")]
    PayloadType {
        /// Found.
        found: String,
        /// Expected.
        expected: String,
    },
    /// Not exactly one signature.
    #[error("{0} signatures, expected exactly one")]
    SignatureCount(usize),
    /// Signed by a key that the caller does not trust.
    #[error("signed by {0}, which is not a trusted key")]
    UntrustedKey(String),
    /// Base64 that is not canonical.
    #[error("{0} is not canonical base64")]
    Base64(&'static str),
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
    /// A trusted key cannot be encoded.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A payload whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The payload.
    pub payload: Vec<u8>,
    /// Id of the key that signed it.
    pub key_id: String,
}

/// Pre-authentication encoding: what is signed.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs `payload` and returns the canonical bytes of the envelope.
///
/// # Errors
/// When the key cannot be encoded.
pub fn seal(payload_type: &str, payload: &[u8], key: &SigningKey) -> Result<Vec<u8>, DsseError> {
    let envelope = Envelope {
        payload: STANDARD.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: vec![Signature {
            keyid: key.verifying_key().id()?,
            sig: STANDARD.encode(key.sign(&pae(payload_type, payload))),
        }],
    };
    canonical::to_vec(&envelope).map_err(|error| DsseError::Malformed(JsonError::Malformed(error.to_string())))
}

/// Opens an envelope that one of `trusted` signed.
///
/// # Errors
/// See [`DsseError`].
pub fn open(bytes: &[u8], payload_type: &str, trusted: &[VerifyingKey]) -> Result<Opened, DsseError> {
    let envelope: Envelope = canonical::from_slice(bytes)?;
    if envelope.payload_type != payload_type {
        return Err(DsseError::PayloadType { found: envelope.payload_type, expected: payload_type.to_owned() });
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(DsseError::SignatureCount(envelope.signatures.len()));
    };
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| DsseError::Base64("payload"))?;
    let raw = STANDARD.decode(&signature.sig).map_err(|_| DsseError::Base64("sig"))?;
    for key in trusted {
        if key.id()? == signature.keyid {
            return if key.verify(&pae(payload_type, &payload), &raw) {
                Ok(Opened { payload, key_id: signature.keyid.clone() })
            } else {
                Err(DsseError::BadSignature)
            };
        }
    }
    Err(DsseError::UntrustedKey(signature.keyid.clone()))
}

/// The key id that an envelope names, unverified: only for messages that ask the user for that key.
#[must_use]
pub fn claimed_key_id(bytes: &[u8]) -> Option<String> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    envelope.signatures.first().map(|signature| signature.keyid.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::Algorithm;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Algorithm::EcdsaP256, &[seed; 32]).unwrap()
    }

    #[test]
    fn sealed_payload_opens_for_a_trusted_key_only() {
        let sealed = seal(IN_TOTO, b"{}", &key(1)).unwrap();
        assert_eq!(open(&sealed, IN_TOTO, &[key(1).verifying_key()]).unwrap().payload, b"{}");
        assert!(matches!(open(&sealed, IN_TOTO, &[key(2).verifying_key()]), Err(DsseError::UntrustedKey(_))));
        assert!(matches!(open(&sealed, IN_TOTO, &[]), Err(DsseError::UntrustedKey(_))));
        assert!(matches!(open(&sealed, DECISION, &[key(1).verifying_key()]), Err(DsseError::PayloadType { .. })));
    }

    #[test]
    fn zoo_ampel_unsigned_accepted() {
        let unsigned = canonical::to_vec(&Envelope {
            payload: STANDARD.encode(b"{}"),
            payload_type: IN_TOTO.to_owned(),
            signatures: Vec::new(),
        })
        .unwrap();
        assert_eq!(open(&unsigned, IN_TOTO, &[key(1).verifying_key()]), Err(DsseError::SignatureCount(0)));
    }

    #[test]
    fn every_changed_byte_of_an_envelope_rejects() {
        let sealed = seal(IN_TOTO, br#"{"a":1}"#, &key(1)).unwrap();
        let trusted = [key(1).verifying_key()];
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&changed, IN_TOTO, &trusted).is_err(), "byte {at} bit {bit}");
            }
        }
    }
}
