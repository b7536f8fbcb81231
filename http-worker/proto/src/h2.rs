//! What HTTP/2 (RFC 9113) says of messages, apart from its frames: how a connection opens, what a
//! request may consist of, and how the body of a response goes.
//!
//! Frames, streams and their windows are somebody else's; here are the heads that come out of
//! them, held to the same rules and limits as those of HTTP/1, so that nobody behind this point
//! has to know how a request came.

mod priority;

use crate::error::{PeerError, PeerErrorKind};
use crate::h1::{Framing, Limits, RequestBody, RequestFacts, framing, keep_trailer};
use crate::head::token::{decimal, list};
use crate::head::{Fields, RequestHead, ResponseHead, Version};
use crate::limits::{METHOD_MAX_BYTES, TRAILERS_MAX_BYTES, TRAILERS_MAX_COUNT};

pub use self::priority::{Priority, URGENCY_MAX};

/// The first bytes of a client that speaks HTTP/2, RFC 9113 section 3.4. No request of HTTP/1
/// begins like this.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say of its protocol.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// All of them are the beginning of the preface, and more are needed.
    Unfinished,
    /// The preface.
    Http2,
    /// Anything else.
    Other,
}

/// Looks at the first bytes of a connection.
///
/// ```
/// use http_proto::h2::{Opening, opening};
/// assert_eq!(opening(b"PRI * HT"), Opening::Unfinished);
/// assert_eq!(opening(b"PUT / HT"), Opening::Other);
/// ```
#[must_use]
pub fn opening(bytes: &[u8]) -> Opening {
    if bytes.starts_with(PREFACE) {
        Opening::Http2
    } else if PREFACE.starts_with(bytes) {
        Opening::Unfinished
    } else {
        Opening::Other
    }
}

/// The pseudo fields of a request (RFC 9113 section 8.3.1).
#[derive(Copy, Clone, Debug, Default)]
pub struct Pseudo<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path`; empty for CONNECT, which has none.
    pub path: &'a [u8],
    /// `:authority`, if there is one.
    pub authority: Option<&'a [u8]>,
    /// Whether the connection is encrypted: decides on the port that need not be named.
    pub https: bool,
}

/// Makes a request head of what came, and says how the request goes on. `has_body`: the stream did
/// not end with the head.
///
/// Crumbs of cookies are joined (RFC 9113 section 8.2.3). `Host` and `:authority` must name the
/// same; the latter is found as `host` among the fields.
///
/// # Errors
/// The request cannot be served: what to tell the peer. `head` is of no use then.
pub fn read_request<'a>(
    pseudo: &Pseudo<'a>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    has_body: bool,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<RequestFacts, PeerError> {
    let limits = limits.clamped();
    check_method(pseudo.method)?;
    if pseudo.path.len() > limits.request_line_max_bytes {
        return Err(PeerErrorKind::TargetTooLong.into());
    }
    head.begin(pseudo.method, pseudo.path, Version::Http2);
    if let Some(authority) = pseudo.authority {
        head.set_authority(authority);
        // Who reads the fields finds it where HTTP/1 has it.
        head.push_field(b"host", authority)?;
    }
    let mut reader = Reader::new(limits, pseudo);
    for (name, value) in fields {
        reader.take(name, value, head)?;
    }
    reader.end(has_body, head)?;
    head.finish()?;
    Ok(reader.facts)
}

/// Takes one trailer field; those that are needed before the body are dropped.
///
/// # Errors
/// The field may not be a trailer, or there are too many: what to tell the peer.
pub fn read_trailer(name: &[u8], value: &[u8], trailers: &mut Fields) -> Result<(), PeerError> {
    let size = trailers.bytes.len() + name.len() + value.len();
    if trailers.len() == TRAILERS_MAX_COUNT || size > TRAILERS_MAX_BYTES {
        return Err(PeerErrorKind::TrailersTooLong.into());
    }
    Ok(keep_trailer(name, value, trailers)?)
}

/// As HTTP/1 does: no tunnel for anybody, and TRACE shows a script what it may not see.
fn check_method(method: &[u8]) -> Result<(), PeerErrorKind> {
    match method {
        b"CONNECT" => Err(PeerErrorKind::MethodNotImplemented),
        b"TRACE" => Err(PeerErrorKind::MethodNotAllowed),
        _ if method.len() > METHOD_MAX_BYTES => Err(PeerErrorKind::MethodTooLong),
        _ => Ok(()),
    }
}

/// RFC 9113 section 8.2.1: in HTTP/2 nothing around a value may be trimmed, so nothing may be
/// there.
fn has_blank_ends(value: &[u8]) -> bool {
    let is_blank = |end: Option<&u8>| matches!(end, Some(b' ' | b'\t'));
    is_blank(value.first()) || is_blank(value.last())
}

/// Both name the same host and port, the usual port being named or not.
fn is_same_authority(a: &[u8], b: &[u8], https: bool) -> bool {
    let port: &[u8] = if https { b":443" } else { b":80" };
    let bare = |authority: &[u8]| authority.strip_suffix(port).unwrap_or(authority).to_vec();
    bare(a).eq_ignore_ascii_case(&bare(b))
}

/// What the fields say, gathered one by one.
struct Reader<'a> {
    limits: Limits,
    authority: Option<&'a [u8]>,
    https: bool,
    /// `Host` came beside the authority.
    has_host: bool,
    facts: RequestFacts,
    /// Bytes of the head so far, counted as HTTP/1 would have sent them.
    bytes: usize,
    cookie: Vec<u8>,
    length: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(limits: Limits, pseudo: &Pseudo<'a>) -> Self {
        let facts = RequestFacts {
            version: Version::Http2,
            is_head: pseudo.method == b"HEAD",
            keep_alive: true,
            ..RequestFacts::default()
        };
        Self {
            limits,
            authority: pseudo.authority,
            https: pseudo.https,
            has_host: false,
            facts,
            bytes: pseudo.method.len() + pseudo.path.len(),
            cookie: Vec::new(),
            length: None,
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8], head: &mut RequestHead) -> Result<(), PeerError> {
        self.bytes += name.len() + value.len() + b": \r\n".len();
        if self.bytes > self.limits.head_max_bytes {
            return Err(PeerErrorKind::HeadTooLong.into());
        }
        if has_blank_ends(value) {
            return Err(PeerErrorKind::FieldValue.into());
        }
        match (name.len(), name) {
            (6, b"cookie") => {
                let joint: &[u8] = if self.cookie.is_empty() { b"" } else { b"; " };
                self.cookie.extend_from_slice(joint);
                self.cookie.extend_from_slice(value);
                return Ok(());
            }
            (4, b"host") if self.authority.is_some() => return self.host(value),
            (6, b"expect") => self.expect(value)?,
            (14, b"content-length") => self.content_length(value)?,
            _ => {}
        }
        self.push(name, value, head)
    }

    fn push(&self, name: &[u8], value: &[u8], head: &mut RequestHead) -> Result<(), PeerError> {
        if head.fields.len() >= self.limits.fields_max_count {
            return Err(PeerErrorKind::TooManyFields.into());
        }
        head.push_field(name, value)
    }

    /// Beside `:authority`. RFC 9113 section 8.3.1: a request that names two is malformed.
    fn host(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(PeerErrorKind::HostRepeated.into());
        }
        let is_same = |authority| is_same_authority(authority, value, self.https);
        match self.authority.is_none_or(is_same) {
            true => Ok(()),
            false => Err(PeerErrorKind::Host.into()),
        }
    }

    /// RFC 9110 section 10.1.1.
    fn expect(&mut self, value: &[u8]) -> Result<(), PeerErrorKind> {
        for expectation in list(value).filter(|element| !element.is_empty()) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(PeerErrorKind::Expectation);
            }
            self.facts.expects_continue = true;
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), PeerErrorKind> {
        let length = decimal(value).ok_or(PeerErrorKind::ContentLength)?;
        if self.length.replace(length).is_some() {
            return Err(PeerErrorKind::ContentLengthRepeated);
        }
        if length > self.limits.body_max_bytes {
            return Err(PeerErrorKind::BodyTooLarge);
        }
        Ok(())
    }

    fn end(&mut self, has_body: bool, head: &mut RequestHead) -> Result<(), PeerError> {
        if !self.cookie.is_empty() {
            self.push(b"cookie", &self.cookie, head)?;
        }
        self.facts.body = match self.length {
            _ if !has_body => RequestBody::None,
            Some(length) => RequestBody::Length(length),
            // Its end is that of the stream.
            None => RequestBody::Chunked,
        };
        self.facts.expects_continue &= has_body;
        Ok(())
    }
}

/// How the body of a response goes: holds it to the length that was declared, and knows when the
/// stream may be ended.
///
/// ```
/// use http_proto::ResponseHead;
/// use http_proto::h2::ResponseBody;
/// let mut head = ResponseHead::default();
/// head.set_content_length(4);
/// let mut body = ResponseBody::new(&head, false, None);
/// assert_eq!(body.content_length(), Some(4));
/// assert_eq!(body.admit(3), 3);
/// assert_eq!(body.missing(), 1);
/// assert_eq!(body.admit(3), 1);
/// assert!(body.is_full());
/// ```
#[derive(Clone, Debug)]
pub struct ResponseBody {
    framing: Framing,
    content_length: Option<u64>,
    left: u64,
}

impl ResponseBody {
    /// For this response. `is_head`: to a HEAD request. `known_length`: that of the whole body,
    /// when all of it is there.
    #[must_use]
    pub fn new(head: &ResponseHead, is_head: bool, known_length: Option<u64>) -> Self {
        let request = RequestFacts {
            version: Version::Http2,
            is_head,
            ..RequestFacts::default()
        };
        let (framing, announced) = framing(head, &request, known_length);
        let length = |framing| match framing {
            Framing::Length(length) => Some(length),
            _ => None,
        };
        Self {
            framing,
            content_length: length(announced),
            left: length(framing).unwrap_or(0),
        }
    }

    /// What to say in `content-length`, if anything.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// How many of the next `len` bytes are to be sent. The rest is beyond the declared length, or
    /// the response has no body.
    #[must_use]
    pub fn admit(&mut self, len: usize) -> usize {
        match self.framing {
            Framing::NoBody => 0,
            Framing::Length(_) => {
                let admitted = usize::try_from(self.left).map_or(len, |left| left.min(len));
                self.left -= admitted as u64;
                admitted
            }
            Framing::Chunked | Framing::UntilClose => len,
        }
    }

    /// Nothing more will be admitted: the stream may end with what was.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self.framing {
            Framing::NoBody => true,
            Framing::Length(_) => self.left == 0,
            Framing::Chunked | Framing::UntilClose => false,
        }
    }

    /// Bytes that were declared and not given: the stream has to be reset instead of ended.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.left
    }
}

#[cfg(test)]
mod tests;
