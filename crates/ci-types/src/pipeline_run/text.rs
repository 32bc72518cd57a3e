//! Texts with a form: each type holds only texts that the schema's `pattern` or asserted `format` accepts.

use std::cmp::Ordering;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, Timestamp};

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidText {
    /// The text, cut.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                if $valid(text) { Ok(Self(text.to_owned())) } else { Err(invalid(text, $expected)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// A UUID in hyphenated form (RFC 9562), any version.
    RunId,
    "a UUID like 1b7c2e4a-6b54-4e3b-9f1e-4e0d9ea9b1a1",
    is_uuid
);
text!(
    /// `owner/name`.
    RepoName,
    "a repository like org/app",
    is_repo
);
text!(
    /// A full commit id: 40 hex digits.
    CommitSha,
    "a commit id of 40 hex digits",
    is_commit
);
text!(
    /// `sha256:` and 64 hex digits; upper case is read (the schema allows it), [`ImageDigest::digest`] normalises it.
    ImageDigest,
    "sha256:<64 hex digits>",
    is_image_digest
);
text!(
    /// An absolute URI (RFC 3986).
    Uri,
    "an absolute URI (RFC 3986)",
    is_uri
);

impl ImageDigest {
    /// The digest.
    ///
    /// # Errors
    /// None for a value of this type; the signature keeps the check in one place.
    pub fn digest(&self) -> Result<Digest, crate::digest::InvalidDigest> {
        self.0.to_ascii_lowercase().parse()
    }
}

impl From<Digest> for ImageDigest {
    fn from(digest: Digest) -> Self {
        Self(digest.to_string())
    }
}

fn invalid(text: &str, expected: &'static str) -> InvalidText {
    InvalidText { text: text.chars().take(96).collect(), expected }
}

fn is_hex(text: &[u8], length: usize) -> bool {
    text.len() == length && text.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| is_hex(part.as_bytes(), length))
}

fn is_repo(text: &str) -> bool {
    text.split_once('/').is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}

fn is_commit(text: &str) -> bool {
    is_hex(text.as_bytes(), 40)
}

fn is_image_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| is_hex(hex.as_bytes(), 64))
}

/// An instant with a UTC offset (RFC 3339 `date-time`), kept as written and ordered by time.
#[derive(Debug, Clone, Eq)]
pub struct DateTime {
    text: String,
    unix_s: i64,
    nanos: u32,
}

impl DateTime {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whole seconds since 1970-01-01T00:00:00Z; a leap second counts as the second after it.
    #[must_use]
    pub const fn unix_s(&self) -> i64 {
        self.unix_s
    }
}

impl From<Timestamp> for DateTime {
    fn from(timestamp: Timestamp) -> Self {
        Self { text: timestamp.to_string(), unix_s: timestamp.unix_s(), nanos: 0 }
    }
}

/// Equal means the same spelling, so that a round trip can be compared; [`Ord`] compares time first.
impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.unix_s, self.nanos, &self.text).cmp(&(other.unix_s, other.nanos, &other.text))
    }
}

impl DateTime {
    /// Whether this is an earlier instant than `other`, whatever their offsets.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        (self.unix_s, self.nanos) < (other.unix_s, other.nanos)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for DateTime {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let (unix_s, nanos) = instant(text.as_bytes())
            .ok_or_else(|| invalid(text, "an RFC 3339 date-time with offset, like 2026-11-22T12:00:00Z"))?;
        Ok(Self { text: text.to_owned(), unix_s, nanos })
    }
}

/// RFC 3339 §5.6, with the restrictions of §5.7: real days, and a leap second only at 23:59:60 UTC.
fn instant(text: &[u8]) -> Option<(i64, u32)> {
    let number = |from: usize, digits: usize| -> Option<i64> {
        let slice = text.get(from..from + digits)?;
        slice.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let is = |at: usize, any_of: &[u8]| text.get(at).is_some_and(|byte| any_of.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last_day = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap_year => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last_day).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0;
    if is(at, b".") {
        let digits = text[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        // Digits beyond the ninth do not order anything here.
        for place in 0..9 {
            let digit = if place < digits { u32::from(text[at + 1 + place] - b'0') } else { 0 };
            nanos = nanos * 10 + digit;
        }
        at += 1 + digits;
    }
    let offset_min = match text.get(at)? {
        b'Z' | b'z' if text.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if text.len() == at + 6 && is(at + 3, b":") => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let utc_minute = (hour * 60 + minute - offset_min).rem_euclid(24 * 60);
    if second == 60 && utc_minute != 23 * 60 + 59 {
        return None;
    }
    Some((days_from_civil(year, month, day) * 86_400 + (hour * 60 + minute - offset_min) * 60 + second, nanos))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// RFC 3986 `URI`: scheme, authority, path, query, fragment.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_ok = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(rest, fragment)| (rest, fragment));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    scheme_ok
        && is_authority(authority)
        && made_of(path, b":@/")
        && made_of(query, b":@/?")
        && made_of(fragment, b":@/?")
}

/// `[ userinfo "@" ] host [ ":" port ]`.
fn is_authority(text: &str) -> bool {
    let (user, host_port) = text.rsplit_once('@').map_or(("", text), |(user, host)| (user, host));
    let (host_ok, port) = match host_port.strip_prefix('[') {
        Some(rest) => {
            let Some((literal, port)) = rest.split_once(']') else { return false };
            let future = || {
                literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.')).is_some_and(
                    |(version, address)| {
                        !version.is_empty()
                            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                            && !address.is_empty()
                            && !address.contains('%')
                            && made_of(address, b":")
                    },
                )
            };
            let port = if port.is_empty() { Some("") } else { port.strip_prefix(':') };
            (literal.parse::<Ipv6Addr>().is_ok() || future(), port)
        }
        None => {
            let (host, port) = host_port.split_once(':').map_or((host_port, ""), |(host, port)| (host, port));
            (made_of(host, b""), Some(port))
        }
    };
    made_of(user, b":") && host_ok && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Unreserved characters, sub-delimiters, percent-encodings and `also`.
fn made_of(text: &str, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            if !bytes.get(at + 1..at + 3).is_some_and(|pair| is_hex(pair, 2)) {
                return false;
            }
            at += 3;
        } else if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) || also.contains(&byte) {
            at += 1;
        } else {
            return false;
        }
    }
    true
}
