//! What goes out: heads, framing, and bodies that keep their word.

use crate::error::{PeerError, PeerErrorKind};
use crate::h1::{
    Encoder, Ending, Framing, Outlook, RequestFacts, chunk_head, chunk_tail, encode_continue,
    last_chunk,
};
use crate::head::{FieldError, ResponseHead, StatusError, Version};

const GET: RequestFacts = RequestFacts {
    version: Version::Http11,
    is_head: false,
    keep_alive: true,
    expects_continue: false,
    body: crate::h1::RequestBody::None,
};
const HEAD: RequestFacts = RequestFacts {
    is_head: true,
    ..GET
};
const LAST: RequestFacts = RequestFacts {
    keep_alive: false,
    ..GET
};
const OLD: RequestFacts = RequestFacts {
    version: Version::Http10,
    keep_alive: false,
    ..GET
};
const OLD_KEEP: RequestFacts = RequestFacts {
    version: Version::Http10,
    ..GET
};

fn encoder() -> Encoder {
    let mut encoder = Encoder::new(None);
    encoder.set_time(784_111_777);
    encoder
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .expect("responses of these tests are text")
        .replace("\r\n", "|")
}

/// A whole response without its Date, CRLF as `|`, and how it ended.
fn sent(
    facts: &RequestFacts,
    status: u16,
    fields: &[(&str, &str)],
    parts: &[&str],
) -> (String, Ending) {
    sent_with(facts, Outlook::default(), status, fields, parts)
}

fn sent_with(
    facts: &RequestFacts,
    outlook: Outlook,
    status: u16,
    fields: &[(&str, &str)],
    parts: &[&str],
) -> (String, Ending) {
    let mut head = ResponseHead::default();
    head.reset(status).unwrap();
    for (name, value) in fields {
        head.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    let mut out = Vec::new();
    let mut body = encoder().encode_head(&head, facts, outlook, &mut out);
    for part in parts {
        let admitted = body.begin_part(part.len(), &mut out);
        out.extend_from_slice(&part.as_bytes()[..admitted]);
        body.end_part(&mut out);
    }
    let ending = body.finish(&mut out);
    (
        text(out).replace("Date: Sun, 06 Nov 1994 08:49:37 GMT|", ""),
        ending,
    )
}

/// What goes out, and whether the connection stays.
fn check(facts: &RequestFacts, status: u16, fields: &[(&str, &str)], parts: &[&str], out: &str) {
    let (text, ending) = sent(facts, status, fields, parts);
    let stays = if ending.keep_alive { "stays" } else { "ends" };
    assert_eq!(format!("{text} {stays}"), out);
}

#[test]
fn framing_of_bodies() {
    let chunked = "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|hi|6| there|0|| stays";
    check(&GET, 200, &[], &["hi", "", " there"], chunked);
    let counted = "HTTP/1.1 200 OK|Content-Length: 2||hi stays";
    check(&GET, 200, &[("content-length", "2")], &["hi"], counted);
    check(
        &GET,
        200,
        &[],
        &[],
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0|| stays",
    );
    check(
        &GET,
        200,
        &[("Content-Length", "0")],
        &[],
        "HTTP/1.1 200 OK|Content-Length: 0|| stays",
    );
    // To HTTP/1.0 never chunks; staying has to be said, and needs a length.
    check(
        &OLD,
        200,
        &[],
        &["hi"],
        "HTTP/1.1 200 OK|Connection: close||hi ends",
    );
    check(
        &OLD_KEEP,
        200,
        &[],
        &["hi"],
        "HTTP/1.1 200 OK|Connection: close||hi ends",
    );
    let kept = "HTTP/1.1 200 OK|Content-Length: 2|Connection: keep-alive||hi stays";
    check(&OLD_KEEP, 200, &[("Content-Length", "2")], &["hi"], kept);
}

#[test]
fn responses_without_a_body() {
    check(
        &HEAD,
        200,
        &[("Content-Length", "2")],
        &["hi"],
        "HTTP/1.1 200 OK|Content-Length: 2|| stays",
    );
    check(
        &HEAD,
        200,
        &[],
        &["hi"],
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked|| stays",
    );
    check(
        &GET,
        204,
        &[("Content-Length", "2")],
        &["hi"],
        "HTTP/1.1 204 No Content|| stays",
    );
    check(&GET, 304, &[], &["hi"], "HTTP/1.1 304 Not Modified|| stays");
    check(
        &GET,
        304,
        &[("Content-Length", "0")],
        &[],
        "HTTP/1.1 304 Not Modified|| stays",
    );
    check(
        &GET,
        304,
        &[("Content-Length", "7")],
        &["hi"],
        "HTTP/1.1 304 Not Modified|Content-Length: 7|| stays",
    );
    check(
        &GET,
        205,
        &[("Content-Length", "2")],
        &["hi"],
        "HTTP/1.1 205 Reset Content|Content-Length: 0|| stays",
    );
    check(
        &OLD_KEEP,
        204,
        &[],
        &[],
        "HTTP/1.1 204 No Content|Connection: keep-alive|| stays",
    );
    let head_of_old = RequestFacts {
        is_head: true,
        ..OLD_KEEP
    };
    check(
        &head_of_old,
        200,
        &[],
        &["hi"],
        "HTTP/1.1 200 OK|Connection: keep-alive|| stays",
    );
}

#[test]
fn connections_end_when_anyone_wants_it() {
    let closed = "HTTP/1.1 200 OK|Content-Length: 0|Connection: close|| ends";
    check(&LAST, 200, &[("Content-Length", "0")], &[], closed);
    check(
        &GET,
        200,
        &[("Content-Length", "0"), ("connection", "x, Close")],
        &[],
        closed,
    );
    let outlook = Outlook {
        must_close: true,
        known_length: Some(0),
    };
    let (text, ending) = sent_with(&GET, outlook, 200, &[], &[]);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK|Content-Length: 0|Connection: close||"
    );
    assert!(!ending.keep_alive);
}

#[test]
fn a_known_length_counts_unless_one_was_declared() {
    let outlook = Outlook {
        known_length: Some(5),
        must_close: false,
    };
    let (text, _) = sent_with(&GET, outlook, 200, &[], &["hello"]);
    assert_eq!(text, "HTTP/1.1 200 OK|Content-Length: 5||hello");
    let (text, _) = sent_with(&GET, outlook, 200, &[("Content-Length", "4")], &["hello"]);
    assert_eq!(text, "HTTP/1.1 200 OK|Content-Length: 4||hell");
    let (text, _) = sent_with(&GET, outlook, 304, &[], &[]);
    assert_eq!(text, "HTTP/1.1 304 Not Modified||");
}

#[test]
fn bodies_keep_to_their_length() {
    let declared = [("Content-Length", "5")];
    let (text, ending) = sent(&GET, 200, &declared, &["hel", "lo!", "more"]);
    assert_eq!(text, "HTTP/1.1 200 OK|Content-Length: 5||hello");
    assert_eq!(
        ending,
        Ending {
            keep_alive: true,
            missing: 0,
            cut: 5
        }
    );
    let (text, ending) = sent(&GET, 200, &declared, &["hel"]);
    assert_eq!(text, "HTTP/1.1 200 OK|Content-Length: 5||hel");
    assert_eq!(
        ending,
        Ending {
            keep_alive: false,
            missing: 2,
            cut: 0
        }
    );
    let (_, ending) = sent(&HEAD, 200, &declared, &[]);
    assert_eq!(
        ending,
        Ending {
            keep_alive: true,
            missing: 0,
            cut: 0
        }
    );
}

#[test]
fn fields_go_out_as_given() {
    check(
        &GET,
        404,
        &[
            ("X-Mixed-CASE", " padded\t"),
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("Empty", ""),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "gzip"),
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "h2c"),
            ("TE", "trailers"),
            ("Proxy-Connection", "close"),
            ("Connection", "upgrade"),
        ],
        &[],
        "HTTP/1.1 404 Not Found|Content-Length: 0|X-Mixed-CASE: padded|Set-Cookie: a=1|\
         set-cookie: b=2|Empty: || stays",
    );
}

#[test]
fn date_and_server_once_each() {
    let mut encoder = Encoder::new(Some("httpng"));
    encoder.set_time(784_111_777);
    let head_with = |fields: &[(&str, &str)]| {
        let mut head = ResponseHead::default();
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        let outlook = Outlook {
            known_length: Some(0),
            must_close: false,
        };
        let _ = encoder.encode_head(&head, &GET, outlook, &mut out);
        text(out)
            .replace("HTTP/1.1 200 OK|", "")
            .replace("Content-Length: 0|", "")
    };
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT|";
    assert_eq!(head_with(&[]), format!("{date}Server: httpng||"));
    assert_eq!(head_with(&[("date", "x")]), "Server: httpng|date: x||");
    assert_eq!(head_with(&[("SERVER", "x")]), format!("{date}SERVER: x||"));
    assert_eq!(
        head_with(&[("Server", "x"), ("Date", "y")]),
        "Server: x|Date: y||"
    );
}

/// L9.
#[test]
fn injected_lines_never_leave() {
    // L9: CR or LF in a value, or in a name.
    let mut head = ResponseHead::default();
    for value in ["a\r\nX: y", "a\n", "\r", "a\0", "a\x0bb", "\x7f"] {
        assert_eq!(
            head.push(b"X", value.as_bytes()),
            Err(FieldError::Value),
            "{value:?}"
        );
    }
    for name in [
        "", "X ", " X", "X:", "X\r\nY", "X\n", "X\0", "\u{e4}", "(X)",
    ] {
        assert_eq!(
            head.push(name.as_bytes(), b"y"),
            Err(FieldError::Name),
            "{name:?}"
        );
    }
    for length in [
        "",
        "x",
        "-1",
        "+1",
        "1 1",
        "5, 5",
        "18446744073709551616",
        "1.0",
    ] {
        let pushed = head.push(b"content-length", length.as_bytes());
        assert_eq!(pushed, Err(FieldError::ContentLength), "{length:?}");
    }
    assert_eq!(head.push(b"Content-Length", b"5"), Ok(()));
    assert_eq!(head.push(b"Content-Length", b"05"), Ok(()));
    assert_eq!(
        head.push(b"Content-Length", b"6"),
        Err(FieldError::ContentLength)
    );
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(
        head.fields().len(),
        0,
        "what was refused left nothing behind"
    );
}

#[test]
fn statuses() {
    let mut head = ResponseHead::default();
    for status in [200, 299, 599, 600, 999] {
        assert_eq!((head.reset(status), head.status()), (Ok(()), status));
    }
    for status in [0, 99, 100, 101, 103, 199, 1000, u16::MAX] {
        assert_eq!(
            (head.reset(status), head.status()),
            (Err(StatusError(status)), 500)
        );
    }
    check(
        &GET,
        299,
        &[],
        &[],
        "HTTP/1.1 299 |Transfer-Encoding: chunked||0|| stays",
    );
    check(
        &GET,
        999,
        &[],
        &[],
        "HTTP/1.1 999 |Transfer-Encoding: chunked||0|| stays",
    );
}

#[test]
fn chunks_by_hand() {
    let mut out = Vec::new();
    for len in [1, 15, 16, 255, 256, 65_535, 65_536, usize::MAX] {
        chunk_head(len, &mut out);
        let line = format!("{len:x}\r\n");
        assert!(out.ends_with(line.as_bytes()), "{len}");
    }
    out.clear();
    chunk_tail(&mut out);
    last_chunk(&mut out);
    encode_continue(&mut out);
    assert_eq!(text(out), "|0||HTTP/1.1 100 Continue||");
}

fn error_text(kind: PeerErrorKind, facts: &RequestFacts) -> String {
    let mut out = Vec::new();
    encoder().encode_error(&PeerError::from(kind), facts, &mut out);
    text(out).replace("Date: Sun, 06 Nov 1994 08:49:37 GMT|", "")
}

#[test]
fn errors() {
    assert_eq!(
        error_text(PeerErrorKind::BodyTooLarge, &GET),
        "HTTP/1.1 413 Content Too Large|Content-Type: text/plain; charset=utf-8|Vary: Accept|\
         Content-Length: 27|Connection: close||request entity is too large"
    );
    assert_eq!(
        error_text(PeerErrorKind::HeadTooLong, &HEAD),
        "HTTP/1.1 431 Request Header Fields Too Large|\
         Content-Type: text/plain; charset=utf-8|Vary: Accept|\
         Content-Length: 31|Connection: close||"
    );
    assert_eq!(
        error_text(PeerErrorKind::MethodNotAllowed, &GET),
        "HTTP/1.1 405 Method Not Allowed|Content-Type: text/plain; charset=utf-8|Vary: Accept|\
         Content-Length: 25|Connection: close|Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS||\
         the method is not allowed"
    );
}

#[test]
fn every_early_error_is_known_to_the_table_and_closes() {
    let mut statuses: Vec<u16> = Vec::new();
    for &kind in PeerErrorKind::ALL {
        let error = PeerError::from(kind);
        assert!(error.close && error.kind == kind && !error.reason.is_empty());
        assert!(!crate::status::reason(error.status).is_empty());
        statuses.push(error.status);
    }
    statuses.sort_unstable();
    statuses.dedup();
    let known = [400, 405, 408, 413, 414, 417, 421, 431, 501, 503, 505];
    assert_eq!(statuses, known);
}

#[test]
fn framing_is_told() {
    let mut out = Vec::new();
    let outlook = Outlook {
        known_length: Some(7),
        must_close: false,
    };
    let body = encoder().encode_head(&ResponseHead::default(), &GET, outlook, &mut out);
    assert_eq!(
        (body.framing(), body.keep_alive()),
        (Framing::Length(7), true)
    );
}
