//! The Lua threads of a process: one, or several that run the same program side by side.
//!
//! Each has a Lua machine, fibers and workers of its own, and they share no state of Lua. What they
//! have in common is what belongs to the process: addresses, signals, the access log, the count of
//! connections by address, and the end. One that fails ends all.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use shuttle_core::Doorbell;

use crate::bells::TxBells;
use crate::clock;
use crate::exit::Exit;
use crate::limits::TX_STACK_BYTES;
use crate::signals::StopFlag;
use crate::tx::{self, Ending, Options};

/// Which Lua thread of how many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seat {
    /// From 1.
    pub index: u16,
    /// At least 1.
    pub count: u16,
}

impl Default for Seat {
    /// There is only one.
    fn default() -> Self {
        Self { index: 1, count: 1 }
    }
}

impl Seat {
    /// Whether there are others.
    pub fn has_neighbours(self) -> bool {
        self.count > 1
    }

    /// `TX 2`, if there are several.
    pub fn name(self) -> Option<String> {
        self.has_neighbours().then(|| format!("TX {}", self.index))
    }

    /// What the thread of a worker is called.
    pub fn worker_name(self, worker: usize) -> String {
        if self.has_neighbours() {
            format!("http-{}.{worker}", self.index)
        } else {
            format!("http-{worker}")
        }
    }

    /// What the thread of this Lua machine is called, and what others that serve it begin with.
    pub fn thread_name(self, of: &str) -> String {
        if self.has_neighbours() {
            format!("{of}-{}", self.index)
        } else {
            of.to_owned()
        }
    }

    fn signed(self, text: String) -> String {
        match self.name() {
            Some(name) => format!("{name}: {text}"),
            None => text,
        }
    }
}

/// What all of them are asked to end by.
#[derive(Clone)]
pub struct Stop {
    /// Goes up when it is time.
    pub flag: StopFlag,
    /// Wakes each of them to see it.
    pub bells: TxBells,
    /// How long they are waited for when one has failed.
    pub hard_limit: Duration,
}

/// Runs `count` Lua threads until all have ended, with what `options` makes for each, on its own
/// thread. A single one runs on the caller's thread. Blocks.
pub fn run(
    count: u16,
    options: impl Fn(Seat) -> Options + Send + Sync + 'static,
    stop: &Stop,
) -> Ending {
    if count <= 1 {
        return tx::run(options(Seat::default()), stop.flag.clone());
    }
    let options = Arc::new(options);
    let (tell, told) = mpsc::channel();
    for index in 1..=count {
        let seat = Seat { index, count };
        let (options, flag) = (Arc::clone(&options), stop.flag.clone());
        let report = Report::new(seat, tell.clone());
        if let Err(error) = spawn(seat, move || report.of(tx::run(options(seat), flag))) {
            // Its report tells that it has ended; this is why.
            log::error!("cannot start the Lua thread {index}: {error}");
        }
    }
    drop(tell);
    Outcome::default().wait(&told, stop)
}

fn spawn(seat: Seat, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(seat.thread_name("tx"));
    thread.stack_size(TX_STACK_BYTES).spawn(work).map(drop)
}

/// Tells how a Lua thread ended, whichever way that was.
struct Report {
    seat: Seat,
    to: Sender<(Seat, Ending)>,
    ending: Option<Ending>,
}

impl Report {
    fn new(seat: Seat, to: Sender<(Seat, Ending)>) -> Self {
        let ending = None;
        Self { seat, to, ending }
    }

    fn of(mut self, ending: Ending) {
        self.ending = Some(ending);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let lost = || Ending::failed(Exit::Environment, "the Lua thread is lost");
        let ending = self.ending.take().unwrap_or_else(lost);
        // Nobody listens when the process is ending already.
        let _ = self.to.send((self.seat, ending));
    }
}

/// What all of them together come to.
#[derive(Default)]
struct Outcome {
    /// The first that was not well.
    failure: Option<Ending>,
    /// What one of them had to say that was; the first of them by number.
    word: Option<(u16, String)>,
    /// The others are not waited for beyond this.
    give_up: Option<Instant>,
}

impl Outcome {
    fn wait(mut self, told: &Receiver<(Seat, Ending)>, stop: &Stop) -> Ending {
        loop {
            match self.next(told) {
                Ok((seat, ending)) => {
                    if self.note(seat, ending) {
                        stop.flag.fail();
                        stop.bells.ring();
                        self.give_up = Some(clock::now() + stop.hard_limit);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    log::warn!("a Lua thread does not give way: ending without it");
                    return self.verdict();
                }
                Err(RecvTimeoutError::Disconnected) => return self.verdict(),
            }
        }
    }

    fn next(&self, told: &Receiver<(Seat, Ending)>) -> Result<(Seat, Ending), RecvTimeoutError> {
        match self.give_up {
            Some(at) => told.recv_timeout(at.saturating_duration_since(clock::now())),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Whether this is the first failure.
    fn note(&mut self, seat: Seat, ending: Ending) -> bool {
        if ending.exit == Exit::Done {
            let is_first = self.word.as_ref().is_none_or(|(of, _)| seat.index < *of);
            if let Some(message) = ending.message.filter(|_| is_first) {
                self.word = Some((seat.index, message));
            }
            return false;
        }
        let message = ending.message.map(|text| seat.signed(text));
        let ending = Ending { message, ..ending };
        if let Some(earlier) = &self.failure {
            log::debug!("{earlier:?} came before {ending:?}");
            return false;
        }
        self.failure = Some(ending);
        true
    }

    fn verdict(self) -> Ending {
        let word = self.word.map(|(_, message)| message);
        let well = Ending {
            exit: Exit::Done,
            message: word,
        };
        self.failure.unwrap_or(well)
    }
}

#[cfg(test)]
mod tests;
