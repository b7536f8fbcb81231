//! Work that blocks (files, name look-ups), done by a few other threads while the fiber that
//! wants it parks and its neighbours run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam::channel::{self, Receiver, Sender};
use shuttle_core::Doorbell;

use crate::config::{ConfigError, check_bounds};
use crate::fiber::{FiberRef, Wakeup};
use crate::limits;
use crate::panics;
use crate::refusal::CannotPark;
use crate::scheduler::{self, Arrivals, SCHEDULER};
use crate::sync::{AcquireError, Semaphore};

/// Bounds of a pool.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct OffloadConfig {
    /// Most threads. They start when there is work for them, and stay.
    pub threads_count: u16,
    /// Most pieces of work accepted and not finished; further fibers wait in line.
    pub queue_count: u32,
}

impl Default for OffloadConfig {
    fn default() -> Self {
        Self {
            threads_count: limits::OFFLOAD_THREADS_DEFAULT_COUNT,
            queue_count: limits::OFFLOAD_QUEUE_DEFAULT_COUNT,
        }
    }
}

impl OffloadConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let threads_max_count = limits::OFFLOAD_THREADS_MAX_COUNT as usize;
        check_bounds(
            "threads_count",
            self.threads_count as usize,
            1,
            threads_max_count,
        )?;
        let queue_max_count = limits::OFFLOAD_QUEUE_MAX_COUNT as usize;
        check_bounds("queue_count", self.queue_count as usize, 1, queue_max_count)
    }
}

/// Why [`Offload::run`] has no result.
#[derive(Debug)]
pub enum OffloadError {
    /// The deadline passed. Work that a thread has begun goes on, and its result is dropped.
    Timeout,
    /// The fiber is cancelled. As for a timeout.
    Cancelled,
    /// The work panicked with this message.
    Panicked(String),
    /// The caller cannot park.
    CannotPark(CannotPark),
    /// No thread could be started.
    NoThread(io::Error),
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timed out"),
            Self::Cancelled => f.write_str("the fiber is cancelled"),
            Self::Panicked(message) => write!(f, "the work panicked: {message}"),
            Self::CannotPark(why) => why.fmt(f),
            Self::NoThread(error) => write!(f, "no thread for blocking work: {error}"),
        }
    }
}

impl std::error::Error for OffloadError {}

/// A piece of work on its way to a thread of the pool. It keeps its result to itself; the thread
/// only tells that it is done.
struct Parcel {
    ticket: u64,
    work: Box<dyn FnOnce() + Send>,
}

/// A bounded pool of threads for blocking work, used by the fibers of the thread that made it.
///
/// Dropping it lets the threads finish what they have and end; it does not wait for them.
pub struct Offload {
    config: OffloadConfig,
    parcels: Sender<Parcel>,
    /// What a new thread of the pool needs.
    outbox: (Receiver<Parcel>, Sender<u64>, Arc<dyn Doorbell>),
    threads_count: Cell<u16>,
    tickets_total: Cell<u64>,
    returns: Rc<Returns>,
}

/// Finished work on its way back. Each turn of the scheduler looks here.
struct Returns {
    done: Receiver<u64>,
    waiting: RefCell<HashMap<u64, FiberRef>>,
    /// One permit per piece of work that may be under way.
    room: Semaphore,
}

impl Arrivals for Returns {
    fn collect(&self) {
        while let Ok(ticket) = self.done.try_recv() {
            self.room.release();
            let fiber = self.waiting.borrow_mut().remove(&ticket);
            if let Some(fiber) = fiber {
                fiber.wake();
            }
        }
    }
}

impl Offload {
    /// A pool for the fibers of this thread. `doorbell` is what ends the sleep of this thread:
    /// that of its [`crate::Reactor`], or of the loop in which it is embedded. No thread starts
    /// before there is work.
    ///
    /// # Errors
    /// If a value is out of its bounds.
    pub fn new(config: OffloadConfig, doorbell: Arc<dyn Doorbell>) -> Result<Self, ConfigError> {
        config.check()?;
        let (parcels, inbox) = channel::bounded(config.queue_count as usize);
        // As large as the work under way can be, so that no thread ever waits for room.
        let (done_sender, done) = channel::bounded(config.queue_count as usize);
        let returns = Rc::new(Returns {
            done,
            waiting: RefCell::new(HashMap::new()),
            room: Semaphore::new(config.queue_count as usize),
        });
        let arrivals: Weak<dyn Arrivals> = Rc::<Returns>::downgrade(&returns);
        SCHEDULER.with(|scheduler| scheduler.expect_arrivals(arrivals));
        Ok(Self {
            config,
            parcels,
            outbox: (inbox, done_sender, doorbell),
            threads_count: Cell::new(0),
            tickets_total: Cell::new(0),
            returns,
        })
    }

    /// Has `work` done by another thread, and parks until it is. Pieces of work begin in the order
    /// of asking. The deadline and cancellation end the wait, not work that has begun.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        deadline: Option<Instant>,
    ) -> Result<T, OffloadError> {
        let fiber = scheduler::parkable().map_err(OffloadError::CannotPark)?;
        self.returns
            .room
            .acquire(deadline)
            .map_err(|why| match why {
                AcquireError::Timeout => OffloadError::Timeout,
                AcquireError::Cancelled => OffloadError::Cancelled,
            })?;
        let (sender, result) = channel::bounded(1);
        let work = move || {
            // The receiver is gone if nobody waits any more.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        };
        let ticket = self.post(Box::new(work))?;
        self.returns
            .waiting
            .borrow_mut()
            .insert(ticket, FiberRef(Rc::clone(&fiber)));
        loop {
            let why = scheduler::park_checked(&fiber, deadline);
            if let Ok(result) = result.try_recv() {
                self.returns.waiting.borrow_mut().remove(&ticket);
                return result.map_err(|panic| OffloadError::Panicked(panics::text(panic)));
            }
            let error = match why {
                Wakeup::Ready => continue,
                Wakeup::Timeout => OffloadError::Timeout,
                Wakeup::Cancelled => OffloadError::Cancelled,
            };
            self.returns.waiting.borrow_mut().remove(&ticket);
            return Err(error);
        }
    }

    /// Threads that were started.
    pub fn threads_count(&self) -> u16 {
        self.threads_count.get()
    }

    /// Sends work for which there is a permit. Starts one more thread while there may be more and
    /// each may have something to do.
    fn post(&self, work: Box<dyn FnOnce() + Send>) -> Result<u64, OffloadError> {
        let started_count = self.threads_count.get();
        let in_flight_count = self.config.queue_count as usize - self.returns.room.free_count();
        let is_busy = in_flight_count > started_count as usize;
        if is_busy && started_count < self.config.threads_count {
            match self.start_thread(started_count) {
                Ok(()) => self.threads_count.set(started_count + 1),
                Err(error) if started_count == 0 => {
                    self.returns.room.release();
                    return Err(OffloadError::NoThread(error));
                }
                Err(error) => log::warn!("one thread fewer for blocking work: {error}"),
            }
        }
        let ticket = self.tickets_total.replace(self.tickets_total.get() + 1);
        let sent = self.parcels.try_send(Parcel { ticket, work });
        sent.expect("a permit is room in the queue, whose receiver is kept here");
        Ok(ticket)
    }

    fn start_thread(&self, number: u16) -> io::Result<()> {
        let (inbox, done, doorbell) = self.outbox.clone();
        let name = format!("offload {number}");
        thread::Builder::new()
            .name(name)
            .spawn(move || work_off(&inbox, &done, &*doorbell))?;
        Ok(())
    }
}

impl fmt::Debug for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offload({} threads)", self.threads_count())
    }
}

/// What a thread of the pool does, until the pool is dropped.
fn work_off(inbox: &Receiver<Parcel>, done: &Sender<u64>, doorbell: &dyn Doorbell) {
    for Parcel { ticket, work } in inbox {
        work();
        if done.send(ticket).is_err() {
            return;
        }
        doorbell.ring();
    }
}

#[cfg(test)]
mod tests;
