//! Drain and stop: in every state, in any order, repeated. (R22, R25-R31)

use std::time::Duration;

use http_proto::Leg;
use shuttle_core::MustClose;

use super::world::{Setup, World, respond};
use crate::Command;
use crate::core::Flush;
use crate::limits::{DRAIN_IDLE_MS, TIMER_TICK_MS};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const PARTING: Duration = Duration::from_millis(DRAIN_IDLE_MS);
const DRAIN: Command = Command::Drain {
    deadline_ms: Some(1000),
};

#[test]
fn a_worker_whose_clients_rest_ends_at_once() {
    for command in [DRAIN, Command::Stop] {
        let mut world = World::new(Setup::default());
        let client = world.connect();
        world.ask(client, GET);
        world.answer(200, "");
        let _ = world.text(client);
        world.pass(PARTING);
        assert!(!world.core.is_finished());
        world.command(command);
        assert!(world.core.is_finished());
        assert_ne!(world.text(client), "<open>");
        world.check_balance();
    }
}

#[test]
fn a_client_that_was_just_served_or_accepted_may_ask_once_more() {
    let mut world = World::new(Setup::default());
    let (served, new) = (world.connect(), world.connect());
    world.ask(served, GET);
    world.answer(200, "");
    let _ = world.text(served);
    world.command(Command::Drain { deadline_ms: None });
    for client in [served, new] {
        world.ask(client, GET);
        world.answer(200, "");
        let last = "HTTP/1.1 200 OK|Content-Length: 0|Connection: close||<end>";
        assert_eq!(world.text(client), last);
        world.finish(client);
    }
    assert!(world.core.is_finished());
    world.check_balance();
}

#[test]
fn who_stays_silent_while_the_worker_ends_is_closed_after_a_round_trip() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.command(Command::Drain { deadline_ms: None });
    world.pass(PARTING - Duration::from_millis(TIMER_TICK_MS));
    assert_eq!(world.text(client), "<open>");
    world.pass(Duration::from_millis(2 * TIMER_TICK_MS));
    assert_eq!(world.text(client), "<end>");
    assert!(world.core.is_finished());
    world.check_balance();
}

/// R25. The order to end is older than the worker's first turn, and than its first connection.
#[test]
fn r25_an_order_may_come_before_the_first_turn() {
    for command in [DRAIN, Command::Stop] {
        let mut world = World::new(Setup::default());
        let client = world.connect();
        world.say(client, GET);
        world.command(command);
        while !world.held.is_empty() {
            respond(&mut world);
        }
        assert!(!world.text(client).ends_with("<open>"));
        world.clients.clear();
        world.settle();
        assert!(world.core.is_finished());
        world.check_balance();
    }
}

/// R30.
#[test]
fn a_drain_answers_what_is_in_progress_and_says_that_it_ends() {
    let mut world = World::new(Setup::default());
    let (asked, streaming, half) = (world.connect(), world.connect(), world.connect());
    world.ask(streaming, GET);
    world.write("one", false);
    let stream = world.take();
    world.ask(asked, [GET, GET].concat());
    world.ask(half, "GET /half HTTP/1.1\r\n");
    world.command(Command::Drain { deadline_ms: None });
    world.ask(half, "Host: h\r\n\r\n");
    assert_eq!(world.at_tx(), "Request /a, Request /a, Request /half");
    for _ in 0..3 {
        world.answer(200, "hi");
    }
    let last = "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||hi<end>";
    assert_eq!(
        world.text(asked),
        format!("HTTP/1.1 200 OK|Content-Length: 2||hi{last}"),
        "only the last answer says so",
    );
    assert_eq!(world.text(half), last);
    world.held.push(stream);
    world.write("two", true);
    world.pass(PARTING + Duration::from_millis(TIMER_TICK_MS));
    assert!(world.text(streaming).ends_with("3|two|0||<end>"));
    world.go(Leg::Release);
    for client in [asked, half] {
        world.finish(client);
    }
    assert!(world.core.is_finished(), "{:?}", world.stats());
    world.check_balance();
}

#[test]
fn who_was_in_the_backlog_is_served() {
    let mut world = World::with(|limits| limits.connections_count = 1);
    let (first, second) = (world.connect(), world.connect());
    world.ask(first, GET);
    world.say(second, GET);
    let limits = crate::Limits::default();
    world.command(Command::Limits(Box::new(limits)));
    world.command(DRAIN);
    respond(&mut world);
    assert!(world.text(second).starts_with("HTTP/1.1 200 "));
}

/// R22.
#[test]
fn nobody_is_let_in_any_more() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.command(DRAIN);
    assert!(std::net::TcpStream::connect(world.addr).is_err());
    respond(&mut world);
}

#[test]
fn what_is_left_at_the_deadline_is_reset() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.command(DRAIN);
    world.pass(Duration::from_millis(999));
    assert_eq!(world.at_tx(), "Request /a");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.at_tx(), "Request /a gone");
    assert_eq!(world.text(client), "<reset>");
    assert!(!world.core.is_finished(), "a shuttle is out");
    world.answer(200, "");
    assert!(world.core.is_finished());
    world.check_balance();
}

/// R26, R27.
#[test]
fn commands_may_be_repeated_in_any_order() {
    let commands: [fn() -> Command; 3] = [
        || DRAIN,
        || Command::Stop,
        || Command::Drain { deadline_ms: None },
    ];
    for first in commands {
        for second in commands {
            let mut world = World::new(Setup::default());
            let client = world.connect();
            world.ask(client, GET);
            world.command(first());
            world.command(second());
            world.command(first());
            respond(&mut world);
            world.clients.clear();
            world.settle();
            assert!(world.core.is_finished(), "{:?} {:?}", first(), second());
            world.command(second());
            world.check_balance();
        }
    }
}

#[test]
fn a_worker_stops_at_every_leg() {
    let scenes: [fn(&mut World, usize); 5] = [
        |world, client| world.ask(client, GET),
        |world, client| {
            world.ask(
                client,
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
            )
        },
        |world, client| {
            world.ask(client, GET);
            world.write("one", false);
        },
        |world, client| {
            world.ask(client, GET);
            world.write("one", true);
        },
        |world, client| {
            world.ask(client, GET);
            let mut shuttle = world.take();
            let berth = shuttle.berth();
            shuttle.write(b"one", false).unwrap();
            world.tx().send(shuttle);
            assert_eq!(world.tx().must_close(berth), MustClose::InTime);
        },
    ];
    for (number, scene) in scenes.iter().enumerate() {
        let mut world = World::new(Setup::default());
        let client = world.connect();
        scene(&mut world, client);
        world.command(Command::Stop);
        while !world.held.is_empty() {
            respond(&mut world);
        }
        assert!(
            world.core.is_finished(),
            "scene {number}: {:?}",
            world.stats()
        );
        assert_eq!(world.stats().open, 0);
        world.check_balance();
    }
}

#[test]
fn a_worker_that_stops_does_not_wait_for_a_tx_that_has_left() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    let kept = world.take();
    world.lose_tx();
    world.command(Command::Stop);
    assert!(world.core.is_finished());
    drop(kept);
}

/// R22: who waits in a socket that a worker lets go of is served by whoever else has it.
#[test]
fn r22_a_socket_that_others_hold_loses_nobody() {
    let mut world = World::new(Setup::default());
    let ours = crate::Listener::plain("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let addr = ours.socket.local_addr().unwrap();
    world.command(Command::ListenOnly(vec![ours.try_clone().unwrap()].into()));
    assert!(std::net::TcpStream::connect(world.addr).is_err());
    world.addr = addr;
    let first = world.connect();
    world.ask(first, GET);
    respond(&mut world);
    world.command(Command::ListenOnly(Vec::new().into()));
    let second = world.connect();
    world.ask(second, GET);
    assert_eq!(world.at_tx(), "");
    // The poll was told: a client in a socket of others wakes nobody.
    let turns = world.core.turn(Some(Duration::ZERO), Flush::Lazily);
    assert_eq!(turns.unwrap(), 0);
    world.command(Command::ListenOnly(vec![ours].into()));
    respond(&mut world);
    assert!(world.text(second).starts_with("HTTP/1.1 200 "));
}
