//! The only place of this crate that asks the system what time it is.
//!
//! Everything else is given `now`, so tests run through hours in microseconds.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the calendar is compared with the system's: an administrator may set that one.
const RECHECK: Duration = Duration::from_secs(1);

/// Tells the time, of the system or of a test.
#[derive(Debug)]
pub(crate) struct Clock {
    /// `None`: the system's.
    fixed: Option<Instant>,
    calendar: Calendar,
}

impl Clock {
    /// The system's time.
    pub(crate) fn real() -> Self {
        Self {
            fixed: None,
            calendar: Calendar::new(Instant::now()),
        }
    }

    /// A time that stands still until it is set again.
    #[cfg(test)]
    pub(crate) fn fixed(at: Instant) -> Self {
        Self {
            fixed: Some(at),
            calendar: Calendar {
                read_at: at,
                unix: Duration::from_secs(784_111_777),
            },
        }
    }

    /// The monotonic time, for deadlines.
    pub(crate) fn now(&self) -> Instant {
        self.fixed.unwrap_or_else(Instant::now)
    }

    /// Time since 1970 at `now`, for the `Date` field and for logs.
    pub(crate) fn unix(&mut self, now: Instant) -> Duration {
        self.calendar.unix(now, self.fixed.is_none())
    }
}

/// The calendar's time, derived from the monotonic one so that a turn costs one call to the
/// system and not two.
#[derive(Debug)]
struct Calendar {
    read_at: Instant,
    unix: Duration,
}

impl Calendar {
    fn new(now: Instant) -> Self {
        Self {
            read_at: now,
            unix: unix_time(),
        }
    }

    fn unix(&mut self, now: Instant, is_real: bool) -> Duration {
        let since = now.saturating_duration_since(self.read_at);
        if is_real && since >= RECHECK {
            *self = Self {
                read_at: now,
                unix: unix_time(),
            };
            return self.unix;
        }
        self.unix + since
    }
}

fn unix_time() -> Duration {
    // A clock before 1970 is a machine without a battery: any date is as wrong as the first.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
