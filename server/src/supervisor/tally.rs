//! What all workers together counted.

use std::ops::AddAssign;

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
    /// Bytes that connections hold now, see [`Snapshot::bytes_held`].
    pub held_bytes: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
}

impl Tally {
    pub(super) fn add(&mut self, seen: &Snapshot) {
        *self += Self {
            connections: seen.open,
            accepted: seen.accepted,
            responses: seen.responses.iter().sum::<u64>(),
            errors: seen.responses[3] + seen.responses[4],
            shuttles: seen.travelling,
            clients_gone: seen.client_gone,
            refused: seen.refused,
            evicted: seen.evicted,
            timeouts: seen.timeouts,
            encoder_bytes: seen.encoder_bytes,
            held_bytes: seen.bytes_held,
            bytes_in: seen.bytes_in,
            bytes_out: seen.bytes_out,
        };
    }

    /// By the names that Lua knows them by.
    pub(super) fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("connections", self.connections),
            ("accepted", self.accepted),
            ("responses", self.responses),
            ("errors", self.errors),
            ("shuttles", self.shuttles),
            ("clients_gone", self.clients_gone),
            ("refused", self.refused),
            ("evicted", self.evicted),
            ("timeouts", self.timeouts),
            ("encoder_bytes", self.encoder_bytes),
            ("held_bytes", self.held_bytes),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.accepted += other.accepted;
        self.responses += other.responses;
        self.errors += other.errors;
        self.shuttles += other.shuttles;
        self.clients_gone += other.clients_gone;
        self.refused += other.refused;
        self.evicted += other.evicted;
        self.timeouts += other.timeouts;
        self.encoder_bytes += other.encoder_bytes;
        self.held_bytes += other.held_bytes;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}
