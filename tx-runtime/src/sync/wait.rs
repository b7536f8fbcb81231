//! Fibers in line. The links live in the fibers themselves: queueing allocates nothing, and a
//! fiber whose wait ends early leaves the middle of the line in constant time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::fiber::{Record, Wakeup};
use crate::scheduler;

/// A fiber's place in the line where it waits. It waits in at most one.
pub(crate) struct Link {
    ahead: Cell<Option<Rc<Record>>>,
    behind: Cell<Option<Rc<Record>>>,
    is_queued: Cell<bool>,
}

impl Link {
    pub(crate) const fn new() -> Self {
        Self {
            ahead: Cell::new(None),
            behind: Cell::new(None),
            is_queued: Cell::new(false),
        }
    }
}

/// A line of parked fibers, first come, first served.
pub struct WaitQueue {
    first: Cell<Option<Rc<Record>>>,
    last: Cell<Option<Rc<Record>>>,
    waiting_count: Cell<usize>,
}

impl WaitQueue {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            first: Cell::new(None),
            last: Cell::new(None),
            waiting_count: Cell::new(0),
        }
    }

    /// Parks at the end of the line. [`Wakeup::Ready`] may also come from a direct
    /// [`crate::FiberRef::wake`]: look again and wait again.
    ///
    /// # Panics
    /// As [`crate::park`].
    pub fn wait(&self, deadline: Option<Instant>) -> Wakeup {
        let fiber = scheduler::parkable().unwrap_or_else(|why| panic!("{why}"));
        self.push(&fiber);
        let why = scheduler::park_checked(&fiber, deadline);
        if fiber.link.is_queued.get() {
            self.unlink(&fiber);
        }
        why
    }

    /// As [`Self::wait`], but a wake-up from outside the queue neither ends the wait nor costs
    /// the place in line: [`Wakeup::Ready`] means that [`Self::wake_one`] chose this fiber.
    pub(crate) fn wait_for_grant(&self, deadline: Option<Instant>) -> Wakeup {
        let fiber = scheduler::parkable().unwrap_or_else(|why| panic!("{why}"));
        self.push(&fiber);
        loop {
            let why = scheduler::park_checked(&fiber, deadline);
            if !fiber.link.is_queued.get() {
                return why;
            }
            if why != Wakeup::Ready {
                self.unlink(&fiber);
                return why;
            }
        }
    }

    /// Wakes the fiber that has waited longest. False if nobody waits. A fiber that timed out or
    /// was cancelled, but has not run since, does not use the wake-up up.
    pub fn wake_one(&self) -> bool {
        self.grant_one().is_some()
    }

    /// As [`Self::wake_one`]; the fiber that was chosen.
    pub(crate) fn grant_one(&self) -> Option<Rc<Record>> {
        while let Some(fiber) = peek(&self.first) {
            self.unlink(&fiber);
            // Refused if the fiber is runnable already. Whoever made it so decides: a wake-up
            // from outside did not take what is given here, a timeout went away without it.
            scheduler::wake(&fiber);
            if fiber.verdict.get() == Wakeup::Ready {
                return Some(fiber);
            }
        }
        None
    }

    /// Wakes everybody who waits now, in order; how many.
    pub fn wake_all(&self) -> usize {
        let mut woken_count = 0;
        while self.wake_one() {
            woken_count += 1;
        }
        woken_count
    }

    /// Fibers in line. One whose wait has ended, but which has not run since, still counts.
    pub fn len(&self) -> usize {
        self.waiting_count.get()
    }

    /// Whether nobody is in line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, fiber: &Rc<Record>) {
        fiber.link.is_queued.set(true);
        match self.last.replace(Some(Rc::clone(fiber))) {
            Some(last) => {
                last.link.behind.set(Some(Rc::clone(fiber)));
                fiber.link.ahead.set(Some(last));
            }
            None => self.first.set(Some(Rc::clone(fiber))),
        }
        self.waiting_count.set(self.waiting_count.get() + 1);
    }

    fn unlink(&self, fiber: &Record) {
        let (ahead, behind) = (fiber.link.ahead.take(), fiber.link.behind.take());
        let after_ahead = ahead
            .as_ref()
            .map_or(&self.first, |ahead| &ahead.link.behind);
        after_ahead.set(behind.clone());
        let before_behind = behind
            .as_ref()
            .map_or(&self.last, |behind| &behind.link.ahead);
        before_behind.set(ahead.clone());
        fiber.link.is_queued.set(false);
        self.waiting_count.set(self.waiting_count.get() - 1);
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WaitQueue({} waiting)", self.len())
    }
}

fn peek(cell: &Cell<Option<Rc<Record>>>) -> Option<Rc<Record>> {
    let fiber = cell.take();
    cell.set(fiber.clone());
    fiber
}
