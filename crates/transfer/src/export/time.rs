use std::{fmt, str::FromStr};

use jiff::Timestamp;

use crate::Error;

/// A moment: microseconds since the beginning of 1970 in UTC.
///
/// As text it is what manifests have, RFC 3339.
///
/// ```
/// use keystar_transfer::UnixMicros;
///
/// let moment: UnixMicros = "2026-01-14T10:18:50.622Z".parse()?;
/// assert_eq!(moment, UnixMicros(1_768_385_930_622_000));
/// assert_eq!(moment.to_string(), "2026-01-14T10:18:50.622Z");
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_structs, reason = "a moment is its number and nothing else")]
pub struct UnixMicros(pub i64);

impl FromStr for UnixMicros {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse::<Timestamp>() {
            Ok(timestamp) => Ok(Self(timestamp.as_microsecond())),
            Err(_) => Err(Error::Options("times are like 2026-01-14T10:20:00Z")),
        }
    }
}

impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            // Beyond the year 9999 there is no text for it.
            Err(_) => self.0.fmt(f),
        }
    }
}
