//! The program's only clock.

use std::time::Instant;

/// This moment, for deadlines.
pub fn now() -> Instant {
    Instant::now()
}
