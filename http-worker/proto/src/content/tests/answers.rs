//! Heads of answers: conditions, ranges, and which fields stand in which of them.

use super::super::{Coding, Part, Representation};
use super::request;
use crate::head::ResponseHead;
use crate::request_id::RequestId;

const MODIFIED: u64 = 784_111_777;
const NOW: u64 = MODIFIED + 1000;
/// When it was changed, before, and after.
const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn file() -> Representation<'static> {
    Representation {
        length: 10,
        entity_tag: b"\"x\"",
        modified_secs: MODIFIED,
        name: b"a.txt",
        coding: None,
        varies: false,
        cache_control: None,
    }
}

/// Status, fields and body of the answer.
fn answer(file: &Representation<'_>, method: &str, fields: &str, now: u64) -> String {
    let mut head = ResponseHead::default();
    let request = request(method, "/a.txt", fields);
    let id = RequestId::new(1, 2);
    let parts = file.answer(&request, &id, now, || 0xb0, &mut head);
    let mut text = head.status().to_string();
    for (name, value) in head.fields() {
        let (name, value) = (
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value),
        );
        text.push_str(&format!("|{name}: {value}"));
    }
    if let Some(length) = head.content_length() {
        text.push_str(&format!("|{length}"));
    }
    let body: Vec<_> = parts.iter().map(show).collect();
    let declared = head.content_length().unwrap_or(0);
    if method == "GET" {
        assert_eq!(parts.iter().map(Part::len).sum::<u64>(), declared, "{text}");
    }
    format!("{text}||{}", body.concat())
}

fn show(part: &Part) -> String {
    match part {
        Part::Text(text) => String::from_utf8_lossy(text).replace("\r\n", "|"),
        Part::Content(range) => format!("<{range:?}>"),
    }
}

/// Only the status, for what is about conditions.
#[track_caller]
fn check(fields: &str, expected: u16) {
    let text = answer(&file(), "GET", fields, NOW);
    assert_eq!(text[..3], expected.to_string(), "{fields}");
    let head = answer(&file(), "HEAD", fields, NOW);
    if expected != 206 && expected != 416 {
        assert_eq!(head[..3], expected.to_string(), "HEAD {fields}");
    }
}

#[test]
fn the_whole() {
    let expected = format!(
        "200|Content-Type: text/plain; charset=utf-8|Last-Modified: {THEN}|\
         Accept-Ranges: bytes|ETag: \"x\"|10||"
    );
    assert_eq!(
        answer(&file(), "GET", "", NOW),
        format!("{expected}<0..10>")
    );
    assert_eq!(answer(&file(), "HEAD", "", NOW), expected);
}

#[test]
fn what_there_is_to_say_of_it() {
    let file = Representation {
        coding: Some(Coding::Brotli),
        varies: true,
        cache_control: Some("max-age=60"),
        ..file()
    };
    assert_eq!(
        answer(&file, "GET", "", NOW),
        format!(
            "200|Content-Type: text/plain; charset=utf-8|Content-Encoding: br|\
             Last-Modified: {THEN}|Accept-Ranges: bytes|ETag: \"x\"|Vary: Accept-Encoding|\
             Cache-Control: max-age=60|10||<0..10>"
        )
    );
    assert_eq!(
        answer(&file, "GET", "If-None-Match: *", NOW),
        "304|ETag: \"x\"|Vary: Accept-Encoding|Cache-Control: max-age=60||"
    );
}

#[test]
fn rfc9110_8_8_2_1_no_change_is_later_than_its_answer() {
    let text = answer(&file(), "GET", "", MODIFIED - 1);
    assert!(
        text.contains(&format!("|Last-Modified: {BEFORE}|")),
        "{text}"
    );
    let last = Representation {
        modified_secs: u64::MAX,
        ..file()
    };
    assert!(answer(&last, "GET", "", u64::MAX).contains("31 Dec 9999 23:59:59"));
}

#[test]
fn an_empty_one() {
    let file = Representation {
        length: 0,
        ..file()
    };
    for fields in ["", "Range: bytes=-5"] {
        let text = answer(&file, "GET", fields, NOW);
        assert!(text.starts_with("200|") && text.ends_with("|0||"), "{text}");
    }
    let text = answer(&file, "GET", "Range: bytes=0-", NOW);
    assert!(text.contains("|Content-Range: bytes */0|"), "{text}");
}

#[test]
fn rfc9110_13_1_1_if_match() {
    check("If-Match: \"x\"", 200);
    check("If-Match: *", 200);
    check("If-Match: \"a\", \"x\"", 200);
    check("If-Match: \"a\"|If-Match: \"x\"", 200);
    check("If-Match: \"a,\", \"x\"", 200);
    check("If-Match: \"a\"", 412);
    check("If-Match: W/\"x\"", 412);
    check("If-Match: x", 412);
    check("If-Match: \"x", 412);
    check("If-Match: \"a\" \"x\"", 412);
}

#[test]
fn rfc9110_13_1_2_if_none_match() {
    check("If-None-Match: \"x\"", 304);
    check("If-None-Match: W/\"x\"", 304);
    check("If-None-Match: *", 304);
    check("If-None-Match: \"a\" , W/\"b\",\"x\"", 304);
    check("If-None-Match: \"a\"|If-None-Match: \"x\"", 304);
    check("If-None-Match: \"a\"", 200);
    check("If-None-Match: x", 200);
    check("If-None-Match: w/\"x\"", 200);
}

#[test]
fn rfc9110_13_1_3_if_modified_since() {
    check(&format!("If-Modified-Since: {THEN}"), 304);
    check(&format!("If-Modified-Since: {AFTER}"), 304);
    check(&format!("If-Modified-Since: {BEFORE}"), 200);
    check("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304);
    check("If-Modified-Since: Sun Nov  6 08:49:37 1994", 304);
    check("If-Modified-Since: yesterday", 200);
    check(
        &format!("If-Modified-Since: {THEN}|If-Modified-Since: {THEN}"),
        200,
    );
}

#[test]
fn rfc9110_13_1_4_if_unmodified_since() {
    check(&format!("If-Unmodified-Since: {THEN}"), 200);
    check(&format!("If-Unmodified-Since: {AFTER}"), 200);
    check(&format!("If-Unmodified-Since: {BEFORE}"), 412);
    check("If-Unmodified-Since: yesterday", 200);
}

#[test]
fn rfc9110_13_2_2_precedence() {
    // If-Match goes before If-Unmodified-Since, If-None-Match before If-Modified-Since.
    check(
        &format!("If-Match: \"x\"|If-Unmodified-Since: {BEFORE}"),
        200,
    );
    check(
        &format!("If-Match: \"a\"|If-Unmodified-Since: {AFTER}"),
        412,
    );
    check(
        &format!("If-None-Match: \"a\"|If-Modified-Since: {AFTER}"),
        200,
    );
    check(
        &format!("If-None-Match: \"x\"|If-Modified-Since: {BEFORE}"),
        304,
    );
    // What fails is told before what is known already.
    check("If-Match: \"a\"|If-None-Match: \"x\"", 412);
    check("If-Match: \"x\"|If-None-Match: \"x\"", 304);
    check(
        &format!("If-Unmodified-Since: {THEN}|If-None-Match: \"x\""),
        304,
    );
    check(
        &format!("If-Unmodified-Since: {BEFORE}|If-Modified-Since: {AFTER}"),
        412,
    );
    // And all of them before ranges.
    check("If-None-Match: \"x\"|Range: bytes=0-0", 304);
    check("If-Match: \"a\"|Range: bytes=99-", 412);
    check("If-Match: \"x\"|Range: bytes=99-", 416);
}

#[test]
fn rfc9110_13_1_5_if_range() {
    let partial = |value: &str| format!("Range: bytes=0-0|If-Range: {value}");
    check(&partial("\"x\""), 206);
    check(&partial("\"a\""), 200);
    check(&partial("W/\"x\""), 200);
    check(&partial("*"), 200);
    check(&partial(THEN), 206);
    check(&partial(AFTER), 200);
    check(&partial(BEFORE), 200);
    check("Range: bytes=99-|If-Range: \"a\"", 200);
    check("If-Range: \"x\"", 200);
    let too_fresh = answer(&file(), "GET", &partial(THEN), MODIFIED);
    assert!(too_fresh.starts_with("200"), "{too_fresh}");
}

#[test]
fn rfc9110_14_2_a_range_is_for_get_alone_and_comes_once() {
    let head = answer(&file(), "HEAD", "Range: bytes=0-0", NOW);
    assert!(head.starts_with("200") && head.ends_with("|10||"), "{head}");
    check("Range: bytes=0-0|Range: bytes=1-1", 200);
}

#[test]
fn rfc9110_15_3_7_1_one_part() {
    assert_eq!(
        answer(&file(), "GET", "Range: bytes=2-4", NOW),
        format!(
            "206|Content-Range: bytes 2-4/10|Content-Type: text/plain; charset=utf-8|\
             Last-Modified: {THEN}|Accept-Ranges: bytes|ETag: \"x\"|3||<2..5>"
        )
    );
}

#[test]
fn rfc9110_15_3_7_who_has_the_metadata_is_not_told_again() {
    assert_eq!(
        answer(&file(), "GET", "Range: bytes=2-4|If-Range: \"x\"", NOW),
        "206|Content-Range: bytes 2-4/10|ETag: \"x\"|3||<2..5>"
    );
}

#[test]
fn rfc9110_15_3_7_2_several_parts() {
    let part = "Content-Type: text/plain; charset=utf-8|Content-Range: bytes";
    let edge = "--00000000000000b0";
    assert_eq!(
        answer(&file(), "GET", "Range: bytes=0-1,-1", NOW),
        format!(
            "206|Content-Type: multipart/byteranges; boundary=00000000000000b0|\
             Last-Modified: {THEN}|Accept-Ranges: bytes|ETag: \"x\"|213||\
             {edge}|{part} 0-1/10||<0..2>|{edge}|{part} 9-9/10||<9..10>|{edge}--|"
        )
    );
}

#[test]
fn rfc9110_15_5_17_what_is_not_there() {
    assert_eq!(
        answer(&file(), "GET", "Range: bytes=10-", NOW),
        "416|Content-Type: text/plain; charset=utf-8|Vary: Accept|Content-Range: bytes */10|\
         Accept-Ranges: bytes|21||range not satisfiable"
    );
}
