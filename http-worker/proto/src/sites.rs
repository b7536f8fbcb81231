//! Which of several sites a path belongs to. Both shores ask this: the network side, who serves
//! it; the application, by which handler.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::head::RequestHead;

/// The site that everything belongs to that belongs to no other.
const ROOT: &[u8] = b"/";

/// So many are quicker asked one by one than by their hashes.
const FEW_SITES_COUNT: usize = 8;

/// Sites by the paths they answer; the first one that matches is meant. Finding costs as much as
/// the path has segments, however many sites there are.
#[derive(Clone, Debug)]
pub struct Sites<T> {
    in_order: Vec<Site<T>>,
    /// Its hash is a quick one: what is in it comes from the operator, not from clients.
    by_path: FxHashMap<Box<[u8]>, usize>,
    /// Nothing has to be compared.
    is_root_alone: bool,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site<T> {
    /// A prefix of whole segments, or `/` for everything.
    pub path: Arc<str>,
    /// What belongs to it.
    pub value: T,
}

impl<T> Default for Sites<T> {
    fn default() -> Self {
        Self::new([])
    }
}

impl<T> Sites<T> {
    /// Sites in the order in which they are asked. Of two with the same path the second is never
    /// found.
    pub fn new(sites: impl IntoIterator<Item = Site<T>>) -> Self {
        let in_order: Vec<_> = sites.into_iter().collect();
        let mut by_path = FxHashMap::default();
        for (place, site) in in_order.iter().enumerate() {
            by_path.entry(site.path.as_bytes().into()).or_insert(place);
        }
        let is_root_alone = in_order.len() == 1 && in_order[0].path.as_bytes() == ROOT;
        Self {
            in_order,
            by_path,
            is_root_alone,
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Site<T>> {
        self.in_order.iter()
    }

    /// The first site that answers a raw path (see [`normalised`]).
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<&Site<T>> {
        self.place_of(path).map(|place| &self.in_order[place])
    }

    /// Where the first site that answers a raw path is in their order.
    #[must_use]
    pub fn place_of(&self, path: &[u8]) -> Option<usize> {
        if self.is_root_alone {
            return Some(0);
        }
        self.place_of_normalised(&normalised(path))
    }

    /// Where the first site that answers a request is in their order.
    #[must_use]
    pub fn place_for(&self, request: &RequestHead) -> Option<usize> {
        if request.has_plain_path() && !self.is_root_alone {
            return self.place_of_normalised(request.path());
        }
        self.place_of(request.path())
    }

    /// The site at a place in their order.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&Site<T>> {
        self.in_order.get(place)
    }

    /// The first site that answers a path which is [`normalised`].
    ///
    /// A prefix matches itself and what continues with a slash; one that ends in a slash matches
    /// all below it. The root matches everything, the `*` of OPTIONS too.
    #[must_use]
    pub fn find_normalised(&self, path: &[u8]) -> Option<&Site<T>> {
        self.place_of_normalised(path)
            .map(|place| &self.in_order[place])
    }

    fn place_of_normalised(&self, path: &[u8]) -> Option<usize> {
        if self.in_order.len() <= FEW_SITES_COUNT {
            let answers = |site: &Site<T>| answers(site.path.as_bytes(), path);
            return self.in_order.iter().position(answers);
        }
        let place = |prefix: &[u8]| self.by_path.get(prefix).copied();
        let mut first = place(ROOT).into_iter().chain(place(path)).min();
        for slash in memchr::memchr_iter(b'/', path) {
            let with_slash = place(&path[..=slash]);
            first = first
                .into_iter()
                .chain(place(&path[..slash]))
                .chain(with_slash)
                .min();
        }
        first
    }
}

/// Whether a site of this path answers a normalised path.
fn answers(site: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(site) {
        Some(rest) => rest.is_empty() || rest[0] == b'/' || site.ends_with(b"/"),
        None => site == ROOT,
    }
}

/// The path percent-decoded and without dot segments (RFC 3986 section 5.2.4), never above the
/// root. Only for matching: the application sees it raw.
#[must_use]
pub fn normalised(path: &[u8]) -> Cow<'_, [u8]> {
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

#[cfg(test)]
mod tests;
