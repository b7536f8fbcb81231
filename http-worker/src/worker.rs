//! The ways to run a worker: on its own thread, or as a part of somebody else's loop.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam::channel::Receiver;
use http_proto::Exchange;
use mio::{Poll, Registry, Waker};
use shuttle_core::{Doorbell, WorkerEnd};

use crate::accept::{Doors, WAKE};
use crate::clock::Clock;
use crate::config::WorkerConfig;
use crate::control::{Command, Commander, WorkerBell};
use crate::core::{Core, Flush, Parts};
use crate::stats::WorkerStats;

/// A worker that has not begun: it owns its listening sockets and its poll, and waits for its
/// end of a link.
pub struct Worker {
    config: WorkerConfig,
    poll: Poll,
    registry: Registry,
    doors: Doors,
    commander: Commander,
    commands: Receiver<Command>,
    stats: Arc<WorkerStats>,
    /// Gone when its loop is over, before its shore is left.
    alive: Arc<()>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// Makes a worker and the bell that wakes it, which is what
    /// [`link`](shuttle_core::link) wants as `to_worker`.
    ///
    /// # Errors
    /// The system's, when it has no descriptors left or a listener cannot be watched.
    pub fn new(mut config: WorkerConfig) -> io::Result<(Self, Arc<dyn Doorbell>)> {
        let poll = Poll::new()?;
        let mut doors = Doors::default();
        for listener in config.listeners.drain(..) {
            doors.add(poll.registry(), listener)?;
        }
        let bell = Arc::new(WorkerBell::new(Waker::new(poll.registry(), WAKE)?));
        let (commander, commands) = Commander::new(Arc::clone(&bell));
        let registry = poll.registry().try_clone()?;
        let stats = Arc::new(WorkerStats::default());
        Ok((
            Self {
                config,
                poll,
                registry,
                doors,
                commander,
                commands,
                stats,
                alive: Arc::default(),
            },
            bell,
        ))
    }

    /// The counters, also before it begins.
    pub fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.stats)
    }

    /// Runs it on a thread of its own, until it was commanded to drain or to stop.
    ///
    /// # Errors
    /// The system's, when it cannot make a thread.
    pub fn spawn(self, end: WorkerEnd<Exchange>) -> io::Result<WorkerHandle> {
        let commander = self.commander.clone();
        let stats = self.stats();
        let alive = Arc::downgrade(&self.alive);
        let name = self.config.name.clone();
        let thread = Builder::new()
            .name(name)
            .spawn(move || self.into_core(end, Clock::real()).run())?;
        Ok(WorkerHandle {
            commander,
            stats,
            alive,
            thread,
        })
    }

    /// Makes it a part of the calling thread's loop, which calls [`Embedded::turn`].
    pub fn embed(self, end: WorkerEnd<Exchange>) -> Embedded {
        let commander = self.commander.clone();
        let core = self.into_core(end, Clock::real());
        Embedded { core, commander }
    }

    /// A core whose time is the test's.
    #[cfg(test)]
    pub(crate) fn into_test_core(
        self,
        end: WorkerEnd<Exchange>,
        clock: Clock,
    ) -> (Core, Commander) {
        let commander = self.commander.clone();
        (self.into_core(end, clock), commander)
    }

    fn into_core(self, end: WorkerEnd<Exchange>, clock: Clock) -> Core {
        let Self {
            config,
            poll,
            registry,
            doors,
            commands,
            stats,
            alive,
            ..
        } = self;
        Core::new(Parts {
            config,
            poll,
            registry,
            doors,
            commands,
            stats,
            alive,
            shore: end.land(),
            clock,
        })
    }
}

/// A worker on its own thread. Dropping the handle leaves it running.
pub struct WorkerHandle {
    commander: Commander,
    stats: Arc<WorkerStats>,
    alive: Weak<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle")
            .field("stats", &self.stats.snapshot())
            .finish_non_exhaustive()
    }
}

impl WorkerHandle {
    /// Gives an order and wakes the worker; does not wait for it. After the worker's end it does
    /// nothing.
    pub fn command(&self, command: Command) {
        self.commander.send(command);
    }

    /// The counters; they outlive the worker.
    pub fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.stats)
    }

    /// Whether its loop is over. Whoever finds the worker's shore left knows it by then, which is
    /// not so of [`is_finished`](Self::is_finished): the thread takes its time to end.
    pub fn has_left(&self) -> bool {
        self.alive.strong_count() == 0
    }

    /// Whether the thread has ended, so that [`join`](Self::join) would not wait.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread to end. That takes a [`Command::Drain`] or [`Command::Stop`], and the
    /// other shore sending all shuttles home or leaving.
    ///
    /// # Errors
    /// What ended the loop, when it was not a command: the system refused to poll, or a bug of
    /// ours made the thread panic.
    pub fn join(self) -> io::Result<()> {
        match self.thread.join() {
            Ok(end) => end,
            Err(_) => Err(io::Error::other("the worker's thread panicked")),
        }
    }
}

/// A worker inside somebody else's loop.
///
/// Its shore lives on the thread that called [`Worker::embed`]; the other one may be on the same
/// thread ([`NoBell`](shuttle_core::NoBell) then) or on another.
pub struct Embedded {
    core: Core,
    commander: Commander,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("stats", &self.core.stats().snapshot())
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// One step: takes home what the other shore sent and writes it out, then waits for sockets,
    /// shuttles and commands for at most `timeout` (`None`: until something comes), and handles a
    /// bounded number of them. What was sent to the other shore is flushed before it waits and
    /// before it returns.
    ///
    /// Returns how much was handled: 0 means that nothing had happened. After the end
    /// ([`is_finished`](Self::is_finished)) it returns 0 at once.
    ///
    /// # Errors
    /// The system refused to poll; the worker is of no use then.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.core.turn(timeout, Flush::EachTurn)
    }

    /// Gives an order; it is obeyed in the next turn.
    pub fn command(&self, command: Command) {
        self.commander.send(command);
    }

    /// The counters.
    pub fn stats(&self) -> Arc<WorkerStats> {
        self.core.stats()
    }

    /// Whether it was drained or stopped to the end: all sockets closed, all shuttles home (or
    /// the other shore left).
    pub fn is_finished(&self) -> bool {
        self.core.is_finished()
    }
}
