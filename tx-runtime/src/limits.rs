//! Every bound of this crate: what it is, in which unit, and why it is that much.

/// Most fibers alive at once on one thread unless configured otherwise. A parked fiber takes about
/// 5 KB of memory, so this many take about half a gigabyte.
pub const FIBERS_DEFAULT_COUNT: u32 = 100_000;

/// Most fibers that can be configured. With the default stack they reserve a terabyte of the 128
/// that an x86-64 process can address.
pub const FIBERS_MAX_COUNT: u32 = 1_000_000;

/// Address space of one stack unless configured otherwise. Virtual: memory follows use. Deep
/// `load`, lpeg grammars and JSON were measured at 90 to 150 KB, captures of lpeg beyond 1 MiB.
pub const STACK_DEFAULT_BYTES: usize = 1024 * 1024;

/// Smallest stack that can be configured: a panic with its backtrace takes 20 to 30 KB in a debug
/// build.
pub const STACK_MIN_BYTES: usize = 64 * 1024;

/// Largest stack that can be configured, so that the reservation for [`FIBERS_MAX_COUNT`] still
/// fits the address space of a process.
pub const STACK_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Idle stacks kept for the next fibers unless configured otherwise. A cold stack costs 3 to 9
/// microseconds; a kept one costs its touched pages, 8 MB for this many.
pub const POOLED_STACKS_DEFAULT_COUNT: u32 = 1_024;

/// Longest fiber name; longer ones are cut. The length that Tarantool allows.
pub const NAME_MAX_BYTES: usize = 255;
