//! Clients that leave, at every leg. Nothing stays out, and TX knows at once.

use http_proto::Leg;

use super::world::{LARGE, Setup, World, respond};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A world whose client was brought to some leg.
type Scene = fn(&mut World, usize);

/// Every leg at which a client can leave, and what TX holds when it has: after a reset, and
/// after a FIN.
const SCENES: &[(&str, Scene, &str, &str)] = &[
    ("nothing was asked", |_, _| {}, "", ""),
    (
        "in a head",
        |world, client| world.ask(client, "GET /a HT"),
        "",
        "",
    ),
    ("in a body", in_a_body, "", ""),
    ("request at TX", asked, "Request /a gone", "Request /a gone"),
    (
        "after a part",
        after_a_part,
        "Continue /a gone",
        "Continue /a gone",
    ),
    ("a part is half gone", in_a_part, "Closed /a gone", ""),
    ("several at TX", several, GONE_TWICE, GONE_TWICE),
    (
        "the second is home",
        second_home,
        "Request /a gone",
        "Request /a gone",
    ),
    ("closed and not released", closed, "Closed /a", "Closed /a"),
];

const GONE_TWICE: &str = "Request /a gone, Request /a gone";

fn in_a_body(world: &mut World, client: usize) {
    world.ask(
        client,
        "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
    );
}

fn asked(world: &mut World, client: usize) {
    world.ask(client, GET);
}

fn after_a_part(world: &mut World, client: usize) {
    world.ask(client, GET);
    world.write("one", false);
}

fn in_a_part(world: &mut World, client: usize) {
    world.clients[client].appetite = 0;
    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.write(b"", false).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    assert_eq!(world.at_tx(), "", "the socket cannot have taken it all");
}

fn several(world: &mut World, client: usize) {
    world.ask(client, [GET, GET].concat());
}

fn second_home(world: &mut World, client: usize) {
    world.ask(client, [GET, GET].concat());
    let first = world.held.remove(0);
    world.write("two", true);
    world.held.push(first);
}

fn closed(world: &mut World, client: usize) {
    world.ask(client, GET);
    world.write("all", true);
}

/// Plays every scene, lets the client leave by `leave`, and hands what TX holds to `check`.
fn at_every_leg(leave: fn(&mut World, usize), check: fn(&mut World, &str, &str, &str)) {
    for (name, scene, after_reset, after_fin) in SCENES {
        let mut world = World::new(Setup::default());
        let client = world.connect_slow(4096);
        world.clients[client].appetite = usize::MAX;
        world.settle();
        scene(&mut world, client);
        leave(&mut world, client);
        check(&mut world, name, after_reset, after_fin);
        // What TX does now reaches nobody, and everything comes home all the same.
        world.clients[client].appetite = usize::MAX;
        let mut rounds = 0;
        while !world.held.is_empty() || world.stats().travelling > 0 {
            respond(&mut world);
            rounds += 1;
            assert!(rounds < 100, "{name}: {:?}", world.stats());
        }
        world.check_balance();
        assert_eq!(
            world.stats().open,
            0,
            "{name}: the connection is still there"
        );
    }
}

/// R1, R7, R8, R42, L12.
#[test]
fn a_reset_is_hailed_at_once_at_every_leg() {
    at_every_leg(World::reset, |world, name, expected, _| {
        let at_tx: Vec<String> = match world.at_tx() {
            text if text.is_empty() => Vec::new(),
            text => text.split(", ").map(str::to_owned).collect(),
        };
        let expected: Vec<&str> = expected
            .split(", ")
            .filter(|text| !text.is_empty())
            .collect();
        for text in &expected {
            assert!(at_tx.iter().any(|at_tx| at_tx == text), "{name}: {at_tx:?}");
        }
    });
}

/// R8, R42, L12.
#[test]
fn a_fin_is_hailed_at_once_at_every_leg() {
    at_every_leg(World::finish, |world, name, _, expected| {
        if !expected.is_empty() {
            assert!(
                world.at_tx().contains(expected),
                "{name}: {}",
                world.at_tx()
            );
        }
    });
}

#[test]
fn every_hail_is_raised_once() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    let berth = world.held[0].berth();
    world.finish(client);
    assert_eq!(world.tx().hailed(), Some(berth));
    world.reset(client);
    assert_eq!(world.tx().hailed(), None);
    assert_eq!(world.stats().client_gone, 1);
    world.answer(200, "");
    world.check_balance();
}

#[test]
fn a_client_that_only_finished_asking_gets_its_answers() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.say(client, [GET, GET].concat());
    world.finish(client);
    assert_eq!(world.at_tx(), "Request /a gone, Request /a gone");
    world.answer(200, "one");
    world.write("two", true);
    let head = "HTTP/1.1 200 OK|Content-Length: 3||";
    assert_eq!(world.text(client), format!("{head}one{head}two<end>"));
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn what_is_streamed_to_a_client_after_its_fin_is_cut_visibly() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.write("one", false);
    world.finish(client);
    world.write("two", false);
    assert_eq!(world.at_tx(), "Closed /a gone");
    let text = world.text(client);
    assert!(text.ends_with("<reset>") && !text.contains("0||"), "{text}");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn a_client_that_leaves_without_an_answer_costs_no_answer() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.finish(client);
    world.go(Leg::Release);
    assert_eq!(world.text(client), "<end>");
    world.check_balance();
}

#[test]
fn half_a_request_is_answered_400() {
    let mut world = World::new(Setup::default());
    for input in [
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
    ] {
        let client = world.connect();
        world.say(client, input);
        world.finish(client);
        let text = world.text(client);
        assert!(
            text.starts_with("HTTP/1.1 400 ") && text.ends_with("incomplete<end>"),
            "{text}"
        );
    }
    world.check_balance();
}

#[test]
fn a_client_that_waits_for_a_berth_may_leave() {
    let mut world = World::new(Setup {
        berths: 1,
        ..Setup::default()
    });
    let clients = [world.connect(), world.connect(), world.connect()];
    for client in clients {
        world.ask(client, GET);
    }
    world.reset(clients[1]);
    world.answer(200, "");
    assert_eq!(world.at_tx(), "Request /a");
    world.answer(200, "");
    assert!(world.text(clients[2]).starts_with("HTTP/1.1 200 "));
    assert_eq!(world.stats().requests, 2);
    world.check_balance();
}

/// R42. Whatever of a body has come when the client leaves: nothing of it is held any more, and
/// nothing of it reaches TX.
#[test]
fn r42_a_client_may_leave_at_every_byte_of_a_body() {
    let by_length = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef";
    let by_chunks = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                     2\r\nab\r\n4\r\ncdef\r\n0\r\nA: b\r\n\r\n";
    let mut world = World::new(Setup::default());
    for request in [by_length, by_chunks] {
        let head_len = request.find("\r\n\r\n").unwrap() + 4;
        for cut in head_len..request.len() {
            for leave in [World::reset as fn(&mut World, usize), World::finish] {
                let client = world.connect();
                world.ask(client, &request[..head_len]);
                world.ask(client, &request[head_len..cut]);
                leave(&mut world, client);
                assert_eq!(world.at_tx(), "", "{:?}", &request[..cut]);
                let stats = world.stats();
                assert_eq!(
                    (stats.open, stats.travelling),
                    (0, 0),
                    "{:?}",
                    &request[..cut]
                );
                world.check_balance();
            }
        }
    }
}
