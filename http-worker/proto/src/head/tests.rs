//! Heads that other engines build, and the lists under them.

use super::*;
use crate::error::PeerErrorKind;

/// What becomes of a head built by hand: authority, host, path; or what is wrong.
fn built(
    method: &str,
    target: &str,
    version: Version,
    authority: Option<&str>,
    hosts: &[&str],
) -> String {
    let mut head = RequestHead::default();
    head.begin(method.as_bytes(), target.as_bytes(), version);
    if let Some(authority) = authority {
        head.set_authority(authority.as_bytes());
    }
    for host in hosts {
        if let Err(error) = head.push_field(b"Host", host.as_bytes()) {
            return format!("{:?}", error.kind);
        }
    }
    if let Err(error) = head.finish() {
        return format!("{:?}", error.kind);
    }
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    format!(
        "{} {} {}",
        text(head.authority()),
        text(head.host()),
        text(head.path())
    )
}

#[test]
fn authorities() {
    use Version::{Http2, Http10, Http11};
    assert_eq!(built("GET", "/a?b", Http2, Some("h:8"), &[]), "h:8 h /a");
    assert_eq!(built("GET", "/", Http2, None, &["h"]), "h h /");
    assert_eq!(
        built("GET", "/", Http2, Some("h"), &["other"]),
        "h h /",
        "RFC 9113 section 8.3.1"
    );
    assert_eq!(built("GET", "/", Http2, None, &[]), "Host");
    assert_eq!(built("GET", "/", Http2, Some(""), &[]), "Host");
    assert_eq!(built("GET", "/", Http2, Some("u@h"), &[]), "Host");
    assert_eq!(built("GET", "/", Http2, Some("h"), &["a b"]), "Host");
    assert_eq!(
        built("GET", "/", Http2, Some("h"), &["a", "a"]),
        "HostRepeated"
    );
    assert_eq!(built("OPTIONS", "*", Http2, Some("h"), &[]), "h h *");
    assert_eq!(built("GET", "*", Http2, Some("h"), &[]), "Target");
    assert_eq!(built("GET", "", Http2, Some("h"), &[]), "Target");
    assert_eq!(built("G T", "/", Http2, Some("h"), &[]), "Method");
    assert_eq!(built("", "/", Http2, Some("h"), &[]), "Method");
    assert_eq!(built("GET", "/", Http11, None, &[]), "HostMissing");
    assert_eq!(built("GET", "/", Http10, None, &[]), "  /");
    assert_eq!(built("GET", "http://b", Http11, Some("c"), &["a"]), "b b /");
}

#[test]
fn fields_that_are_refused_leave_nothing() {
    let mut head = RequestHead::default();
    head.begin(b"GET", b"/", Version::Http2);
    let kind = |result: Result<(), crate::PeerError>| result.unwrap_err().kind;
    assert_eq!(
        kind(head.push_field(b"a b", b"c")),
        PeerErrorKind::FieldName
    );
    assert_eq!(
        kind(head.push_field(b":path", b"c")),
        PeerErrorKind::FieldName
    );
    assert_eq!(
        kind(head.push_field(b"a", b"b\nc")),
        PeerErrorKind::FieldValue
    );
    assert_eq!(head.fields().len(), 0);
}

#[test]
fn a_head_that_is_used_again_remembers_nothing() {
    let mut head = RequestHead::default();
    head.begin(b"GET", b"/long/path?and=query", Version::Http2);
    head.set_authority(b"example.org:8");
    head.push_field(b"cookie", b"a=b").unwrap();
    head.finish().unwrap();
    head.clear();
    assert_eq!(format!("{head:?}"), format!("{:?}", RequestHead::default()));
    assert_eq!(
        (head.method(), head.target(), head.query()),
        (&b""[..], &b""[..], None)
    );
}

#[test]
fn lists_of_fields() {
    let mut fields = Fields::default();
    assert!(fields.is_empty());
    fields.push(b"Vary", b"a");
    fields.push(b"ETag", b"");
    fields.push(b"VARY", b"b");
    assert_eq!(fields.len(), 3);
    assert_eq!(fields.get(b"vAry"), Some(&b"a"[..]));
    assert_eq!(fields.get_all(b"vary").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(fields.get(b"var"), None);
    assert_eq!(
        fields.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        [b"vary", b"etag", b"vary"]
    );
    fields.pop();
    assert_eq!((fields.len(), fields.bytes.len()), (2, b"varyaetag".len()));
    fields.clear();
    assert!(fields.is_empty());
}

#[test]
fn versions() {
    let numbers = |version: Version| (version.major(), version.minor());
    assert_eq!(numbers(Version::Http10), (1, 0));
    assert_eq!(numbers(Version::Http11), (1, 1));
    assert_eq!(numbers(Version::Http2), (2, 0));
    assert!(Version::Http10 < Version::Http11 && Version::Http11 < Version::Http2);
}
