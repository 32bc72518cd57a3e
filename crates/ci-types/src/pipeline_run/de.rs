//! How single values are read, so that the typed reader and the JSON Schema agree: `null` is no value but where the schema
//! says so, and `5.0` is the integer 5 (JSON Schema 2020-12 §6.1.1).

use serde::{Deserialize, Deserializer};

use super::check::MAX_INTEGER;

/// An integer within ±[`MAX_INTEGER`], written with or without a zero fraction.
struct Whole(i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        // The limit is exact and bounds the cast.
        let whole = number.as_i64().or_else(|| {
            let value = number.as_f64()?;
            (value.fract() == 0.0 && value.abs() <= MAX_INTEGER as f64).then_some(value as i64)
        });
        whole.filter(|whole| whole.unsigned_abs() <= MAX_INTEGER).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "`{number}` is not an integer between -{MAX_INTEGER} and {MAX_INTEGER}"
            ))
        })
    }
}

struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Whole(whole) = Whole::deserialize(deserializer)?;
        let negative = |_| serde::de::Error::custom(format_args!("`{whole}` is negative"));
        u64::try_from(whole).map(Self).map_err(negative)
    }
}

/// A value that may be left out, but not be `null`.
pub(super) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A count.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Count::deserialize(deserializer).map(|count| count.0)
}

/// A count that may be left out, but not be `null`.
pub(super) fn some_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    count(deserializer).map(Some)
}

/// A count that may be left out or `null`; both mean the same.
pub(super) fn nullable_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Count>::deserialize(deserializer).map(|count| count.map(|count| count.0))
}

/// Any integer.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Whole::deserialize(deserializer).map(|whole| whole.0)
}
