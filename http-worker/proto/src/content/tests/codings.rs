//! `Accept-Encoding`, and media types.

use proptest::prelude::*;

use super::super::{Coding, codings, media_type};

/// The codings that are preferred, by the values of the field.
#[track_caller]
fn check(values: &[&str], expected: &str) {
    let found = codings(values.iter().map(|value| value.as_bytes()));
    let names: Vec<_> = found.map(Coding::name).collect();
    assert_eq!(names.join(" "), expected, "{values:?}");
}

#[test]
fn without_the_field_content_goes_as_it_is() {
    check(&[], "");
    check(&[""], "");
    check(&["deflate, compress"], "");
}

#[test]
fn among_equals_the_smallest_comes_first() {
    check(&["gzip, deflate, br, zstd"], "br zstd gzip");
    check(&["gzip", "br"], "br gzip");
    check(&["*"], "br zstd gzip");
}

#[test]
fn weights_say_what_comes_first() {
    check(&["gzip;q=1.0, br;q=0.5, zstd;q=0.999"], "gzip zstd br");
    check(&["gzip ; Q=0.8,br;q=0.81"], "br gzip");
    check(&["*;q=0.1, gzip"], "gzip br zstd");
}

#[test]
fn a_weight_of_zero_refuses() {
    check(&["br;q=0, gzip"], "gzip");
    check(&["br;q=0.000, *"], "zstd gzip");
    check(&["*;q=0"], "");
    check(&["gzip;q=0, *;q=0.5"], "br zstd");
}

#[test]
fn content_as_it_is_may_be_preferred() {
    check(&["identity, gzip;q=0.5"], "");
    check(&["identity;q=0.5, gzip;q=0.5, br;q=0.4"], "gzip");
    check(&["identity;q=0, gzip;q=0.001"], "gzip");
}

#[test]
fn names_are_read_in_any_case() {
    check(&["GZIP"], "gzip");
    check(&["x-gzip"], "gzip");
    check(&["Identity;q=1, bR;q=0.9"], "");
}

#[test]
fn what_is_malformed_is_as_if_it_were_not_there() {
    for weight in [
        "q=", "q=2", "q=1.001", "q=0.1234", "q=.5", "q=-1", "q=a", "x=1", "q=0,5;",
    ] {
        check(&[&format!("br;{weight}, zstd")], "zstd");
    }
    check(&[",,;q=1,, gzip"], "gzip");
}

proptest! {
    #[test]
    fn any_field_gives_each_coding_once_at_most(text in "[gzipbrstd*;q=01., ]{0,40}") {
        let found: Vec<_> = codings([text.as_bytes()].into_iter()).collect();
        for coding in Coding::ALL {
            prop_assert!(found.iter().filter(|found| **found == coding).count() <= 1);
        }
    }
}

#[test]
fn media_types_are_told_by_the_ending() {
    let cases = [
        ("index.html", "text/html; charset=utf-8"),
        ("a/b.min.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("README.TXT", "text/plain; charset=utf-8"),
        ("table.csv", "text/csv; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.txt.gz", "application/gzip"),
        ("Makefile", "application/octet-stream"),
        ("a.strange", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("dir.html/file", "application/octet-stream"),
        (".well-known/.txt", "application/octet-stream"),
    ];
    for (name, expected) in cases {
        assert_eq!(media_type(name.as_bytes()), expected, "{name}");
    }
    assert_eq!(media_type(b"a.\xff"), "application/octet-stream");
}
