//! What it may cost to answer with files.

/// A file of which at most so much is sent is read and leaves with its head in one write; of a
/// larger one the kernel sends the bytes itself. Measured: below it one read costs less than the
/// second call does, and the bytes fit beside the heads that a connection may have waiting.
pub const FILE_COPY_BYTES: usize = 16 * 1024;

/// Bytes of a file that are sent by one call. From a disk that gives 200 MB/s, and has none of
/// them in memory, the worker waits for about a millisecond, and everybody else with it.
pub const FILE_STEP_BYTES: usize = 256 * 1024;

/// Bytes of files that one connection is sent before the others are looked at again.
pub const FILE_TURN_BYTES: usize = 1024 * 1024;

/// How long a folder is taken to be the one of its name without looking: one that was replaced,
/// as deployments do, is served after that.
pub const FOLDER_RECHECK_MS: u64 = 1000;

/// Files that stay open until the end of a turn, for others who ask for them in the same turn.
pub const FILES_KEPT_COUNT: usize = 32;

/// Files of a folder of which is remembered, for as long as a folder is, that nothing
/// precompressed lies beside them. A site has fewer; what a name takes is a hundred bytes.
pub const LONE_FILES_COUNT: usize = 4096;

/// Sites with files that were taken away and are remembered for requests which are on their way
/// at that moment. More than a program has, unless it makes new ones all the time.
pub const FORMER_SITES_COUNT: usize = 64;

const _: () = assert!(FILE_STEP_BYTES <= FILE_TURN_BYTES);
