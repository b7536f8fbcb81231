//! The server's side of HTTP/1.1 and HTTP/1.0 (RFC 9112) as a value: bytes in, events out.
//!
//! [`Engine`] reads requests. It is given all bytes that were received and not yet consumed, and
//! says what they mean, how many of them it is done with, and never looks at a body.
//! [`Encoder`] writes the heads of responses; the [`ResponseBody`] that it gives back frames the
//! body and keeps count. [`RequestFacts`] is what the second has to know of what the first read;
//! it is small, so that several pipelined requests can each keep theirs.
//!
//! What is ambiguous is refused with 400 and the end of the connection: a request that another
//! reader might cut elsewhere is how requests are smuggled.

mod chunk;
mod encode;
mod engine;
mod framing;
mod parse;
mod trailer;

pub(crate) use encode::framing;
pub use encode::{
    Encoder, Ending, Framing, Outlook, ResponseBody, chunk_head, chunk_tail, encode_continue,
    last_chunk,
};
pub use engine::{Engine, Event, Phase, Step};
pub(crate) use trailer::{keep as keep_trailer, may_follow_a_response};

use crate::head::Version;
use crate::limits;

/// The bounds of what an [`Engine`] takes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request line without its CRLF; beyond: 414. At most
    /// [`REQUEST_LINE_MAX_BYTES`](limits::REQUEST_LINE_MAX_BYTES).
    pub request_line_max_bytes: usize,
    /// Largest head, empty line included; beyond: 431. At most
    /// [`HEAD_MAX_BYTES`](limits::HEAD_MAX_BYTES).
    pub head_max_bytes: usize,
    /// Most fields; beyond: 431. At most [`FIELDS_MAX_COUNT`](limits::FIELDS_MAX_COUNT).
    pub fields_max_count: usize,
    /// Largest body, without the framing; beyond: 413.
    pub body_max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line_max_bytes: limits::REQUEST_LINE_MAX_BYTES,
            head_max_bytes: limits::HEAD_MAX_BYTES,
            fields_max_count: limits::FIELDS_MAX_COUNT,
            body_max_bytes: limits::BODY_MAX_BYTES,
        }
    }
}

impl Limits {
    /// The same, with what is beyond the fixed bounds of the crate brought back to them.
    #[must_use]
    pub fn clamped(self) -> Self {
        let most = Self::default();
        Self {
            request_line_max_bytes: self.request_line_max_bytes.min(most.request_line_max_bytes),
            head_max_bytes: self.head_max_bytes.min(most.head_max_bytes),
            fields_max_count: self.fields_max_count.min(most.fields_max_count),
            body_max_bytes: self.body_max_bytes,
        }
    }
}

/// How the end of a request's body is found.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestBody {
    /// There is none.
    #[default]
    None,
    /// After this many bytes, at least one.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// What the response to a request depends on.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The version of the request: decides on chunks and on what `Connection` says.
    pub version: Version,
    /// Whether the method is HEAD: the response has no body.
    pub is_head: bool,
    /// Whether the client wants the connection to stay (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body. Never in HTTP/1.0.
    pub expects_continue: bool,
    /// How the body ends.
    pub body: RequestBody,
}

#[cfg(test)]
mod tests;
