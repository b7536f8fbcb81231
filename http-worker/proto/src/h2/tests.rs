//! Heads of HTTP/2, as text in and text out.

use super::{Opening, PREFACE, Pseudo, ResponseBody, opening, read_request, read_trailer};
use crate::h1::Limits;
use crate::{Fields, RequestHead, ResponseHead};

/// `METHOD PATH AUTHORITY`, then fields, each in a line; `-` is no authority. Says what became of
/// it.
fn read(text: &str, has_body: bool) -> String {
    let limits = Limits {
        request_line_max_bytes: 40,
        head_max_bytes: 200,
        fields_max_count: 4,
        body_max_bytes: 10,
    };
    let mut lines = text.lines();
    let line: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let pseudo = Pseudo {
        method: line[0].as_bytes(),
        path: line[1].as_bytes(),
        authority: Some(line[2].as_bytes()).filter(|&authority| authority != b"-"),
        https: true,
    };
    let fields = lines.map(|line| line.split_once(": ").unwrap());
    let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let mut head = RequestHead::default();
    match read_request(&pseudo, fields, has_body, &limits, &mut head) {
        Err(error) => error.to_string(),
        Ok(facts) => {
            let mut text = format!("{:?}", facts.body);
            if facts.expects_continue {
                text += " expects";
            }
            let (path, host) = (head.path(), head.host());
            let [path, host] = [path, host].map(String::from_utf8_lossy);
            text += &format!(" {host} {path}");
            for (name, value) in head.fields().filter(|&(name, _)| name != b"host") {
                let [name, value] = [name, value].map(String::from_utf8_lossy);
                text += &format!(" | {name}={value}");
            }
            text
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(read(text, true), expected, "{text}");
}

#[test]
fn the_preface_is_told_at_any_split() {
    let mut input = PREFACE.to_vec();
    input.extend_from_slice(b"more");
    for at in 0..input.len() {
        let expected = if at < PREFACE.len() {
            Opening::Unfinished
        } else {
            Opening::Http2
        };
        assert_eq!(opening(&input[..at]), expected, "{at}");
    }
    assert_eq!(opening(b"PRI * HTTP/2.0\r\n\r\nGET"), Opening::Other);
    assert_eq!(opening(b"POST"), Opening::Other);
}

#[test]
fn requests() {
    assert_eq!(read("GET /a?b h:1", false), "None h /a");
    check(
        "POST /a h\ncontent-length: 3",
        "Length(3) h /a | content-length=3",
    );
    check("POST /a h", "Chunked h /a");
    check("OPTIONS * h", "Chunked h *");
    check(
        "POST / h\nexpect: 100-continue",
        "Chunked expects h / | expect=100-continue",
    );
    assert_eq!(
        read("GET / h\nexpect: 100-continue", false),
        "None h / | expect=100-continue"
    );
}

#[test]
fn crumbs_of_cookies_are_joined() {
    check(
        "GET / h\ncookie: a=b\nx: y\ncookie: c=d",
        "Chunked h / | x=y | cookie=a=b; c=d",
    );
}

#[test]
fn host_stands_in_for_the_authority_and_must_not_contradict_it() {
    check("GET / -\nhost: h:8", "Chunked h /");
    check("GET / H\nhost: h:443", "Chunked H /");
    check("GET / h\nhost: other", "400 malformed Host");
    check("GET / h:80\nhost: h", "400 malformed Host");
    check("GET / -", "400 malformed Host");
    check(
        "GET / -\nhost: h\nhost: h",
        "400 more than one Host header field",
    );
    check("GET / user@h", "400 malformed Host");
    check(
        "GET / h\nhost: h\nhost: h",
        "400 more than one Host header field",
    );
    let pseudo = Pseudo {
        method: b"GET",
        path: b"/",
        authority: Some(b"h:8"),
        https: false,
    };
    for fields in [&[][..], &[(&b"host"[..], &b"h:8"[..])]] {
        let (limits, mut head) = (Limits::default(), RequestHead::default());
        read_request(&pseudo, fields.iter().copied(), false, &limits, &mut head).unwrap();
        assert_eq!(
            head.fields().collect::<Vec<_>>(),
            [(&b"host"[..], &b"h:8"[..])]
        );
    }
}

#[test]
fn what_is_refused() {
    check("CONNECT / h", "501 the method is not implemented");
    check("TRACE / h", "405 the method is not allowed");
    check("GET relative h", "400 malformed request target");
    check("GET * h", "400 malformed request target");
    check("POST / h\nexpect: tea", "417 the expectation cannot be met");
    check(
        "POST / h\ncontent-length: x",
        "400 malformed Content-Length",
    );
    check(
        "POST / h\ncontent-length: 1\ncontent-length: 1",
        "400 more than one Content-Length",
    );
    check("GET / h\nbad name: x", "400 malformed header field name");
}

#[test]
fn every_bound_at_the_bound() {
    let target = |len: usize| format!("GET /{} h", "a".repeat(len - 1));
    assert!(read(&target(40), false).starts_with("None"));
    assert_eq!(
        read(&target(41), false),
        "414 the request target is too long"
    );
    check(
        "POST / h\ncontent-length: 10",
        "Length(10) h / | content-length=10",
    );
    check(
        "POST / h\ncontent-length: 11",
        "413 request entity is too large",
    );
    check("GET / h\na: 1\nb: 1\nc: 1", "Chunked h / | a=1 | b=1 | c=1");
    check(
        "GET / h\na: 1\nb: 1\nc: 1\nd: 1",
        "431 too many header fields",
    );
    let field = |len: usize| format!("GET / h\na: {}", "v".repeat(len - 4 - 5));
    assert!(read(&field(200), true).starts_with("Chunked"));
    assert_eq!(
        read(&field(201), true),
        "431 Request Header Fields Too Large"
    );
}

#[test]
fn trailers() {
    let mut trailers = Fields::default();
    read_trailer(b"checksum", b"1", &mut trailers).unwrap();
    read_trailer(b"content-type", b"late", &mut trailers).unwrap();
    assert_eq!(
        trailers.iter().collect::<Vec<_>>(),
        [(&b"checksum"[..], &b"1"[..])]
    );
    let error = read_trailer(b"content-length", b"1", &mut trailers).unwrap_err();
    assert_eq!(error.status, 400);
    let mut trailers = Fields::default();
    let large = vec![b'v'; crate::limits::TRAILERS_MAX_BYTES - 1];
    read_trailer(b"n", &large, &mut trailers).unwrap();
    assert_eq!(
        read_trailer(b"n", b"v", &mut trailers).unwrap_err().status,
        431
    );
    let mut trailers = Fields::default();
    for _ in 0..crate::limits::TRAILERS_MAX_COUNT {
        read_trailer(b"n", b"v", &mut trailers).unwrap();
    }
    assert_eq!(
        read_trailer(b"n", b"v", &mut trailers).unwrap_err().status,
        431
    );
}

/// Status, what was declared, whether to HEAD, what is known; then what the head says, how many of
/// ten bytes are sent, and whether that is all.
#[test]
fn bodies_of_responses() {
    let plan = |status, declared: Option<u64>, is_head, known| {
        let mut head = ResponseHead::default();
        head.reset(status).unwrap();
        if let Some(length) = declared {
            head.set_content_length(length);
        }
        let mut body = ResponseBody::new(&head, is_head, known);
        let admitted = body.admit(10);
        (
            body.content_length(),
            admitted,
            body.is_full(),
            body.missing(),
        )
    };
    assert_eq!(plan(200, None, false, None), (None, 10, false, 0));
    assert_eq!(plan(200, None, false, Some(10)), (Some(10), 10, true, 0));
    assert_eq!(plan(200, Some(4), false, None), (Some(4), 4, true, 0));
    assert_eq!(plan(200, Some(12), false, None), (Some(12), 10, false, 2));
    assert_eq!(plan(200, Some(12), true, None), (Some(12), 0, true, 0));
    assert_eq!(plan(204, Some(12), false, None), (None, 0, true, 0));
    assert_eq!(plan(304, Some(12), false, Some(0)), (Some(12), 0, true, 0));
    assert_eq!(plan(205, None, false, None), (Some(0), 0, true, 0));
}

#[test]
fn blanks_around_a_value_are_not_taken_off() {
    let malformed = "400 malformed header field value";
    for value in [" x", "x ", "\tx", "x\t", " "] {
        check(&format!("GET / h\na: {value}"), malformed);
    }
    check("GET / h\na: x y", "Chunked h / | a=x y");
    check("GET / h\na: ", "Chunked h / | a=");
}
