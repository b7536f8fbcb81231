//! The name of a file, made of the path of a request so that it cannot lead out of its folder.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// What stands for itself in a segment of a path: `pchar` of RFC 3986 section 3.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The one name with a dot before it that is meant for everybody, RFC 8615.
const WELL_KNOWN: &[u8] = b".well-known";

/// A name relative to a folder. It has no segment that is empty, a dot or two, and none with a
/// NUL; any other byte may be in it, for files may be called so.
///
/// ```
/// use http_proto::content::FileName;
/// let name = FileName::below("/docs", b"/docs/./img/%C3%A4.png").unwrap();
/// assert_eq!(name.as_bytes(), "img/ä.png".as_bytes());
/// assert!(FileName::below("/docs", b"/docs/a%2Fb").is_err());
/// assert!(FileName::below("/docs", b"/docs/.git/config").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName {
    bytes: Vec<u8>,
    is_folder: bool,
}

/// Why a path names no file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// A percent sign that encodes nothing, or an encoded NUL: 400.
    Malformed,
    /// A name that no file can have, or that is hidden: 404, as if it were not there.
    Hidden,
}

impl FileName {
    /// The name that a raw `path` has below a `site` that answers it.
    ///
    /// The path is percent-decoded once, and its dot segments are taken away before the site is,
    /// as when the site was looked for ([`normalised`](crate::sites::normalised)). Empty segments
    /// count for nothing. Names that begin with a dot are hidden, `.well-known` apart: they are
    /// what tools and editors leave behind.
    ///
    /// # Errors
    /// [`NameError`], when it cannot be the name of a file that is served.
    pub fn below(site: &str, path: &[u8]) -> Result<Self, NameError> {
        let segments = segments(path)?;
        let above = site.trim_end_matches('/').split('/').skip(1).count();
        let below = segments.get(above..).unwrap_or_default();
        let is_folder = below.last().is_some_and(|last| last.is_empty());
        let mut bytes = Vec::with_capacity(path.len());
        for segment in below.iter().filter(|segment| !segment.is_empty()) {
            if segment.starts_with(b".") && **segment != *WELL_KNOWN {
                return Err(NameError::Hidden);
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(segment);
        }
        Ok(Self { bytes, is_folder })
    }

    /// The name; empty for the folder itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the path ended in a slash: a folder is meant.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The name with something behind it.
    #[must_use]
    pub fn with_ending(&self, ending: &[u8]) -> Self {
        Self {
            bytes: [&self.bytes[..], ending].concat(),
            is_folder: false,
        }
    }

    /// The name of something in this folder.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = self.bytes.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self {
            bytes,
            is_folder: false,
        }
    }
}

/// Where the folder is that a raw path without a slash at its end turned out to name: the same
/// path with one, and the query. It never begins with two slashes, which would name a host.
pub(super) fn folder_location(path: &[u8], query: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut location = Vec::with_capacity(path.len() + 1);
    for segment in segments(path).ok()? {
        if !segment.is_empty() {
            location.push(b'/');
            location.extend(percent_encode(&segment, ESCAPED).flat_map(str::bytes));
        }
    }
    location.push(b'/');
    if let Some(query) = query {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    Some(location)
}

/// The segments of a path, decoded, without dot segments (RFC 3986 section 5.2.4). An empty one
/// at the end stands for a slash there.
fn segments(path: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, NameError> {
    let mut kept = Vec::new();
    let mut rest = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(raw) = rest.next() {
        let segment = decode(raw)?;
        let is_last = rest.peek().is_none();
        match &*segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push(Cow::Borrowed(b"".as_slice()));
        }
    }
    Ok(kept)
}

fn decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, NameError> {
    let Some(first) = memchr::memchr2(b'%', 0, raw) else {
        return Ok(Cow::Borrowed(raw));
    };
    let is_whole = |at: usize| {
        let pair = raw.get(at + 1..at + 3);
        pair.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    };
    if !memchr::memchr_iter(b'%', &raw[first..]).all(|at| is_whole(first + at)) {
        return Err(NameError::Malformed);
    }
    let decoded: Cow<'_, [u8]> = percent_decode(raw).into();
    if decoded.contains(&0) {
        return Err(NameError::Malformed);
    }
    if decoded.contains(&b'/') {
        // A slash in a name: no file can be called so, and readers would differ on it.
        return Err(NameError::Hidden);
    }
    Ok(decoded)
}
