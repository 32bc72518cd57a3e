//! The one place of the build side that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use ci_types::Timestamp;

/// The clock stands before 1970 or after 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the machine's clock is outside the years 1970 to 9999; set it, then run again")]
pub struct ClockError;

/// The wall clock, in whole seconds.
///
/// # Errors
/// [`ClockError`].
pub fn now() -> Result<Timestamp, ClockError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| ClockError)?;
    i64::try_from(since.as_secs()).ok().and_then(|s| Timestamp::from_unix_s(s).ok()).ok_or(ClockError)
}
