//! The `Date` of responses: formatted once a second, not once a response.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// Bytes of an IMF-fixdate, RFC 9110 section 5.6.7.
pub const DATE_BYTES: usize = 29;

/// The last second that an IMF-fixdate can name: the end of the year 9999.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// A date as text, for the second it was last given.
///
/// ```
/// let mut date = http_proto::date::CachedDate::default();
/// date.set(784_111_777);
/// assert_eq!(date.as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CachedDate {
    unix_seconds: u64,
    text: [u8; DATE_BYTES],
}

impl Default for CachedDate {
    /// The first second of 1970.
    fn default() -> Self {
        Self {
            unix_seconds: 0,
            text: *b"Thu, 01 Jan 1970 00:00:00 GMT",
        }
    }
}

impl CachedDate {
    /// Takes another time, in seconds since 1970. Whether the text changed. What is beyond the
    /// year 9999 stays at its end.
    pub fn set(&mut self, unix_seconds: u64) -> bool {
        let seconds = unix_seconds.min(LAST_SECOND);
        if seconds == self.unix_seconds {
            return false;
        }
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds));
        write!(&mut self.text[..], "{date}").expect("an IMF-fixdate has 29 bytes");
        self.unix_seconds = seconds;
        true
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; DATE_BYTES] {
        &self.text
    }
}

#[cfg(test)]
mod tests;
