//! Bounds of the program itself, with their reasons.

/// Worker threads: as many as `httpng.cfg` takes. More than cores never pays; each costs a link.
pub const THREADS_MAX_COUNT: u16 = 256;

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
