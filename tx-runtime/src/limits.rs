//! Every bound of this crate: what it is, in which unit, and why it is that much.

/// Most fibers alive at once on one thread unless configured otherwise. A parked fiber takes about
/// 5 KB of memory, so this many take about half a gigabyte.
pub const FIBERS_DEFAULT_COUNT: u32 = 100_000;

/// Most fibers that can be configured. With the default stack they reserve a terabyte of the 128
/// that an x86-64 process can address.
pub const FIBERS_MAX_COUNT: u32 = 1_000_000;

/// Address space of one stack, its guard included, unless configured otherwise. Memory follows
/// use. Deep
/// `load`, lpeg grammars and JSON were measured at 90 to 150 KB, captures of lpeg beyond 1 MiB.
pub const STACK_DEFAULT_BYTES: usize = 1024 * 1024;

/// Smallest stack that can be configured, its guard included: a panic with its backtrace takes 20
/// to 30 KB in a debug build.
pub const STACK_MIN_BYTES: usize = 192 * 1024;

/// Largest stack that can be configured, so that the reservation for [`FIBERS_MAX_COUNT`] still
/// fits the address space of a process.
pub const STACK_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Idle stacks kept for the next fibers unless configured otherwise. A cold stack costs 3 to 9
/// microseconds; a kept one costs its touched pages, 8 MB for this many.
pub const POOLED_STACKS_DEFAULT_COUNT: u32 = 1_024;

/// Longest fiber name; longer ones are cut. The length that Tarantool allows.
pub const NAME_MAX_BYTES: usize = 255;

/// The guard below a stack, rounded up to pages. C code may move down by a whole frame without
/// touching what is between, and buffers of 8 KiB in a frame are usual in Lua's C libraries: one
/// page could be jumped over.
pub const GUARD_BYTES: usize = 64 * 1024;

/// Stacks made accessible by one system call. More would save nothing; each counts against the
/// commit limit of systems that forbid overcommitting.
pub const OPENED_AT_ONCE_COUNT: u32 = 64;

/// Stacks that the address space must have room for, else there are no fibers: enough to run a
/// small program under a tight `ulimit -v`.
pub const STACKS_MIN_COUNT: u32 = 16;

/// What trimming leaves below the frames of a resting fiber: most jobs stay within it, so that
/// trimming does not make them fetch pages again, and the words that a switch saves are in it.
pub const TRIM_KEEP_BYTES: usize = 16 * 1024;

/// Time between two rounds of trimming unless configured otherwise. Memory of rare deep calls
/// may wait that long.
pub const TRIM_INTERVAL_DEFAULT_MS: u32 = 1_000;

/// Pause between two steps of one round of trimming: with the counts below, at most 800 system
/// calls per second under load, a thousandth of one core.
pub const TRIM_STEP_MS: u32 = 10;

/// Stacks trimmed in one step of a thread that has fibers to run.
pub const TRIMMED_PER_STEP_COUNT: usize = 8;

/// Stacks trimmed in one step of a thread that has nothing else to do.
pub const TRIMMED_PER_IDLE_STEP_COUNT: usize = 64;

/// Stacks looked at in one step of trimming, whether they need it or not.
pub const LOOKED_AT_PER_STEP_COUNT: usize = 1_024;

/// What the report of an overflowed stack can say of a fiber's name; the copy lies in every
/// fiber's record.
pub const LABEL_BYTES: usize = 48;

/// The stack for signals of a thread that has none. Twice what the largest vector registers of
/// today take to save.
pub const SIGNAL_STACK_BYTES: usize = 64 * 1024;

/// Events fetched by one system call of the reactor; more wait for the next. 12 bytes each.
pub const EVENTS_PER_WAIT_COUNT: usize = 256;

/// Threads for blocking work unless configured otherwise: it waits for disks and name servers,
/// not for processors.
pub const OFFLOAD_THREADS_DEFAULT_COUNT: u16 = 4;

/// Most threads for blocking work that can be configured: beyond, they fight over the kernel's
/// locks.
pub const OFFLOAD_THREADS_MAX_COUNT: u16 = 256;

/// Blocking work accepted and not finished unless configured otherwise: enough to keep the
/// threads busy. Fibers with more of it park until some is done.
pub const OFFLOAD_QUEUE_DEFAULT_COUNT: u32 = 64;

/// Most blocking work accepted at once that can be configured: as much as there can be fibers to
/// ask for it.
pub const OFFLOAD_QUEUE_MAX_COUNT: u32 = FIBERS_MAX_COUNT;

const _: () = assert!(STACK_MIN_BYTES >= GUARD_BYTES + 2 * TRIM_KEEP_BYTES);
const _: () =
    assert!(STACK_DEFAULT_BYTES >= STACK_MIN_BYTES && STACK_DEFAULT_BYTES <= STACK_MAX_BYTES);
const _: () = assert!(FIBERS_DEFAULT_COUNT <= FIBERS_MAX_COUNT);
const _: () = assert!(POOLED_STACKS_DEFAULT_COUNT <= FIBERS_DEFAULT_COUNT);
