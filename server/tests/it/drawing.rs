//! The proof of the drawing: a real server and a real client, recorded, against what was drawn.

use std::time::Duration;

use http_proto::drawing::{Mark, MarkKind, Member, Participant, render};
use httpng::drawing::play;

use crate::harness::{Server, Setup};
use crate::program::program;

/// A gate that is held longer than this is held for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// The seed: what this project began with.
const DRAWN: &str = include_str!("../../../docs/stage2-unlucky.txt");

/// What crosses between the threads, in the words of the protocol page: W is the worker, T is
/// the Lua thread (dispatcher or fiber).
const CROSSINGS: &[(Member, &[&str])] = &[
    (
        Member::SimpleCopied,
        &["W>T request", "T>W response with close flag"],
    ),
    (
        Member::Simple,
        &[
            "W>T request",
            "T>W response with close flag",
            "W>T closed",
            "T>W free",
        ],
    ),
    (Member::Stage1, SEVERAL_WRITES),
    (Member::Stage2Lucky, SEVERAL_WRITES),
    (Member::Stage2Unlucky, SEVERAL_WRITES),
    (
        Member::Stage3InTime,
        &[
            "W>T request",
            "T>W response",
            "W>T continue",
            "T>W response",
            "W>T closed",
            "T>W free",
        ],
    ),
    (Member::Stage3TooLate, SEVERAL_WRITES),
    (
        Member::Stage4,
        &[
            "W>T request",
            "T>W response",
            "W>T continue",
            "T>W close request",
            "W>T closed",
            "T>W free",
        ],
    ),
    (
        Member::Stage4Limited,
        &[
            "W>T request",
            "T>W response",
            "W>T continue",
            "T>W response",
            "W>T continue",
            "T>W response",
            "W>T closed",
            "T>W free",
        ],
    ),
    (
        Member::Cancel,
        &["W>T request", "W>T client gone", "T>W free"],
    ),
    (
        Member::CancelAway,
        &["W>T request", "T>W response", "W>T closed", "T>W free"],
    ),
    (
        Member::Upload,
        &[
            "W>T request",
            "W>T piece of the body",
            "T>W next piece",
            "W>T piece of the body",
            "T>W free the body",
            "T>W response with close flag",
        ],
    ),
];

const SEVERAL_WRITES: &[&str] = &[
    "W>T request",
    "T>W response",
    "W>T continue",
    "T>W response",
    "W>T continue",
    "T>W close request",
    "W>T closed",
    "T>W free",
];

/// The crossing that an arrow draws; arrows to the client and within a thread cross nothing.
fn crossing(mark: Mark) -> Option<&'static str> {
    Some(match mark {
        Mark::SendRequest => "W>T request",
        Mark::SendContinue => "W>T continue",
        Mark::SendClosed => "W>T closed",
        Mark::SendClientGone => "W>T client gone",
        Mark::SendResponse | Mark::TxSendsRest => "T>W response",
        Mark::SendComplete => "T>W response with close flag",
        Mark::SendClose | Mark::TxSendsClose => "T>W close request",
        Mark::AskToFree => "T>W free",
        Mark::SendPiece => "W>T piece of the body",
        Mark::AskForPiece => "T>W next piece",
        Mark::AskToFreeBody => "T>W free the body",
        other => {
            assert!(
                !is_crossing(other),
                "{other:?} crosses and has no name here"
            );
            return None;
        }
    })
}

fn is_crossing(mark: Mark) -> bool {
    let MarkKind::Arrow { from, to } = mark.kind() else {
        return false;
    };
    let is_tx = |who| matches!(who, Participant::Fiber | Participant::Tx);
    (from == Participant::Worker && is_tx(to)) || (is_tx(from) && to == Participant::Worker)
}

fn check(member: Member) {
    let marks = play(member, PATIENCE).unwrap_or_else(|error| panic!("{member:?}: {error}"));
    let expected = member.marks();
    assert_eq!(
        render(&member.title(), &marks),
        render(&member.title(), &expected),
        "{member:?}: what happened is not what is drawn"
    );
    let crossed: Vec<_> = marks.iter().copied().filter_map(crossing).collect();
    let (_, table) = CROSSINGS
        .iter()
        .find(|(of, _)| *of == member)
        .expect("every member is here");
    assert_eq!(
        crossed, *table,
        "{member:?}: the protocol page says otherwise"
    );
}

#[test]
fn simple_copied() {
    check(Member::SimpleCopied);
}

#[test]
fn simple() {
    check(Member::Simple);
}

#[test]
fn stage_1() {
    check(Member::Stage1);
}

#[test]
fn stage_2_lucky() {
    check(Member::Stage2Lucky);
}

#[test]
fn stage_2_unlucky() {
    check(Member::Stage2Unlucky);
}

#[test]
fn stage_3_in_time() {
    check(Member::Stage3InTime);
}

#[test]
fn stage_3_too_late() {
    check(Member::Stage3TooLate);
}

#[test]
fn stage_4() {
    check(Member::Stage4);
}

#[test]
fn stage_4_limited() {
    check(Member::Stage4Limited);
}

#[test]
fn upload() {
    check(Member::Upload);
}

#[test]
fn cancel_while_the_fiber_owns_the_shuttle() {
    check(Member::Cancel);
}

#[test]
fn cancel_while_the_worker_owns_the_shuttle() {
    check(Member::CancelAway);
}

/// The recorded run is the file of the seed, line by line, participants, colours and all.
#[test]
fn the_recorded_run_is_the_seed_itself() {
    let marks = play(Member::Stage2Unlucky, PATIENCE).unwrap();
    let recorded = render(&Member::Stage2Unlucky.title(), &marks);
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(lines(&recorded), lines(DRAWN));
}

/// `--draw FILE` draws each request of a running server.
#[test]
fn requests_are_drawn_into_a_file() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("drawn.txt");
    let routes = [
        ("/table", "return { body = 'x' }"),
        ("/parts", "io:write('a') fiber.sleep(0.001) io:write('b')"),
    ];
    for threads in [0, 2] {
        let setup = Setup {
            threads,
            https: false,
            http2: false,
        };
        let options = ["--draw", path.to_str().unwrap()];
        let server = Server::start_with(&program(&routes), setup, &options);
        assert_eq!(server.get("/table"), "x");
        assert_eq!(server.get("/parts"), "ab");
        server.wait_line("requests are drawn into");
        assert_eq!(server.stop(), 0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("title httpng, request").count(), 2, "{text}");
        assert_eq!(text.matches("write()").count(), 2, "{text}");
        assert_eq!(text.matches("Free `shuttle`").count(), 2, "{text}");
    }
}
