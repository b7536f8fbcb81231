//! Which bytes of some content a client asks for: `Range`, RFC 9110 section 14.

use std::ops::Range;

use crate::head::token::{decimal, list};
use crate::limits::RANGES_MAX_COUNT;

/// What `Range` comes to for content of some length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it: the field is of no use, or asks for more than would be gained.
    Whole,
    /// These bytes, in the order asked for; none of them empty.
    Parts(Vec<Range<u64>>),
    /// None of the bytes asked for are there: 416.
    Unsatisfiable,
}

/// Reads the value of a `Range` field for content of `length` bytes.
///
/// Other units, and what is malformed, are read over, as RFC 9110 section 14.2 has it. So are
/// more ranges than [`RANGES_MAX_COUNT`], and ranges that come to more than the content has, as
/// those that overlap again and again do: the answer is then what it would be without `Range`,
/// which can be no harm.
#[must_use]
pub fn select(value: &[u8], length: u64) -> Selection {
    let Some(set) = byte_set(value) else {
        return Selection::Whole;
    };
    if memchr::memchr_iter(b',', set).count() >= RANGES_MAX_COUNT {
        return Selection::Whole;
    }
    let mut parts = Vec::new();
    let mut is_asked = false;
    for element in list(set).filter(|element| !element.is_empty()) {
        let Some(asked) = Asked::read(element) else {
            return Selection::Whole;
        };
        is_asked = true;
        parts.extend(asked.within(length));
    }
    // Of an enormous file they may be more together than can be counted.
    let mut lengths = parts.iter().map(|part| part.end - part.start);
    let total = lengths.try_fold(0_u64, u64::checked_add);
    match parts.len() {
        0 if is_asked && length > 0 => Selection::Unsatisfiable,
        0 if is_asked && !has_suffix(set) => Selection::Unsatisfiable,
        0 => Selection::Whole,
        _ if total.is_none_or(|total| total > length) => Selection::Whole,
        _ => Selection::Parts(parts),
    }
}

/// What follows `bytes=`, between which nothing stands.
fn byte_set(value: &[u8]) -> Option<&[u8]> {
    let equals = memchr::memchr(b'=', value)?;
    let (unit, set) = value.split_at(equals);
    unit.eq_ignore_ascii_case(b"bytes").then(|| &set[1..])
}

/// RFC 9110 section 14.1.2: the last bytes of nothing are nothing, which is all of it. Only
/// asked when the content is empty.
fn has_suffix(set: &[u8]) -> bool {
    list(set).any(|element| matches!(Asked::read(element), Some(Asked::Last(1..))))
}

/// One range as asked for.
enum Asked {
    From(u64),
    /// Both inclusive.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
}

impl Asked {
    fn read(element: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', element)?;
        let (first, last) = (&element[..dash], &element[dash + 1..]);
        match (first, last) {
            (b"", last) => Some(Self::Last(decimal(last)?)),
            (first, b"") => Some(Self::From(decimal(first)?)),
            (first, last) => {
                let (first, last) = (decimal(first)?, decimal(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// What of it is there.
    fn within(&self, length: u64) -> Option<Range<u64>> {
        let range = match *self {
            Self::From(first) => first..length,
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}
