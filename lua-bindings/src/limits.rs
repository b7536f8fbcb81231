//! The limits of the Lua side, each with its reason.

/// Stack slots reserved at the entry of every verb: more than any verb pushes outside of loops.
pub(crate) const VERB_STACK_SLOTS_COUNT: i32 = 48;

/// Lua threads kept for the next fiber. Each holds about 1 KiB; making one costs a few hundred
/// nanoseconds.
pub(crate) const SPARE_THREADS_MAX_COUNT: usize = 256;

/// Requests that may be on the TX side at a time, of all workers together: 256 workers with 4096
/// berths each. A power of two, because a ticket is an index and a generation in one number.
pub(crate) const TRIPS_MAX_COUNT: u32 = 1 << 20;

/// From this length on a string is lent to the worker instead of copied: copying is cheaper below
/// (3-17 ns up to 1 KiB against 3-5 ns for the pin, plus a second trip to give it back), and
/// ruinous far above (25 µs for 1 MiB).
pub(crate) const PIN_FROM_BYTES: usize = 1024;

/// Bytes of one response that may be accepted and not sent before a write waits, unless a program
/// says otherwise: httpng's number, and as much as a shuttle takes.
pub(crate) const SEND_WINDOW_BYTES: u64 = shuttle_core::limits::UNSENT_MAX_BYTES as u64;

/// How long `io:wait` waits, and writes that are to be answered with a result, unless a program
/// says otherwise: httpng's number.
pub(crate) const SEND_TIMEOUT_MS: u64 = 30_000;
/// Memory of a body's piece that a place for requests keeps for the next one: a place that was used
/// for an upload once need not hold its 128 KiB for ever.
pub(crate) const BODY_KEEP_BYTES: usize = 16 * 1024;

/// Shuttles taken from one worker before the fibers run again: about the batch in which workers
/// send.
pub(crate) const DRAIN_MAX_COUNT: usize = 256;

/// Fibers run before the shores are looked at again.
pub(crate) const FIBERS_PER_TURN_COUNT: usize = 1024;

/// Fibers that wait for the next request instead of ending. Each holds its stack (about 5 KiB
/// resident) and its Lua thread; starting one cold takes microseconds.
pub(crate) const IDLE_FIBERS_MAX_COUNT: usize = 512;

/// Levels of a JSON text or value: as in Tarantool. Keeps the C stack of a fiber (1 MiB) far from
/// its end.
pub(crate) const JSON_DEPTH_MAX_COUNT: usize = 128;

/// Arrays up to this index may have any gaps: as in Tarantool and lua-cjson.
pub(crate) const JSON_SPARSE_SAFE_COUNT: usize = 10;

/// A longer array is an error when it has more than this many places per item.
pub(crate) const JSON_SPARSE_RATIO_COUNT: usize = 2;

/// Requests that one fiber serves before others that can run get their turn: so many short handlers
/// take about 20 microseconds, and the switch costs a thousandth of it.
pub(crate) const REQUESTS_IN_A_ROW_COUNT: usize = 64;

/// Functions that may wait for the end of one response: a few parts of a program, each of which has
/// something to give back. More than that is a loop that registers.
pub(crate) const CLOSERS_MAX_COUNT: usize = 16;

/// What a wait of a fiber takes that was cancelled before it: one that catches the error and waits
/// again, for ever, costs a thousand wake-ups a second and holds nobody up.
pub(crate) const CANCELLED_WAIT_MS: u64 = 1;

/// Fields of one form: as many as large pages have, with room. What is sent beyond is no form but a
/// way to fill tables. A call of `req:form` may say otherwise, as for the next four.
pub(crate) const FORM_FIELDS_MAX_COUNT: usize = 1000;

/// Names and values of all fields of a form together, without files: they stay in memory.
pub(crate) const FORM_FIELDS_MAX_BYTES: usize = 1 << 20;

/// Files of one form: each has a descriptor while it comes.
pub(crate) const FORM_FILES_MAX_COUNT: usize = 64;

/// One file of a form. It goes to the disk, so what bounds it in practice is `max_body_len`.
pub(crate) const FORM_FILE_MAX_BYTES: usize = 1 << 30;

/// The head of one part of a form: a name, a file name and a type, with room for long ones.
pub(crate) const FORM_PART_HEAD_MAX_BYTES: usize = 8 << 10;

/// What is taken of a body at once: small against a form, large against the cost of a step.
pub(crate) const FORM_PIECE_BYTES: usize = 16 << 10;

/// What of a file is collected before another thread writes it: a trip there costs some ten
/// microseconds, which is what writing so much costs.
pub(crate) const FORM_WRITE_BYTES: usize = 256 << 10;

/// The share of a fiber's stack that is kept for C functions which call no Lua: one in this many.
/// Of 1 MiB that is 240 KiB; lpeg and deep JSON were measured at 90 to 150 KiB.
pub(crate) const STACK_RESERVE_SHARE_COUNT: usize = 4;

/// The largest block of a Lua machine that waits for the next one who wants its size, instead of
/// going back to the system: tables with a handful of fields, short strings, closures. A multiple
/// of 16.
pub(crate) const LUA_KEPT_BLOCK_MAX_BYTES: usize = 256;

/// How many bytes of such blocks wait at most. A collector frees about as much as is alive, in one
/// go, before it is wanted again: of a small program that is some hundred KiB. More than this goes
/// back to the system.
pub(crate) const LUA_KEPT_MAX_BYTES: usize = 4 << 20;
