//! Tests of [`content`](super).

mod answers;
mod codings;
mod compress;
mod error_pages;
mod names;
mod ranges;

use crate::head::{RequestHead, Version};

/// A request with these fields, `Name: value` a line.
fn request(method: &str, target: &str, fields: &str) -> RequestHead {
    let mut head = RequestHead::default();
    head.begin(method.as_bytes(), target.as_bytes(), Version::Http11);
    head.push_field(b"Host", b"h").unwrap();
    for line in fields.split('|').filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        head.push_field(name.as_bytes(), value.as_bytes()).unwrap();
    }
    head.finish().unwrap();
    head
}
