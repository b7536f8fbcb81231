//! A condition variable.

use std::time::Instant;

use super::WaitQueue;
use crate::fiber::Wakeup;

/// A condition variable: fibers wait until somebody says that something has changed. A signal
/// that nobody waits for is lost.
#[derive(Debug, Default)]
pub struct Cond {
    waiters: WaitQueue,
}

impl Cond {
    /// Nobody waits yet.
    pub const fn new() -> Self {
        Self {
            waiters: WaitQueue::new(),
        }
    }

    /// Parks until a signal. [`Wakeup::Ready`] is a reason to look again, not a promise.
    ///
    /// # Panics
    /// As [`crate::park`].
    pub fn wait(&self, deadline: Option<Instant>) -> Wakeup {
        self.waiters.wait(deadline)
    }

    /// Wakes the fiber that has waited longest. False if nobody waits.
    pub fn signal(&self) -> bool {
        self.waiters.wake_one()
    }

    /// Wakes all that wait now; how many.
    pub fn broadcast(&self) -> usize {
        self.waiters.wake_all()
    }

    /// Whether anybody waits.
    pub fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }
}
