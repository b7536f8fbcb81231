//! Which handler a path belongs to.

use std::borrow::Cow;
use std::rc::Rc;

/// One handler and the paths it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// As it was configured: a prefix of whole segments, or `/` for everything.
    pub(crate) path: Rc<str>,
    /// Where the registry holds the handler.
    pub(crate) anchor: i32,
}

/// All handlers, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites(pub(crate) Vec<Site>);

impl Sites {
    /// The first site that answers a raw path.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Site> {
        match self.0.as_slice() {
            [only] if &*only.path == "/" => Some(only),
            [] => None,
            sites => {
                let path = normalised(path);
                sites
                    .iter()
                    .find(|site| matches(site.path.as_bytes(), &path))
            }
        }
    }
}

/// A prefix matches itself and what continues with a slash; one that ends in a slash matches all
/// below it. The root matches everything, the `*` of OPTIONS too.
fn matches(prefix: &[u8], path: &[u8]) -> bool {
    if prefix == b"/" {
        return true;
    }
    let Some(rest) = path.strip_prefix(prefix) else {
        return false;
    };
    rest.is_empty() || rest[0] == b'/' || prefix.ends_with(b"/")
}

/// The path percent-decoded and without dot segments (RFC 3986 section 5.2.4). Only for matching:
/// handlers see it raw.
pub(crate) fn normalised(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') && !path.windows(2).any(|pair| pair == b"/.") {
        return Cow::Borrowed(path);
    }
    let decoded: Vec<u8> = percent_encoding::percent_decode(path).collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if is_last {
                    kept.push(b"");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut result = Vec::with_capacity(decoded.len());
    for segment in kept {
        result.push(b'/');
        result.extend_from_slice(segment);
    }
    if result.is_empty() {
        result.push(b'/');
    }
    Cow::Owned(result)
}
