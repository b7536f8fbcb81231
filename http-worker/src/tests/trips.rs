//! The protocol between the shores, leg by leg.

use std::time::Duration;

use http_proto::Leg;
use shuttle_core::MustClose;

use super::world::{LARGE, Setup, World, respond};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A world with one client that has asked for `/a`.
fn asked() -> (World, usize) {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    assert_eq!(world.at_tx(), "Request /a");
    (world, client)
}

#[test]
fn a_complete_copied_answer_is_two_crossings() {
    let (mut world, client) = asked();
    world.answer(200, "hi");
    assert_eq!(
        world.text(client),
        "HTTP/1.1 200 OK|Content-Length: 2||hi<open>"
    );
    world.check_balance();
}

/// R40.
#[test]
fn several_writes_then_close() {
    let (mut world, client) = asked();
    world.write("one", false);
    assert_eq!(world.at_tx(), "Continue /a");
    let head = "HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|one|<open>";
    assert_eq!(world.text(client), head);
    world.write("", false);
    assert_eq!(
        world.at_tx(),
        "Continue /a",
        "an empty part goes through all the legs (R40)"
    );
    assert_eq!(world.text(client), "<open>");
    world.write("two", false);
    assert_eq!(world.text(client), "3|two|<open>");
    world.go(Leg::Close);
    assert_eq!(world.text(client), "0||<open>");
    assert_eq!(world.at_tx(), "Closed /a");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn the_last_write_comes_home_as_closed() {
    let (mut world, client) = asked();
    world.write("one", true);
    assert_eq!(
        world.text(client),
        "HTTP/1.1 200 OK|Content-Length: 3||one<open>"
    );
    assert_eq!(world.at_tx(), "Closed /a");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn must_close_in_time_ends_the_response_in_the_same_write() {
    let (mut world, client) = asked();
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"one", false).unwrap();
    world.tx().send(shuttle);
    assert_eq!(world.tx().must_close(berth), MustClose::InTime);
    let writes = world.stats().writes;
    world.settle();
    assert_eq!(world.stats().writes, writes + 1);
    assert_eq!(
        world.text(client),
        "HTTP/1.1 200 OK|Content-Length: 3||one<open>"
    );
    assert_eq!(world.at_tx(), "Closed /a");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn must_close_while_the_client_is_slow_comes_in_time_too() {
    let mut world = World::new(Setup::default());
    let client = world.connect_slow(4096);
    world.ask(client, GET);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"", false).unwrap();
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    shuttle.lend_static(&LARGE);
    world.send(shuttle);
    assert_eq!(
        world.at_tx(),
        "",
        "the client takes nothing, so the part is not gone"
    );
    assert_eq!(world.tx().must_close(berth), MustClose::InTime);
    world.clients[client].appetite = usize::MAX;
    world.settle();
    assert_eq!(world.at_tx(), "Closed /a");
    let text = world.text(client);
    let expected =
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||800000|[8388608 x]|0||<open>".to_owned();
    assert_eq!(text, expected);
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn must_close_too_late_is_left_to_tx() {
    let (mut world, client) = asked();
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"one", false).unwrap();
    world.tx().send(shuttle);
    let quick = Some(Duration::ZERO);
    while world.held.is_empty() {
        world.core.turn(quick, crate::core::Flush::Lazily).unwrap();
        if world.stats().writes > 0 {
            assert_eq!(world.tx().must_close(berth), MustClose::TooLate);
            world.settle();
        }
    }
    assert!(world.held[0].must_close_pending());
    world.go(Leg::Close);
    assert!(world.text(client).ends_with("3|one|0||<open>"));
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn answers_wait_for_their_turn() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET.repeat(3));
    assert_eq!(world.held.len(), 3);
    world.held.reverse();
    world.answer(200, "third");
    world.answer(200, "second");
    assert_eq!(world.text(client), "<open>");
    let writes = world.stats().writes;
    world.answer(200, "first");
    assert_eq!(
        world.stats().writes,
        writes + 1,
        "what is ready together leaves together"
    );
    let head = "HTTP/1.1 200 OK|Content-Length: ";
    let expected = format!("{head}5||first{head}6||second{head}5||third<open>");
    assert_eq!(world.text(client), expected);
    world.check_balance();
}

#[test]
fn lent_answers_leave_together_too() {
    static BODY: [u8; 2000] = [b'x'; 2000];
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET.repeat(4));
    for _ in 0..4 {
        let mut shuttle = world.take();
        shuttle.write(b"", true).unwrap();
        shuttle.lend_static(&BODY);
        world.tx().send(shuttle);
    }
    let writes = world.stats().writes;
    world.settle();
    assert_eq!(world.stats().writes, writes + 1);
    assert_eq!(world.clients[client].got.len(), 4 * (2000 + 78));
    respond(&mut world);
    world.check_balance();
}

#[test]
fn requests_that_change_things_travel_alone() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    let post = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
    world.ask(client, [GET, post, GET, GET].concat());
    assert_eq!(world.at_tx(), "Request /a");
    world.answer(200, "");
    assert_eq!(world.at_tx(), "Request /p");
    world.answer(200, "");
    assert_eq!(world.at_tx(), "Request /a, Request /a");
    respond(&mut world);
    world.check_balance();
}

/// R18.
#[test]
fn without_a_free_berth_connections_wait_in_their_order_and_unread() {
    let mut world = World::new(Setup {
        berths: 1,
        ..Setup::default()
    });
    let clients: Vec<usize> = (0..3).map(|_| world.connect()).collect();
    for (number, client) in clients.iter().enumerate() {
        world.ask(
            *client,
            format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n"),
        );
    }
    let reads = world.stats().reads;
    world.ask(clients[2], GET);
    assert_eq!(
        world.stats().reads,
        reads,
        "a connection that waits is not read"
    );
    for at_tx in ["Request /0", "Request /1", "Request /2", "Request /a"] {
        assert_eq!(world.at_tx(), at_tx);
        world.answer(200, "");
    }
    assert_eq!(world.stats().waits_for_berth, 2);
    assert_eq!(world.stats().responses[1], 4);
    world.check_balance();
}

#[test]
fn a_dropped_shuttle_is_answered_500() {
    let (mut world, client) = asked();
    drop(world.take());
    world.settle();
    assert!(
        world
            .text(client)
            .starts_with("HTTP/1.1 500 Internal Server Error|")
    );
    world.check_balance();
}

#[test]
fn a_shuttle_dropped_in_the_middle_cuts_the_response() {
    let (mut world, client) = asked();
    world.write("one", false);
    drop(world.take());
    world.settle();
    assert!(world.text(client).ends_with("<reset>"));
    world.check_balance();
}

#[test]
fn a_release_in_the_middle_cuts_the_response() {
    let (mut world, client) = asked();
    world.write("one", false);
    world.go(Leg::Release);
    assert!(world.text(client).ends_with("<reset>"));
    world.check_balance();
}

#[test]
fn a_leg_that_makes_no_sense_is_a_500_and_no_shuttle_is_lost() {
    let (mut world, client) = asked();
    let shuttle = world.take();
    world.send(shuttle);
    assert!(
        world.text(client).starts_with("HTTP/1.1 500 "),
        "sent without an answer"
    );
    world.check_balance();

    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.answer(200, &[], b"").unwrap();
    shuttle.lend_static(&LARGE);
    world.send(shuttle);
    assert!(
        world.text(client).starts_with("HTTP/1.1 500 "),
        "a complete answer lends nothing"
    );
    let back = world.take();
    assert!(back.is_abandoned());
    drop(back);
    world.check_balance();
}

#[test]
fn when_tx_has_left_requests_are_answered_500() {
    let (mut world, client) = asked();
    world.lose_tx();
    assert!(world.text(client).starts_with("HTTP/1.1 500 "));
    world.ask(client, GET);
    assert!(world.text(client).starts_with("HTTP/1.1 500 "));
    world.check_balance();
}

#[test]
fn a_berth_is_as_new_on_every_trip() {
    let mut world = World::new(Setup {
        berths: 1,
        ..Setup::default()
    });
    let client = world.connect();
    let head = "POST /p HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    world.ask(client, format!("{head}3\r\nabc\r\n0\r\nTrail: t\r\n\r\n"));
    let shuttle = world.take();
    assert_eq!(shuttle.body, b"abc");
    assert_eq!(shuttle.trailers.get(b"trail"), Some(&b"t"[..]));
    assert!(shuttle.peer.is_some() && shuttle.local == Some(world.addr) && !shuttle.https);
    let ticket = shuttle.worker_ticket;
    world.held.push(shuttle);
    world.answer(200, "");
    world.ask(client, GET);
    let shuttle = world.take();
    assert_eq!((&shuttle.body[..], shuttle.trailers.len()), (&b""[..], 0));
    assert_eq!(shuttle.request.field(b"x-a"), None);
    assert_ne!(shuttle.worker_ticket, ticket);
    world.held.push(shuttle);
    world.answer(200, "");
    world.check_balance();
}
