//! Whether a request is to be carried out: its preconditions, RFC 9110 section 13.

use std::time::UNIX_EPOCH;

use crate::head::RequestHead;
use crate::head::token::trim;

/// What tells one version of some content from another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Validators<'a> {
    /// A strong entity tag, with its quotation marks.
    pub entity_tag: &'a [u8],
    /// When it was last changed, in seconds since 1970.
    pub modified_secs: u64,
}

/// What the preconditions of a request come to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is to be carried out.
    Met,
    /// The client has this version: 304.
    NotModified,
    /// It is about another version: 412.
    Failed,
}

impl Validators<'_> {
    /// Judges `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`, in the
    /// order and with the precedence of RFC 9110 section 13.2.2, for GET or HEAD.
    #[must_use]
    pub fn judge(&self, request: &RequestHead) -> Condition {
        if has(request, b"if-match") {
            if !self.is_among(request, b"if-match", Comparison::Strong) {
                return Condition::Failed;
            }
        } else if date(request, b"if-unmodified-since")
            .is_some_and(|since| self.modified_secs > since)
        {
            return Condition::Failed;
        }
        let is_known = if has(request, b"if-none-match") {
            self.is_among(request, b"if-none-match", Comparison::Weak)
        } else {
            date(request, b"if-modified-since").is_some_and(|since| self.modified_secs <= since)
        };
        if is_known {
            Condition::NotModified
        } else {
            Condition::Met
        }
    }

    /// Whether `If-Range`, RFC 9110 section 13.1.5, lets ranges be sent: it is absent, or names
    /// this very version. `now_secs` is the time of the answer, in seconds since 1970.
    #[must_use]
    pub fn allow_range(&self, request: &RequestHead, now_secs: u64) -> bool {
        if !has(request, b"if-range") {
            return true;
        }
        let Some(value) = only(request, b"if-range") else {
            return false;
        };
        if value.starts_with(b"\"") || value.starts_with(b"W/") {
            return value == self.entity_tag;
        }
        // RFC 9110 section 8.8.2.2: within the second of a change there may be another one.
        let is_strong = self.modified_secs < now_secs;
        is_strong && parse_date(value) == Some(self.modified_secs)
    }

    /// Whether a list of entity tags has this one, or is `*`: any version will do.
    fn is_among(&self, request: &RequestHead, name: &[u8], comparison: Comparison) -> bool {
        request.field_all(name).any(|value| {
            let value = trim(value);
            value == b"*"
                || Tags(value).any(|tag| {
                    let is_comparable = !tag.is_weak || comparison == Comparison::Weak;
                    is_comparable && tag.opaque == self.entity_tag
                })
        })
    }
}

/// How entity tags are compared, RFC 9110 section 8.8.3.2. Ours is a strong one.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// An entity tag of a client.
struct Tag<'a> {
    is_weak: bool,
    /// With its quotation marks.
    opaque: &'a [u8],
}

/// The entity tags of a list, up to the first that is malformed. They may contain commas.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let is_gap = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        let start = self.0.iter().position(|byte| !is_gap(byte))?;
        let rest = &self.0[start..];
        let is_weak = rest.starts_with(b"W/");
        let rest = if is_weak { &rest[2..] } else { rest };
        let inside = rest.strip_prefix(b"\"")?;
        let len = memchr::memchr(b'"', inside)?;
        if inside[..len]
            .iter()
            .any(|&byte| byte <= b' ' || byte == 0x7f)
        {
            return None;
        }
        let (opaque, after) = rest.split_at(len + 2);
        // Two tags without a comma between them are no list.
        self.0 = match trim(after).first() {
            None | Some(b',') => after,
            Some(_) => return None,
        };
        Some(Tag { is_weak, opaque })
    }
}

fn has(request: &RequestHead, name: &[u8]) -> bool {
    request.field(name).is_some()
}

/// The value of a field that must not come twice.
fn only<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let mut values = request.field_all(name);
    let value = values.next()?;
    values.next().is_none().then(|| trim(value))
}

/// The date in a field. What is no date, or comes twice, is as if it were not there (RFC 9110
/// sections 13.1.3 and 13.1.4).
fn date(request: &RequestHead, name: &[u8]) -> Option<u64> {
    parse_date(only(request, name)?)
}

/// Seconds since 1970 of a date in one of the three forms of RFC 9110 section 5.6.7.
fn parse_date(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    Some(
        time.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
    )
}
