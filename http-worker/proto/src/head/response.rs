//! The head of a response, as the application says it and before an engine frames it.

use super::Fields;
use super::token::{decimal, is_token, is_value, list, trim};
use crate::limits::{RESPONSE_FIELDS_MAX_COUNT, RESPONSE_HEAD_MAX_BYTES};

/// Status and fields of a response. Fields are kept as lines ready to be sent, so that encoding
/// them is one copy.
///
/// What says how the message is framed is understood here and left to the engine: see
/// [`push`](Self::push).
///
/// ```
/// use http_proto::{FieldError, ResponseHead};
/// let mut head = ResponseHead::default();
/// head.reset(200).unwrap();
/// head.push(b"Content-Type", b"text/plain").unwrap();
/// head.push(b"Content-Length", b"5").unwrap();
/// assert_eq!(head.content_length(), Some(5));
/// assert_eq!(head.fields().count(), 1, "the engine writes Content-Length itself");
/// assert_eq!(head.push(b"X-Note", b"a\r\nSet-Cookie: b"), Err(FieldError::Value));
/// ```
#[derive(Clone, Debug)]
pub struct ResponseHead {
    status: u16,
    lines: Fields,
    content_length: Option<u64>,
    close: bool,
    has_date: bool,
    has_server: bool,
}

impl Default for ResponseHead {
    /// 200 without fields.
    fn default() -> Self {
        Self {
            status: 200,
            lines: Fields::default(),
            content_length: None,
            close: false,
            has_date: false,
            has_server: false,
        }
    }
}

/// Why a field was refused. The head is as it was before.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// The name is empty or has a byte that a token may not have.
    Name,
    /// The value has CR, LF, NUL or another control that is not a tab.
    Value,
    /// `Content-Length` is no number, or contradicts the one given before.
    ContentLength,
    /// The head would become larger than [`limits`](crate::limits) allow.
    TooLarge,
    /// Of a trailer: whoever reads it behind the body cannot act on it any more.
    Late,
    /// The trailers would become larger than [`limits`](crate::limits) allow.
    TooLate,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "the field name is not a token",
            Self::Value => "the field value has a control character",
            Self::ContentLength => "Content-Length is no number, or differs from the one before",
            Self::TooLarge => "the response head is too large",
            Self::Late => "the field has no meaning behind a body",
            Self::TooLate => "the trailers are too large",
        })
    }
}

impl std::error::Error for FieldError {}

/// A status that a response cannot have: outside 100..=999, or an interim one (1xx), which is no
/// response but precedes one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StatusError(pub u16);

impl std::fmt::Display for StatusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not the status of a final response", self.0)
    }
}

impl std::error::Error for StatusError {}

impl ResponseHead {
    /// Starts over with this status and no fields; keeps the memory.
    ///
    /// # Errors
    /// [`StatusError`], and the head is 500 without fields: whoever ignores it tells the client
    /// that something went wrong here.
    pub fn reset(&mut self, status: u16) -> Result<(), StatusError> {
        self.clear();
        if (200..=999).contains(&status) {
            self.status = status;
            return Ok(());
        }
        self.status = 500;
        Err(StatusError(status))
    }

    /// 200 without fields; keeps the memory.
    pub fn clear(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        *self = Self {
            lines,
            ..Self::default()
        };
    }

    /// Adds a field after the others. The name is sent as written here, repeated names are kept.
    ///
    /// Fields that frame the message or belong to the connection are taken by their meaning
    /// instead: `Content-Length` becomes [`content_length`](Self::content_length),
    /// `Connection: close` makes [`wants_close`](Self::wants_close) true, and
    /// `Transfer-Encoding`, `Keep-Alive`, `Upgrade`, `TE`, `Proxy-Connection` and the other
    /// options of `Connection` are dropped. `Date` and `Server` replace ours.
    ///
    /// # Errors
    /// [`FieldError`]; nothing has changed.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        if !is_token(name) {
            return Err(FieldError::Name);
        }
        if !is_value(value) {
            return Err(FieldError::Value);
        }
        let value = trim(value);
        if self.is_meant_for_the_engine(name, value)? {
            return Ok(());
        }
        self.append(name, value)
    }

    /// Takes a field by its meaning; whether it was one of those.
    fn is_meant_for_the_engine(&mut self, name: &[u8], value: &[u8]) -> Result<bool, FieldError> {
        // The lengths of the known names: nearly every other field is let through here.
        if !matches!(name.len(), 2 | 4 | 6 | 7 | 10 | 14 | 16 | 17) {
            return Ok(false);
        }
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"content-length") {
            let length = decimal(value).filter(|&length| length < u64::MAX);
            let length = length.ok_or(FieldError::ContentLength)?;
            if self.content_length.is_some_and(|before| before != length) {
                return Err(FieldError::ContentLength);
            }
            self.content_length = Some(length);
            return Ok(true);
        }
        if is(b"connection") {
            self.close |= list(value).any(|token| token.eq_ignore_ascii_case(b"close"));
            return Ok(true);
        }
        Ok(is(b"transfer-encoding")
            || is(b"keep-alive")
            || is(b"upgrade")
            || is(b"te")
            || is(b"proxy-connection"))
    }

    fn append(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        let lines = &mut self.lines;
        let added = name.len() + value.len() + b": \r\n".len();
        if lines.bytes.len() + added > RESPONSE_HEAD_MAX_BYTES
            || lines.spans.len() == RESPONSE_FIELDS_MAX_COUNT
        {
            return Err(FieldError::TooLarge);
        }
        lines.push_line(name, value);
        self.has_date |= name.eq_ignore_ascii_case(b"date");
        self.has_server |= name.eq_ignore_ascii_case(b"server");
        Ok(())
    }

    /// The status: 200..=999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The fields that will be sent as given, names in the case they were given in.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.lines.iter()
    }

    /// The length that the application declared for the body.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Declares the length of the body, in place of a `Content-Length` field.
    pub fn set_content_length(&mut self, length: u64) {
        self.content_length = Some(length);
    }

    /// Whether the application asked that the connection end after this response.
    #[must_use]
    pub fn wants_close(&self) -> bool {
        self.close
    }

    /// Whether the application gave a `Date` of its own.
    #[must_use]
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether the application gave a `Server` of its own.
    #[must_use]
    pub fn has_server(&self) -> bool {
        self.has_server
    }

    /// The field lines as they go out, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines.bytes
    }

    /// One with the same status and wish to close, and nothing else.
    pub(crate) fn bare(&self) -> Self {
        Self {
            status: self.status,
            close: self.close,
            ..Self::default()
        }
    }

    pub(crate) fn shrink_to(&mut self, keep_bytes_max: usize) {
        self.lines.shrink_to(keep_bytes_max);
    }
}
