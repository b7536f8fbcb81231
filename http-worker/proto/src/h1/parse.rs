//! Request lines and field lines.
//!
//! `httparse` finds names and values. It is lenient about line ends, and leaves the meaning to
//! others; so the request line is read here, and every line end is looked at again.

use httparse::{EMPTY_HEADER, Error, Header, Status};

use super::framing::Declared;
use super::{Limits, RequestFacts};
use crate::error::{PeerError, PeerErrorKind};
use crate::head::token::is_token_byte;
use crate::head::{RequestHead, Span, Version};
use crate::limits::{
    EMPTY_LINES_MAX_COUNT, FIELDS_MAX_COUNT, FIELDS_USUAL_COUNT, METHOD_MAX_BYTES,
};

/// Bytes of empty lines at the front: some old clients send one after a body (RFC 9112 section
/// 2.2). What follows must be able to begin a request, which tells other protocols apart at
/// their first byte.
pub(super) fn skip_empty_lines(
    input: &[u8],
    empty_lines: &mut usize,
) -> Result<usize, PeerErrorKind> {
    let mut at = 0;
    loop {
        match &input[at..] {
            [b'\r', b'\n', ..] if *empty_lines == EMPTY_LINES_MAX_COUNT => {
                return Err(PeerErrorKind::EmptyLines);
            }
            [b'\r', b'\n', ..] => {
                at += 2;
                *empty_lines += 1;
            }
            [] | [b'\r'] => return Ok(at),
            [b'\r' | b'\n', ..] => return Err(PeerErrorKind::LineEnd),
            [first, ..] if is_token_byte(*first) => return Ok(at),
            _ => return Err(PeerErrorKind::NotHttp),
        }
    }
}

/// Reads the head at the front of `input`: its length, or nothing while it is incomplete.
///
/// What it answers for some bytes it also answers for the same bytes with others after them: the
/// first thing that is wrong decides, not what the network brought along with it.
pub(super) fn head(
    input: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
    facts: &mut RequestFacts,
) -> Result<Option<usize>, PeerError> {
    let Some(line_len) = find_line(input, limits.request_line_max_bytes)? else {
        return Ok(None);
    };
    let line = request_line(&input[..line_len])?;
    facts.version = line.version;
    facts.is_head = line.method == b"HEAD";
    let fields_start = line_len + 2;
    let full = input.len() >= limits.head_max_bytes;
    let section = &input[fields_start..input.len().min(limits.head_max_bytes).max(fields_start)];
    let parsed = with_fields(section, full, limits.fields_max_count, |fields, len| {
        fill(&input[..fields_start + len], &line, fields, head)
    })?;
    let declared = match parsed {
        Some(declared) => declared?,
        None if full => return Err(PeerErrorKind::HeadTooLong.into()),
        None => return Ok(None),
    };
    declared.settle(facts)?;
    Ok(Some(head.fields.bytes.len()))
}

/// The length of the first line without its CRLF, or nothing while it is incomplete.
fn find_line(input: &[u8], max_bytes: usize) -> Result<Option<usize>, PeerErrorKind> {
    let window = &input[..input.len().min(max_bytes + 2)];
    match memchr::memchr(b'\n', window) {
        Some(end) if end > 0 && input[end - 1] == b'\r' => Ok(Some(end - 1)),
        Some(_) => Err(PeerErrorKind::LineEnd),
        None if input.len() >= max_bytes + 2 => Err(PeerErrorKind::TargetTooLong),
        None => Ok(None),
    }
}

/// Length of `HTTP/1.1`.
const VERSION_BYTES: usize = 8;

/// A request line, its parts checked but for the form of the target.
struct RequestLine<'a> {
    method: &'a [u8],
    target: Span,
    version: Version,
}

impl RequestLine<'_> {
    /// Without its CRLF: after the target come a space and the version.
    fn line_len(&self) -> usize {
        self.target.range().end + 1 + VERSION_BYTES
    }
}

/// `method SP request-target SP HTTP-version`, RFC 9112 section 3, and nothing more lenient.
fn request_line(line: &[u8]) -> Result<RequestLine<'_>, PeerErrorKind> {
    let is_end = |&byte: &u8| !is_token_byte(byte);
    let method_len = line
        .iter()
        .position(is_end)
        .ok_or(PeerErrorKind::RequestLine)?;
    if method_len == 0 || line[method_len] != b' ' {
        return Err(PeerErrorKind::Method);
    }
    let method = &line[..method_len];
    if method.len() > METHOD_MAX_BYTES {
        return Err(PeerErrorKind::MethodTooLong);
    }
    let rest = &line[method_len + 1..];
    let Some(target_len) = last_space(rest) else {
        let old = method == b"GET" && rest.first() == Some(&b'/');
        return Err(if old {
            PeerErrorKind::Http09
        } else {
            PeerErrorKind::RequestLine
        });
    };
    let version = version(&rest[target_len + 1..])?;
    match method {
        // RFC 9110 section 15.6.2: implemented for no resource at all.
        b"CONNECT" => Err(PeerErrorKind::MethodNotImplemented),
        // RFC 9110 section 9.3.8 advises against it where requests carry credentials.
        b"TRACE" => Err(PeerErrorKind::MethodNotAllowed),
        _ => Ok(RequestLine {
            method,
            target: Span::new(method_len + 1, target_len),
            version,
        }),
    }
}

/// Where the space before the version is: nearly always nine bytes from the end.
fn last_space(rest: &[u8]) -> Option<usize> {
    if let Some(place) = rest.len().checked_sub(VERSION_BYTES + 1)
        && rest[place] == b' '
        && rest[place + 1] == b'H'
    {
        return Some(place);
    }
    memchr::memrchr(b' ', rest)
}

/// `HTTP/` digit `.` digit, in this case. Later minor versions of HTTP/1 are read as 1.1: RFC
/// 9110 section 2.5.
fn version(text: &[u8]) -> Result<Version, PeerErrorKind> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major @ b'0'..=b'9',
            b'.',
            b'0'..=b'9',
        ] => match major {
            b'1' => Ok(Version::Http11),
            _ => Err(PeerErrorKind::VersionUnsupported),
        },
        _ => Err(PeerErrorKind::Version),
    }
}

/// Parses field lines and the empty line after them, and gives `f` the fields and the length.
/// Nothing while they are incomplete; `full` says that no more bytes will be looked at.
pub(super) fn with_fields<R>(
    section: &[u8],
    full: bool,
    max_count: usize,
    f: impl FnOnce(&[Header<'_>], usize) -> R,
) -> Result<Option<R>, PeerErrorKind> {
    let mut usual = [EMPTY_HEADER; FIELDS_USUAL_COUNT];
    let room = max_count.min(FIELDS_USUAL_COUNT);
    match httparse::parse_headers(section, &mut usual[..room]) {
        Ok(Status::Complete((len, fields))) => return Ok(Some(f(fields, len))),
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) if room < max_count => {}
        Err(error) => return refuse(error, section, full),
    }
    with_many_fields(section, full, max_count, f)
}

/// Heads that have more fields than most: apart, so that the others need not clear the room.
#[cold]
#[inline(never)]
fn with_many_fields<R>(
    section: &[u8],
    full: bool,
    max_count: usize,
    f: impl FnOnce(&[Header<'_>], usize) -> R,
) -> Result<Option<R>, PeerErrorKind> {
    let mut many = [EMPTY_HEADER; FIELDS_MAX_COUNT];
    match httparse::parse_headers(section, &mut many[..max_count]) {
        Ok(Status::Complete((len, fields))) => Ok(Some(f(fields, len))),
        Ok(Status::Partial) => Ok(None),
        Err(error) => refuse(error, section, full),
    }
}

/// Refuses a section at the end of the line with the error, not before: bytes that come one by
/// one are looked at when a line ends, and those that come at once must be judged alike.
#[cold]
#[inline(never)]
fn refuse<R>(error: Error, section: &[u8], full: bool) -> Result<Option<R>, PeerErrorKind> {
    let lines = memchr::memrchr(b'\n', section).map_or(0, |end| end + 1);
    let mut room = [EMPTY_HEADER; FIELDS_MAX_COUNT];
    let whole_lines = httparse::parse_headers(&section[..lines], &mut room);
    if !full && error != Error::TooManyHeaders && whole_lines.is_ok() {
        return Ok(None);
    }
    Err(kind_of(error))
}

fn kind_of(error: Error) -> PeerErrorKind {
    match error {
        Error::HeaderName => PeerErrorKind::FieldName,
        Error::HeaderValue => PeerErrorKind::FieldValue,
        Error::TooManyHeaders => PeerErrorKind::TooManyFields,
        // The others belong to request and status lines, which are not parsed with httparse.
        _ => PeerErrorKind::LineEnd,
    }
}

/// Where fields are in the bytes they were parsed from.
pub(super) struct Places<'a> {
    bytes: &'a [u8],
    /// Where the next line has to begin.
    line: usize,
}

impl<'a> Places<'a> {
    /// Fields that begin at `start` of `bytes`, which end with the empty line.
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, line: start }
    }

    /// The spans of name and value of the next field.
    ///
    /// Its line must have ended in CRLF: `httparse` takes a bare LF too, and other readers do
    /// not, or read on behind it.
    pub(super) fn next(&mut self, field: &Header<'_>) -> Result<(Span, Span), PeerErrorKind> {
        let base = self.bytes.as_ptr() as usize;
        let name = Span::new(field.name.as_ptr() as usize - base, field.name.len());
        let value = Span::new(field.value.as_ptr() as usize - base, field.value.len());
        let mut end = value.start as usize + field.value.len();
        while matches!(self.bytes[end], b' ' | b'\t') {
            end += 1;
        }
        if name.start as usize != self.line || !self.bytes[end..].starts_with(b"\r\n") {
            return Err(PeerErrorKind::LineEnd);
        }
        self.line = end + 2;
        Ok((name, value))
    }

    /// After the last field: exactly the empty line is left.
    pub(super) fn end(self) -> Result<(), PeerErrorKind> {
        if &self.bytes[self.line..] == b"\r\n" {
            Ok(())
        } else {
            Err(PeerErrorKind::LineEnd)
        }
    }
}

/// Copies the head as one piece and notes where everything is in it, and what it declares.
fn fill(
    bytes: &[u8],
    line: &RequestLine<'_>,
    fields: &[Header<'_>],
    head: &mut RequestHead,
) -> Result<Declared, PeerError> {
    head.clear();
    head.fields.bytes.extend_from_slice(bytes);
    head.method = Span::new(0, line.method.len());
    head.target = line.target;
    head.version = line.version;
    let mut declared = Declared::default();
    let mut places = Places::new(bytes, line.line_len() + 2);
    for field in fields {
        let (name, value) = places.next(field)?;
        head.fields.bytes[name.range()].make_ascii_lowercase();
        head.fields.spans.push((name, value));
        let is_host = declared.note(name.of(&head.fields.bytes), field.value)?;
        if is_host {
            head.note_host(value);
        }
    }
    places.end()?;
    head.finish()?;
    Ok(declared)
}
