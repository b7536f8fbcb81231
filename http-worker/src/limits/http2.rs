//! What a connection of HTTP/2 may do and hold, beyond what holds for all of them.

/// Bodies that may wait for room when a stream of HTTP/2 joins them: each has up to
/// [`HTTP2_STREAM_WINDOW_BYTES`] with its engine, 8 MiB together. Beyond: 503 at once.
pub const HTTP2_BODIES_WAITING_COUNT: usize = 64;

/// Streams that one HTTP/2 connection may have open at once. RFC 9113 section 6.5.2 advises 100 or
/// more; load generators and proxies use that many, and so does a page with many pictures.
pub const STREAMS_COUNT: usize = 128;

/// The most streams that can be asked for. Each may hold what its window admits
/// ([`HTTP2_STREAM_WINDOW_BYTES`]), so this is 128 MiB of one client, and it is known of so many
/// ([`HTTP2_OPEN_TRACKED_COUNT`]) whether they may still send.
pub const STREAMS_MAX_COUNT: usize = 1024;

/// Payload of the largest frame of HTTP/2 that a client may send: what it may be without being
/// asked (RFC 9113 section 6.5.2).
pub const HTTP2_FRAME_MAX_BYTES: usize = 16 * 1024;

/// The table of fields that a client may refer to: what it is without being asked for (RFC 9113
/// section 6.5.2). With the engine.
pub const HTTP2_TABLE_BYTES: usize = 4096;

/// What is kept of the last field block of a connection while it is busy, to know what was wrong
/// with it. Larger ones are too large for the engine as well.
pub const HTTP2_BLOCK_KEPT_BYTES: usize = 128 * 1024;

/// Streams that a client has begun and not ended, of which it is known whether it may still send.
/// More than it may have open; what is beyond only gets a less exact reason when it errs.
pub const HTTP2_OPEN_TRACKED_COUNT: usize = 1024;

/// Window of each HTTP/2 stream for the client's body: 128 KiB in a round trip of 50 ms are 20
/// Mbit/s. What is for a site that streams stays here until it is read, so it is what a stream may
/// hold; that of a connection is the sum of those of its streams.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// What an HTTP/2 connection has said and the socket not taken, at most; and the most that its
/// streams may hand over before that was taken. One write of the kernel's favourite size.
pub const HTTP2_OUTPUT_BYTES: usize = 64 * 1024;

/// What one stream may hand over before another has its turn: one frame of the usual size.
pub const HTTP2_SHARE_BYTES: usize = 16 * 1024;

/// Files that the streams of one HTTP/2 connection have open at once; others wait for their turn.
/// Enough to fill the windows of a client that asks for many, and far from all descriptors.
pub const HTTP2_FILES_COUNT: usize = 8;

/// How often an HTTP/2 connection is served in one turn before others are.
pub const HTTP2_ROUNDS_PER_TURN_COUNT: usize = 16;

/// What each field counts beyond its bytes in HTTP/2's size of a head (RFC 9113 section 6.5.2).
pub const HTTP2_FIELD_OVERHEAD_BYTES: usize = 32;

/// Streams reset by us whose late frames are told apart from errors, on one connection.
pub const HTTP2_RESETS_KEPT_COUNT: usize = 50;

/// Streams of one HTTP/2 connection that may be reset by us for errors of the client in it. An
/// honest client makes none.
pub const HTTP2_ENGINE_RESETS_COUNT: usize = 256;

/// What an HTTP/2 client may spend on frames that bring nothing before it has earned something:
/// some 250 resets, PINGs or SETTINGS, or a thousand window updates. A page that is left while
/// all its pictures load resets 128 streams.
pub const HTTP2_BUDGET_COUNT: i64 = 1_000;

/// DATA frames below this size cost more than they bring, for it is that of their own head: one
/// that is not the last of its stream takes from the budget. So do tiny chunks in HTTP/1.
pub const HTTP2_TINY_DATA_BYTES: usize = 9;

/// What a second earns to that budget: five PINGs, or twenty tiny frames of DATA.
pub const HTTP2_BUDGET_PER_SECOND_COUNT: i64 = 20;

/// What an answer earns to that budget: as much as one reset costs.
pub const HTTP2_EARN_ANSWER_COUNT: i64 = 4;

/// So many bytes of answers earn one: clients send one or two window updates for each frame of at
/// least this size.
pub const HTTP2_EARN_BYTES: usize = 512;

/// What a stream takes with the engine and with us, its head included. Measured, with a hundred
/// streams on each of a thousand connections. The engine keeps it for the next stream.
pub const HTTP2_STREAM_BYTES: usize = 1280;

/// What a frame of DATA takes with the engine beside its bytes until those are read; it keeps the
/// place. Reckoned from its largest event.
pub const HTTP2_FRAME_HELD_BYTES: usize = 320;

/// Frames of DATA that come at a time from clients that send bodies in frames of a KiB or more:
/// what one read of [`READ_BYTES`](super::READ_BYTES) has.
pub const HTTP2_FRAMES_USUAL_COUNT: usize = 64;

/// What all connections of HTTP/2 may hold together: buffers, streams, bodies of streams that wait
/// for a berth. Room for 26,000 requests that are open at a time. Beyond it, whoever holds more
/// than [`HTTP2_HELD_SHARE_BYTES`] has to go: what it brings is not served fast enough.
pub const HTTP2_HELD_BYTES: usize = 32 * 1024 * 1024;

/// What a connection of HTTP/2 may hold even when all together hold too much: eight streams and a
/// small buffer.
pub const HTTP2_HELD_SHARE_BYTES: usize = 12 * 1024;

/// How long a client may say nothing while a request of its is open before it is asked by PING
/// whether it is there. Shorter than what routers and carriers remember a silent connection for,
/// a minute at worst, so that being asked also keeps it open on the way; two pings a minute cost
/// nothing.
pub const HTTP2_PING_AFTER_MS: u64 = 30_000;

/// How long it may take to answer. Any byte is an answer; a link that is down for longer than this
/// is taken as gone for good, so that a handler hears of a lost client within a minute.
pub const HTTP2_PING_ANSWER_MS: u64 = 20_000;

const _: () = assert!(STREAMS_COUNT <= STREAMS_MAX_COUNT);
const _: () = assert!(STREAMS_MAX_COUNT <= HTTP2_OPEN_TRACKED_COUNT);
const _: () = assert!(HTTP2_SHARE_BYTES <= HTTP2_OUTPUT_BYTES);
