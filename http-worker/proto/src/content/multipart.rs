//! Several ranges in one answer: `multipart/byteranges`, RFC 9110 section 14.6.

use std::ops::Range;

use super::answer::Part;

/// The value of `Content-Type` with this boundary.
pub(super) fn content_type(boundary: u64) -> String {
    format!("multipart/byteranges; boundary={boundary:016x}")
}

/// The value of `Content-Range` for a part.
pub(super) fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end - 1)
}

/// The body: each range with its head before it, and the end.
pub(super) fn parts(
    ranges: Vec<Range<u64>>,
    length: u64,
    media_type: &str,
    boundary: u64,
) -> Vec<Part> {
    let mut parts = Vec::with_capacity(ranges.len() * 2 + 1);
    for range in ranges {
        let place = content_range(&range, length);
        let mut head = format!(
            "\r\n--{boundary:016x}\r\nContent-Type: {media_type}\r\nContent-Range: {place}\r\n\r\n"
        );
        if parts.is_empty() {
            // The line end before a boundary belongs to the part before it: here is none.
            head.drain(..2);
        }
        parts.push(Part::Text(head.into_bytes().into()));
        parts.push(Part::Content(range));
    }
    let end = format!("\r\n--{boundary:016x}--\r\n");
    parts.push(Part::Text(end.into_bytes().into()));
    parts
}
