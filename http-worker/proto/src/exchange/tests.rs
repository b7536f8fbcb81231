//! The table, what follows from it, and the helpers for applications in plain Rust.

use super::*;

#[test]
fn the_table_is_the_protocol() {
    let expected = "\
worker  Free => Request
TX      Request => Answer
TX      Request | Continue => Write
worker  Write => Continue  (unless it was the last)
worker  Continue => Write
TX      Request | Continue => Close
worker  Write | Continue | Close => Closed
TX      Request | Continue | Closed => Release
worker  Free | WantBody => Body
TX      Body => WantBody  (unless it was the last)
TX      Body => Release
worker  Answer | Release => Free
";
    assert_eq!(table_text(), expected);
}

#[test]
fn the_diagram_is_the_table() {
    let diagram = table_mermaid();
    let arrows = STEPS.iter().map(|step| step.from.len()).sum::<usize>();
    assert_eq!(diagram.lines().count(), arrows + 2);
    assert!(
        diagram.starts_with("stateDiagram-v2\n    [*] --> Free\n    Free --> Request: worker\n")
    );
    assert!(diagram.contains("    Write --> Continue: worker, unless last\n"));
}

#[test]
fn a_leg_has_one_sender() {
    for step in STEPS {
        // A Continue that was stopped before it left is still the worker's, which may take it back.
        let stopped = |from: Leg| from == Leg::Continue && step.side == Side::Worker;
        let is_taken_back = step.to == Leg::Write && step.from.iter().copied().all(stopped);
        assert!(
            is_taken_back || step.to.sender() == step.side,
            "{:?}",
            step.to
        );
        let arrived = |from: Leg| from != Leg::Free && !stopped(from);
        for from in step.from.iter().filter(|&&leg| arrived(leg)) {
            assert_ne!(
                from.sender(),
                step.side,
                "{from:?} arrives at the side that goes on"
            );
        }
    }
}

/// Legs one after the other, `!` for a write that is the last; the first that is refused.
fn walk(legs: &str) -> String {
    let mut exchange = Exchange::default();
    for word in legs.split(' ') {
        let (name, last) = word
            .strip_suffix('!')
            .map_or((word, false), |name| (name, true));
        let leg = *Leg::ALL
            .iter()
            .find(|leg| format!("{leg:?}") == name)
            .expect("a leg");
        let before = (exchange.leg(), exchange.last);
        if let Err(error) = exchange.advance(leg) {
            assert_eq!(
                (exchange.leg(), exchange.last),
                before,
                "a refusal changes nothing"
            );
            return error.to_string();
        }
        exchange.last = exchange.last || last;
    }
    format!("at {:?}", exchange.leg())
}

#[test]
fn trips_of_the_protocol() {
    // Members of the protocol page.
    assert_eq!(walk("Request Answer Free"), "at Free", "simple, copied");
    assert_eq!(
        walk("Request Write! Closed Release Free"),
        "at Free",
        "simple"
    );
    let unlucky = "Request Write Continue Write Continue Close Closed Release Free";
    assert_eq!(walk(unlucky), "at Free", "stages 1 and 2, and 3 too late");
    assert_eq!(
        walk("Request Write Continue Write Closed Release"),
        "at Release",
        "3 in time"
    );
    let stopped = "Request Write Continue Write Continue Closed Release";
    assert_eq!(
        walk(stopped),
        "at Release",
        "3 in time, as the worker was about to continue"
    );
    assert_eq!(walk("Request Release Free"), "at Free", "cancel at TX");
    assert_eq!(
        walk("Request Write Closed Release Free"),
        "at Free",
        "cancel away"
    );
    assert_eq!(
        walk("Request Close Closed Release Free"),
        "at Free",
        "close without a write"
    );
    assert_eq!(
        walk("Request Write Continue Release Free"),
        "at Free",
        "cancel between writes"
    );
    // What the protocol excludes.
    let refused = "an exchange cannot go from ";
    for (legs, step) in [
        ("Answer", "Free to Answer"),
        ("Release", "Free to Release"),
        ("Request Request", "Request to Request"),
        ("Request Continue", "Request to Continue"),
        ("Request Answer Release", "Answer to Release"),
        ("Request Answer Closed", "Answer to Closed"),
        ("Request Write Write", "Write to Write"),
        ("Request Write! Continue", "Write (last) to Continue"),
        ("Request Write Release", "Write to Release"),
        ("Request Close Continue", "Close to Continue"),
        ("Request Close Closed Write", "Closed to Write"),
        ("Request Close Closed Free", "Closed to Free"),
        ("Request Release Release", "Release to Release"),
        ("Request Release Free Free", "Free to Free"),
    ] {
        assert_eq!(walk(legs), format!("{refused}{step}"));
    }
}

#[test]
fn trips_of_a_body() {
    let pieces = "Body WantBody Body! Release Free";
    assert_eq!(walk(pieces), "at Free", "a body in two pieces");
    assert_eq!(walk("Body Release Free"), "at Free", "no more is wanted");
    for (legs, step) in [
        ("Request WantBody", "Request to WantBody"),
        ("Request Body", "Request to Body"),
        ("Body Body", "Body to Body"),
        ("Body! WantBody", "Body (last) to WantBody"),
        ("Body Write", "Body to Write"),
        ("Body WantBody Release", "WantBody to Release"),
        ("Body WantBody Free", "WantBody to Free"),
    ] {
        assert_eq!(walk(legs), format!("an exchange cannot go from {step}"));
    }
}

/// An exchange that has come to TX.
fn asked() -> Exchange {
    let mut exchange = Exchange::default();
    exchange.advance(Leg::Request).unwrap();
    exchange
}

#[test]
fn answers() {
    let mut exchange = asked();
    exchange.answer(404, &[("X-Y", "z")], b"no").unwrap();
    assert_eq!(
        (exchange.leg(), exchange.response.status()),
        (Leg::Answer, 404)
    );
    assert_eq!(exchange.response.content_length(), Some(2));
    assert_eq!(exchange.part, b"no");
    assert!(matches!(
        exchange.answer(200, &[], b""),
        Err(AnswerError::Leg(_))
    ));

    let mut exchange = asked();
    let refused = exchange
        .answer(200, &[("A", "b"), ("C", "d\r\n")], b"")
        .unwrap_err();
    assert_eq!(refused, AnswerError::Field(1, FieldError::Value));
    assert_eq!(
        refused.to_string(),
        "field 2: the field value has a control character"
    );
    assert_eq!(
        exchange.answer(99, &[], b""),
        Err(AnswerError::Status(StatusError(99)))
    );
    assert_eq!(exchange.leg(), Leg::Request, "another answer can be given");
    exchange.answer(500, &[], b"sorry").unwrap();
}

#[test]
fn writes() {
    let mut exchange = asked();
    exchange.write_head(201, &[("A", "b")]).unwrap();
    exchange.write(b"one", false).unwrap();
    assert!(matches!(
        exchange.write(b"two", false),
        Err(AnswerError::Leg(_))
    ));
    assert_eq!(exchange.part, b"one", "a refusal changes nothing");
    exchange.advance(Leg::Continue).unwrap();
    assert!(matches!(
        exchange.write_head(200, &[]),
        Err(AnswerError::Leg(_))
    ));
    exchange.write(b"two", true).unwrap();
    assert_eq!(
        (exchange.part.as_slice(), exchange.last),
        (&b"two"[..], true)
    );
    exchange.advance(Leg::Closed).unwrap();
    assert!(!exchange.last, "the mark went with its part");
    exchange.advance(Leg::Release).unwrap();
}

#[test]
fn clearing_empties_everything_and_keeps_little() {
    let mut exchange = asked();
    exchange.worker_ticket = 1;
    exchange.tx_ticket = 2;
    exchange.request.begin(b"GET", b"/", crate::Version::Http2);
    exchange.body.resize(100_000, 7);
    exchange.trailers.push(b"a", b"b");
    exchange.peer = Some(([127, 0, 0, 1], 1).into());
    exchange.local = exchange.peer;
    exchange.https = true;
    exchange.last = true;
    exchange.answer(201, &[("a", "b")], &[7; 500]).unwrap();
    exchange.clear(1024);
    assert_eq!(
        format!("{exchange:?}"),
        format!("{:?}", Exchange::default())
    );
    assert!(
        exchange.body.capacity() <= 1024,
        "{}",
        exchange.body.capacity()
    );
    assert!(
        exchange.part.capacity() >= 500,
        "small buffers keep their memory"
    );
}
