//! `Range`.

use proptest::prelude::*;

use super::super::{Selection, select};
use crate::fuzzing;
use crate::limits::RANGES_MAX_COUNT;

#[track_caller]
fn check(value: &str, length: u64, expected: &str) {
    let text = match select(value.as_bytes(), length) {
        Selection::Whole => "whole".to_owned(),
        Selection::Unsatisfiable => "416".to_owned(),
        Selection::Parts(parts) => {
            let texts: Vec<_> = parts.iter().map(|part| format!("{part:?}")).collect();
            texts.join(" ")
        }
    };
    assert_eq!(text, expected, "{value} of {length}");
}

#[test]
fn rfc9110_14_1_2_one_range() {
    check("bytes=0-499", 10_000, "0..500");
    check("bytes=500-999", 10_000, "500..1000");
    check("bytes=-500", 10_000, "9500..10000");
    check("bytes=9500-", 10_000, "9500..10000");
    check("bytes=0-0", 10_000, "0..1");
    check("bytes=0-", 10, "0..10");
    check("bytes=5-100", 10, "5..10");
    check("bytes=-100", 10, "0..10");
    check("BYTES=1-1", 10, "1..2");
}

#[test]
fn rfc9110_14_1_2_several_ranges_in_the_order_asked_for() {
    check("bytes=0-0,-1", 10_000, "0..1 9999..10000");
    check("bytes= 0-0 , 5-6 ,\t9-", 10, "0..1 5..7 9..10");
    check("bytes=7-8,1-2", 10, "7..9 1..3");
    check("bytes=,0-0,,", 10, "0..1");
    check("bytes=0-2,100-200", 10, "0..3");
}

#[test]
fn rfc9110_14_2_what_is_not_there_is_416() {
    check("bytes=10-", 10, "416");
    check("bytes=10-20,30-", 10, "416");
    check("bytes=-0", 10, "416");
    check("bytes=99999999999999999999999-", 10, "416");
    check("bytes=0-0", 0, "416");
    check("bytes=-0", 0, "416");
}

#[test]
fn the_last_bytes_of_nothing_are_all_of_it() {
    check("bytes=-5", 0, "whole");
    check("bytes=0-0,-5", 0, "whole");
}

#[test]
fn rfc9110_14_2_what_is_malformed_is_read_over() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=2-1",
        "bytes=0-1,x",
        "bytes=+1-2",
        "bytes=1--2",
        "bytes=0x1-2",
        "bytes 0-1",
        "bytes =0-1",
        " bytes=0-1",
        "lines=0-1",
        "bytes=1-2-3",
        "bytes=0 -1",
        "=0-1",
    ] {
        check(value, 10, "whole");
    }
}

#[test]
fn numbers_beyond_all_measure_are_cut() {
    check("bytes=0-99999999999999999999999", 10, "0..10");
    check("bytes=-99999999999999999999999", 10, "0..10");
    check("bytes=0-18446744073709551615", 10, "0..10");
    check(
        "bytes=-1",
        u64::MAX,
        "18446744073709551614..18446744073709551615",
    );
}

#[test]
fn rfc9110_14_2_ranges_that_ask_for_more_than_there_is_are_read_over() {
    check("bytes=0-,0-", 10, "whole");
    check("bytes=0-5,3-9", 10, "whole");
    check("bytes=0-3,2-5", 10, "0..4 2..6");
}

#[test]
fn rfc9110_14_2_ranges_by_the_hundred_are_read_over() {
    let ranges = |count: usize| {
        let ranges: Vec<_> = (0..count).map(|at| format!("{0}-{0}", at * 2)).collect();
        format!("bytes={}", ranges.join(","))
    };
    let at_most = select(ranges(RANGES_MAX_COUNT).as_bytes(), 1_000_000);
    assert!(matches!(at_most, Selection::Parts(parts) if parts.len() == RANGES_MAX_COUNT));
    check(&ranges(RANGES_MAX_COUNT + 1), 1_000_000, "whole");
    check(
        &format!("bytes=0-0{}", ",".repeat(RANGES_MAX_COUNT)),
        10,
        "whole",
    );
}

proptest! {
    #[test]
    fn any_range_is_within(text in "bytes=[0-9,\\- ]{0,30}", length in 0..40_u64) {
        fuzzing::content::ranges(text.as_bytes(), length);
    }

    #[test]
    fn any_range_of_anything_is_within(text in "\\PC{0,30}", length in any::<u64>()) {
        fuzzing::content::ranges(text.as_bytes(), length);
    }

    /// Against the sentences of RFC 9110 section 14.1.2, byte by byte.
    #[test]
    fn one_range_has_what_it_names(first in 0..30_u64, more in 0..30_u64, length in 1..30_u64) {
        let last = first + more;
        let named: Vec<u64> = (0..length).filter(|at| (first..=last).contains(at)).collect();
        let selected = match select(format!("bytes={first}-{last}").as_bytes(), length) {
            Selection::Parts(parts) => parts.into_iter().flatten().collect(),
            Selection::Whole => (0..length).collect(),
            Selection::Unsatisfiable => Vec::new(),
        };
        prop_assert_eq!(selected, named);
    }
}
