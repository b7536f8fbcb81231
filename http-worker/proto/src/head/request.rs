//! The head of a request, whichever engine read it.

use super::target;
use super::token::{is_token, is_value};
use super::{Fields, Span, Version};
use crate::error::{PeerError, PeerErrorKind};
use crate::limits::{FIELDS_MAX_COUNT, HEAD_MAX_BYTES};

/// A request's method, target, version and fields: one buffer and ranges over it.
///
/// The HTTP/1 engine fills it. Another engine (HTTP/2, a test) builds it with
/// [`begin`](Self::begin), [`push_field`](Self::push_field) and [`finish`](Self::finish).
/// [`clear`](Self::clear) keeps the memory, so that a head which is used again allocates nothing.
///
/// ```
/// use http_proto::{RequestHead, Version};
/// let mut head = RequestHead::default();
/// head.begin(b"GET", b"/music?genre=folk", Version::Http11);
/// head.push_field(b"Host", b"example.org:8080").unwrap();
/// head.finish().unwrap();
/// assert_eq!(head.path(), b"/music");
/// assert_eq!(head.query(), Some(&b"genre=folk"[..]));
/// assert_eq!(head.host(), b"example.org");
/// assert_eq!(head.field(b"HOST"), Some(&b"example.org:8080"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    pub(crate) fields: Fields,
    pub(crate) method: Span,
    pub(crate) target: Span,
    pub(crate) version: Version,
    path: Span,
    has_plain_path: bool,
    query: Option<Span>,
    authority: Span,
    host_len: u32,
    /// The pseudo field `:authority` of HTTP/2.
    given_authority: Option<Span>,
    /// Value of the first `Host`, and how many there were.
    pub(crate) host_field: Option<Span>,
    pub(crate) host_count: u32,
}

impl RequestHead {
    /// Forgets the request and keeps the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self {
            fields,
            ..Self::default()
        };
    }

    /// The method as sent: case matters, any token is possible.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.method.of(&self.fields.bytes)
    }

    /// The path without the query, raw: never percent-decoded, dot segments in place. `*` for
    /// `OPTIONS *`; an absolute target without a path has `/` (RFC 9112 section 3.2.1).
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self.path.of(&self.fields.bytes) {
            // RFC 9112 section 3.2.4: OPTIONS for an authority alone is about the whole server.
            b"" if self.method() == b"OPTIONS" => b"*",
            b"" => b"/",
            path => path,
        }
    }

    /// Whether the path begins with a slash and has neither dots nor percent signs, as nearly every
    /// one: then it is the same when decoded and resolved.
    #[must_use]
    pub fn has_plain_path(&self) -> bool {
        self.has_plain_path
    }

    /// What follows the first `?` of the target, raw; absent when there is none.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|query| query.of(&self.fields.bytes))
    }

    /// The request target as received.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.target.of(&self.fields.bytes)
    }

    /// Host and port the request is for: that of an absolute target, else of `Host`. Empty when
    /// an HTTP/1.0 request names none.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        self.authority.of(&self.fields.bytes)
    }

    /// [`authority`](Self::authority) without the port; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        &self.authority()[..self.host_len as usize]
    }

    /// The version the request was sent with.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All fields in the order they came, names in lower case.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.iter()
    }

    /// The value of the first field of this name; the case of `name` does not matter.
    #[must_use]
    pub fn field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.get(name)
    }

    /// The values of every field of this name, in order.
    pub fn field_all<'a, 'n>(
        &'a self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.fields.get_all(name)
    }

    /// How many bytes the head has, as it came.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.fields.bytes.len()
    }

    /// How many bytes of memory it keeps, used or not.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.fields.bytes.capacity() + self.fields.spans.capacity() * size_of::<(Span, Span)>()
    }

    /// Whether the target says `https`: such a request must not come in clear (RFC 9110 section
    /// 7.4).
    #[must_use]
    pub fn wants_https(&self) -> bool {
        let scheme = self.target().split_at_checked(6);
        scheme.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(b"https:"))
    }

    /// Starts a head over: forgets what was there.
    pub fn begin(&mut self, method: &[u8], target: &[u8], version: Version) {
        self.clear();
        let bytes = &mut self.fields.bytes;
        bytes.extend_from_slice(method);
        bytes.extend_from_slice(target);
        self.method = Span::new(0, method.len());
        self.target = Span::new(method.len(), target.len());
        self.version = version;
    }

    /// Names the authority apart from target and `Host`, as HTTP/2's `:authority` does.
    pub fn set_authority(&mut self, authority: &[u8]) {
        let bytes = &mut self.fields.bytes;
        let span = Span::new(bytes.len(), authority.len());
        bytes.extend_from_slice(authority);
        self.given_authority = Some(span);
    }

    /// Appends a field.
    ///
    /// # Errors
    /// The name is no token, the value has controls, or the head has become too large: what to
    /// tell the peer.
    pub fn push_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), PeerError> {
        if !is_token(name) {
            return Err(PeerErrorKind::FieldName.into());
        }
        if !is_value(value) {
            return Err(PeerErrorKind::FieldValue.into());
        }
        if self.fields.len() == FIELDS_MAX_COUNT {
            return Err(PeerErrorKind::TooManyFields.into());
        }
        if self.fields.bytes.len() + name.len() + value.len() > HEAD_MAX_BYTES {
            return Err(PeerErrorKind::HeadTooLong.into());
        }
        self.fields.push(name, value);
        if name.eq_ignore_ascii_case(b"host") {
            self.note_host(self.fields.spans[self.fields.len() - 1].1);
        }
        Ok(())
    }

    /// A `Host` field was seen.
    pub(crate) fn note_host(&mut self, value: Span) {
        self.host_count += 1;
        self.host_field.get_or_insert(value);
    }

    /// Works out path, query and authority, and checks `Host` (RFC 9112 sections 3.2 and 3.3).
    /// To be called once, after the last field.
    ///
    /// # Errors
    /// The method, the target or `Host` is not right: what to tell the peer.
    pub fn finish(&mut self) -> Result<(), PeerError> {
        if !is_token(self.method()) {
            return Err(PeerErrorKind::Method.into());
        }
        self.split_target()?;
        self.settle_authority()
    }

    fn split_target(&mut self) -> Result<(), PeerError> {
        let parts = target::split(self.method(), self.target())?;
        let base = self.target.start as usize;
        let span = |range: std::ops::Range<usize>| Span::new(base + range.start, range.len());
        self.path = span(parts.path);
        self.has_plain_path = parts.is_plain;
        self.query = parts.query.map(span);
        // RFC 9112 section 3.2.2: the authority of an absolute target wins over Host.
        if let Some(authority) = parts.authority {
            self.given_authority = Some(span(authority));
        }
        Ok(())
    }

    fn settle_authority(&mut self) -> Result<(), PeerError> {
        let bytes = &self.fields.bytes;
        if self.host_count > 1 {
            return Err(PeerErrorKind::HostRepeated.into());
        }
        if self.host_count == 0 && self.version == Version::Http11 {
            return Err(PeerErrorKind::HostMissing.into());
        }
        // Host is checked even where another authority wins: RFC 9112 section 3.2.
        let checked = |span: Span| match target::host_of(span.of(bytes)) {
            Some(host) => Ok((span, host)),
            None => Err(PeerError::from(PeerErrorKind::Host)),
        };
        let from_host = self.host_field.map(checked).transpose()?;
        let given = self.given_authority.map(checked).transpose()?;
        let (authority, host_len) = given.or(from_host).unwrap_or_default();
        let may_be_empty = self.version == Version::Http10 || self.target() == b"*";
        if host_len == 0 && !may_be_empty {
            // RFC 9110 section 4.2.1: an http URI with an empty host is invalid.
            return Err(PeerErrorKind::Host.into());
        }
        self.authority = authority;
        self.host_len = Span::new(0, host_len).len;
        Ok(())
    }
}
