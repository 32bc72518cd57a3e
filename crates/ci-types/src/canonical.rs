//! RFC 8785 (JSON Canonicalization Scheme): one value, one byte string.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::strict_json::{self, JsonError};

/// The canonical bytes of `value`.
///
/// # Errors
/// When the value has no JSON form (a map with keys that are not strings, a number that is not finite).
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(value)
}

/// Reads a document of ours: no unknown or repeated keys, and byte for byte the canonical form of what was read.
///
/// A document that reads the same but is spelt differently is refused, so a signed meaning has one spelling.
///
/// # Errors
/// Names what is wrong; [`JsonError::NotCanonical`] where only the spelling is.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let value: T = strict_json::from_slice(bytes)?;
    let canonical = to_vec(&value).map_err(|error| JsonError::Malformed(error.to_string()))?;
    if canonical == bytes { Ok(value) } else { Err(JsonError::NotCanonical) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_the_same_value_rejects() {
        assert!(from_slice::<serde_json::Value>(br#"{"a":1,"b":[true]}"#).is_ok());
        for other in [r#"{"b":[true],"a":1}"#, r#"{"a":1,"b":[true]} "#, r#"{"a":1.0,"b":[true]}"#] {
            assert!(matches!(from_slice::<serde_json::Value>(other.as_bytes()), Err(JsonError::NotCanonical)));
        }
    }
}
