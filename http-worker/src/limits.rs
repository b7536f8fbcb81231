//! Every bound this crate keeps: what it is, what unit it has, and why it has that value.
//!
//! The constants are the defaults of [`Limits`] or fixed properties of the loop. What the parser
//! bounds (head size, number of fields, body size) is passed on to `http-proto`, and is clamped to
//! what that crate can do at most.

mod compression;
mod files;
mod http2;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http_proto::limits as proto;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use self::compression::*;
pub use self::files::*;
pub use self::http2::*;

/// Connections open at once. Beyond it the worker stops accepting and the rest waits in the
/// kernel's backlog, where it costs nothing; 65536 is what httpng's programs expect.
pub const CONNECTIONS_COUNT: usize = 65_536;

/// The largest number of connections that can be asked for: a connection's index shares one
/// machine word with its generation.
pub const CONNECTIONS_MAX_COUNT: usize = 1 << 20;

/// Longest time from the first byte of a request (or from accepting) to the end of its head.
/// An honest client sends a head in one packet; ten seconds let the slowest radio link retry.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;

/// Connections of one address (of one /64 network of IPv6) to all workers of a server together.
/// A quarter of what one worker takes, so that no single address can fill it, and more than
/// a proxy, a load generator or the customers behind one address of a carrier have open.
pub const CONNECTIONS_PER_IP_COUNT: usize = 16_384;

/// The last places of a worker, kept for connections from the addresses in
/// [`Limits::reserved_for`]: whoever administers it gets in when others have taken everything.
pub const RESERVED_COUNT: usize = 16;

/// A worker that takes fewer connections than this keeps none back: it was made small on
/// purpose, and sixteen places would be much of it.
pub const RESERVED_FROM_COUNT: usize = 1024;

/// How long a connection must have been waiting for its client before it may be closed to make
/// room for another, when there is no other room. Honest requests follow their connection within
/// a round trip or two.
pub const EVICT_IDLE_MS: u64 = 2_000;

/// Connections looked at for one that can make room. Bounds the work that an arrival costs.
pub const EVICT_SCAN_COUNT: usize = 256;

/// How long a full worker waits before it looks for room again.
pub const EVICT_RETRY_MS: u64 = 250;

/// Bytes per second that a client must send of a body, on the whole. Half of the worst that
/// mobile networks call a connection; a body of the largest default size has 35 minutes.
pub const RECEIVE_RATE_BYTES: u64 = 500;

/// Bytes per second that a client must take of what is waiting for it, on the whole.
pub const SEND_RATE_BYTES: u64 = 500;

/// Bytes that the kernel takes for a client beyond what is under way to it. Left to itself it takes
/// megabytes for one that does not read, and reports room only when a third of them is gone: a slow
/// reader looked like one that has stopped. Half of this is how finely we see it read. Measured: an
/// answer of 1 MiB costs 1.25 times what it costs in nginx with half of this, 1.05 times with this,
/// and 0.90 with twice as much.
pub const UNSENT_BYTES: u32 = 256 * 1024;

/// Bytes that all connections of a worker may hold together: unread input, the heads of requests
/// whose bodies are on their way, copied output that is not sent. Beyond it, whoever holds
/// more than `HELD_SHARE_BYTES` and grows is refused. Honest heads arrive in one piece and
/// are not held at all: this is room for ten thousand that do not.
pub const HELD_BYTES: usize = 24 * 1024 * 1024;

/// What a connection may hold even when all together hold too much: a usual head.
pub const HELD_SHARE_BYTES: usize = 2 * 1024;

/// Longest silence while a request's body arrives.
pub const BODY_TIMEOUT_MS: u64 = 30_000;

/// How long a connection may stay open between requests. Longer than what common proxies keep
/// (60 s), so that the other side is usually the one that closes and no request is lost.
pub const IDLE_TIMEOUT_MS: u64 = 75_000;

/// Longest time in which the client takes nothing of an answer that is waiting to be sent.
pub const WRITE_TIMEOUT_MS: u64 = 30_000;

/// Longest time in which a client takes nothing of an answer that keeps a berth for which others
/// wait. At 26 KB/s half of [`UNSENT_BYTES`], or two windows of 64 KiB, are read in it; then we see
/// it: only who is slower than that is taken for one that does not read, and only while all berths
/// are out.
pub const PRESSED_MS: u64 = 5_000;

/// How long those who wait for a berth do so before it is looked again for one who has to give
/// his up. Looking costs about as much as serving one request for each of them.
pub const PRESS_RETRY_MS: u64 = 250;

/// How long the worker goes on reading, to throw away, after it has sent its last answer and
/// closed its own direction: long enough for a round trip, so that the client can read an error
/// before a reset destroys it.
pub const LINGER_MS: u64 = 2_000;

/// How long a connection has to be idle before a worker that ends may close it: a client that has
/// just had an answer may have its next request on the way, which would be lost. A round trip.
pub(crate) const DRAIN_IDLE_MS: u64 = 250;

/// Bytes thrown away at most while lingering: what a client may have had in flight.
pub const LINGER_BYTES: usize = 256 * 1024;

/// Requests of one connection that may be waiting for their answers at once. Enough to cover a
/// pipelining client's round trip, small enough that one connection cannot take all berths.
pub const PIPELINE_DEPTH_COUNT: usize = 32;

/// Copied response bytes (heads, framing, small bodies) that one connection may have waiting to
/// be sent. Beyond it the following answers stay in their shuttles.
pub const BUFFERED_OUTPUT_BYTES: usize = 64 * 1024;

/// Request body bytes of all connections of a worker that may be in memory at once, those that
/// travel included, and one body beyond. A request that would pass it waits
/// ([`BODIES_WAIT_MS`]). Thirty-two of the largest default size; more would let clients that send
/// bodies and never end them take all memory.
pub const BUFFERED_BODIES_BYTES: usize = 32 * 1024 * 1024;

/// How long a connection with a body may wait for room among those in memory, its socket not read,
/// before it is answered 503. Handlers give room back when they have answered, which takes most of
/// them far less; who waits longer is better told.
pub const BODIES_WAIT_MS: u64 = 10_000;

/// When so much of [`HELD_BYTES`] is in use nobody begins to wait for room: it would do so with
/// up to [`READ_BYTES`] unread. A third are a hundred and more; who waits among so many would be
/// told 503 anyway, and is told at once.
pub const CROWDED_PERCENT: usize = 33;

/// Of those that wait for room, how many are looked at when there is some. Bounds the work of a
/// turn.
pub const BODIES_WOKEN_COUNT: usize = 64;

/// What a second forgives of the bytes by which frames of chunks outweigh their data
/// ([`CHUNK_OVERHEAD_MAX_BYTES`](proto::CHUNK_OVERHEAD_MAX_BYTES)): twenty-five chunks of a byte,
/// faster than people type. HTTP/2 forgives as much, see [`HTTP2_BUDGET_PER_SECOND_COUNT`].
pub const CHUNK_FORGIVEN_PER_SECOND_BYTES: u64 = 100;

/// By how much the memory of a body grows at least.
pub const BODY_STEP_BYTES: usize = 8 * 1024;

/// Body of one request; httpng's default.
pub const BODY_BYTES: u64 = 1024 * 1024;

/// A piece of a body that follows its request: when so much of the next one waits, because the
/// other shore has not taken the one before, the socket is not read any more. One read
/// ([`READ_BYTES`]) may go beyond it. Less would cost more crossings, more would hold more memory
/// for each upload: with one piece here, one on the way and one in the application's hands, and a
/// read not looked at yet, a client takes less than half a MiB, however long its body is.
pub const BODY_PIECE_BYTES: usize = 64 * 1024;

/// Bytes of a body that are read and thrown away when its request was answered without them, so
/// that the connection can be used again. Beyond it closing costs less, also for the client.
pub const BODY_REST_BYTES: usize = 256 * 1024;

/// Connections accepted from one listener before the loop looks at other work.
pub const ACCEPT_BATCH_COUNT: usize = 64;

/// Events taken from the kernel in one turn, the size of the event buffer.
pub const EVENTS_PER_TURN_COUNT: usize = 1024;

/// Shuttles taken home in one turn before sockets are looked at again.
pub const ARRIVALS_PER_TURN_COUNT: usize = 1024;

/// Commands obeyed in one turn.
pub const COMMANDS_PER_TURN_COUNT: usize = 16;

/// Shuttles sent to the other shore before its bell is rung even though more input is waiting.
/// Measured: ringing for each costs a wake-up per request, ringing only when nothing more is to
/// be read costs nothing up to about this batch.
pub const UNFLUSHED_COUNT: usize = 128;

/// One read from a socket. A request with a small body fits whole; a large body takes few calls.
pub const READ_BYTES: usize = 64 * 1024;

/// Slices given to one `writev`. The kernel takes 1024; more than this many per call gains
/// nothing measurable and would cost stack. Head, frame and end of a response, and as many lent
/// pieces between them as a shuttle has room for.
pub const WRITE_SLICES_COUNT: usize = 72;

/// How often in one turn a connection sends what was appended to its shuttle while it was sending:
/// a program that never stops writing, to a client that takes all of it, must not keep the others
/// waiting. So many batches of up to 1 MiB are a few milliseconds.
pub const LOOKS_PER_TURN_COUNT: usize = 8;

/// Encrypted bytes that one TLS connection may have waiting for the socket, and the most that is
/// encrypted ahead: two records beyond the usual socket buffer's refill.
pub const TLS_BUFFERED_BYTES: usize = 64 * 1024;

/// An answer's copied body up to this size joins the connection's output buffer and frees its
/// shuttle at once; a larger one is written from the shuttle.
pub const COPY_BYTES: usize = 4 * 1024;

/// Buffers (of a connection's unread input, of a request's body) that keep at most this many
/// bytes of capacity for their next use.
pub const KEEP_BYTES: usize = 16 * 1024;

/// Spare incoming requests kept for reuse.
pub const SPARES_COUNT: usize = 256;

/// Requests, or pieces of output, that the queues of a connection may have room for if they are to
/// be used by another one: more than a client that pipelines asks for, and 4 KiB.
pub const GEAR_KEEP_COUNT: usize = 32;

/// Pause after the system refused another socket (out of descriptors or memory): trying again at
/// once would only burn the processor.
pub const ACCEPT_RETRY_MS: u64 = 100;

/// How long a socket whose address was given up is kept for clients that had begun to shake hands
/// with it: a round trip. The kernel begins no new ones meanwhile.
pub(crate) const LEAVE_DOOR_MS: u64 = 250;

/// When such a socket is closed at the latest, though clients wait at it: the worker has as many
/// connections as it may have, or the system has no descriptors.
pub(crate) const LEAVE_DOOR_MAX_MS: u64 = 1_000;

/// Length of the kernel's queue of connections not yet accepted.
pub const BACKLOG_COUNT: i32 = 4096;

/// Width of one slot of the timer wheel. Timeouts here are seconds; being late by this much is
/// not noticed by anybody.
pub const TIMER_TICK_MS: u64 = 64;

/// Slots of the timer wheel; times the tick it is the horizon (about one minute). A deadline
/// beyond it is looked at once on the way.
pub const TIMER_SLOTS_COUNT: usize = 1024;

/// Bytes of a method in the access log: all of any method that is let in.
pub const LOGGED_METHOD_BYTES: usize = proto::METHOD_MAX_BYTES;

/// Bytes of a request target in the access log, or of a line that was not understood. Longer ones
/// are cut: a client must not fill disks, nor the memory of what waits to be written.
pub const LOGGED_TARGET_BYTES: usize = 2048;

/// Bytes of host and port in the access log. Names have 253 at most.
pub const LOGGED_HOST_BYTES: usize = 264;

/// Bytes of `Referer` in the access log; longer ones are cut.
pub const LOGGED_REFERER_BYTES: usize = 1024;

/// Bytes of `User-Agent` in the access log; longer ones are cut. Browsers send about 120.
pub const LOGGED_USER_AGENT_BYTES: usize = 512;

const _: () = assert!(TIMER_SLOTS_COUNT.is_power_of_two());
const _: () = assert!(LEAVE_DOOR_MS < LEAVE_DOOR_MAX_MS);
const _: () = assert!(COPY_BYTES <= BUFFERED_OUTPUT_BYTES);
const _: () = assert!(CONNECTIONS_COUNT <= CONNECTIONS_MAX_COUNT);
const _: () = assert!(READ_BYTES >= KEEP_BYTES);
const _: () = assert!(FILE_COPY_BYTES <= BUFFERED_OUTPUT_BYTES);
const _: () = assert!(COPY_BYTES <= COMPRESS_STEP_BYTES);
const _: () = assert!(RESERVED_COUNT < RESERVED_FROM_COUNT);

/// The bounds a user may choose. `Default` gives this module's constants.
///
/// They may be replaced while the worker runs ([`Command::Limits`](crate::Command::Limits)); a
/// connection sees the new ones at its next event.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once, 1 to [`CONNECTIONS_MAX_COUNT`] (clamped).
    pub connections_count: usize,
    /// Connections of one address to all workers that share their
    /// [`Guests`](crate::Guests); beyond: closed at once. Zero: no bound.
    pub connections_per_ip_count: usize,
    /// Whom the last [`RESERVED_COUNT`] places are for: the machine itself, unless others are
    /// named. Nobody: none are kept.
    pub reserved_for: Vec<IpNet>,
    /// A request line, without its line end; beyond: 414.
    pub request_line_bytes: usize,
    /// A request head; beyond: 431.
    pub head_bytes: usize,
    /// Fields of a request; beyond: 431.
    pub fields_count: usize,
    /// Body of one request; beyond: 413.
    pub body_bytes: u64,
    /// Requests of one connection waiting for answers at once, at least 1.
    pub pipeline_depth_count: usize,
    /// Streams of one HTTP/2 connection open at once, 1 to [`STREAMS_MAX_COUNT`] (clamped).
    /// Connections that are open keep what they were told.
    pub streams_count: usize,
    /// Copied response bytes waiting on one connection.
    pub buffered_output_bytes: usize,
    /// Requests that may be with the other shore at once, at least 1; the link may have fewer
    /// berths.
    pub shuttles_count: u16,
    /// Request body bytes in memory over all connections of the worker.
    pub buffered_bodies_bytes: usize,
    /// Bytes that connections hold together, see [`HELD_BYTES`].
    pub held_bytes: usize,
    /// Bytes that connections of HTTP/2 hold together, see [`HTTP2_HELD_BYTES`].
    pub http2_held_bytes: usize,
    /// What encoders of responses may take together, see [`ENCODERS_BYTES`].
    pub encoders_bytes: usize,
    /// Bytes per second that a client sends of a body at least. Zero: any will do.
    pub receive_rate_bytes: u64,
    /// Bytes per second that a client takes at least of what waits. Zero: any will do.
    pub send_rate_bytes: u64,
    /// From the first byte of a request, or from accepting, to the end of the head.
    pub header_timeout: Duration,
    /// Silence while a body arrives.
    pub body_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// While the client takes nothing of a waiting answer.
    pub write_timeout: Duration,
    /// Silence of an HTTP/2 client with open streams before it is asked whether it is there. Zero:
    /// it is not asked.
    pub ping_after: Duration,
    /// Reading on after the last answer, see [`LINGER_MS`].
    pub linger_timeout: Duration,
}

/// The networks that no packet from elsewhere comes from.
fn the_machine_itself() -> [IpNet; 2] {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    let v6 = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
    [v4.into(), v6.into()]
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_count: CONNECTIONS_COUNT,
            connections_per_ip_count: CONNECTIONS_PER_IP_COUNT,
            reserved_for: the_machine_itself().to_vec(),
            request_line_bytes: proto::REQUEST_LINE_MAX_BYTES,
            head_bytes: proto::HEAD_MAX_BYTES,
            fields_count: proto::FIELDS_MAX_COUNT,
            body_bytes: BODY_BYTES,
            pipeline_depth_count: PIPELINE_DEPTH_COUNT,
            streams_count: STREAMS_COUNT,
            buffered_output_bytes: BUFFERED_OUTPUT_BYTES,
            shuttles_count: u16::MAX,
            buffered_bodies_bytes: BUFFERED_BODIES_BYTES,
            held_bytes: HELD_BYTES,
            http2_held_bytes: HTTP2_HELD_BYTES,
            encoders_bytes: ENCODERS_BYTES,
            receive_rate_bytes: RECEIVE_RATE_BYTES,
            send_rate_bytes: SEND_RATE_BYTES,
            header_timeout: Duration::from_millis(HEADER_TIMEOUT_MS),
            body_timeout: Duration::from_millis(BODY_TIMEOUT_MS),
            idle_timeout: Duration::from_millis(IDLE_TIMEOUT_MS),
            write_timeout: Duration::from_millis(WRITE_TIMEOUT_MS),
            ping_after: Duration::from_millis(HTTP2_PING_AFTER_MS),
            linger_timeout: Duration::from_millis(LINGER_MS),
        }
    }
}

impl Limits {
    /// How many of the last places are kept.
    pub(crate) fn reserved_count(&self) -> usize {
        if self.connections_count < RESERVED_FROM_COUNT || self.reserved_for.is_empty() {
            0
        } else {
            RESERVED_COUNT
        }
    }

    /// Whether they are kept for this address. IPv4 addresses in the clothes of IPv6 are IPv4.
    pub(crate) fn are_reserved_for(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.reserved_for.iter().any(|net| net.contains(&address))
    }

    /// The same limits with those out of range brought to the nearest possible value.
    pub(crate) fn clamped(mut self) -> Self {
        self.connections_count = self.connections_count.clamp(1, CONNECTIONS_MAX_COUNT);
        self.pipeline_depth_count = self.pipeline_depth_count.max(1);
        self.streams_count = self.streams_count.clamp(1, STREAMS_MAX_COUNT);
        self.shuttles_count = self.shuttles_count.max(1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limits: &Limits, yes: &[&str], no: &[&str]) {
        let is_in = |text: &&str| limits.are_reserved_for(text.parse().unwrap());
        assert!(yes.iter().all(is_in));
        assert!(!no.iter().any(is_in));
    }

    #[test]
    fn whom_places_are_kept_for() {
        let yes = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"];
        let no = [
            "10.0.0.1",
            "0.0.0.0",
            "::2",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ];
        check(&Limits::default(), &yes, &no);
        let nets = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/48"];
        let named = Limits {
            reserved_for: nets.map(|net| net.parse().unwrap()).to_vec(),
            ..Limits::default()
        };
        let yes = [
            "10.255.255.255",
            "192.0.2.7",
            "::ffff:192.0.2.7",
            "2001:db8:0:ffff::1",
        ];
        let no = ["11.0.0.0", "192.0.2.6", "127.0.0.1", "::1", "2001:db8:1::"];
        check(&named, &yes, &no);
        assert_eq!(named.reserved_count(), RESERVED_COUNT);
        let nobody = Limits {
            reserved_for: Vec::new(),
            ..Limits::default()
        };
        assert_eq!(nobody.reserved_count(), 0);
    }
}
