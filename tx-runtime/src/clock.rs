//! The only place of this crate that reads a clock.

use std::time::Instant;

/// The time of this moment. Everything else works with the `now` that a turn was given, so a
/// test decides what time it is.
pub(crate) fn read() -> Instant {
    Instant::now()
}
