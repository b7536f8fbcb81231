//! Counters of the Lua side. One writer, the TX thread; anybody may read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tx_runtime::FiberRef;

use crate::host::Ticket;

/// What is kept of a fiber's name, in words of eight bytes.
const NAME_WORDS: usize = 4;

/// What is kept of a request's method and path, in words of eight bytes.
const REQUEST_WORDS: usize = 8;

/// Which request a fiber serves, as far as a report needs it: method and path, cut. All zeroes:
/// none. A fiber that parks carries it over on its own stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serving {
    /// The request's number; [`NO_TICKET`]: none.
    ticket: u64,
    text: [u64; REQUEST_WORDS],
}

/// Larger than what [`Ticket::to_u64`] gives.
const NO_TICKET: u64 = u64::MAX;

impl Serving {
    pub(crate) const NOTHING: Self = Self {
        ticket: NO_TICKET,
        text: [0; REQUEST_WORDS],
    };

    pub(crate) fn new(ticket: Ticket, method: &[u8], path: &[u8]) -> Self {
        let mut bytes = [0; REQUEST_WORDS * 8];
        let (first, rest) = bytes.split_at_mut(method.len().min(16));
        first.copy_from_slice(&method[..first.len()]);
        let len = path.len().min(rest.len() - 1);
        rest[0] = b' ';
        rest[1..=len].copy_from_slice(&path[..len]);
        let mut text = [0; REQUEST_WORDS];
        for (word, bytes) in text.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes"));
        }
        Self {
            ticket: ticket.to_u64(),
            text,
        }
    }

    /// The request, if there is one.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        (self.ticket != NO_TICKET).then(|| Ticket::from_u64(self.ticket))
    }
}

/// What the TX thread has done and is doing. Read it from any thread; each number is exact by
/// itself, several together are only near to one another.
#[derive(Debug)]
pub struct EnvStats {
    epoch: Instant,
    /// Microseconds after `epoch`, plus one; zero while no fiber runs.
    running_since_us: AtomicU64,
    running_fiber: AtomicU64,
    running_name: [AtomicU64; NAME_WORDS],
    serving_ticket: AtomicU64,
    serving: [AtomicU64; REQUEST_WORDS],
    requests_total: AtomicU64,
    requests_open: AtomicU64,
    handler_errors_total: AtomicU64,
    pins: AtomicU64,
}

impl EnvStats {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            running_since_us: AtomicU64::new(0),
            running_fiber: AtomicU64::new(0),
            running_name: [const { AtomicU64::new(0) }; NAME_WORDS],
            serving_ticket: AtomicU64::new(NO_TICKET),
            serving: [const { AtomicU64::new(0) }; REQUEST_WORDS],
            requests_total: AtomicU64::new(0),
            requests_open: AtomicU64::new(0),
            handler_errors_total: AtomicU64::new(0),
            pins: AtomicU64::new(0),
        }
    }

    /// Since when the thread has been running fibers without coming back to its loop. Absent while
    /// it is not running any. A watchdog that sees the same moment for seconds has found a fiber
    /// that does not give way.
    #[must_use]
    pub fn running_since(&self) -> Option<Instant> {
        let us = self
            .running_since_us
            .load(Ordering::Relaxed)
            .checked_sub(1)?;
        self.epoch.checked_add(Duration::from_micros(us))
    }

    /// The number of the fiber that was switched to last: with [`EnvStats::running_since`] it names
    /// the one that is stuck. Zero: unknown.
    #[must_use]
    pub fn running_fiber(&self) -> u64 {
        self.running_fiber.load(Ordering::Relaxed)
    }

    /// The name of that fiber, cut to 32 bytes. It may be torn while fibers change; that of one
    /// that is stuck does not.
    #[must_use]
    pub fn running_name(&self) -> String {
        text(&self.running_name)
    }

    /// Method and path of the request that this fiber serves, cut to 64 bytes, as `GET /a`; empty
    /// if it serves none. It may be torn as the name may.
    #[must_use]
    pub fn running_request(&self) -> String {
        if self.serving_ticket.load(Ordering::Relaxed) == NO_TICKET {
            return String::new();
        }
        text(&self.serving)
    }

    /// Requests that arrived.
    #[must_use]
    pub fn requests_total(&self) -> u64 {
        self.requests_total.load(Ordering::Relaxed)
    }

    /// Requests that have arrived and are not over.
    #[must_use]
    pub fn requests_open(&self) -> u64 {
        self.requests_open.load(Ordering::Relaxed)
    }

    /// Handlers that ended with an error, or with something that is no answer.
    #[must_use]
    pub fn handler_errors_total(&self) -> u64 {
        self.handler_errors_total.load(Ordering::Relaxed)
    }

    /// Lua strings that are held for a worker.
    #[must_use]
    pub fn pins(&self) -> u64 {
        self.pins.load(Ordering::Relaxed)
    }

    /// Fibers begin to run.
    pub(crate) fn turn_begins(&self, now: Instant) {
        let us = now.saturating_duration_since(self.epoch).as_micros();
        self.running_since_us.store(
            u64::try_from(us).unwrap_or(u64::MAX - 1) + 1,
            Ordering::Relaxed,
        );
    }

    /// No fiber runs any more.
    pub(crate) fn turn_ends(&self) {
        self.running_since_us.store(0, Ordering::Relaxed);
    }

    /// What the running fiber serves, for it to keep while it parks.
    pub(crate) fn serving(&self) -> Serving {
        let mut text = [0; REQUEST_WORDS];
        for (word, shared) in text.iter_mut().zip(&self.serving) {
            *word = shared.load(Ordering::Relaxed);
        }
        Serving {
            ticket: self.serving_ticket.load(Ordering::Relaxed),
            text,
        }
    }

    /// The running fiber serves this from now on.
    pub(crate) fn serves(&self, serving: &Serving) {
        self.serving_ticket.store(serving.ticket, Ordering::Relaxed);
        if serving.ticket == NO_TICKET {
            return;
        }
        for (word, shared) in serving.text.iter().zip(&self.serving) {
            shared.store(*word, Ordering::Relaxed);
        }
    }

    /// A fiber came back from a park, before which it served this.
    pub(crate) fn resumed(&self, serving: &Serving) {
        if let Some(fiber) = tx_runtime::current()
            && self.is_other(&fiber)
        {
            self.runs(&fiber);
            self.serves(serving);
        }
    }

    /// This fiber runs now, and serves nothing yet.
    pub(crate) fn runs(&self, fiber: &FiberRef) {
        if self.is_other(fiber) {
            self.running_fiber.store(fiber.id(), Ordering::Relaxed);
            fiber.with_name(|name| self.set_name(name));
            self.serves(&Serving::NOTHING);
        }
    }

    fn is_other(&self, fiber: &FiberRef) -> bool {
        self.running_fiber.load(Ordering::Relaxed) != fiber.id()
    }

    /// This fiber has another name.
    pub(crate) fn renamed(&self, fiber: &FiberRef) {
        if self.running_fiber.load(Ordering::Relaxed) == fiber.id() {
            fiber.with_name(|name| self.set_name(name));
        }
    }

    /// Words, because the reader is another thread and nobody wants to lock for it.
    fn set_name(&self, name: &str) {
        let mut bytes = [0; NAME_WORDS * 8];
        let len = name.len().min(bytes.len());
        bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
        for (word, bytes) in self.running_name.iter().zip(bytes.chunks_exact(8)) {
            let bytes = bytes.try_into().expect("chunks of eight bytes");
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
    }

    pub(crate) fn request_arrived(&self) {
        bump(&self.requests_total, 1);
        bump(&self.requests_open, 1);
    }

    pub(crate) fn request_over(&self) {
        bump(&self.requests_open, -1);
    }

    pub(crate) fn handler_failed(&self) {
        bump(&self.handler_errors_total, 1);
    }

    pub(crate) fn set_pins(&self, count: usize) {
        self.pins.store(count as u64, Ordering::Relaxed);
    }
}

/// The bytes in these words, without the zeroes behind them.
fn text(words: &[AtomicU64]) -> String {
    let mut bytes: Vec<u8> = words
        .iter()
        .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
        .collect();
    bytes.retain(|byte| *byte != 0);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// With one writer no read-modify-write is needed.
fn bump(counter: &AtomicU64, by: i64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add_signed(by),
        Ordering::Relaxed,
    );
}
