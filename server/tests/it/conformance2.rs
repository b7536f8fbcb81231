//! The cases of `conformance/http2.txt` against the whole server, in clear and through TLS; and
//! what frames tell that no library shows.

use std::time::Instant;

use crate::client::Client;
use crate::conformance::PROGRAM;
use crate::frames;
use crate::harness::{PATIENCE, SETUPS, Server, Setup, eventually};
use crate::program::program_with;

#[path = "../../../conformance/judge2.rs"]
mod judge2;

use judge2::{Case, cases};

/// A connection over which the test itself speaks HTTP/2.
fn connect(server: &Server) -> Client {
    match server.setup.https {
        true => Client::tls_raw2(server.addr),
        false => Client::tcp(server.addr),
    }
}

fn check(server: &Server, case: &Case, cut: usize) {
    let mut client = connect(server);
    let (first, second) = case.input.split_at(cut);
    client.send_what_is_taken(first);
    client.send_what_is_taken(second);
    if case.stays() {
        client.send_what_is_taken(&Case::last());
    }
    let mut got = Vec::new();
    let begin = Instant::now();
    loop {
        let judged = case.judge(&got);
        let Err(why) = judged else { return };
        let more = client.some();
        let goes_on = !more.is_empty() && begin.elapsed() < PATIENCE;
        assert!(goes_on, "{:?}, cut at {cut}: {why}", server.setup);
        got.extend(more);
    }
}

#[test]
fn every_case_of_http2_in_clear_and_through_tls() {
    for setup in [SETUPS[1], SETUPS[4]] {
        let server = Server::start(PROGRAM, setup);
        for case in cases() {
            for cut in [0, case.input.len() / 2, case.input.len() - 1] {
                check(&server, &case, cut);
            }
        }
        assert_eq!(server.stop(), 0);
    }
}

/// What connections hold, as the program sees it.
fn held_bytes(server: &Server) -> usize {
    let mut client = Client::tcp(server.addr);
    client.get("/stats");
    let stats = client.response().text();
    let (_, number) = stats.split_once("\"held_bytes\":").expect("a counter");
    number[..number.find([',', '}']).unwrap()].parse().unwrap()
}

#[test]
fn what_streams_take_is_told() {
    let routes = [("/wait", "wait('it') return { body = 'at last' }")];
    let server = Server::start(&program_with("", &routes), SETUPS[1]);
    let most = http_worker::limits::HTTP2_STREAM_BYTES;
    let before = held_bytes(&server);
    let mut client = connect(&server);
    let streams = (0..10).flat_map(|count| frames::get(count * 2 + 1, "/wait"));
    client.send(frames::begin(&[]));
    client.send(streams.collect::<Vec<_>>());
    eventually("they are held", || {
        held_bytes(&server) >= before + 10 * most
    });
    drop(client);
    eventually("they are not", || held_bytes(&server) <= before);
    for _ in 0..10 {
        server.get("/open/it");
    }
    assert_eq!(server.stop(), 0);
}

fn hear(client: &mut Client, ear: &mut frames::Ear) {
    let more = client.some();
    assert!(!more.is_empty(), "the server has ended it: {}", ear.told());
    ear.hear(&more);
}

/// A client that waits for its answer in silence is asked whether it is there, as often as it
/// answers.
#[test]
fn silent_clients_are_asked() {
    let routes = [("/wait", "wait('it') return { body = 'at last' }")];
    let program = program_with("ping_after = 0.02,", &routes);
    for setup in [SETUPS[1], SETUPS[4]] {
        let server = Server::start(&program, setup);
        let mut client = connect(&server);
        let mut ear = frames::Ear::default();
        client.send(frames::begin(&[]));
        client.send(frames::get(1, "/wait"));
        for count in 1..4 {
            while ear.pings.len() < count {
                hear(&mut client, &mut ear);
            }
            let last = ear.pings.last().unwrap();
            client.send(frames::frame(frames::PING, frames::ACK, 0, last));
        }
        let other = Setup {
            http2: false,
            ..setup
        };
        let mut other = other.connect(server.addr);
        other.get("/open/it");
        assert_eq!(other.response().text(), "opened");
        while !ear.ended.contains(&1) {
            hear(&mut client, &mut ear);
        }
        assert_eq!(ear.bodies[&1], b"at last");
        assert_eq!(ear.goaway, None);
        drop((client, other));
        assert_eq!(server.stop(), 0);
    }
}
