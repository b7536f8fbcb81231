//! How slow a client may be: a clock that runs while it is waited for, and that its bytes turn
//! back.
//!
//! A time since the last byte alone would keep a client that sends or takes one byte now and then
//! for ever. Here a byte buys the time that it may take at the lowest rate, and nobody can save up
//! more than the grace. So over any stretch of waiting a client moves at least
//! `rate * (stretch - grace)` bytes, and its silence is never longer than the grace.

use std::time::{Duration, Instant};

/// How long, and how slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The longest silence, and the most by which a client may be behind.
    pub(crate) grace: Duration,
    /// Bytes per second that it must make on the whole. Zero: any byte buys the whole grace.
    pub(crate) rate: u64,
}

/// The clock of one client in one direction.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// What is used up of the grace, until `since`.
    spent: Duration,
    /// Since when it runs; it rests while the client is not what is waited for.
    since: Option<Instant>,
}

impl Pace {
    /// The client is waited for, or not any more.
    pub(crate) fn run(&mut self, is_waiting: bool, now: Instant) {
        self.settle(now);
        self.since = is_waiting.then_some(now);
    }

    /// The client has moved so many bytes.
    pub(crate) fn note(&mut self, bytes: usize, rule: Rule, now: Instant) {
        self.settle(now);
        let nanos = (bytes as u64)
            .saturating_mul(1_000_000_000)
            .checked_div(rule.rate);
        let bought = nanos.map_or(Duration::MAX, Duration::from_nanos);
        self.spent = self.spent.saturating_sub(bought);
    }

    /// When the client has been too slow, should it move nothing until then. Nothing while the
    /// clock rests.
    pub(crate) fn due(&self, rule: Rule) -> Option<Instant> {
        let left = rule.grace.saturating_sub(self.spent);
        self.since.map(|since| since + left)
    }

    fn settle(&mut self, now: Instant) {
        if let Some(since) = &mut self.since {
            self.spent += now.saturating_duration_since(*since);
            *since = now;
        }
    }
}

#[cfg(test)]
mod tests;
