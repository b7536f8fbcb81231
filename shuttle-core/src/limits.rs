//! Every number of this crate that could have been another one.

/// After so many unflushed sends the TX shore rings the worker by itself.
///
/// Measured on two virtual cores under HTTP load: ringing for each response costs 15.8 µs of CPU
/// per request against 9.3 µs when rung for a batch; ringing only when TX has drained its ring
/// keeps the two threads in lockstep, and is slower than one thread once a handler takes 10 µs.
/// Eight was the best of both.
pub const TX_RING_AFTER_COUNT: usize = 8;

/// The most berths that a link may have: indexes are `u16`, and the last one means "nowhere".
pub const BERTHS_MAX_COUNT: u16 = u16::MAX;

/// Bytes copied into one shuttle by appending and not sent yet, at most; the area is made at the
/// first append to a berth and stays with it. A thousand writes of 16 bytes: a client that took
/// nothing while they came is slow, and 16 KiB is what one TLS record or one write to a socket
/// takes. Beyond: `Full`. A power of two of at most 2¹⁵, for positions are 16 bits of the berth's
/// word. (Models have four bytes, so that they are full soon.)
pub const COPIED_MAX_BYTES: usize = if cfg!(loom) { 4 } else { 16 * 1024 };

/// Lent pieces appended to one shuttle and not sent yet, at most. One vectored write takes 1024
/// pieces on Linux and 16 at least by POSIX; between two of them a handler hardly lends more, and
/// the list of 64 is 2 KiB. Beyond: `Full`. A power of two of at most 2⁷, for positions are 8 bits
/// of the berth's word. (Models have two.)
pub const LENT_CHUNKS_MAX_COUNT: usize = if cfg!(loom) { 2 } else { 64 };

/// Bytes appended to one shuttle and not sent yet, lent ones included, at most: what TX keeps alive
/// for one slow client. Enough to fill the path to a client (100 Mbit/s at 80 ms are 1 MB). A piece
/// that is larger by itself is accepted if nothing else waits, or it could never be sent. Beyond:
/// `Full`.
pub const UNSENT_MAX_BYTES: usize = 1024 * 1024;

const _: () = assert!(COPIED_MAX_BYTES.is_power_of_two() && COPIED_MAX_BYTES <= 1 << 15);
const _: () = assert!(LENT_CHUNKS_MAX_COUNT.is_power_of_two() && LENT_CHUNKS_MAX_COUNT <= 1 << 7);
