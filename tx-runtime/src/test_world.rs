//! What the tests of this crate share: a thread of their own, virtual time, a log.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Budget, Config, FiberRef, Turn, configure, spawn, turn};

/// More than any test needs in one turn.
pub(crate) const PLENTY: Budget = Budget { fibers: 1_000_000 };

/// One thread's fibers, their time, and what they said.
pub(crate) struct World {
    now: Instant,
    log: Rc<RefCell<Vec<String>>>,
}

/// How fibers of a [`World`] say something.
#[derive(Clone)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        self.0.borrow_mut().push(what.to_string());
    }
}

/// Small stacks, and no upkeep that would show among the deadlines.
pub(crate) const QUIET: Config = Config {
    stack_bytes: 256 * 1024,
    fibers_max_count: 3_000,
    pooled_stacks_count: 100,
    trim_interval_ms: 0,
};

/// Runs a test in a thread of its own, whatever the harness does with threads.
pub(crate) fn in_world(test: impl FnOnce(&mut World) + Send + 'static) {
    in_configured_world(QUIET, test);
}

pub(crate) fn in_configured_world(config: Config, test: impl FnOnce(&mut World) + Send + 'static) {
    let body = move || {
        configure(config).unwrap();
        test(&mut World {
            now: Instant::now(),
            log: Rc::default(),
        });
    };
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn log(&self) -> Log {
        Log(Rc::clone(&self.log))
    }

    /// What was said since the last time, in one line.
    pub(crate) fn said(&self) -> String {
        self.log.take().join(" ")
    }

    pub(crate) fn spawn(&self, name: &str, f: impl FnOnce() + 'static) -> FiberRef {
        spawn(name, f).unwrap()
    }

    /// One turn without a bound.
    pub(crate) fn turn(&self) -> Turn {
        turn(self.now, PLENTY)
    }

    /// Time passes, then a turn.
    pub(crate) fn pass_ms(&mut self, ms: u64) -> Turn {
        self.now += Duration::from_millis(ms);
        self.turn()
    }

    pub(crate) fn in_ms(&self, ms: u64) -> Option<Instant> {
        Some(self.now + Duration::from_millis(ms))
    }
}
