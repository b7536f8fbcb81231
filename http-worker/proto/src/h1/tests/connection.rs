//! Whether a connection stays, what is expected, what comes ahead and what comes too late.

use super::{check, check_field};
use crate::error::PeerErrorKind;
use crate::h1::{Engine, Event, Limits, Phase};
use crate::head::{Fields, RequestHead};

#[test]
fn staying_and_closing() {
    const KEEP: &str = "GET / 1.1 @a keep / end";
    const CLOSE: &str = "GET / 1.1 @a close / end / done";
    check_field(&[
        ("Connection: keep-alive", KEEP),
        ("Connection: close", CLOSE),
        ("connection:CLOSE", CLOSE),
        ("Connection: keep-alive, Close", CLOSE),
        ("Connection: close, keep-alive", CLOSE),
        ("Connection: foo,close,bar", CLOSE),
        ("Connection: foo\r\nConnection: close", CLOSE),
        ("Connection: , ,close", CLOSE),
        ("Connection: closed", KEEP),
        ("Connection: not-close", KEEP),
        ("Connection: ", KEEP),
        ("Connection: upgrade\r\nUpgrade: h2c", KEEP),
        ("Keep-Alive: timeout=5", KEEP),
    ]);
    check(&[
        (
            b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET / 1.0 @ keep / end",
        ),
        (
            b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            "GET / 1.0 @ close / end / done",
        ),
        (
            b"GET / HTTP/1.0\r\nKeep-Alive: timeout=5\r\n\r\n",
            "GET / 1.0 @ close / end / done",
        ),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", KEEP),
    ]);
}

#[test]
fn pipelines() {
    check(&[
        (
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
           POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\
           HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /1 1.1 @a keep / end / POST /2 1.1 @a keep length=2 / \"hi\" / end / \
             HEAD /3 1.1 @a keep / end",
        ),
        // What follows the last request is thrown away, whatever it is: RFC 9112 section 9.6.
        (
            b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
           GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /1 1.1 @a close / end / done",
        ),
        (
            b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\0\n rubbish",
            "GET /1 1.1 @a close / end / done",
        ),
        (
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nrubbish\n",
            "GET /1 1.1 @a keep / end / 400 LineEnd / done",
        ),
        (
            b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 HostMissing / done",
        ),
    ]);
}

#[test]
fn expectations() {
    check(&[
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            "POST / 1.1 @a keep length=2 expects / \"hi\" / end",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\
           Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / 1.1 @a keep chunked expects / end",
        ),
        // Nothing to wait for.
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "GET / 1.1 @a keep / end",
        ),
        // RFC 9110 section 10.1.1: a 1.0 client's is ignored.
        (
            b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            "POST / 1.0 @ close length=2 / \"hi\" / end / done",
        ),
        (
            b"GET / HTTP/1.0\r\nExpect: x\r\n\r\n",
            "GET / 1.0 @ close / end / done",
        ),
    ]);
    check_field(&[
        ("Expect: 200-ok", "417 Expectation / done"),
        ("Expect: 100-continue, x=y", "417 Expectation / done"),
        (
            "Expect: 100-continue\r\nExpect: other",
            "417 Expectation / done",
        ),
        ("Expect: \"100-continue\"", "417 Expectation / done"),
        ("Expect:", "GET / 1.1 @a keep / end"),
    ]);
}

/// Feeds one piece after the other; what is told of each, bodies as their bytes.
fn live(pieces: &[&[u8]]) -> Vec<String> {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let mut unread = Vec::new();
    let mut told = Vec::new();
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            let step = engine.poll(&unread, &mut head, &mut trailers);
            told.push(match &step.event {
                Event::Head(_) => "head".into(),
                Event::Body(range) => unread[range.clone()].escape_ascii().to_string(),
                other => format!("{other:?}"),
            });
            unread.drain(..step.consumed);
            if step.event == Event::NeedMore {
                break;
            }
        }
    }
    told
}

#[test]
fn continue_is_asked_for_once_and_only_by_who_waits() {
    let head: &[u8] =
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(
        live(&[head, b"", b"ab", b"cd"]),
        [
            "head",
            "ExpectContinue",
            "NeedMore",
            "NeedMore",
            "ab",
            "NeedMore",
            "cd",
            "End",
            "NeedMore"
        ]
    );
    let with_body = [head, b"ab"].concat();
    assert_eq!(
        live(&[&with_body, b"cd"]),
        ["head", "ab", "NeedMore", "cd", "End", "NeedMore"]
    );
}

#[test]
fn a_body_is_told_as_ranges_of_the_input() {
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
          2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(live(&[input]), ["head", "ab", "c", "End", "NeedMore"]);
}

#[test]
fn phases_and_the_end_of_input() {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let mut poll = |engine: &mut Engine, input: &[u8]| engine.poll(input, &mut head, &mut trailers);
    assert_eq!(
        (engine.phase(), engine.end_of_input()),
        (Phase::Idle, Ok(()))
    );
    poll(&mut engine, b"GET / HTTP/1.1\r\n");
    assert_eq!(engine.phase(), Phase::Head);
    assert_eq!(
        engine.end_of_input().unwrap_err().kind,
        PeerErrorKind::Truncated
    );
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(poll(&mut engine, request).consumed, request.len());
    assert_eq!(engine.phase(), Phase::Body);
    assert_eq!(
        engine.end_of_input().unwrap_err().kind,
        PeerErrorKind::Truncated
    );
    poll(&mut engine, b"x");
    assert_eq!(poll(&mut engine, b"").event, Event::End);
    assert_eq!(
        (engine.phase(), engine.end_of_input()),
        (Phase::Idle, Ok(()))
    );
    engine.stop();
    assert_eq!(engine.phase(), Phase::Done);
    let step = poll(&mut engine, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((step.consumed, step.event), (27, Event::NeedMore));
}

#[test]
fn the_facts_of_one_request_do_not_shape_the_error_of_the_next() {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let input = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    engine.poll(input, &mut head, &mut trailers);
    engine.poll(b"", &mut head, &mut trailers);
    assert!(engine.facts().is_head);
    let step = engine.poll(b"G(T / HTTP/1.1\r\n", &mut head, &mut trailers);
    assert!(matches!(step.event, Event::Error(_)));
    assert!(!engine.facts().is_head);
}

#[test]
fn a_second_request_like_the_first_allocates_nothing() {
    let (mut head, mut trailers) = (RequestHead::default(), Fields::default());
    let mut engine = Engine::new(Limits::default());
    let input = b"GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n";
    let mut memory = Vec::new();
    for _ in 0..3 {
        assert!(matches!(
            engine.poll(input, &mut head, &mut trailers).event,
            Event::Head(_)
        ));
        assert_eq!(engine.poll(b"", &mut head, &mut trailers).event, Event::End);
        let fields = &head.fields;
        memory.push((fields.bytes.as_ptr() as usize, fields.bytes.capacity()));
        memory.push((fields.spans.as_ptr() as usize, fields.spans.capacity()));
    }
    assert_eq!(memory[..2], memory[2..4]);
    assert_eq!(memory[..2], memory[4..6]);
}
