//! Every bound of this crate, with its unit and its reason.
//!
//! Those a server may want otherwise are the defaults of [`h1::Limits`](crate::h1::Limits); the
//! others are fixed.

/// Longest method. The longest registered one is `UPDATEREDIRECTREF` with 17 bytes; what is
/// longer is answered 501 (RFC 9112 section 3).
pub const METHOD_MAX_BYTES: usize = 32;

/// Longest request line without its CRLF. RFC 9112 section 3 asks for 8000 at least; browsers
/// and proxies stay below 8 KiB, single-sign-on redirects are what comes near. Beyond: 414.
pub const REQUEST_LINE_MAX_BYTES: usize = 16 * 1024;

/// Most bytes of a request head, from the method to the empty line. Several cookies of 4 KiB
/// each are normal, the default of one shuttle was 64 KiB. Beyond: 431.
pub const HEAD_MAX_BYTES: usize = 64 * 1024;

/// Most fields of a request. Browsers send about 20, proxies add 10; a reader of the head keeps
/// this many on its stack while it parses. Beyond: 431.
pub const FIELDS_MAX_COUNT: usize = 128;

/// Fields for which a parse keeps room at first. Nearly every head fits, and clearing room for
/// [`FIELDS_MAX_COUNT`] would cost more than parsing a small head does.
pub const FIELDS_USUAL_COUNT: usize = 32;

/// Empty lines before a request line that are read over. RFC 9112 section 2.2 asks for one, for
/// old clients that end a body with an extra CRLF; more than a few are an attack. Beyond: 400.
pub const EMPTY_LINES_MAX_COUNT: usize = 4;

/// Largest body of a request unless configured: httpng's default. Beyond: 413.
pub const BODY_MAX_BYTES: u64 = 1024 * 1024;

/// Largest body at all, also of those that travel in pieces and are never in memory as a whole. No
/// network brings it; beyond it numbers end, and a length that was cut to fit into one must not be
/// taken for a length. Beyond: 413.
pub const STREAMED_BODY_MAX_BYTES: u64 = 1 << 62;

/// Digits of a chunk size: what 64 bits hold, leading zeros included. Beyond: 400.
pub const CHUNK_SIZE_MAX_DIGIT_COUNT: usize = 16;

/// Longest line that announces a chunk, extensions included, without its CRLF. Nobody sends
/// extensions that mean something; signatures of some storage clients take 85. Beyond: 400.
pub const CHUNK_LINE_MAX_BYTES: usize = 256;

/// By how many bytes the frames of chunks (their lines with extensions, and the line ends after
/// them) may outweigh the bytes in them; each byte of a body pays for one, and nothing is saved up.
/// So 4096 chunks of a byte are let in, 64 long extensions, and any number of chunks that
/// bring more than they cost: signed ones of 8 KiB, or lines of text. RFC 9112 section 7.1.1 asks
/// for such a bound. Beyond: 400.
pub const CHUNK_OVERHEAD_MAX_BYTES: u64 = 16 * 1024;

/// Seconds after which a client that found no room may ask again: requests that take memory are
/// mostly over by then. As it stands in the answer.
pub const RETRY_AFTER_SECS: &str = "5";

/// Most bytes of a trailer section, the empty line included. Checksums and signatures are what
/// trailers carry. Beyond: 431; of a response: an error to the handler.
pub const TRAILERS_MAX_BYTES: usize = 8 * 1024;

/// Most trailer fields. Beyond: 431; of a response: an error to the handler.
pub const TRAILERS_MAX_COUNT: usize = 32;

/// Most bytes of the field lines of a response: four times what a request may have, and far
/// below what the 32-bit offsets of a head can name. Beyond: refused to the application.
pub const RESPONSE_HEAD_MAX_BYTES: usize = 256 * 1024;

/// Most fields of a response. Beyond: refused to the application.
pub const RESPONSE_FIELDS_MAX_COUNT: usize = 1024;

/// Most ranges of one request that are answered apart. Readers of documents ask for a handful; each
/// costs a head of about a hundred bytes. Beyond: `Range` is read over (RFC 9110 section 14.2).
pub const RANGES_MAX_COUNT: usize = 32;

/// Longest name that a client may give its request. Names in use are UUIDs of 36 bytes and trace
/// contexts of 55; beyond it, or with other bytes than those, the request gets a name of ours.
pub const REQUEST_ID_MAX_BYTES: usize = 64;

// A line longer than the method can be must fit before it is called too long.
const _: () = assert!(METHOD_MAX_BYTES + b" / HTTP/1.1".len() < REQUEST_LINE_MAX_BYTES);
// The request line is judged before the head: 414 has to come before 431.
const _: () = assert!(REQUEST_LINE_MAX_BYTES + b"\r\n\r\n".len() < HEAD_MAX_BYTES);
// RFC 9112 section 3: request lines of 8000 bytes at least.
const _: () = assert!(REQUEST_LINE_MAX_BYTES >= 8000);
// Every field the count allows can be there: a name, a colon and CRLF are four bytes.
const _: () = assert!(REQUEST_LINE_MAX_BYTES + FIELDS_MAX_COUNT * 4 + 4 <= HEAD_MAX_BYTES);
const _: () = assert!(TRAILERS_MAX_COUNT * 4 + 2 <= TRAILERS_MAX_BYTES);
const _: () = assert!(FIELDS_USUAL_COUNT < FIELDS_MAX_COUNT);
// Trailers are parsed into the room kept for usual heads.
const _: () = assert!(TRAILERS_MAX_COUNT <= FIELDS_USUAL_COUNT);
// Spans have 32 bits.
const _: () = assert!(HEAD_MAX_BYTES < u32::MAX as usize);
const _: () = assert!(TRAILERS_MAX_BYTES < u32::MAX as usize);
const _: () = assert!(RESPONSE_HEAD_MAX_BYTES < u32::MAX as usize);
// The digits of a chunk size fit in 64 bits, and its line holds them.
const _: () = assert!(CHUNK_SIZE_MAX_DIGIT_COUNT * 4 <= u64::BITS as usize);
const _: () = assert!(CHUNK_SIZE_MAX_DIGIT_COUNT < CHUNK_LINE_MAX_BYTES);
const _: () = assert!((CHUNK_LINE_MAX_BYTES as u64) < CHUNK_OVERHEAD_MAX_BYTES);
