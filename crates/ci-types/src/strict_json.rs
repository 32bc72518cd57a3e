//! JSON without second meanings: a key that stands twice in one object is refused at any depth.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or not of the expected shape; the text has line and column.
    #[error("malformed JSON: {0}")]
    Malformed(String),
    /// An object has the same key twice.
    #[error("key `{0}` stands twice in one object")]
    RepeatedKey(String),
    /// The value is right, its spelling is not RFC 8785.
    #[error("not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// Reads JSON into `T`, refusing repeated keys anywhere, also inside maps and ignored values.
///
/// # Errors
/// See [`JsonError`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk { repeated: &mut repeated }.deserialize(&mut deserializer);
    if let Some(key) = repeated {
        return Err(JsonError::RepeatedKey(key));
    }
    walked
        .and_then(|()| deserializer.end())
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|error| JsonError::Malformed(error.to_string()))
}

struct Walk<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk { repeated: &mut *self.repeated })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                let message = format!("repeated key `{key}`");
                self.repeated.get_or_insert(key);
                return Err(serde::de::Error::custom(message));
            }
            seen.insert(key);
            entries.next_value_seed(Walk { repeated: &mut *self.repeated })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_reject_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#] {
            assert_eq!(from_slice::<serde_json::Value>(text.as_bytes()), Err(JsonError::RepeatedKey("a".to_owned())));
        }
    }

    #[test]
    fn trailing_bytes_reject() {
        assert!(matches!(from_slice::<serde_json::Value>(b"{} {}"), Err(JsonError::Malformed(_))));
    }
}
