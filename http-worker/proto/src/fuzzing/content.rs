//! What must hold for any path and any range.

use crate::content::{FileName, Selection, select};
use crate::limits::RANGES_MAX_COUNT;

/// No path makes a name that leads out of its folder, or that no file can have.
pub fn file_name(site: &str, path: &[u8]) {
    let Ok(name) = FileName::below(site, path) else {
        return;
    };
    let name = name.as_bytes();
    assert!(!name.contains(&0), "a NUL ends a name");
    if name.is_empty() {
        return;
    }
    for segment in name.split(|&byte| byte == b'/') {
        assert!(!segment.is_empty(), "an absolute name, or an empty segment");
        let is_plain = segment[0] != b'.' || segment == b".well-known";
        assert!(is_plain, "hidden: {}", name.escape_ascii());
    }
}

/// What is selected is there, is asked for, and is not more than the whole.
pub fn ranges(value: &[u8], length: u64) {
    let Selection::Parts(parts) = select(value, length) else {
        return;
    };
    assert!((1..=RANGES_MAX_COUNT).contains(&parts.len()));
    let mut total = 0_u64;
    for part in parts {
        assert!(
            part.start < part.end && part.end <= length,
            "{part:?} of {length}"
        );
        total += part.end - part.start;
    }
    assert!(total <= length, "{total} bytes of {length}");
}

/// `data` is a site's path and a request's, with a NUL between them.
pub fn file_name_of(data: &[u8]) {
    let (site, path) = split(data);
    if let Ok(site) = std::str::from_utf8(site) {
        file_name(site, path);
    }
}

/// `data` is the length of a file in decimal digits and a `Range`, with a NUL between them.
pub fn ranges_of(data: &[u8]) {
    let (length, value) = split(data);
    let length = std::str::from_utf8(length).ok();
    if let Some(length) = length.and_then(|length| length.parse().ok()) {
        ranges(value, length);
    }
}

fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    )
}
