//! Which responses are compressed, and what becomes of their heads.

use proptest::prelude::*;

use super::super::{Accepted, Coding, CompressRule, Compression};
use crate::head::ResponseHead;

/// One response: `status|Name: value|...`, and the length of its body.
fn response(text: &str) -> ResponseHead {
    let mut lines = text.split('|');
    let mut head = ResponseHead::default();
    head.reset(lines.next().unwrap().parse().unwrap()).unwrap();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        head.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    head
}

fn accepted(value: &str) -> Accepted {
    Accepted::of([value.as_bytes()].into_iter())
}

/// Judges a response with a body of `length` bytes (`None`: a stream), and shows the fields that
/// are sent.
#[track_caller]
fn check(accept: &str, text: &str, length: Option<u64>, expected: &str) {
    check_with(
        &CompressRule::default(),
        false,
        (accept, text, length),
        expected,
    );
}

#[track_caller]
fn check_with(
    rule: &CompressRule,
    is_head: bool,
    (accept, text, length): (&str, &str, Option<u64>),
    expected: &str,
) {
    let mut head = response(text);
    let verdict = rule.judge(accepted(accept), &head, length, is_head);
    verdict.apply(&mut head).unwrap();
    let lines = String::from_utf8_lossy(head.lines()).replace("\r\n", "|");
    let declared = head.content_length();
    let declared = declared.map_or(String::new(), |length| format!(" ({length})"));
    let name = match verdict {
        Compression::Untouched => "untouched",
        Compression::Varies => "varies",
        Compression::Coded(coding) => coding.name(),
    };
    assert_eq!(
        format!("{name}: {lines}{declared}"),
        expected,
        "{accept:?} {text:?}"
    );
}

const HTML: &str = "200|Content-Type: text/html; charset=utf-8";
const SENT: &str = "Content-Type: text/html; charset=utf-8|";
const VARY: &str = "Vary: Accept-Encoding|";

#[test]
fn the_client_chooses_and_the_site_breaks_ties() {
    let coded = |name: &str| format!("{name}: {SENT}Content-Encoding: {name}|{VARY}");
    for (accept, name) in [
        ("gzip, br, zstd", "br"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br;q=0.9", "gzip"),
        ("*", "br"),
        ("zstd;q=0.5, identity;q=0.2", "zstd"),
    ] {
        check(accept, HTML, None, &coded(name));
    }
    let rule = CompressRule {
        codings: vec![Coding::Gzip, Coding::Zstandard],
        ..CompressRule::default()
    };
    for (accept, name) in [
        ("gzip, br, zstd", "gzip"),
        ("*;q=0.1, zstd", "zstd"),
        ("*", "gzip"),
    ] {
        check_with(&rule, false, (accept, HTML, None), &coded(name));
    }
}

#[test]
fn who_accepts_none_is_told_that_it_varies() {
    let varies = format!("varies: {SENT}{VARY}");
    for accept in [
        "",
        "deflate",
        "identity",
        "gzip;q=0",
        "gzip;q=0.5, identity",
    ] {
        check(accept, HTML, None, &varies);
    }
    // Nothing that is offered is accepted: content as it is is better than none.
    check("identity;q=0", HTML, None, &varies);
    check("*;q=0", HTML, None, &varies);
}

#[test]
fn short_bodies_go_as_they_are_unless_that_is_refused() {
    let untouched = format!("untouched: {SENT}");
    let coded = format!("gzip: {SENT}Content-Encoding: gzip|{VARY}");
    check("gzip", HTML, Some(1023), &untouched);
    check("gzip", HTML, Some(1024), &coded);
    check("", HTML, Some(1023), &untouched);
    check("gzip, identity;q=0", HTML, Some(1023), &coded);
    check("gzip, *;q=0", HTML, Some(1), &coded);
    check("gzip, identity;q=0", HTML, Some(0), &untouched);
    let declared = format!("{HTML}|Content-Length: 12");
    check("gzip", &declared, None, &format!("{untouched} (12)"));
    let declared = format!("{HTML}|Content-Length: 5000");
    check("gzip", &declared, None, &coded);
    check("", &declared, None, &format!("varies: {SENT}{VARY} (5000)"));
}

#[test]
fn head_says_what_get_would() {
    let rule = CompressRule::default();
    let coded = format!("gzip: {SENT}Content-Encoding: gzip|{VARY}");
    let declared = format!("{HTML}|Content-Length: 5000");
    check_with(&rule, true, ("gzip", &declared, Some(0)), &coded);
    check_with(&rule, true, ("gzip", HTML, Some(5000)), &coded);
    check_with(&rule, true, ("gzip", HTML, None), &coded);
    // How long the body is that was not made is not known.
    check_with(
        &rule,
        true,
        ("gzip", HTML, Some(0)),
        &format!("varies: {SENT}{VARY}"),
    );
}

#[test]
fn some_responses_are_never_touched() {
    for status in [204, 205, 206, 304] {
        let text = format!("{status}|Content-Type: text/html");
        check("gzip", &text, None, "untouched: Content-Type: text/html|");
    }
    for field in [
        "Content-Encoding: br",
        "Content-Encoding: identity",
        "Content-Range: bytes 0-1/2",
        "Cache-Control: no-transform",
        "cache-control: public, No-Transform",
        "Content-MD5: Q2hlY2s=",
        "Repr-Digest: sha-256=:YQ==:",
        "Content-Digest: sha-256=:YQ==:",
    ] {
        check(
            "gzip",
            &format!("{HTML}|{field}"),
            None,
            &format!("untouched: {SENT}{field}|"),
        );
    }
}

#[test]
fn by_media_type() {
    for (kind, is_coded) in [
        ("text/plain", true),
        ("TEXT/Event-Stream", true),
        ("application/json ; charset=utf-8", true),
        ("application/problem+json", true),
        ("image/svg+xml", true),
        ("image/png", false),
        ("application/jsonp", false),
        ("application/octet-stream", false),
        ("text", false),
    ] {
        let rule = CompressRule::default();
        let head = response(&format!("200|Content-Type: {kind}"));
        let verdict = rule.judge(accepted("gzip"), &head, None, false);
        assert_eq!(
            verdict == Compression::Coded(Coding::Gzip),
            is_coded,
            "{kind}"
        );
    }
    check("gzip", "200", None, "untouched: ");
    let none = CompressRule {
        types: Vec::new(),
        ..CompressRule::default()
    };
    check_with(
        &none,
        false,
        ("gzip", HTML, None),
        &format!("untouched: {SENT}"),
    );
}

#[test]
fn vary_is_merged() {
    let with = |fields: &str| format!("{HTML}|{fields}");
    let coded = |fields: &str| format!("gzip: {SENT}{fields}");
    let check = |given: &str, sent: &str| check("gzip", &with(given), None, &coded(sent));
    check(
        "vary: Origin",
        "vary: Origin, Accept-Encoding|Content-Encoding: gzip|",
    );
    check("Vary: *", "Vary: *|Content-Encoding: gzip|");
    check(
        "Vary: a, accept-encoding",
        "Vary: a, accept-encoding|Content-Encoding: gzip|",
    );
    check(
        "Vary: a|Vary: b",
        "Vary: a, Accept-Encoding|Vary: b|Content-Encoding: gzip|",
    );
    check("Vary: a|Vary: *", "Vary: a|Vary: *|Content-Encoding: gzip|");
    check("Vary: ", &format!("{VARY}Content-Encoding: gzip|"));
}

#[test]
fn validators_and_ranges_are_those_of_other_bytes() {
    let fields = "ETag: \"v\"|Accept-Ranges: bytes|Last-Modified: x";
    let text = format!("{HTML}|{fields}");
    let coded = format!("gzip: {SENT}ETag: W/\"v\"|Last-Modified: x|Content-Encoding: gzip|{VARY}");
    check("gzip", &text, None, &coded);
    check("", &text, None, &format!("varies: {SENT}{fields}|{VARY}"));
    let weak = format!("{HTML}|ETag: W/\"v\"");
    check(
        "gzip",
        &weak,
        None,
        &format!("gzip: {SENT}ETag: W/\"v\"|Content-Encoding: gzip|{VARY}"),
    );
}

#[test]
fn a_head_that_would_become_too_large_stays() {
    let mut head = response(HTML);
    while head.push(b"X-N", b"v").is_ok() {}
    let before = head.lines().to_vec();
    assert!(Compression::Coded(Coding::Gzip).apply(&mut head).is_err());
    assert_eq!(head.lines(), before);
}

proptest! {
    /// Files and responses are chosen alike when every coding is offered.
    #[test]
    fn the_choice_is_the_first_of_the_order(
        value in "[a-z*;=0-9., ]{0,24}|((br|zstd|gzip|identity|\\*)(;q=0\\.[0-9])?,){0,6}",
    ) {
        let first = super::super::codings([value.as_bytes()].into_iter()).next();
        prop_assert_eq!(accepted(&value).choose(&Coding::ALL), first);
    }
}
