//! What it may cost to compress responses.

/// Bytes of a response that are compressed before what came of them is sent and others are looked
/// at: under a millisecond with each coding at its usual level. A complete body of at most so many
/// bytes is compressed at once and its length told; a longer one goes as a stream.
pub const COMPRESS_STEP_BYTES: usize = 32 * 1024;

/// Bytes that one connection has compressed before others are served. It may go beyond by one step.
pub const COMPRESS_TURN_BYTES: usize = 64 * 1024;

/// What the encoders of a worker may take in memory together; workers of one program share it. A
/// response for which there is no more goes as it is. Room for some 20 streams of Brotli at its
/// usual level, 50 of Zstandard or 170 of gzip at once; a complete answer has its encoder for less
/// than a turn.
pub const ENCODERS_BYTES: usize = 64 * 1024 * 1024;

/// An encoder of gzip, with its window of 32 KiB, at any level. Measured.
pub const GZIP_ENCODER_BYTES: usize = 384 * 1024;

/// An encoder of Brotli with a window of 256 KiB. Measured at quality 5, which is the highest that
/// is used: from there on it takes ten times as much.
pub const BROTLI_ENCODER_BYTES: usize = 2816 * 1024;

/// An encoder of Zstandard with a window of 128 KiB up to level 3. Measured.
pub const ZSTD_ENCODER_BYTES: usize = 1280 * 1024;

/// The same at levels 4 to 6, the highest that are used: the next ones take twice as much and more.
pub const ZSTD_LARGE_ENCODER_BYTES: usize = 3 * 1024 * 1024;

const _: () = assert!(COMPRESS_STEP_BYTES <= COMPRESS_TURN_BYTES);
