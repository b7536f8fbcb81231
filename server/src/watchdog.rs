//! Reports a fiber that runs and runs: nobody else can run Lua then, and no handler answers.
//!
//! A thread of its own looks at the Lua thread from time to time. It can say who is stuck; it
//! cannot stop it.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock;
use crate::limits;

/// What the Lua thread is doing: since when it has been away from its loop, and in which fiber.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Busy {
    /// When it left its loop.
    pub since: Instant,
    /// The number of the fiber that was switched to last.
    pub fiber: u64,
}

/// The thread that looks. Dropping it ends the thread.
pub struct Watchdog {
    leash: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Looks at the Lua thread by `look`, on a thread called `thread_name`, and has `name` tell
    /// who runs when one fiber does so for longer than `patience`. With a patience of zero nobody
    /// looks.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(
        thread_name: String,
        patience: Duration,
        look: impl Fn() -> Option<Busy> + Send + 'static,
        name: impl Fn() -> String + Send + 'static,
    ) -> std::io::Result<Self> {
        if patience.is_zero() {
            return Ok(Self {
                leash: None,
                thread: None,
            });
        }
        let (leash, held) = mpsc::channel::<()>();
        let shortest = Duration::from_millis(limits::WATCHDOG_PAUSE_MIN_MS);
        let pause = (patience / limits::WATCHDOG_LOOKS_COUNT).max(shortest);
        let watch = move || {
            let mut incident = Incident::new(patience);
            while held.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if let Some(lasted) = incident.observe(clock::now(), look()) {
                    log::error!(
                        "fiber {} has not yielded for {:.1} s: no other Lua runs meanwhile",
                        name(),
                        lasted.as_secs_f64()
                    );
                }
            }
        };
        let thread = std::thread::Builder::new().name(thread_name).spawn(watch)?;
        Ok(Self {
            leash: Some(leash),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.leash.take();
        if let Some(thread) = self.thread.take() {
            // A watchdog that panicked has said so by itself.
            drop(thread.join());
        }
    }
}

/// One fiber that runs without giving way, as far as it was seen from outside.
struct Incident {
    patience: Duration,
    seen: Option<(Busy, Instant)>,
    is_reported: bool,
}

impl Incident {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            seen: None,
            is_reported: false,
        }
    }

    /// Takes note of one look; how long it has lasted, when it is time to say so: once.
    fn observe(&mut self, now: Instant, busy: Option<Busy>) -> Option<Duration> {
        let Some(busy) = busy else {
            self.seen = None;
            self.is_reported = false;
            return None;
        };
        match self.seen {
            Some((known, since)) if known == busy => {
                let lasted = now.saturating_duration_since(since);
                let is_news = lasted >= self.patience && !self.is_reported;
                self.is_reported |= is_news;
                is_news.then_some(lasted)
            }
            _ => {
                self.seen = Some((busy, now));
                self.is_reported = false;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
