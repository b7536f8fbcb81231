//! Clients that read nothing keep berths only as long as nobody else needs them.

use std::time::Duration;

use http_proto::Leg;

use super::client2::{Client2, Script, frames};
use super::world::{Seen, Setup, World, respond};
use crate::limits::{PRESS_RETRY_MS, PRESSED_MS, WRITE_TIMEOUT_MS};

const PRESSED: Duration = Duration::from_millis(PRESSED_MS);
const RETRY: Duration = Duration::from_millis(PRESS_RETRY_MS);
const BIT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A few berths; of four, three are for whoever asks, and the last for one at a time.
fn world() -> World {
    World::new(Setup {
        berths: 4,
        ..Setup::default()
    })
}

/// A client that asks `paths` on one connection and keeps its windows shut.
fn shut(world: &mut World, paths: &[&str]) -> usize {
    let client = world.connect();
    let script = Script::new().frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let asked = paths.iter().zip((1..).step_by(2));
    let script = asked.fold(script, |script, (path, id)| script.get(id, path));
    world.ask(client, script.bytes());
    respond(world);
    client
}

fn told(world: &World, client: usize) -> String {
    frames(&world.clients[client].got)
}

/// How many streams were reset with CANCEL.
fn resets(world: &World, client: usize) -> usize {
    told(world, client).matches(" 8").count()
}

/// Somebody with an honest request, for which there is no berth.
fn honest(world: &mut World) -> usize {
    let client = world.connect();
    world.ask(client, "GET /honest HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(world.at_tx(), "", "there is no berth");
    client
}

#[track_caller]
fn is_served(world: &mut World, client: usize) {
    assert_eq!(world.at_tx(), "Request /honest");
    respond(world);
    assert!(world.text(client).ends_with("||/honest<open>"));
}

#[test]
fn shut_windows_give_way_to_those_who_wait() {
    let mut world = world();
    let first = shut(&mut world, &["/a", "/b", "/large"]);
    world.pass(SECOND);
    let second = shut(&mut world, &["/c"]);
    assert_eq!(world.stats().travelling, 4);
    world.pass(SECOND);
    let honest = honest(&mut world);
    world.pass(PRESSED - SECOND * 2 - BIT);
    assert_eq!((resets(&world, first), resets(&world, second)), (0, 0));
    world.pass(RETRY + BIT);
    // As many as wait, from whom has read nothing for longest.
    assert_eq!((resets(&world, first), resets(&world, second)), (1, 0));
    assert!(told(&world, first).ends_with("RST_STREAM 1 8"));
    is_served(&mut world, honest);
    assert_eq!(world.stats().timeouts, 1);
    // The others are as they were: their client may read.
    let open = Script::more().frame(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    world.ask(second, open.bytes());
    assert!(told(&world, second).contains("DATA 1 end"));
    world.reset(first);
    world.go(Leg::Release);
    world.reset(second);
    world.check_balance();
}

#[test]
fn nobody_gives_way_while_nobody_waits() {
    let mut world = world();
    let client = shut(&mut world, &["/a", "/b", "/c"]);
    assert_eq!(world.stats().travelling, 3);
    world.pass(Duration::from_millis(WRITE_TIMEOUT_MS) - BIT);
    assert_eq!(resets(&world, client), 0);
    world.pass(SECOND);
    assert_eq!(resets(&world, client), 3);
    world.check_balance();
}

/// What is there of time is less, where a program has chosen less.
#[test]
fn a_short_write_timeout_stays_short() {
    let mut setup = Setup {
        berths: 1,
        ..Setup::default()
    };
    setup.limits.write_timeout = SECOND;
    let mut world = World::new(setup);
    let client = shut(&mut world, &["/a"]);
    let honest = honest(&mut world);
    world.pass(SECOND + RETRY);
    assert_eq!(resets(&world, client), 1);
    is_served(&mut world, honest);
    world.check_balance();
}

/// A window that is opened now and then by enough is that of a slow reader, not of none.
#[test]
fn slow_readers_keep_their_berths() {
    let mut world = World::new(Setup {
        berths: 1,
        ..Setup::default()
    });
    let client = shut(&mut world, &["/large"]);
    let honest = honest(&mut world);
    for _ in 0..10 {
        world.pass(PRESSED - BIT);
        let more = Script::more().frame(8, 0, 1, &[0, 0, 0x0a, 0]);
        world.ask(client, more.bytes());
    }
    assert_eq!(told(&world, client).matches("DATA 1").count(), 10);
    // A byte now and then buys next to nothing.
    world.pass(PRESSED - BIT);
    world.ask(client, Script::more().frame(8, 0, 1, &[0, 0, 0, 1]).bytes());
    world.pass(RETRY + BIT);
    assert_eq!(resets(&world, client), 1);
    world.go(Leg::Release);
    is_served(&mut world, honest);
    world.reset(client);
    world.check_balance();
}

/// HTTP/1 has one reader for all: its connection goes.
#[test]
fn a_full_socket_gives_way_too() {
    for preface in [false, true] {
        let mut world = World::new(Setup {
            berths: 1,
            ..Setup::default()
        });
        let client = world.connect_slow(4_096);
        if preface {
            let wide = [0, 4, 0x7f, 0xff, 0xff, 0xff];
            let script = Script::new().frame(4, 0, 0, &wide);
            let script = script.frame(8, 0, 0, &[0x7f, 0, 0, 0]).get(1, "/large");
            world.ask(client, script.bytes());
        } else {
            world.ask(client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        }
        respond(&mut world);
        assert_eq!(world.stats().travelling, 1);
        let honest = honest(&mut world);
        world.pass(PRESSED - BIT);
        assert_eq!(world.stats().timeouts, 0);
        world.pass(RETRY + BIT);
        assert_eq!(world.stats().timeouts, 1);
        world.go(Leg::Release);
        is_served(&mut world, honest);
        world.clients[client].appetite = usize::MAX;
        world.settle();
        assert_eq!(world.clients[client].seen, Seen::Reset);
        world.check_balance();
    }
}

/// A handler that works is nobody's debt: its client keeps the berth however long it takes.
#[test]
fn handlers_that_work_do_not_give_way() {
    let mut world = World::new(Setup {
        berths: 1,
        ..Setup::default()
    });
    let mut client = Client2::new(&mut world);
    let call = client.get(&mut world, "/slow");
    let honest = world.connect();
    world.ask(honest, "GET /honest HTTP/1.1\r\nHost: h\r\n\r\n");
    for _ in 0..20 {
        world.pass(SECOND);
        client.settle(&mut world);
    }
    assert_eq!(world.at_tx(), "Request /slow");
    respond(&mut world);
    client.settle(&mut world);
    assert!(client.text(call).ends_with("/slow<end>"));
    is_served_later(&mut world, honest);
    world.check_balance();
}

fn is_served_later(world: &mut World, client: usize) {
    respond(world);
    assert!(world.text(client).ends_with("||/honest<open>"));
}

/// Who does it again and again is cut off.
#[test]
fn streams_that_had_to_give_way_are_paid_for() {
    let mut world = World::new(Setup {
        berths: 64,
        ..Setup::default()
    });
    let attacker = shut(&mut world, &[]);
    let mut next = 1;
    let mut rounds = 0;
    while !told(&world, attacker).contains("GOAWAY 11") {
        let script = (0..100).fold(Script::more(), |script, count| {
            script.get(next + count * 2, "/a")
        });
        next += 200;
        world.ask(attacker, script.bytes());
        respond(&mut world);
        let others: Vec<usize> = (0..64).map(|_| shut(&mut world, &["/b"])).collect();
        for _ in 0..8 {
            world.pass(PRESSED + RETRY);
            respond(&mut world);
        }
        others.into_iter().for_each(|other| world.reset(other));
        rounds += 1;
        assert!(rounds < 50, "it is never cut off");
    }
    respond(&mut world);
    world.check_balance();
}
