//! From paths to names.

use proptest::prelude::*;

use super::super::{FileName, NameError};
use super::request;
use crate::fuzzing;
use crate::head::ResponseHead;

/// The name of a path, with a slash if a folder is meant.
fn name(site: &str, path: &str) -> String {
    match FileName::below(site, path.as_bytes()) {
        Err(NameError::Malformed) => "malformed".to_owned(),
        Err(NameError::Hidden) => "hidden".to_owned(),
        Ok(name) => {
            let text = name.as_bytes().escape_ascii().to_string();
            format!("[{text}]{}", if name.is_folder() { "/" } else { "" })
        }
    }
}

#[track_caller]
fn check(site: &str, path: &str, expected: &str) {
    assert_eq!(name(site, path), expected, "{path} below {site}");
}

#[test]
fn the_site_is_taken_away() {
    check("/", "/a/b.txt", "[a/b.txt]");
    check("/static", "/static/a", "[a]");
    check("/static/", "/static/a", "[a]");
    check("/a/b", "/a/b/c/d", "[c/d]");
    check("/static", "/static", "[]");
    check("/static", "/static/", "[]/");
    check("/", "/", "[]/");
    check("/static", "/%73tatic/a", "[a]");
}

#[test]
fn dot_segments_are_taken_away_before_that() {
    check("/", "/a/./b/../c", "[a/c]");
    check("/", "/a/..", "[]/");
    check("/", "/a/.", "[a]/");
    check("/", "/../../../etc/passwd", "[etc/passwd]");
    check("/", "/%2e%2e/%2E./etc/passwd", "[etc/passwd]");
    check("/static", "/x/../static/a", "[a]");
    check("/static", "/static/a/%2e%2e/b", "[b]");
}

#[test]
fn a_path_is_decoded_exactly_once() {
    check("/", "/a%20b", "[a b]");
    check("/", "/%252e%252e/a", "[%2e%2e/a]");
    check("/", "/a%2525", "[a%25]");
    check("/", "/a%3Fb%23", "[a?b#]");
    check("/", "/%c3%a4%ff", r"[\xc3\xa4\xff]");
}

#[test]
fn an_encoded_slash_is_no_slash() {
    check("/", "/a%2fb", "hidden");
    check("/", "/..%2f..%2fetc/passwd", "hidden");
    check("/", "/..%2F", "hidden");
    check("/", "/%2e%2e%2fetc", "hidden");
}

#[test]
fn a_backslash_is_a_byte_like_any_other() {
    check("/", "/a%5cb", r"[a\\b]");
    check("/", "/a\\..\\b", r"[a\\..\\b]");
    check("/", "/..%5c..%5cetc", "hidden");
}

#[test]
fn what_encodes_nothing_is_malformed() {
    for path in ["/%", "/a%2", "/%zz", "/%2g", "/a%00b", "/%00", "/a/%00/.."] {
        check("/", path, "malformed");
    }
}

#[test]
fn empty_segments_count_for_nothing() {
    check("/", "//a///b", "[a/b]");
    check("/", "//", "[]/");
    check("/static", "/static//a//", "[a]/");
}

#[test]
fn names_with_a_dot_before_them_are_hidden() {
    check("/", "/.git/config", "hidden");
    check("/", "/a/.htaccess", "hidden");
    check("/", "/%2egit/config", "hidden");
    check("/", "/...", "hidden");
    check(
        "/",
        "/.well-known/acme-challenge/x",
        "[.well-known/acme-challenge/x]",
    );
    check("/.site", "/.site/a", "[a]");
}

#[test]
fn a_folder_without_its_slash_is_elsewhere() {
    let cases = [
        ("/a", "/a/"),
        ("/a?b=c&d", "/a/?b=c&d"),
        ("/a?", "/a/?"),
        ("//evil.example/..", "/"),
        ("//evil.example", "/evil.example/"),
        ("/%2e/a%20b/%c3%a4", "/a%20b/%C3%A4/"),
        ("/a%0d%0aSet-Cookie:x", "/a%0D%0ASet-Cookie:x/"),
    ];
    for (target, expected) in cases {
        let mut head = ResponseHead::default();
        let id = crate::RequestId::default();
        super::super::redirect(&request("GET", target, ""), &id, &mut head);
        let location = head.fields().find(|(name, _)| *name == b"Location");
        let location = location.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        assert_eq!(
            (head.status(), location.as_deref()),
            (301, Some(expected)),
            "{target}"
        );
    }
}

proptest! {
    #[test]
    fn no_path_leads_out(path in "(/|[.]|%2e|%2f|%5c|%00|%25|a|\\PC){0,30}", at in 0..3_usize) {
        fuzzing::content::file_name(["/", "/a", "/a/a/"][at], path.as_bytes());
    }

    #[test]
    fn no_bytes_lead_out(path in proptest::collection::vec(any::<u8>(), 0..40)) {
        fuzzing::content::file_name("/", &path);
    }
}
