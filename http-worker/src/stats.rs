//! Counters of one worker: one writer, any number of readers on other threads.
//!
//! With a single writer a plain load and store is enough; no locked instruction is paid for on
//! the way of a request. A reader sees each counter exact but not all at the same instant.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.set(self.value().wrapping_add(n));
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a worker. Only the worker's thread writes them; [`snapshot`](Self::snapshot)
/// may be called on any thread and never blocks.
#[derive(Debug, Default)]
pub struct WorkerStats {
    pub(crate) accepted: Counter,
    pub(crate) open: Counter,
    pub(crate) requests: Counter,
    pub(crate) responses: [Counter; 5],
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) client_gone: Counter,
    pub(crate) travelling: Counter,
    pub(crate) parse_errors: Counter,
    pub(crate) timeouts: Counter,
    pub(crate) tls_errors: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) refused: Counter,
    pub(crate) evicted: Counter,
    pub(crate) bytes_held: Counter,
    pub(crate) waits_for_berth: Counter,
    pub(crate) body_bytes_held: Counter,
    pub(crate) encoder_bytes: Counter,
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
    pub(crate) turns: Counter,
}

/// What the counters said at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections open now, lingering ones included.
    pub open: u64,
    /// Requests handed to the other shore.
    pub requests: u64,
    /// Responses by class: 1xx, 2xx, 3xx, 4xx, 5xx and above; the worker's own answers included.
    pub responses: [u64; 5],
    /// Bytes read from sockets, as they came (encrypted where TLS is).
    pub bytes_in: u64,
    /// Bytes accepted by sockets, as they went.
    pub bytes_out: u64,
    /// Clients that left while a request of theirs was unanswered.
    pub client_gone: u64,
    /// Shuttles that are not free now.
    pub travelling: u64,
    /// Requests that were answered with an error by the worker itself.
    pub parse_errors: u64,
    /// Connections ended by a timeout.
    pub timeouts: u64,
    /// Connections ended by a TLS failure.
    pub tls_errors: u64,
    /// Times the system refused a new socket.
    pub accept_errors: u64,
    /// Connections closed as soon as they came, because of their address.
    pub refused: u64,
    /// Idle connections closed to make room for others.
    pub evicted: u64,
    /// Bytes that connections hold now: unread input, heads, output that was copied; and of HTTP/2
    /// buffers, streams ([`HTTP2_STREAM_BYTES`](crate::limits::HTTP2_STREAM_BYTES) each, the most
    /// there were at a time) and what came of bodies that nobody has asked its engine for.
    pub bytes_held: u64,
    /// Requests that found no free berth and waited.
    pub waits_for_berth: u64,
    /// Request body bytes in memory now.
    pub body_bytes_held: u64,
    /// Bytes that encoders of responses take now.
    pub encoder_bytes: u64,
    /// Read calls on sockets.
    pub reads: u64,
    /// Write calls on sockets.
    pub writes: u64,
    /// Turns of the loop.
    pub turns: u64,
}

impl WorkerStats {
    /// All counters as they are now. Any thread; does not block.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            accepted: self.accepted.value(),
            open: self.open.value(),
            requests: self.requests.value(),
            responses: std::array::from_fn(|i| self.responses[i].value()),
            bytes_in: self.bytes_in.value(),
            bytes_out: self.bytes_out.value(),
            client_gone: self.client_gone.value(),
            travelling: self.travelling.value(),
            parse_errors: self.parse_errors.value(),
            timeouts: self.timeouts.value(),
            tls_errors: self.tls_errors.value(),
            accept_errors: self.accept_errors.value(),
            refused: self.refused.value(),
            evicted: self.evicted.value(),
            bytes_held: self.bytes_held.value(),
            waits_for_berth: self.waits_for_berth.value(),
            body_bytes_held: self.body_bytes_held.value(),
            encoder_bytes: self.encoder_bytes.value(),
            reads: self.reads.value(),
            writes: self.writes.value(),
            turns: self.turns.value(),
        }
    }

    pub(crate) fn response(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.responses[class].one();
    }
}
