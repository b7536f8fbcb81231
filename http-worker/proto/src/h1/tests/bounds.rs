//! Every limit at its bound: what fits exactly passes, one more does not.

use super::{check_with, told};
use crate::error::{PeerError, PeerErrorKind};
use crate::h1::{Engine, Event, Limits};
use crate::head::{FieldError, Fields, RequestHead, ResponseHead, Version};
use crate::limits::*;

/// Whole and cut near its end only: these inputs are long.
fn check_long(input: &str, expected: &str) {
    let bytes = input.as_bytes();
    for back in 0..bytes.len().min(40) {
        let (front, tail) = bytes.split_at(bytes.len() - back);
        assert_eq!(
            told(&[front, tail], Limits::default()),
            expected,
            "cut {back} before the end"
        );
    }
}

/// A field line of this length with its CRLF.
fn filler(len: usize) -> String {
    format!("X:{}\r\n", "x".repeat(len - 4))
}

#[test]
fn method() {
    let line = |len| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(len));
    let longest = "M".repeat(METHOD_MAX_BYTES);
    check_long(
        &line(METHOD_MAX_BYTES),
        &format!("{longest} / 1.1 @a keep / end"),
    );
    check_long(&line(METHOD_MAX_BYTES + 1), "501 MethodTooLong / done");
}

#[test]
fn request_line() {
    let fixed = "GET / HTTP/1.1".len();
    let line = |len: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "p".repeat(len - fixed)
        )
    };
    let longest = "p".repeat(REQUEST_LINE_MAX_BYTES - fixed);
    check_long(
        &line(REQUEST_LINE_MAX_BYTES),
        &format!("GET /{longest} 1.1 @a keep / end"),
    );
    check_long(
        &line(REQUEST_LINE_MAX_BYTES + 1),
        "414 TargetTooLong / done",
    );
    // Refused as soon as it must be too long, though the line has not ended.
    check_long(&"G".repeat(REQUEST_LINE_MAX_BYTES + 1), "in head");
    check_long(
        &"G".repeat(REQUEST_LINE_MAX_BYTES + 2),
        "414 TargetTooLong / done",
    );
}

#[test]
fn head_bytes() {
    let fixed = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".len();
    let head = |len: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", filler(len - fixed));
    check_long(&head(HEAD_MAX_BYTES), "GET / 1.1 @a keep / end");
    check_long(&head(HEAD_MAX_BYTES + 1), "431 HeadTooLong / done");
    let endless = head(HEAD_MAX_BYTES + 9);
    check_long(&endless[..HEAD_MAX_BYTES - 1], "in head");
    check_long(&endless[..HEAD_MAX_BYTES], "431 HeadTooLong / done");
}

#[test]
fn field_count() {
    let head = |count| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X:\r\n".repeat(count - 1)
        )
    };
    for count in [FIELDS_USUAL_COUNT, FIELDS_USUAL_COUNT + 1, FIELDS_MAX_COUNT] {
        check_long(&head(count), "GET / 1.1 @a keep / end");
    }
    check_long(&head(FIELDS_MAX_COUNT + 1), "431 TooManyFields / done");
}

#[test]
fn empty_lines() {
    let input = |count| format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n".repeat(count));
    check_long(&input(EMPTY_LINES_MAX_COUNT), "GET / 1.1 @a keep / end");
    check_long(&input(EMPTY_LINES_MAX_COUNT + 1), "400 EmptyLines / done");
    // They are counted for each request.
    let twice = input(EMPTY_LINES_MAX_COUNT).repeat(2);
    check_long(&twice, "GET / 1.1 @a keep / end / GET / 1.1 @a keep / end");
}

#[test]
fn body_bytes_by_length() {
    let head = |len| format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
    let expected = format!("PUT / 1.1 @a keep length={BODY_MAX_BYTES} / in body");
    check_long(&head(BODY_MAX_BYTES), &expected);
    let beyond = BODY_MAX_BYTES + 1;
    let expected = format!("PUT / 1.1 @a keep length={beyond} / 413 BodyTooLarge / done");
    check_long(&head(beyond), &expected);
}

#[test]
fn body_bytes_by_chunks() {
    let limits = Limits {
        body_max_bytes: 6,
        ..Limits::default()
    };
    check_with(
        limits,
        &[
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
           4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n",
                "PUT / 1.1 @a keep chunked / \"abcdef\" / end",
            ),
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
           4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n",
                "PUT / 1.1 @a keep chunked / \"abcd\" / 413 BodyTooLarge / done",
            ),
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
           1\r\na\r\nffffffffffffffff\r\n",
                "PUT / 1.1 @a keep chunked / \"a\" / 413 BodyTooLarge / done",
            ),
        ],
    );
    let nothing = Limits {
        body_max_bytes: 0,
        ..Limits::default()
    };
    check_with(
        nothing,
        &[
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
                "PUT / 1.1 @a keep length=1 / 413 BodyTooLarge / done",
            ),
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                "PUT / 1.1 @a keep / end",
            ),
        ],
    );
    // A body may be as long as 64 bits can say.
    let endless = Limits {
        body_max_bytes: u64::MAX,
        ..Limits::default()
    };
    check_with(
        endless,
        &[
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nab",
                "PUT / 1.1 @a keep length=18446744073709551615 / \"ab\" / in body",
            ),
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
           fffffffffffffffe\r\nab",
                "PUT / 1.1 @a keep chunked / \"ab\" / in body",
            ),
        ],
    );
}

const CHUNKED: &str = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn chunk_lines() {
    let input = |len: usize| format!("{CHUNKED}0;{}\r\n\r\n", "e".repeat(len - 2));
    check_long(
        &input(CHUNK_LINE_MAX_BYTES),
        "PUT / 1.1 @a keep chunked / end",
    );
    let refused = "PUT / 1.1 @a keep chunked / 400 ChunkExtension / done";
    check_long(&input(CHUNK_LINE_MAX_BYTES + 1), refused);
    let endless = format!("{CHUNKED}1;{}", "e".repeat(CHUNK_LINE_MAX_BYTES));
    check_long(&endless, refused);
    check_long(
        &endless[..endless.len() - 1],
        "PUT / 1.1 @a keep chunked / in body",
    );
}

#[test]
fn chunk_size_digits() {
    let input = |count: usize| format!("{CHUNKED}{}1\r\nx\r\n0\r\n\r\n", "0".repeat(count - 1));
    let taken = "PUT / 1.1 @a keep chunked / \"x\" / end";
    check_long(&input(CHUNK_SIZE_MAX_DIGIT_COUNT), taken);
    let refused = "PUT / 1.1 @a keep chunked / 400 ChunkSize / done";
    check_long(&input(CHUNK_SIZE_MAX_DIGIT_COUNT + 1), refused);
}

/// Chunks of `data` in frames of `frame` bytes, as many as the overhead allows, and a last one
/// that just fits, and one that does not.
fn check_overhead(data: &str, frame: usize) {
    let fixed = format!("{:x}\r\n\r\n", data.len()).len();
    let extension = match frame - fixed {
        0 => String::new(),
        len => format!(";{}", "e".repeat(len - 1)),
    };
    let chunk = format!("{:x}{extension}\r\n{data}\r\n", data.len());
    let last = "0\r\n\r\n".len();
    let most = usize::try_from(CHUNK_OVERHEAD_MAX_BYTES).unwrap();
    let count = (most - last) / (frame - data.len());
    let body = data.repeat(count);
    let rest = most - last - count * (frame - data.len());
    let end = |len: usize| match len {
        0 => "0\r\n\r\n".to_owned(),
        _ => format!("0;{}\r\n\r\n", "e".repeat(len - 1)),
    };
    let told = format!("PUT / 1.1 @a keep chunked / \"{body}\"");
    // A single byte of extension cannot be.
    let (fits, beyond) = if rest == 1 {
        (0, 2)
    } else {
        (rest, (rest + 1).max(2))
    };
    let input = format!("{CHUNKED}{}{}", chunk.repeat(count), end(fits));
    check_long(&input, &format!("{told} / end"));
    let input = format!("{CHUNKED}{}{}", chunk.repeat(count), end(beyond));
    check_long(&input, &format!("{told} / 400 ChunkOverhead / done"));
}

#[test]
fn chunk_overhead_of_a_body() {
    check_overhead("x", 5);
    check_overhead("x", 133);
    check_overhead("xyz", 250);
    check_overhead("xyz", 5);
}

/// Five bytes are what their frame costs, and a signature is nothing beside 8 KiB.
#[test]
fn chunks_that_bring_what_they_cost_are_not_bounded() {
    let small = "5\r\nhello\r\n".repeat(10_000);
    let body = "hello".repeat(10_000);
    let told = format!("PUT / 1.1 @a keep chunked / \"{body}\" / end");
    check_long(&format!("{CHUNKED}{small}0\r\n\r\n"), &told);
    let (extension, data) = ("e".repeat(85), "d".repeat(0x400));
    let signed = format!("400;{extension}\r\n{data}\r\n").repeat(500);
    let told = format!("PUT / 1.1 @a keep chunked / \"{}\" / end", data.repeat(500));
    check_long(&format!("{CHUNKED}{signed}0\r\n\r\n"), &told);
}

/// A large chunk pays for what was, not for what comes.
#[test]
fn chunks_save_nothing_up() {
    let large = format!("8000\r\n{}\r\n", "d".repeat(0x8000));
    let tiny = "1\r\nx\r\n";
    let most = usize::try_from(CHUNK_OVERHEAD_MAX_BYTES).unwrap() / 4;
    let input = format!("{CHUNKED}{large}{}", tiny.repeat(most + 1));
    let body = format!("{}{}", "d".repeat(0x8000), "x".repeat(most));
    let refused = format!("PUT / 1.1 @a keep chunked / \"{body}\" / 400 ChunkOverhead / done");
    check_long(&input, &refused);
    let input = format!(
        "{CHUNKED}{}{large}{}0\r\n\r\n",
        tiny.repeat(most),
        tiny.repeat(most - 2)
    );
    assert!(told(&[input.as_bytes()], Limits::default()).ends_with(" / end"));
}

#[test]
fn time_forgives_overhead() {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let mut send = |engine: &mut Engine, mut input: &[u8]| loop {
        let step = engine.poll(input, &mut head, &mut trailers);
        input = &input[step.consumed..];
        match step.event {
            Event::NeedMore => return None,
            Event::Error(error) => return Some(error.kind),
            _ => {}
        }
    };
    let tiny = b"1\r\nx\r\n";
    let most = usize::try_from(CHUNK_OVERHEAD_MAX_BYTES).unwrap() / 4;
    assert_eq!(send(&mut engine, CHUNKED.as_bytes()), None);
    assert_eq!(send(&mut engine, &tiny.repeat(most)), None);
    engine.forgive(8);
    assert_eq!(send(&mut engine, &tiny.repeat(2)), None);
    engine.forgive(3);
    let beyond = send(&mut engine, tiny);
    assert_eq!(beyond, Some(PeerErrorKind::ChunkOverhead));
}

#[test]
fn trailer_bytes() {
    let input = |len: usize| format!("{CHUNKED}0\r\nCookie:{}\r\n\r\n", "x".repeat(len - 11));
    check_long(
        &input(TRAILERS_MAX_BYTES),
        "PUT / 1.1 @a keep chunked / end",
    );
    let refused = "PUT / 1.1 @a keep chunked / 431 TrailersTooLong / done";
    check_long(&input(TRAILERS_MAX_BYTES + 1), refused);
    let start = CHUNKED.len() + 3;
    let endless = input(TRAILERS_MAX_BYTES + 9);
    check_long(&endless[..start + TRAILERS_MAX_BYTES], refused);
    let waiting = &endless[..start + TRAILERS_MAX_BYTES - 1];
    check_long(waiting, "PUT / 1.1 @a keep chunked / in body");
}

#[test]
fn trailer_count() {
    let input = |count| format!("{CHUNKED}0\r\n{}\r\n", "Cookie:\r\n".repeat(count));
    check_long(
        &input(TRAILERS_MAX_COUNT),
        "PUT / 1.1 @a keep chunked / end",
    );
    let refused = "PUT / 1.1 @a keep chunked / 431 TrailersTooLong / done";
    check_long(&input(TRAILERS_MAX_COUNT + 1), refused);
}

#[test]
fn configured_limits_are_kept_and_cannot_exceed_the_fixed_ones() {
    let limits = Limits {
        request_line_max_bytes: 20,
        head_max_bytes: 60,
        fields_max_count: 2,
        body_max_bytes: 3,
    };
    check_with(
        limits,
        &[
            (
                b"GET /23456 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /23456 1.1 @a keep / end",
            ),
            (
                b"GET /234567 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /234567 1.1 @a keep / end",
            ),
            (
                b"GET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n",
                "414 TargetTooLong / done",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
                "GET / 1.1 @a keep / end",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nX:\r\n\r\n",
                "431 TooManyFields / done",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nX: 1234567890123456789012345678\r\n\r\n",
                "GET / 1.1 @a keep / end",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nX: 12345678901234567890123456789\r\n\r\n",
                "431 HeadTooLong / done",
            ),
            (
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
                "PUT / 1.1 @a keep length=4 / 413 BodyTooLarge / done",
            ),
        ],
    );
    let beyond = Limits {
        request_line_max_bytes: usize::MAX,
        head_max_bytes: usize::MAX,
        fields_max_count: usize::MAX,
        body_max_bytes: u64::MAX,
    };
    let clamped = Limits {
        body_max_bytes: u64::MAX,
        ..Limits::default()
    };
    assert_eq!(beyond.clamped(), clamped);
}

#[test]
fn a_limit_lowered_in_the_middle_of_a_body_counts_from_there() {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits {
        body_max_bytes: 8,
        ..Limits::default()
    });
    let mut poll =
        |engine: &mut Engine, input: &str| engine.poll(input.as_bytes(), &mut head, &mut trailers);
    assert!(matches!(poll(&mut engine, CHUNKED).event, Event::Head(_)));
    assert!(matches!(
        poll(&mut engine, "4\r\nabcd").event,
        Event::Body(_)
    ));
    engine.set_limits(Limits {
        body_max_bytes: 2,
        ..Limits::default()
    });
    assert_eq!(poll(&mut engine, "\r\n").event, Event::NeedMore);
    let too_large = Event::Error(PeerErrorKind::BodyTooLarge.into());
    assert_eq!(poll(&mut engine, "1\r\n").event, too_large);
}

#[test]
fn heads_built_by_other_engines() {
    let kind = |result: Result<(), PeerError>| result.map_err(|error| error.kind);
    let mut head = RequestHead::default();
    head.begin(b"GET", b"/", Version::Http2);
    for _ in 0..FIELDS_MAX_COUNT {
        assert_eq!(kind(head.push_field(b"x", b"")), Ok(()));
    }
    assert_eq!(
        kind(head.push_field(b"x", b"")),
        Err(PeerErrorKind::TooManyFields)
    );
    head.begin(b"GET", b"/", Version::Http2);
    let rest = vec![b'v'; HEAD_MAX_BYTES - b"GET/x".len()];
    assert_eq!(kind(head.push_field(b"x", &rest)), Ok(()));
    assert_eq!(
        kind(head.push_field(b"y", b"")),
        Err(PeerErrorKind::HeadTooLong)
    );
}

#[test]
fn responses() {
    let mut head = ResponseHead::default();
    for _ in 0..RESPONSE_FIELDS_MAX_COUNT {
        assert_eq!(head.push(b"x", b""), Ok(()));
    }
    assert_eq!(head.push(b"x", b""), Err(FieldError::TooLarge));
    head.clear();
    let longest = vec![b'v'; RESPONSE_HEAD_MAX_BYTES - b"x: \r\n".len()];
    assert_eq!(head.push(b"x", &longest), Ok(()));
    assert_eq!(head.push(b"y", b""), Err(FieldError::TooLarge));
    head.clear();
    assert_eq!(head.push(b"xx", &longest), Err(FieldError::TooLarge));
}

/// What an engine tells of a request whose body may be as long as `max`, whatever the limits say.
fn with_body_max(input: &str, max: u64) -> String {
    let limits = Limits {
        body_max_bytes: 3,
        ..Limits::default()
    };
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let (mut engine, mut at, mut told) = (Engine::new(limits), 0, String::new());
    loop {
        let step = engine.poll(&input.as_bytes()[at..], &mut head, &mut trailers);
        at += step.consumed;
        match step.event {
            Event::Head(_) => engine.set_body_max(max),
            Event::Body(range) => told += &format!("{} ", range.len()),
            Event::End => told += "end ",
            Event::Error(error) => return format!("{told}{}", error.status),
            _ => return told.trim_end().to_owned(),
        }
    }
}

#[test]
fn the_bound_of_one_body_may_be_set_when_its_head_is_told() {
    let length =
        |len: u64| format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\nabcdef");
    assert_eq!(with_body_max(&length(6), 6), "6 end");
    assert_eq!(with_body_max(&length(6), 5), "413");
    let chunks = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                  4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n";
    assert_eq!(with_body_max(chunks, 6), "4 2 end");
    assert_eq!(with_body_max(chunks, 5), "4 413");
    // No bound at all: but what is no number any more is not taken for one.
    assert_eq!(
        with_body_max(&length(STREAMED_BODY_MAX_BYTES), u64::MAX),
        "6"
    );
    assert_eq!(
        with_body_max(&length(STREAMED_BODY_MAX_BYTES + 1), u64::MAX),
        "413"
    );
    assert_eq!(with_body_max(&length(u64::MAX), u64::MAX), "413");
}
