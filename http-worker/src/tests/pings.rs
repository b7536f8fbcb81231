//! Silent clients of HTTP/2 are asked whether they are there, and those that are not are let go.

use std::time::Duration;

use http_proto::Leg;

use super::client2::{Client2, Script, frames, head};
use super::world::{Seen, Setup, World, respond};
use crate::limits::{HTTP2_PING_AFTER_MS, HTTP2_PING_ANSWER_MS, IDLE_TIMEOUT_MS, TIMER_TICK_MS};

const AFTER: Duration = Duration::from_millis(HTTP2_PING_AFTER_MS);
const ANSWER: Duration = Duration::from_millis(HTTP2_PING_ANSWER_MS);
/// Timers are late by this at most, and never early.
const TICK: Duration = Duration::from_millis(TIMER_TICK_MS);
/// Far less than any of it.
const BIT: Duration = Duration::from_millis(1);

/// A client with a request that TX holds.
fn waiting(world: &mut World) -> usize {
    let client = world.connect();
    world.ask(client, Script::new().settings().get(1, "/poll").bytes());
    assert_eq!(world.at_tx(), "Request /poll");
    world.clients[client].got.clear();
    client
}

/// How many PINGs the client got since the last look.
fn pings(world: &mut World, client: usize) -> usize {
    let got = std::mem::take(&mut world.clients[client].got);
    frames(&got).matches("PING").count()
}

/// The acknowledgement of the last PING that came.
fn pong(world: &mut World, client: usize) {
    let got = std::mem::take(&mut world.clients[client].got);
    let at = got.windows(5).position(|w| w == [0, 0, 8, 6, 0]);
    let at = at.expect("a PING has come");
    world.ask(
        client,
        Script::more().frame(6, 1, 0, &got[at + 9..at + 17]).bytes(),
    );
}

#[test]
fn a_silent_client_is_asked_and_stays_while_it_answers() {
    let mut world = World::new(Setup::default());
    let client = waiting(&mut world);
    for _ in 0..5 {
        world.pass(AFTER - BIT);
        assert_eq!(pings(&mut world, client), 0);
        world.pass(TICK + BIT);
        pong(&mut world, client);
    }
    world.pass(AFTER - BIT);
    assert_eq!(pings(&mut world, client), 0);
    assert_eq!(world.at_tx(), "Request /poll");
    respond(&mut world);
    assert!(frames(&world.clients[client].got).ends_with("DATA 1 end"));
    assert_eq!(world.stats().timeouts, 0);
    world.reset(client);
    world.check_balance();
}

/// Its handler hears of it within fifty seconds.
#[test]
fn a_client_that_does_not_answer_is_gone() {
    let mut world = World::new(Setup::default());
    let client = waiting(&mut world);
    world.pass(AFTER + TICK);
    assert_eq!(pings(&mut world, client), 1);
    world.pass(ANSWER - TICK - BIT);
    assert_eq!(world.clients[client].seen, Seen::Open);
    assert_eq!(world.at_tx(), "Request /poll");
    world.pass(TICK * 2 + BIT);
    assert_eq!(world.clients[client].seen, Seen::Reset);
    assert_eq!(world.at_tx(), "Request /poll gone");
    assert_eq!(pings(&mut world, client), 0, "it is asked once");
    let stats = world.stats();
    assert_eq!((stats.timeouts, stats.client_gone, stats.open), (1, 1, 0));
    world.go(Leg::Release);
    world.check_balance();
}

/// All streams of the connection are lost with it, at whatever leg they are.
#[test]
fn every_stream_of_a_client_that_is_gone_is_told_so() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    let script = Script::new().settings().get(1, "/a").get(3, "/parts");
    let script = script.frame(1, 4, 5, &head("POST", "/body", &[]));
    world.ask(client, script.bytes());
    assert_eq!(world.at_tx(), "Request /a, Request /parts");
    let mut shuttle = world.held.remove(1);
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"one", false).unwrap();
    world.send(shuttle);
    assert_eq!(world.at_tx(), "Request /a, Continue /parts");
    world.pass(AFTER + TICK);
    world.pass(ANSWER + TICK);
    assert_eq!(world.clients[client].seen, Seen::Reset);
    assert_eq!(world.at_tx(), "Request /a gone, Continue /parts gone");
    world.go(Leg::Release);
    world.go(Leg::Close);
    respond(&mut world);
    world.check_balance();
}

/// Whatever comes is a sign of life, also a part of a frame.
#[test]
fn any_byte_is_an_answer() {
    let mut world = World::new(Setup::default());
    let client = waiting(&mut world);
    let update = Script::more().frame(8, 0, 0, &[0, 0, 0, 1]).bytes();
    // Part of a frame is enough.
    let (front, back) = update.split_at(3);
    world.pass(AFTER + TICK);
    assert_eq!(pings(&mut world, client), 1);
    world.pass(ANSWER - TICK * 2);
    world.ask(client, front);
    world.pass(AFTER - BIT);
    world.ask(client, back);
    world.pass(AFTER + TICK);
    // It owes an acknowledgement still, so it is not asked again, but it has the same time.
    assert_eq!(pings(&mut world, client), 0);
    world.pass(ANSWER - TICK - BIT);
    assert_eq!(world.clients[client].seen, Seen::Open);
    world.pass(TICK * 2 + BIT);
    assert_eq!(world.clients[client].seen, Seen::Reset);
    world.go(Leg::Release);
    world.check_balance();
}

/// An idle connection has its idle timeout, and no acknowledgement moves it.
#[test]
fn a_connection_without_streams_is_not_asked() {
    let mut world = World::new(Setup::default());
    let client = waiting(&mut world);
    world.pass(AFTER + TICK);
    // The answer to it comes when the request is over.
    let asked = std::mem::take(&mut world.clients[client].got);
    respond(&mut world);
    let idle = Duration::from_millis(IDLE_TIMEOUT_MS);
    world.clients[client].got = asked;
    world.pass(AFTER);
    pong(&mut world, client);
    world.pass(idle - AFTER - BIT);
    assert_eq!(frames(&world.clients[client].got), "");
    world.pass(TICK + BIT);
    assert!(frames(&world.clients[client].got).starts_with("GOAWAY 0"));
    assert_eq!(world.stats().timeouts, 1);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.clients[client].seen, Seen::End);
    world.check_balance();
}

/// What was asked and not answered before is forgotten with the next request.
#[test]
fn a_question_is_not_held_against_what_comes_later() {
    let mut world = World::new(Setup::default());
    let client = waiting(&mut world);
    world.pass(AFTER + TICK);
    assert_eq!(pings(&mut world, client), 1);
    respond(&mut world);
    world.pass(AFTER);
    world.ask(client, Script::more().get(3, "/later").bytes());
    world.pass(AFTER - BIT);
    assert_eq!(world.clients[client].seen, Seen::Open);
    assert_eq!(world.at_tx(), "Request /later");
    respond(&mut world);
    assert!(frames(&world.clients[client].got).ends_with("DATA 3 end"));
    world.reset(client);
    world.check_balance();
}

#[test]
fn nobody_is_asked_when_that_is_off() {
    let mut world = World::with(|limits| limits.ping_after = Duration::ZERO);
    let client = waiting(&mut world);
    for _ in 0..20 {
        world.pass(AFTER);
        assert_eq!(pings(&mut world, client), 0);
    }
    assert_eq!(world.at_tx(), "Request /poll");
    respond(&mut world);
    world.reset(client);
    world.check_balance();
}

/// The crate at the other end knows what to do; also while parts of an answer come.
#[test]
fn an_honest_client_notices_nothing() {
    let mut world = World::new(Setup::default());
    let mut client = Client2::new(&mut world);
    let call = client.get(&mut world, "/stream");
    let mut shuttle = world.take();
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"0", false).unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    for part in 1..8 {
        for _ in 0..3 {
            world.pass(AFTER / 2 + TICK);
            client.settle(&mut world);
        }
        world.write(&part.to_string(), part == 7);
        client.settle(&mut world);
    }
    assert_eq!(client.text(call), "200 || 01234567<end>");
    assert_eq!(client.end(), "open");
    respond(&mut world);
    world.check_balance();
}
