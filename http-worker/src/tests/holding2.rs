//! What connections of HTTP/2 hold is counted, and has a bound over all of them.

use std::io::Write as _;

use super::client2::{Client2, Script, frames, head};
use super::world::{Seen, Setup, World, respond};
use crate::limits::{HTTP2_HELD_SHARE_BYTES, HTTP2_STREAM_BYTES};

const CALM: &str = "GOAWAY 11";

fn world(berths: u16, held: usize) -> World {
    let mut setup = Setup {
        berths,
        ..Setup::default()
    };
    setup.limits.http2_held_bytes = held;
    World::new(setup)
}

/// A request whose body is to come.
fn post(script: Script, stream: u32) -> Script {
    script.frame(1, 4, stream, &head("POST", "/a", &[]))
}

/// A client with `count` requests that TX does not answer, or for which there is no berth.
fn ask(world: &mut World, client: usize, count: u32) {
    let script = (0..count).fold(Script::new().settings(), |script, count| {
        script.get(count * 2 + 1, "/a")
    });
    world.ask(client, script.bytes());
}

fn told(world: &World, client: usize) -> String {
    frames(&world.clients[client].got)
}

#[test]
fn what_streams_take_is_counted_and_given_back() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    assert_eq!(world.stats().bytes_held, 0);
    ask(&mut world, client, 5);
    let held = world.stats().bytes_held;
    let streams = 5 * HTTP2_STREAM_BYTES as u64;
    assert!(held > streams, "buffers too: {held}");
    respond(&mut world);
    // Its engine keeps what it has for later streams, and the buffers are given back.
    assert_eq!(world.stats().bytes_held, streams);
    world.ask(client, Script::more().get(21, "/a").bytes());
    respond(&mut world);
    assert_eq!(world.stats().bytes_held, streams);
    world.reset(client);
    assert_eq!(world.stats().bytes_held, 0);
    world.check_balance();
}

/// Streams that wait in the engine, and their bodies, cost the connection when all hold too much.
#[test]
fn bodies_of_streams_without_a_berth_are_bounded() {
    const PART: usize = 16 * 1024;
    for (held, is_out) in [(60 * PART, false), (40 * PART, true)] {
        let mut world = world(1, held);
        let mut honest = Client2::new(&mut world);
        let call = honest.get(&mut world, "/held");
        let client = world.connect();
        // The first waits for a berth, the others in the engine.
        let mut script = Script::new().settings().get(1, "/a");
        for count in 1..9 {
            script = post(script, count * 2 + 1);
            for _ in 0..6 {
                script = script.frame(0, 0, count * 2 + 1, &[b'b'; PART]);
            }
        }
        for piece in script.bytes().chunks(PART) {
            if world.clients[client].seen == Seen::Open {
                // It may have heard enough.
                let _ = world.clients[client].stream.write_all(piece);
            }
            world.settle();
        }
        assert_eq!(told(&world, client).contains(CALM), is_out, "{held}");
        let bytes = world.stats().bytes_held;
        assert_eq!(bytes >= 48 * PART as u64, !is_out, "{bytes}");
        respond(&mut world);
        honest.settle(&mut world);
        assert!(honest.text(call).ends_with("/held<end>"));
        respond(&mut world);
        world.reset(client);
        respond(&mut world);
        world.check_balance();
    }
}

#[test]
fn requests_without_berths_are_bounded() {
    // Six connections with a hundred streams each, of which few have a berth.
    let mut world = world(4, 300 * HTTP2_STREAM_BYTES + 100_000);
    let clients: Vec<usize> = (0..6).map(|_| world.connect()).collect();
    for &client in &clients {
        ask(&mut world, client, 100);
    }
    let out = |client: &&usize| told(&world, **client).contains(CALM);
    let out = clients.iter().filter(out).count();
    assert!((3..6).contains(&out), "{out} are out");
    assert!(world.stats().bytes_held < 400 * HTTP2_STREAM_BYTES as u64 + 200_000);
    while !world.held.is_empty() {
        respond(&mut world);
    }
    clients.into_iter().for_each(|client| world.reset(client));
    respond(&mut world);
    world.check_balance();
}

/// A connection that rests is asked to go when half is taken; it loses nothing.
#[test]
fn connections_that_rest_go_first() {
    let size = 20 * HTTP2_STREAM_BYTES;
    assert!(size > HTTP2_HELD_SHARE_BYTES);
    let mut world = world(200, size * 4 - 1);
    let first = world.connect();
    ask(&mut world, first, 20);
    respond(&mut world);
    assert!(!told(&world, first).contains("GOAWAY"));
    let second = world.connect();
    ask(&mut world, second, 20);
    respond(&mut world);
    let seen = told(&world, second);
    assert!(seen.contains("GOAWAY 0"), "{seen}");
    assert_eq!(seen.matches(" end").count(), 20);
    world.pass(std::time::Duration::from_secs(1));
    world.pass(std::time::Duration::from_secs(3));
    assert_eq!(world.clients[second].seen, Seen::End);
    assert_eq!(world.clients[first].seen, Seen::Open);
    assert_eq!(world.stats().bytes_held, size as u64);
    world.check_balance();
}

/// Each frame has a place in the engine, which is kept: bodies in crumbs are cut off at the bound.
#[test]
fn bodies_in_crumbs_are_bounded() {
    for (count, size, is_out) in [(200, 10, true), (4, 500, false)] {
        let mut world = world(8, 40_000);
        let client = world.connect();
        let script = post(Script::new().settings(), 1);
        let crumbs = |script: Script, _| script.frame(0, 0, 1, &vec![b'b'; size]);
        world.ask(client, (0..count).fold(script, crumbs).bytes());
        assert_eq!(told(&world, client).contains(CALM), is_out, "{size}");
        world.reset(client);
        assert_eq!(world.stats().bytes_held, 0);
        world.check_balance();
    }
}

/// Whoever has few streams has nothing to fear.
#[test]
fn a_share_is_everybodys() {
    let few = u32::try_from(HTTP2_HELD_SHARE_BYTES / HTTP2_STREAM_BYTES).unwrap();
    let mut world = world(200, 0);
    for _ in 0..2 {
        let client = world.connect();
        ask(&mut world, client, few);
        respond(&mut world);
        let seen = told(&world, client);
        assert_eq!(seen.matches(" end").count(), few as usize);
        assert!(!seen.contains("GOAWAY"), "{seen}");
    }
    // One more, and it is let go when they are answered.
    let client = world.connect();
    ask(&mut world, client, few + 1);
    assert!(!told(&world, client).contains(CALM));
    respond(&mut world);
    let seen = told(&world, client);
    assert_eq!(seen.matches(" end").count(), few as usize + 1);
    assert!(seen.contains("GOAWAY 0"), "{seen}");
    world.check_balance();
}
