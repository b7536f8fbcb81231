//! Dates as RFC 9110 section 5.6.7 wants them.

use super::CachedDate;

#[test]
fn known_dates() {
    let cases: &[(u64, &str)] = &[
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
        (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];
    for &(seconds, text) in cases {
        let mut date = CachedDate::default();
        date.set(seconds);
        assert_eq!(std::str::from_utf8(date.as_bytes()), Ok(text));
    }
}

#[test]
fn the_text_is_made_once_a_second() {
    let mut date = CachedDate::default();
    assert!(!date.set(0));
    assert!(date.set(1));
    assert!(!date.set(1));
    assert!(date.set(0), "clocks go back");
}
