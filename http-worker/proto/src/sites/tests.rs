//! Tests of [`Sites`](super::Sites).

use std::borrow::Cow;

use proptest::prelude::*;

use super::{Site, Sites, normalised};
use crate::{RequestHead, Version};

fn sites(paths: &[&str]) -> Sites<usize> {
    let numbered = paths.iter().enumerate();
    Sites::new(numbered.map(|(value, path)| Site {
        path: (*path).into(),
        value,
    }))
}

/// Of which site each path is, a line each.
#[track_caller]
fn check(paths: &[&str], asked: &[&str], expected: &str) {
    let sites = sites(paths);
    let found = |path: &&str| {
        let site = sites.find(path.as_bytes());
        site.map_or_else(|| "-".to_owned(), |site| site.path.to_string())
    };
    let lines: Vec<String> = asked.iter().map(found).collect();
    assert_eq!(lines.join(" "), expected, "{asked:?}");
}

#[test]
fn a_prefix_matches_whole_segments_of_the_normalised_path() {
    let asked = ["/foo", "/foo/", "/foo/x", "/%66oo", "/./foo", "/a/../foo"];
    check(&["/foo"], &asked, "/foo /foo /foo /foo /foo /foo");
    check(
        &["/foo"],
        &["/foo1", "//foo", "/FOO", "/", "*", ""],
        "- - - - - -",
    );
}

#[test]
fn a_prefix_with_a_slash_matches_below_it() {
    check(&["/sl/"], &["/sl/", "/sl/x", "/sl"], "/sl/ /sl/ -");
}

#[test]
fn the_root_matches_everything() {
    check(&["/"], &["/", "*", "/a/b", ""], "/ / / /");
    check(&["/a", "/"], &["/a", "/b", "*"], "/a / /");
}

#[test]
fn the_first_in_order_is_meant() {
    check(&["/a", "/a/b"], &["/a/b/c", "/a/b"], "/a /a");
    check(&["/a/b", "/a"], &["/a/b/c", "/a/bc", "/a"], "/a/b /a /a");
    check(&["/", "/a"], &["/a"], "/");
}

#[test]
fn nothing_climbs_above_the_root() {
    assert_eq!(&*normalised(b"/../../etc/passwd"), b"/etc/passwd");
    assert_eq!(&*normalised(b"/a/%2e%2e/%2e%2e/b/."), b"/b/");
    assert_eq!(&*normalised(b"/.."), b"/");
}

/// What the search must find, written as the sentence in the documentation has it.
fn by_the_book(paths: &[String], path: &[u8]) -> Option<usize> {
    paths.iter().position(|prefix| {
        let prefix = prefix.as_bytes();
        prefix == b"/"
            || path
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || prefix.ends_with(b"/"))
    })
}

proptest! {
    #[test]
    fn the_search_finds_what_a_walk_finds(
        paths in proptest::collection::vec("(/[ab]?){0,3}/?", 0..20),
        asked in "(/[abc]?){0,5}/?",
    ) {
        let refs: Vec<&str> = paths.iter().map(String::as_str).collect();
        let found = sites(&refs).find_normalised(asked.as_bytes()).map(|site| site.value);
        // Equal paths are one site: the first.
        prop_assert_eq!(found, by_the_book(&paths, asked.as_bytes()));
    }

    /// What is known of a request's path spares work and changes nothing.
    #[test]
    fn a_request_finds_what_its_path_finds(
        paths in proptest::collection::vec("(/[ab.]?){0,3}/?", 0..12),
        asked in "(http://a)?(/([ab.]|%61|%2e|\\.\\.)?){0,4}/?(\\?[a.%]*)?",
    ) {
        let refs: Vec<&str> = paths.iter().map(String::as_str).collect();
        let sites = sites(&refs);
        let mut head = RequestHead::default();
        head.begin(b"GET", asked.as_bytes(), Version::Http10);
        if head.finish().is_ok() {
            prop_assert_eq!(sites.place_for(&head), sites.place_of(head.path()));
            let is_as_it_was = matches!(normalised(head.path()), Cow::Borrowed(_));
            prop_assert!(is_as_it_was || !head.has_plain_path());
        }
    }
}
