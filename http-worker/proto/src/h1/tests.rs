//! The engine against tables: bytes of a request in, events out as text.

mod bounds;
mod connection;
mod framing;
mod heads;
mod responses;

use super::Limits;
use crate::fuzzing::{short_transcript, transcript};

/// What is told for some bytes: one event after the other, `/` between them.
type Case = (&'static [u8], &'static str);

/// Every case, whole, split in two at every place, and byte by byte, tells the same.
fn check(cases: &[Case]) {
    check_with(Limits::default(), cases);
}

fn check_with(limits: Limits, cases: &[Case]) {
    for &(input, expected) in cases {
        let name = input.escape_ascii().to_string();
        assert_eq!(told(&[input], limits), expected, "whole: {name}");
        let short = short_transcript(input, limits);
        assert_eq!(
            short.trim_end().replace('\n', " / "),
            expected,
            "short: {name}"
        );
        for place in 0..=input.len() {
            let (front, back) = input.split_at(place);
            assert_eq!(
                told(&[front, back], limits),
                expected,
                "cut at {place}: {name}"
            );
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(told(&bytes, limits), expected, "byte by byte: {name}");
    }
}

fn told(pieces: &[&[u8]], limits: Limits) -> String {
    transcript(pieces.iter().copied(), limits)
        .trim_end()
        .replace('\n', " / ")
}

/// Cases of one field each: a GET with a good Host and this line.
fn check_field(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        let input: &'static [u8] = input.into_bytes().leak();
        let expected: &'static str = expected.to_string().leak();
        check(&[(input, expected)]);
    }
}
