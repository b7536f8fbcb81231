//! The writing half: heads of responses, and the frames around their bodies.

use super::RequestFacts;
use crate::content::ErrorForm;
use crate::date::CachedDate;
use crate::error::{PeerError, PeerErrorKind};
use crate::head::{ResponseHead, Trailers, Version};
use crate::limits::RETRY_AFTER_SECS;
use crate::status::reason;

/// How the end of a response's body is told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: the request was HEAD, or the status is 204 or 304.
    NoBody,
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All until the connection ends: HTTP/1.0 and a length that is not known.
    UntilClose,
}

/// What the sender of a response knows beyond its head.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The length of the body, when all of it is there and the application declared none.
    pub known_length: Option<u64>,
    /// Whether the connection has to end after this response, whatever the client wants.
    pub must_close: bool,
}

/// Writes the heads of responses for many connections.
///
/// ```
/// use http_proto::h1::{Encoder, Outlook, RequestFacts};
/// use http_proto::ResponseHead;
///
/// let mut encoder = Encoder::new(Some("httpng"));
/// encoder.set_time(784_111_777);
/// let mut head = ResponseHead::default();
/// head.reset(200).unwrap();
/// let facts = RequestFacts { keep_alive: true, ..RequestFacts::default() };
///
/// let mut out = Vec::new();
/// let mut body = encoder.encode_head(&head, &facts, Outlook::default(), &mut out);
/// let admitted = body.begin_part(b"hello".len(), &mut out);
/// out.extend_from_slice(&b"hello"[..admitted]);
/// body.end_part(&mut out);
/// let ending = body.finish(&mut out);
///
/// assert!(ending.keep_alive);
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     "HTTP/1.1 200 OK\r\n\
///      Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
///      Server: httpng\r\n\
///      Transfer-Encoding: chunked\r\n\
///      \r\n\
///      5\r\nhello\r\n0\r\n\r\n"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    date: CachedDate,
    /// The lines for `Date` and `Server`, ready to be copied.
    lines: Vec<u8>,
    server_start: usize,
}

/// Where the text of the date is in the lines of an encoder.
const DATE_START: usize = b"Date: ".len();

impl Encoder {
    /// An encoder that names the server so, or not at all. The time is 1970 until it is set.
    ///
    /// # Panics
    /// When the name has control characters.
    #[must_use]
    pub fn new(server: Option<&str>) -> Self {
        let date = CachedDate::default();
        let mut lines = b"Date: ".to_vec();
        lines.extend_from_slice(date.as_bytes());
        lines.extend_from_slice(b"\r\n");
        let server_start = lines.len();
        if let Some(name) = server {
            assert!(
                crate::head::token::is_value(name.as_bytes()),
                "a name of one line"
            );
            lines.extend_from_slice(b"Server: ");
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        Self {
            date,
            lines,
            server_start,
        }
    }

    /// Sets the time of `Date`, in seconds since 1970. Cheap when the second is the same.
    pub fn set_time(&mut self, unix_seconds: u64) {
        if self.date.set(unix_seconds) {
            let text = self.date.as_bytes();
            self.lines[DATE_START..DATE_START + text.len()].copy_from_slice(text);
        }
    }

    /// Appends the head of a final response to `out`, and says how its body goes.
    ///
    /// The framing is decided here (RFC 9112 section 6): a declared length, else a known one,
    /// else chunks, else for HTTP/1.0 the end of the connection. No chunks to HTTP/1.0; no
    /// body and no framing where the status or HEAD forbid it.
    pub fn encode_head(
        &self,
        head: &ResponseHead,
        request: &RequestFacts,
        outlook: Outlook,
        out: &mut Vec<u8>,
    ) -> ResponseBody {
        let (framing, announced) = framing(head, request, outlook.known_length);
        let may_stay = request.keep_alive && !head.wants_close() && !outlook.must_close;
        let keep_alive = may_stay && framing != Framing::UntilClose;
        status_line(head.status(), out);
        self.date_and_server(head.has_date(), head.has_server(), out);
        match announced {
            Framing::Length(length) => content_length(length, out),
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::NoBody | Framing::UntilClose => {}
        }
        connection(request.version, keep_alive, out);
        out.extend_from_slice(head.lines());
        out.extend_from_slice(b"\r\n");
        ResponseBody::new(framing, keep_alive)
    }

    /// Appends the whole answer to a request that cannot be served. `request` is what
    /// [`Engine::facts`](super::Engine::facts) knows of it.
    pub fn encode_error(&self, error: &PeerError, request: &RequestFacts, out: &mut Vec<u8>) {
        let form = ErrorForm::Text;
        self.encode_error_page(error, request, (form, error.reason), b"", out);
    }

    /// The same with a body in another form, and more field lines, each with its CRLF.
    pub fn encode_error_page(
        &self,
        error: &PeerError,
        request: &RequestFacts,
        (form, body): (ErrorForm, &str),
        lines: &[u8],
        out: &mut Vec<u8>,
    ) {
        status_line(error.status, out);
        self.date_and_server(false, false, out);
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(form.content_type().as_bytes());
        out.extend_from_slice(b"\r\nVary: ");
        out.extend_from_slice(ErrorForm::VARY.as_bytes());
        out.extend_from_slice(b"\r\n");
        content_length(body.len() as u64, out);
        connection(request.version, request.keep_alive && !error.close, out);
        if error.kind == PeerErrorKind::MethodNotAllowed {
            // RFC 9110 section 15.5.6: 405 says what is allowed.
            out.extend_from_slice(b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
        }
        if error.kind == PeerErrorKind::Overloaded {
            // RFC 9110 section 15.6.4.
            out.extend_from_slice(b"Retry-After: ");
            out.extend_from_slice(RETRY_AFTER_SECS.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(lines);
        out.extend_from_slice(b"\r\n");
        if !request.is_head {
            out.extend_from_slice(body.as_bytes());
        }
    }

    /// The value of `Date`, for engines that write heads in another way.
    #[must_use]
    pub fn date(&self) -> &[u8] {
        self.date.as_bytes()
    }

    /// The value of `Server`, if there is one.
    #[must_use]
    pub fn server(&self) -> Option<&[u8]> {
        let line = self.lines[self.server_start..].strip_prefix(b"Server: ")?;
        line.strip_suffix(b"\r\n")
    }

    fn date_and_server(&self, has_date: bool, has_server: bool, out: &mut Vec<u8>) {
        let start = if has_date { self.server_start } else { 0 };
        let end = if has_server {
            self.server_start
        } else {
            self.lines.len()
        };
        out.extend_from_slice(&self.lines[start..end]);
    }
}

/// How the body goes, and what the head says about it: to HEAD, what it would say to GET.
pub(crate) fn framing(
    head: &ResponseHead,
    request: &RequestFacts,
    known_length: Option<u64>,
) -> (Framing, Framing) {
    let length = head.content_length().or(known_length);
    let announced = match head.status() {
        // RFC 9110 sections 8.6 and 15.3.5.
        204 => return (Framing::NoBody, Framing::NoBody),
        // RFC 9110 section 15.4.5: a length would be that of the 200 that was not sent. Zero is
        // what an application gives that knows no better.
        304 => {
            let said = head.content_length().filter(|&length| length > 0);
            return (
                Framing::NoBody,
                said.map_or(Framing::NoBody, Framing::Length),
            );
        }
        // RFC 9110 section 15.3.6: no content.
        205 => Framing::Length(0),
        _ => match length {
            Some(length) => Framing::Length(length),
            None if request.version == Version::Http10 => Framing::UntilClose,
            None => Framing::Chunked,
        },
    };
    (
        if request.is_head {
            Framing::NoBody
        } else {
            announced
        },
        announced,
    )
}

fn status_line(status: u16, out: &mut Vec<u8>) {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(status), out);
    // The space stands also before an empty phrase: RFC 9112 section 4.
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn content_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(length, out);
    out.extend_from_slice(b"\r\n");
}

/// RFC 9112 section 9.3: staying is the rule in 1.1 and has to be said in 1.0.
fn connection(version: Version, keep_alive: bool, out: &mut Vec<u8>) {
    match (version, keep_alive) {
        (Version::Http10, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (_, true) => {}
        (_, false) => out.extend_from_slice(b"Connection: close\r\n"),
    }
}

fn decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `HTTP/1.1 100 Continue`. Only for a request whose facts say that it is expected, and
/// before its final response (RFC 9110 section 10.1.1).
pub fn encode_continue(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Appends the line before a chunk of `len` bytes. `len` must not be zero: that would be the
/// end of the body.
pub fn chunk_head(len: usize, out: &mut Vec<u8>) {
    debug_assert!(len > 0, "an empty chunk ends the body");
    let mut digits = [0; usize::BITS as usize / 4];
    let (mut at, mut value) = (digits.len(), len);
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[value % 16];
        value /= 16;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Appends what comes after a chunk.
pub fn chunk_tail(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body, without trailers.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// The body of a response on its way: frames its parts, and holds it to the declared length.
///
/// Body bytes are never touched: the caller puts them between [`begin_part`](Self::begin_part)
/// and [`end_part`](Self::end_part), into `out` or beside it.
#[derive(Clone, Debug)]
pub struct ResponseBody {
    framing: Framing,
    keep_alive: bool,
    /// What may still be sent, with `Framing::Length`.
    left: u64,
    /// What was offered beyond the declared length.
    cut: u64,
    in_chunk: bool,
}

/// How a response ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whether the connection goes on. Not when bytes are missing: the client waits for them,
    /// and only the end of the connection tells it that they will not come.
    pub keep_alive: bool,
    /// Bytes that were declared and not sent.
    pub missing: u64,
    /// Bytes that were beyond the declared length, and not sent.
    pub cut: u64,
}

impl ResponseBody {
    fn new(framing: Framing, keep_alive: bool) -> Self {
        let left = if let Framing::Length(length) = framing {
            length
        } else {
            0
        };
        Self {
            framing,
            keep_alive,
            left,
            cut: 0,
            in_chunk: false,
        }
    }

    /// How the end of the body is told.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the head told the client that the connection stays.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Begins a part of `len` bytes: appends what goes before it, and says how many of its first
    /// bytes are to be sent. The rest is beyond the declared length, or the response has no
    /// body.
    #[must_use]
    pub fn begin_part(&mut self, len: usize, out: &mut Vec<u8>) -> usize {
        match self.framing {
            Framing::NoBody => 0,
            Framing::UntilClose => len,
            Framing::Length(_) => {
                let admitted = usize::try_from(self.left).map_or(len, |left| left.min(len));
                self.left -= admitted as u64;
                self.cut += (len - admitted) as u64;
                admitted
            }
            Framing::Chunked => {
                if len > 0 {
                    chunk_head(len, out);
                    self.in_chunk = true;
                }
                len
            }
        }
    }

    /// Ends the part: appends what goes after its bytes.
    pub fn end_part(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.in_chunk) {
            chunk_tail(out);
        }
    }

    /// Ends the body: appends what tells the client so.
    pub fn finish(self, out: &mut Vec<u8>) -> Ending {
        self.finish_with(None, out)
    }

    /// The same, with trailers. Only a body in chunks has room for them: in another they are not
    /// sent.
    pub fn finish_with(self, trailers: Option<&Trailers>, out: &mut Vec<u8>) -> Ending {
        debug_assert!(!self.in_chunk, "a part is open");
        match trailers {
            _ if self.framing != Framing::Chunked => {}
            None => last_chunk(out),
            // RFC 9112 section 7.1.2.
            Some(trailers) => {
                out.extend_from_slice(b"0\r\n");
                out.extend_from_slice(trailers.lines());
                out.extend_from_slice(b"\r\n");
            }
        }
        Ending {
            keep_alive: self.keep_alive && self.left == 0,
            missing: self.left,
            cut: self.cut,
        }
    }
}
