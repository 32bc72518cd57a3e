//! Points in time, always given by the caller: nothing in the pure crates reads a clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UTC instant with second precision; its text is RFC 3339 with `Z`, and has exactly one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text or number is not a timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timestamp; expected RFC 3339 in UTC with whole seconds, like 2026-11-22T12:00:00Z")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// From seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// Outside the years 1970 to 9999.
    pub fn from_unix_s(seconds: i64) -> Result<Self, InvalidTimestamp> {
        if (0..=253_402_300_799).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(InvalidTimestamp(seconds.to_string()))
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_s(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(instant) => fmt::Display::fmt(&instant, f),
            // The constructor bounds the range, so jiff can always show it.
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.chars().take(64).collect());
        let instant: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        let value = Self::from_unix_s(instant.as_second()).map_err(|_| invalid())?;
        if value.to_string() == text { Ok(value) } else { Err(invalid()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        let instant = Timestamp::from_unix_s(1_795_348_800).unwrap_or(Timestamp(0));
        assert_eq!(instant.to_string().parse(), Ok(instant));
        for other in ["2026-11-22T12:00:00+00:00", "2026-11-22T12:00:00.5Z", "2026-11-22 12:00:00Z", "1", ""] {
            assert!(other.parse::<Timestamp>().is_err(), "{other}");
        }
    }
}
