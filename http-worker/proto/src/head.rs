//! Message heads as one byte buffer plus ranges: no allocation per field, none per message once
//! the buffers have grown.
//!
//! [`RequestHead`] is what an engine fills and an application reads. [`ResponseHead`] is what an
//! application fills and an engine encodes. [`Fields`] is the list both are made of, and what
//! trailers are; [`Trailers`] are those that an application sends.

mod request;
mod response;
mod target;
pub(crate) mod token;
mod trailers;

pub use request::RequestHead;
pub use response::{FieldError, ResponseHead, StatusError};
pub use trailers::Trailers;

/// A range of bytes in the buffer of the head that made it.
///
/// 32 bits are enough: [`limits`](crate::limits) keeps every head far below 4 GiB.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// A span of `len` bytes from `start`.
    ///
    /// # Panics
    /// When either does not fit in 32 bits, which the limits on heads exclude.
    #[must_use]
    pub fn new(start: usize, len: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).expect("heads are limited far below 4 GiB");
        Self {
            start: narrow(start),
            len: narrow(len),
        }
    }

    /// The bytes of `buffer` that this span names.
    ///
    /// # Panics
    /// When the span was made for another, longer buffer.
    #[must_use]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &buffer[start..start + self.len as usize]
    }

    /// The offsets that this span names.
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

/// The protocol version a message was sent with.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0: no persistent connection unless asked for, no chunks, no interim answers.
    Http10,
    /// HTTP/1.1, and by RFC 9110 section 2.5 every later minor version of HTTP/1.
    #[default]
    Http11,
    /// HTTP/2. The engine of this crate answers 505 to it; other engines fill heads with it.
    Http2,
}

impl Version {
    /// The number before the dot.
    #[must_use]
    pub fn major(self) -> u8 {
        match self {
            Self::Http10 | Self::Http11 => 1,
            Self::Http2 => 2,
        }
    }

    /// The number after the dot.
    #[must_use]
    pub fn minor(self) -> u8 {
        match self {
            Self::Http11 => 1,
            Self::Http10 | Self::Http2 => 0,
        }
    }
}

/// An ordered list of fields over one buffer. Names are kept in lower case.
///
/// Clearing keeps the memory, so a list that is used again allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: Vec<(Span, Span)>,
}

impl Fields {
    /// Forgets every field and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Appends a field, its name in lower case. Nothing is checked: that is the engine's part.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let name_span = Span::new(self.bytes.len(), name.len());
        self.bytes.extend_from_slice(name);
        self.bytes[name_span.start as usize..].make_ascii_lowercase();
        let value_span = Span::new(self.bytes.len(), value.len());
        self.bytes.extend_from_slice(value);
        self.spans.push((name_span, value_span));
    }

    /// Appends a field as a line that is ready to be sent, its name as it is.
    pub(crate) fn push_line(&mut self, name: &[u8], value: &[u8]) {
        let name_span = Span::new(self.bytes.len(), name.len());
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(b": ");
        let value_span = Span::new(self.bytes.len(), value.len());
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        self.spans.push((name_span, value_span));
    }

    /// The fields in the order they came: name in lower case, value without surrounding space.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.spans
            .iter()
            .map(|&(name, value)| (name.of(&self.bytes), value.of(&self.bytes)))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The value of the first field of this name, in whatever case it is asked for.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields of this name, in order.
    pub fn get_all<'a, 'n>(
        &'a self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.spans.iter().filter_map(move |&(known, value)| {
            // Lengths differ for nearly every other field: one comparison instead of a hash.
            let same = known.len as usize == name.len()
                && known.of(&self.bytes).eq_ignore_ascii_case(name);
            same.then(|| value.of(&self.bytes))
        })
    }

    /// Takes the last field back.
    pub(crate) fn pop(&mut self) {
        if let Some((name, _)) = self.spans.pop() {
            self.bytes.truncate(name.start as usize);
        }
    }

    /// Gives memory back beyond about this many bytes.
    pub(crate) fn shrink_to(&mut self, keep_bytes_max: usize) {
        self.bytes.shrink_to(keep_bytes_max);
        self.spans
            .shrink_to(keep_bytes_max / size_of::<(Span, Span)>());
    }
}
