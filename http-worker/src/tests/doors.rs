//! Listening elsewhere while clients come: who waited is served, who is shaken by the hand too.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::world::{Setup, World, respond};
use crate::limits::{LEAVE_DOOR_MAX_MS, LEAVE_DOOR_MS};
use crate::{Command, Limits, Listener, Listening, Receipts};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A listener that is not the world's, and where it is.
fn elsewhere() -> (Listener, SocketAddr) {
    let listener = Listener::plain("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let addr = listener.socket.local_addr().unwrap();
    (listener, addr)
}

fn moved_to(world: &World, listeners: Vec<Listener>, receipts: &Receipts) -> Command {
    Command::ListenOnly(Listening {
        listeners,
        given_up: vec![world.addr],
        receipt: receipts.issue(),
    })
}

fn try_connect(addr: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&addr, Duration::from_millis(20))
}

#[test]
fn who_waits_at_an_address_that_is_given_up_is_served() {
    let mut world = World::new(Setup::default());
    let (ours, addr) = elsewhere();
    let receipts = Receipts::default();
    let waiting = world.connect();
    world.say(waiting, GET);
    let command = moved_to(&world, vec![ours], &receipts);
    world.command(command);
    // Neither served nor sent away: the kernel does not hear it.
    let late = try_connect(world.addr);
    if cfg!(target_os = "linux") {
        assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert!(receipts.are_out(), "who shakes hands is waited for");
    }
    let new = TcpStream::connect(addr).unwrap();
    world.pass(Duration::from_millis(LEAVE_DOOR_MS));
    assert!(!receipts.are_out());
    let late = try_connect(world.addr).unwrap_err();
    assert_eq!(late.kind(), std::io::ErrorKind::ConnectionRefused);
    respond(&mut world);
    assert!(world.text(waiting).starts_with("HTTP/1.1 200 "));
    world.ask(waiting, GET);
    respond(&mut world);
    assert!(
        world.text(waiting).starts_with("HTTP/1.1 200 "),
        "it goes on"
    );
    assert_eq!(world.stats().accepted, 2);
    drop(new);
}

#[test]
fn who_waits_where_there_is_no_room_is_not_waited_for_long() {
    let mut world = World::with(|limits| limits.connections_count = 1);
    let receipts = Receipts::default();
    let (first, second) = (world.connect(), world.connect());
    world.ask(first, GET);
    let command = moved_to(&world, Vec::new(), &receipts);
    world.command(command);
    world.pass(Duration::from_millis(LEAVE_DOOR_MAX_MS - 1));
    assert!(receipts.are_out());
    world.pass(Duration::from_millis(1));
    assert!(!receipts.are_out());
    respond(&mut world);
    assert!(world.text(first).ends_with("<open>"));
    assert_eq!(world.text(second), "<reset>");
}

#[test]
fn an_address_that_is_kept_loses_nobody_and_comes_and_goes() {
    let mut world = World::new(Setup::default());
    let (ours, addr) = elsewhere();
    let receipts = Receipts::default();
    let own = world.addr;
    for round in 0..20 {
        let to_ours = round % 2 == 0;
        let mut listening = Listening::from(vec![ours.try_clone().unwrap()]);
        listening.receipt = receipts.issue();
        if round == 0 {
            listening.given_up = vec![own];
        }
        let client = to_ours.then(|| {
            world.addr = addr;
            world.connect()
        });
        world.command(Command::ListenOnly(listening));
        let client = client.unwrap_or_else(|| world.connect());
        world.ask(client, GET);
        respond(&mut world);
        assert!(world.text(client).starts_with("HTTP/1.1 200 "), "{round}");
    }
    world.pass(Duration::from_millis(LEAVE_DOOR_MS));
    assert!(!receipts.are_out());
}

#[test]
fn a_worker_that_ends_holds_no_receipt() {
    for stop in [Command::Stop, Command::Drain { deadline_ms: None }] {
        let mut world = World::new(Setup::default());
        let receipts = Receipts::default();
        let command = moved_to(&world, Vec::new(), &receipts);
        world.command(command);
        world.command(stop);
        assert!(world.core.is_finished());
        assert!(!receipts.are_out());
        let command = moved_to(&world, vec![elsewhere().0], &receipts);
        world.command(command);
        drop(world);
        assert!(!receipts.are_out());
    }
}

/// Fewer requests than the link has berths may be with TX; the limit may change.
#[test]
fn r17_l14_requests_beyond_the_limit_wait_until_it_is_raised() {
    let mut world = World::with(|limits| limits.shuttles_count = 2);
    let clients: Vec<usize> = (0..5).map(|_| world.connect()).collect();
    for client in &clients {
        world.ask(*client, GET);
    }
    assert_eq!(world.at_tx(), "Request /, Request /");
    let raise = |count| {
        Command::Limits(Box::new(Limits {
            shuttles_count: count,
            ..Limits::default()
        }))
    };
    world.command(raise(4));
    assert_eq!(world.held.len(), 4);
    world.command(raise(0));
    for _ in 0..3 {
        world.answer(200, "");
    }
    assert_eq!(world.held.len(), 1, "the last one waits");
    world.answer(200, "");
    assert_eq!(world.at_tx(), "Request /");
    world.answer(200, "");
    for client in clients {
        assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    }
    world.check_balance();
}
