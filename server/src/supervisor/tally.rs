//! What all workers together counted.

use http_worker::Snapshot;

/// Sums over workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Connections open now.
    pub connections: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Responses finished, the workers' own included.
    pub responses: u64,
    /// Responses of the classes 4xx and 5xx.
    pub errors: u64,
    /// Shuttles that are not free now.
    pub shuttles: u64,
    /// Clients that left while a request of theirs was unanswered.
    pub clients_gone: u64,
    /// Connections closed as soon as they came, because of their address.
    pub refused: u64,
    /// Idle connections closed to make room for others.
    pub evicted: u64,
    /// Connections ended because they took too long or were too slow.
    pub timeouts: u64,
    /// Bytes that encoders of responses take now.
    pub encoder_bytes: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
}

impl Tally {
    pub(super) fn add(&mut self, seen: &Snapshot) {
        self.connections += seen.open;
        self.accepted += seen.accepted;
        self.responses += seen.responses.iter().sum::<u64>();
        self.errors += seen.responses[3] + seen.responses[4];
        self.shuttles += seen.travelling;
        self.clients_gone += seen.client_gone;
        self.refused += seen.refused;
        self.evicted += seen.evicted;
        self.timeouts += seen.timeouts;
        self.encoder_bytes += seen.encoder_bytes;
        self.bytes_in += seen.bytes_in;
        self.bytes_out += seen.bytes_out;
    }
}
