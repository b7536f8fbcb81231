//! Sleeping without missing anything, and waking only a sleeper.
//!
//! A shore that wants to sleep announces it, then looks for work once more, then sleeps. Who has
//! published work looks for the announcement afterwards. Between the two steps of each side stands
//! a sequentially consistent fence, so at least one of them sees the other: either the sleeper
//! finds the work, or the publisher finds the sleeper. The announcement is taken down by the one
//! who rings, so one sleep costs one ring, however many batches arrive meanwhile.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// Wakes the thread of one shore: an eventfd, a condition variable, `Thread::unpark`.
///
/// It must remember one ring: `ring` before the thread has fallen asleep makes that sleep end at
/// once.
pub trait Doorbell: Send + Sync + 'static {
    /// Wakes the shore this bell belongs to. Called on the thread of the *other* shore, at most
    /// once per announced sleep. Must not block and must not panic.
    fn ring(&self);
}

/// The doorbell for a link whose two shores share one thread: nobody sleeps while the other works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBell;

impl Doorbell for NoBell {
    fn ring(&self) {}
}

/// A doorbell for a plain thread that has nothing but the ferry to wait for.
///
/// A thread that also waits for sockets rings through its poller instead.
#[derive(Debug, Default)]
pub struct ThreadBell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl ThreadBell {
    /// A bell that was not rung yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Blocks this thread until the bell rings, or not at all if it rang since the last wait.
    pub fn wait(&self) {
        let mut rung = self.lock();
        while !*rung {
            rung = self.wake.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        *rung = false;
    }

    /// A flag cannot be left half changed, so that another thread panicked says nothing about it.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doorbell for ThreadBell {
    fn ring(&self) {
        *self.lock() = true;
        self.wake.notify_one();
    }
}

/// Whether a shore may go to sleep.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Nothing waits, and the doorbell will ring for whatever comes from now on.
    MaySleep,
    /// Something waits already: do not sleep.
    WorkArrived,
}

/// What both threads know of one shore: whether it sleeps, whether it has left, and how to wake it.
pub(crate) struct Bell {
    /// Changed by both threads, so each change is a read-modify-write: none is lost among the
    /// others.
    asleep: AtomicBool,
    left: AtomicBool,
    rope: Arc<dyn Doorbell>,
}

impl Bell {
    pub(crate) fn new(rope: Arc<dyn Doorbell>) -> Self {
        Self {
            asleep: AtomicBool::new(false),
            left: AtomicBool::new(false),
            rope,
        }
    }

    /// The shore itself: from here on it is rung. It looks for work *after* this.
    pub(crate) fn announce_sleep(&self) {
        self.asleep.swap(true, Relaxed);
        if !cfg!(mutate = "sleeper_without_fence") {
            fence(SeqCst);
        }
    }

    /// The shore itself: it is awake again.
    pub(crate) fn wake_up(&self) {
        self.asleep.swap(false, Relaxed);
    }

    /// The other shore, after it published something.
    pub(crate) fn ring_if_asleep(&self) {
        if !cfg!(mutate = "ringer_without_fence") {
            fence(SeqCst);
        }
        if !self.asleep.load(Relaxed) {
            return;
        }
        if cfg!(mutate = "bell_left_hanging") || self.asleep.swap(false, Relaxed) {
            self.rope.ring();
        }
    }

    /// The shore itself: it receives nothing from here on.
    pub(crate) fn leave(&self) {
        let order = if cfg!(mutate = "leave_relaxed") {
            Relaxed
        } else {
            Release
        };
        self.left.store(true, order);
    }

    /// The other shore: whether this one has left, and with it what it had read until then.
    #[inline]
    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Acquire)
    }
}
