//! A counting semaphore.

use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use super::WaitQueue;
use crate::fiber::Wakeup;

/// Why a permit was not acquired.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum AcquireError {
    /// The deadline passed first.
    Timeout,
    /// The fiber is cancelled.
    Cancelled,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out",
            Self::Cancelled => "the fiber is cancelled",
        })
    }
}

impl std::error::Error for AcquireError {}

/// A number of permits. With one it is a lock that is handed over in the order of asking: a
/// released permit belongs to the first in line from that moment, nobody can overtake.
#[derive(Debug)]
pub struct Semaphore {
    free_count: Cell<usize>,
    waiters: WaitQueue,
}

impl Semaphore {
    /// With this many permits.
    pub const fn new(permits_count: usize) -> Self {
        Self {
            free_count: Cell::new(permits_count),
            waiters: WaitQueue::new(),
        }
    }

    /// Takes a permit, parking for it if none is free.
    ///
    /// # Errors
    /// If the deadline passed or the fiber is cancelled; no permit was taken.
    ///
    /// # Panics
    /// As [`crate::park`], if it has to wait.
    pub fn acquire(&self, deadline: Option<Instant>) -> Result<(), AcquireError> {
        if self.try_acquire() {
            return Ok(());
        }
        match self.waiters.wait_for_grant(deadline) {
            Wakeup::Ready => Ok(()),
            Wakeup::Timeout => Err(AcquireError::Timeout),
            Wakeup::Cancelled => Err(AcquireError::Cancelled),
        }
    }

    /// Takes a permit if one is free. Does not block.
    pub fn try_acquire(&self) -> bool {
        let free_count = self.free_count.get();
        if free_count > 0 {
            self.free_count.set(free_count - 1);
        }
        free_count > 0
    }

    /// Gives a permit back, or adds one. Does not block.
    pub fn release(&self) {
        if !self.waiters.wake_one() {
            self.free_count.set(self.free_count.get() + 1);
        }
    }

    /// Permits that are free.
    pub fn free_count(&self) -> usize {
        self.free_count.get()
    }
}
