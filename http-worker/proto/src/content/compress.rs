//! Which responses of an application are compressed on their way out, and what that changes in
//! their heads: RFC 9110 sections 8.4, 8.8.3, 12.5.3 and 12.5.5.

use super::accept_encoding::{Accepted, Coding};
use crate::head::token::{list, trim};
use crate::head::{FieldError, ResponseHead};

/// Media types that are usually compressed: text, whatever it is called.
pub const COMPRESSED_TYPES: [&str; 9] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/x-ndjson",
    "image/svg+xml",
    "application/*+json",
    "application/*+xml",
];

/// Bodies shorter than this are usually not compressed, in bytes: they fit into one packet either
/// way.
pub const COMPRESSED_MIN_BYTES: u64 = 1024;

/// What a site wants compressed.
///
/// ```
/// use http_proto::content::{Accepted, Coding, CompressRule, Compression};
/// use http_proto::ResponseHead;
/// let accepted = Accepted::of([&b"gzip, br;q=0.5"[..]].into_iter());
/// let mut head = ResponseHead::default();
/// head.push(b"Content-Type", b"text/plain").unwrap();
/// let verdict = CompressRule::default().judge(accepted, &head, Some(5000), false);
/// assert_eq!(verdict, Compression::Coded(Coding::Gzip));
/// assert!(verdict.apply(&mut head).is_ok());
/// assert!(head.lines().ends_with(b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressRule {
    /// The codings that are offered. Of those that a client likes equally the first is taken.
    pub codings: Vec<Coding>,
    /// Media types in lower case. One `*` in each stands for anything.
    pub types: Vec<Box<str>>,
    /// Bodies that are known to be shorter go as they are.
    pub min_bytes: u64,
    /// How hard to try, 1 (fast) to 9 (small). Absent: what suits the coding.
    pub level: Option<u8>,
}

impl Default for CompressRule {
    /// Every coding, [`COMPRESSED_TYPES`] and [`COMPRESSED_MIN_BYTES`].
    fn default() -> Self {
        Self {
            codings: Coding::ALL.to_vec(),
            types: COMPRESSED_TYPES.map(Box::from).to_vec(),
            min_bytes: COMPRESSED_MIN_BYTES,
            level: None,
        }
    }
}

/// What is done with a response.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Nothing: no client would get it compressed.
    Untouched,
    /// It goes as it is to this client. Others get it compressed, and caches have to know.
    Varies,
    /// It is compressed.
    Coded(Coding),
}

impl CompressRule {
    /// What to do with a response to a client that accepts this. `known_length`: that of the whole
    /// body, when all of it is there. To HEAD (`is_head`) the same is said as to GET, so far as it
    /// is known: the length may be that of a body which was not made.
    #[must_use]
    pub fn judge(
        &self,
        accepted: Accepted,
        head: &ResponseHead,
        known_length: Option<u64>,
        is_head: bool,
    ) -> Compression {
        let length = head.content_length().or(known_length);
        if !may_be_coded(head) || !self.has_type_of(head) {
            return Compression::Untouched;
        }
        if length == Some(0) {
            return match is_head {
                true => Compression::Varies,
                false => Compression::Untouched,
            };
        }
        // Whoever refuses content as it is would rather have few bytes coded.
        let is_short = length.is_some_and(|length| length < self.min_bytes);
        if is_short && !accepted.refuses_identity() {
            return Compression::Untouched;
        }
        match accepted.choose(&self.codings) {
            Some(coding) => Compression::Coded(coding),
            // RFC 9110 section 12.5.3: also to those who refuse it; 406 would help nobody.
            None => Compression::Varies,
        }
    }

    fn has_type_of(&self, head: &ResponseHead) -> bool {
        let Some(value) = value_of(head, b"content-type") else {
            return false;
        };
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default();
        let kind = trim(kind).to_ascii_lowercase();
        self.types
            .iter()
            .any(|known| is_like(&kind, known.as_bytes()))
    }
}

impl Compression {
    /// Changes a head accordingly. A length that was declared is forgotten when the body is
    /// compressed.
    ///
    /// # Errors
    /// The head would become too large. It has not changed.
    pub fn apply(self, head: &mut ResponseHead) -> Result<(), FieldError> {
        if self == Self::Untouched {
            return Ok(());
        }
        let mut changed = head.bare();
        let mut has_varied = false;
        for (name, value) in head.fields() {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            let is_coded = matches!(self, Self::Coded(_));
            if is(b"vary") && !std::mem::replace(&mut has_varied, true) {
                changed.push(name, &varied(head, value))?;
            } else if is_coded && is(b"etag") && value.starts_with(b"\"") {
                // RFC 9110 section 8.8.3.3: two that differ in their bytes may not share a strong
                // one.
                changed.push(name, &[b"W/", value].concat())?;
            } else if is_coded && is(b"accept-ranges") {
                // They would be those of other bytes.
            } else {
                changed.push(name, value)?;
            }
        }
        if let Self::Coded(coding) = self {
            changed.push(b"Content-Encoding", coding.name().as_bytes())?;
        } else if let Some(length) = head.content_length() {
            changed.set_content_length(length);
        }
        if !has_varied {
            changed.push(b"Vary", ACCEPT_ENCODING)?;
        }
        *head = changed;
        Ok(())
    }
}

const ACCEPT_ENCODING: &[u8] = b"Accept-Encoding";

/// The first `Vary`, with ours, unless one of all says as much.
fn varied(head: &ResponseHead, first: &[u8]) -> Vec<u8> {
    let says_it = values_of(head, b"vary")
        .flat_map(list)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING));
    match first {
        first if says_it => first.to_vec(),
        [] => ACCEPT_ENCODING.to_vec(),
        first => [first, b", ", ACCEPT_ENCODING].concat(),
    }
}

/// Whether a response may be compressed at all.
fn may_be_coded(head: &ResponseHead) -> bool {
    let has_content = !matches!(head.status(), 204 | 205 | 206 | 304);
    has_content
        && !head.fields().any(|(name, _)| speaks_of_bytes(name))
        // RFC 9111 section 5.2.2.6.
        && !values_of(head, b"cache-control")
            .flat_map(list)
            .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// Whether a field says something of the bytes as they are: that they are coded already, a part, or
/// have this digest.
fn speaks_of_bytes(name: &[u8]) -> bool {
    const SUCH: [&[u8]; 6] = [
        b"content-encoding",
        b"content-range",
        b"content-md5",
        b"content-digest",
        b"repr-digest",
        b"digest",
    ];
    SUCH.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn values_of<'a>(head: &'a ResponseHead, wanted: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let fields = head.fields();
    fields.filter_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
}

fn value_of<'a>(head: &'a ResponseHead, wanted: &'static [u8]) -> Option<&'a [u8]> {
    values_of(head, wanted).next()
}

/// Whether a pattern, in which one `*` may stand for anything, is like `kind`.
fn is_like(kind: &[u8], pattern: &[u8]) -> bool {
    match memchr::memchr(b'*', pattern) {
        None => kind == pattern,
        Some(star) => {
            let (start, end) = (&pattern[..star], &pattern[star + 1..]);
            kind.len() >= start.len() + end.len() && kind.starts_with(start) && kind.ends_with(end)
        }
    }
}
