//! Bounds of the program itself, with their reasons.

/// Worker threads: as many as `httpng.cfg` takes. More than cores never pays; each costs a link.
pub const THREADS_MAX_COUNT: u16 = 256;

/// Lua threads of a process (`--tx`). More than processors never pays; each costs a Lua machine,
/// and workers and sockets of its own.
pub const TX_MAX_COUNT: u16 = 256;

/// Stack of a Lua thread that is not the main thread: as much as that one has by default. It is
/// address space; fibers have stacks of their own.
pub const TX_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Berths of a worker's link, at least: what `max_shuttles_per_thread` is unless it is set, so that
/// it can be lowered and raised up to this while the worker runs. Beyond it a reload replaces the
/// workers. About 3 MiB.
pub const LINK_BERTHS_MIN_COUNT: u16 = 4_096;

/// How often the watchdog looks at the Lua thread, as a share of its patience: with 8 looks a
/// report comes at most one eighth late.
pub const WATCHDOG_LOOKS_COUNT: u32 = 8;

/// The watchdog's shortest pause. A patience of a few milliseconds must not become a busy loop.
pub const WATCHDOG_PAUSE_MIN_MS: u64 = 5;

/// Time that the process may take beyond the drain timeout before it ends itself: the Lua thread
/// may be in a loop that never yields, and then nobody else can end the program.
pub const DRAIN_GRACE_MS: u64 = 1_000;

/// Unfinished drawings that `--draw` keeps in memory. More than one link has berths by default, so
/// that only requests that will never finish are written out early; a few MiB at most.
pub const DRAWINGS_OPEN_MAX_COUNT: usize = 8_192;

/// How often the Lua thread looks, while it ends, whether the workers have ended.
pub const STOP_POLL_MS: u64 = 5;

/// How long the workers are waited for after they were told to cut what runs. They need one turn
/// of their loops; but a handler that never ends holds its shuttle, and its worker waits for it.
pub const CUT_GRACE_MS: u64 = 200;

const _: () = assert!(CUT_GRACE_MS < DRAIN_GRACE_MS);

/// The longest time that an option takes, in seconds: a year. Far beyond sense, and far below
/// what the clock's arithmetic overflows at.
pub const SECONDS_MAX_COUNT: u64 = 365 * 24 * 3600;

/// Records of requests that wait to be written into the access log; more are dropped and counted.
/// Twice what a worker answers between two writes at its fastest. About 5 MiB of usual requests,
/// 34 MiB if each has texts of the greatest length.
pub const ACCESS_QUEUE_COUNT: usize = 8_192;

/// How long records gather before they are written. Short enough for whoever follows the file,
/// long enough that a busy server writes hundreds of lines with one call.
pub const ACCESS_FLUSH_MS: u64 = 20;

/// Lines that are written with one call. The kernel copies such a piece in a few microseconds.
pub const ACCESS_BUFFER_BYTES: usize = 64 * 1024;

/// How often the log says that lines of the access log were lost.
pub const ACCESS_REPORT_MS: u64 = 10_000;

/// How often the thread of the access log looks whether lines were lost, while nothing comes.
pub const ACCESS_IDLE_MS: u64 = 60_000;

/// How long the end of the program waits for the access log. A disk takes milliseconds; a pipe
/// that nobody reads would take for ever.
pub const ACCESS_END_MS: u64 = 2_000;
