//! What a peer did wrong, what to tell it, and what becomes of the connection.

use std::fmt;

/// A request that cannot be served: the peer's fault, or ours for being full.
///
/// It holds the whole answer; [`Encoder::encode_error`](crate::h1::Encoder::encode_error) writes
/// it. Those that an engine cannot see for itself are made from their kind:
/// `PeerError::from(PeerErrorKind::Timeout)`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PeerError {
    /// The status to answer with.
    pub status: u16,
    /// What was wrong, in words fit for the body of the answer and for a log.
    pub reason: &'static str,
    /// Whether the connection has to end after the answer. Always so in HTTP/1: after a
    /// message that was not understood nobody knows where the next one begins.
    pub close: bool,
    /// What was wrong, for programs.
    pub kind: PeerErrorKind,
}

impl From<PeerErrorKind> for PeerError {
    fn from(kind: PeerErrorKind) -> Self {
        let (status, reason) = kind.answer();
        Self {
            status,
            reason,
            close: true,
            kind,
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.reason)
    }
}

impl std::error::Error for PeerError {}

/// Declares the kinds with status and text, so that no kind can lack one.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:literal $reason:literal;)*) => {
        /// Everything that can be wrong with a request.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum PeerErrorKind { $($(#[$doc])* $kind,)* }

        impl PeerErrorKind {
            /// Every kind, for tables in documents and tests.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Status and text of the answer.
            fn answer(self) -> (u16, &'static str) {
                match self { $(Self::$kind => ($status, $reason),)* }
            }
        }
    };
}

kinds! {
    /// The first byte cannot begin a method: TLS on a plain port, or another protocol.
    NotHttp = 400 "this is not HTTP";
    /// More empty lines before the request than are read over.
    EmptyLines = 400 "too many empty lines before the request";
    /// Not `method SP target SP version`.
    RequestLine = 400 "malformed request line";
    /// `GET /path` without a version: HTTP/0.9, which has no framing and no fields.
    Http09 = 400 "HTTP/0.9 is not supported";
    /// The method is no token.
    Method = 400 "malformed method";
    /// The method is longer than any there is (RFC 9112 section 3).
    MethodTooLong = 501 "the method is too long";
    /// CONNECT: there is no tunnel for any target (RFC 9110 section 15.6.2).
    MethodNotImplemented = 501 "the method is not implemented";
    /// TRACE: known, and allowed for no target, because it shows a script what it may not see.
    MethodNotAllowed = 405 "the method is not allowed";
    /// The target is in none of the four forms, or has bytes that it may not have.
    Target = 400 "malformed request target";
    /// The request line is longer than the limit.
    TargetTooLong = 414 "the request target is too long";
    /// The version is not `HTTP/` digit `.` digit.
    Version = 400 "malformed HTTP version";
    /// A major version that is not spoken here.
    VersionUnsupported = 505 "this HTTP version is not supported";
    /// A field name that is no token: also space before the colon, folded lines, space before
    /// the first field, a line without a colon.
    FieldName = 400 "malformed header field name";
    /// A field value with NUL, CR or another control.
    FieldValue = 400 "malformed header field value";
    /// A line that does not end in CRLF.
    LineEnd = 400 "a line does not end in CR LF";
    /// HTTP/1.1 without `Host`.
    HostMissing = 400 "the Host header field is missing";
    /// More than one `Host`.
    HostRepeated = 400 "more than one Host header field";
    /// `Host`, or the authority of the target, is malformed or empty.
    Host = 400 "malformed Host";
    /// A target of the scheme `https` on a connection in clear (RFC 9110 section 7.4).
    Misdirected = 421 "the target is https, and the connection is not";
    /// The head is larger than the limit.
    HeadTooLong = 431 "Request Header Fields Too Large";
    /// The head has more fields than the limit.
    TooManyFields = 431 "too many header fields";
    /// `Content-Length` is not a number in digits.
    ContentLength = 400 "malformed Content-Length";
    /// More than one `Content-Length`, be they the same or not.
    ContentLengthRepeated = 400 "more than one Content-Length";
    /// Both `Content-Length` and `Transfer-Encoding`: a smuggled request looks like this.
    LengthAndCoding = 400 "both Content-Length and Transfer-Encoding";
    /// `Transfer-Encoding` is malformed, or its last coding is not `chunked`.
    TransferCoding = 400 "malformed Transfer-Encoding";
    /// A coding before `chunked` that is not implemented.
    TransferCodingUnknown = 501 "the transfer coding is not implemented";
    /// `Transfer-Encoding` in HTTP/1.0, which does not know it.
    TransferCodingOld = 400 "Transfer-Encoding in HTTP/1.0";
    /// The body is larger than the limit.
    BodyTooLarge = 413 "request entity is too large";
    /// A chunk size that is no hexadecimal number, or has too many digits.
    ChunkSize = 400 "malformed chunk size";
    /// A chunk extension that is malformed, or a line of a chunk that is too long.
    ChunkExtension = 400 "malformed chunk extension";
    /// Chunks whose frames outweigh what is in them: tiny ones, or much extended ones.
    ChunkOverhead = 400 "too much framing for too little data";
    /// A chunk that is not followed by CRLF.
    ChunkEnd = 400 "malformed end of a chunk";
    /// A trailer that would change how the message was framed or routed.
    TrailerForbidden = 400 "a trailer field that is not allowed";
    /// Trailers beyond the limits.
    TrailersTooLong = 431 "the trailer section is too large";
    /// `Expect` with something other than `100-continue`.
    Expectation = 417 "the expectation cannot be met";
    /// The peer was too slow. Engines have no clock: the owner of the connection says so.
    Timeout = 408 "the request took too long";
    /// The input ended in the middle of a request.
    Truncated = 400 "the request is incomplete";
    /// There is no room for another request now.
    Overloaded = 503 "the server is overloaded";
}
