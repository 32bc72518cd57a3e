//! JSON without second meanings: a key that stands twice in one object is refused at any depth, and so is an array where an
//! object is meant.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

mod objects;

use objects::Objects;

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

/// Reads JSON into `T`, refusing repeated keys anywhere, also inside maps and ignored values, and arrays in place of structs.
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
        .and_then(|()| T::deserialize(Objects(&mut serde_json::Deserializer::from_slice(bytes))))
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
    fn an_array_is_no_record() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Inner {
            #[serde(default)]
            a: Option<u8>,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Choice {
            Unit,
            Fields { a: u8 },
            Pair(u8, u8),
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Outer {
            inner: Inner,
            list: Vec<Inner>,
            choice: Option<Choice>,
        }
        let read = |text: &str| from_slice::<Outer>(text.as_bytes());
        // serde alone takes all of these.
        for text in [
            r#"[{},[],null]"#,
            r#"{"inner":[],"list":[],"choice":null}"#,
            r#"{"inner":{},"list":[[1]],"choice":null}"#,
            r#"{"inner":{},"list":[],"choice":{"fields":[1]}}"#,
        ] {
            assert!(serde_json::from_str::<Outer>(text).is_ok(), "{text}");
            assert!(matches!(read(text), Err(JsonError::Malformed(_))), "{text}");
        }
        for (text, choice) in [
            (r#"{"inner":{"a":1},"list":[{"a":2}],"choice":"unit"}"#, Choice::Unit),
            (r#"{"inner":{"a":1},"list":[{"a":2}],"choice":{"fields":{"a":3}}}"#, Choice::Fields { a: 3 }),
            (r#"{"inner":{"a":1},"list":[{"a":2}],"choice":{"pair":[3,4]}}"#, Choice::Pair(3, 4)),
        ] {
            let list = vec![Inner { a: Some(2) }];
            assert_eq!(read(text), Ok(Outer { inner: Inner { a: Some(1) }, list, choice: Some(choice) }));
        }
        let error = read("{\"inner\":\n []}").map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("line 2")), "places are kept");
    }

    #[test]
    fn trailing_bytes_reject() {
        assert!(matches!(from_slice::<serde_json::Value>(b"{} {}"), Err(JsonError::Malformed(_))));
    }
}
