//! When to give memory back that deep calls left on stacks. A hand goes round all resting stacks
//! in small steps; a round begins some time after fibers ran and is the last one if none did
//! since. So a busy thread pays a bounded number of system calls per second, not one per request,
//! and an idle thread ends up trimmed and asleep.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::limits::{TRIM_STEP_MS, TRIMMED_PER_IDLE_STEP_COUNT, TRIMMED_PER_STEP_COUNT};

/// Where the hand is.
pub(crate) struct Upkeep {
    /// When the next step is due; none while every stack is as small as it gets.
    due: Cell<Option<Instant>>,
    /// The next stack to look at. Zero: the next step begins a round.
    hand: Cell<usize>,
    /// Whether any fiber ran since the round began.
    has_run: Cell<bool>,
}

impl Upkeep {
    pub(crate) const fn new() -> Self {
        Self {
            due: Cell::new(None),
            hand: Cell::new(0),
            has_run: Cell::new(false),
        }
    }

    /// When the next step is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    /// At the end of a turn: schedules, and takes a step if one is due. `walk(from, most)` looks
    /// at stacks from a place on, trims at most so many, and says where to go on, or `None` at
    /// the end.
    pub(crate) fn step(
        &self,
        now: Instant,
        ran: usize,
        interval: Duration,
        walk: impl FnOnce(usize, usize) -> Option<usize>,
    ) {
        self.has_run.set(self.has_run.get() || ran > 0);
        let Some(due) = self.due.get() else {
            if self.has_run.get() && !interval.is_zero() {
                self.due.set(now.checked_add(interval));
            }
            return;
        };
        if now < due {
            return;
        }
        if self.hand.get() == 0 {
            self.has_run.set(ran > 0);
        }
        let most = if ran > 0 {
            TRIMMED_PER_STEP_COUNT
        } else {
            TRIMMED_PER_IDLE_STEP_COUNT
        };
        let rest = walk(self.hand.get(), most);
        self.hand.set(rest.unwrap_or(0));
        let pause = match rest {
            Some(_) => Some(Duration::from_millis(TRIM_STEP_MS.into())),
            None => self.has_run.get().then_some(interval),
        };
        self.due.set(pause.and_then(|pause| now.checked_add(pause)));
    }
}

#[cfg(test)]
mod tests;
