//! The cases of `conformance/cases.txt` against the worker: bytes in; bytes and the fate of the
//! connection out. Each whole, and in pieces.

use super::world::{Seen, Setup, World, respond};

#[path = "../../../conformance/judge.rs"]
mod judge;

use judge::{Case, cases};

/// Asks once more: a connection that stays answers.
const AGAIN: &str = "GET /again HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends the case in pieces.
fn check(world: &mut World, case: &Case, pieces: &[&[u8]]) {
    let client = world.connect();
    for piece in pieces {
        if world.clients[client].seen == Seen::Open {
            // It may have heard enough.
            let _ = std::io::Write::write_all(&mut world.clients[client].stream, piece);
        }
        respond(world);
    }
    let got = std::mem::take(&mut world.clients[client].got);
    let end = case
        .judge(&got)
        .unwrap_or_else(|e| panic!("{} pieces: {e}", pieces.len()));
    assert_eq!(end, got.len(), "{}: more than was expected", case.name);
    let seen = world.clients[client].seen;
    assert_eq!(seen == Seen::Open, case.stays, "{}: {seen:?}", case.name);
    if case.stays {
        world.ask(client, AGAIN);
        respond(world);
        let text = world.text(client);
        assert!(text.ends_with("/again<open>"), "{}: {text}", case.name);
    }
    world.clients.clear();
    world.settle();
}

#[test]
fn every_case_whole_and_in_pieces() {
    let mut world = World::new(Setup::default());
    for case in cases() {
        let input = &case.input[..];
        check(&mut world, &case, &[input]);
        for at in [1, input.len() / 3, input.len() / 2, input.len() - 1] {
            let (first, second) = input.split_at(at);
            check(&mut world, &case, &[first, second]);
        }
    }
    world.check_balance();
}

/// The engine below decides all of it, and says the same however the bytes are cut: here every
/// place is tried, and byte by byte.
#[test]
fn every_case_is_the_same_split_anywhere() {
    use http_proto::fuzzing::transcript;
    for case in cases() {
        let input = &case.input[..];
        let limits = http_proto::h1::Limits::default();
        let whole = transcript([input], limits);
        for at in (0..input.len()).step_by(input.len() / 2000 + 1) {
            let (first, second) = input.split_at(at);
            let name = &case.name;
            assert_eq!(transcript([first, second], limits), whole, "{name} at {at}");
        }
        let bytes = input.chunks(1 + input.len() / 2000);
        assert_eq!(transcript(bytes, limits), whole, "{}", case.name);
    }
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
