//! Every bound, at the bound.

use std::time::Duration;

use http_proto::Leg;

use super::world::{LARGE, Seen, Setup, World, respond};
use crate::limits::{BODIES_WAIT_MS, CROWDED_PERCENT, LINGER_BYTES};
use crate::{Command, Limits};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const MOMENT: Duration = Duration::from_millis(200);
const BODIES_WAIT: Duration = Duration::from_millis(BODIES_WAIT_MS);

#[test]
fn connections_beyond_the_limit_wait_outside() {
    let mut world = World::with(|limits| limits.connections_count = 2);
    let clients: Vec<usize> = (0..4).map(|_| world.connect()).collect();
    world.settle();
    assert_eq!((world.stats().open, world.stats().accepted), (2, 2));
    world.ask(clients[2], GET);
    assert_eq!(world.at_tx(), "");
    world.reset(clients[0]);
    assert_eq!((world.stats().open, world.stats().accepted), (2, 3));
    assert_eq!(
        world.at_tx(),
        "Request /a",
        "the one who waited longest came in"
    );
    respond(&mut world);
    world.check_balance();
}

#[test]
fn the_pipeline_is_so_deep() {
    let mut world = World::with(|limits| limits.pipeline_depth_count = 3);
    let client = world.connect();
    world.ask(client, GET.repeat(5));
    assert_eq!(world.held.len(), 3);
    world.answer(200, "");
    assert_eq!(world.held.len(), 3);
    respond(&mut world);
    assert_eq!(world.stats().responses[1], 5);
    world.check_balance();
}

/// R42, L14.
#[test]
fn bodies_in_memory_are_bounded_over_all_connections() {
    let post = |len: usize| {
        format!(
            "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n{}",
            "b".repeat(len)
        )
    };
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
    let clients = [world.connect(), world.connect(), world.connect()];
    world.ask(clients[0], post(60));
    world.ask(clients[1], post(40));
    assert_eq!(world.stats().body_bytes_held, 100);
    world.ask(clients[2], post(1));
    assert_eq!(world.held.len(), 3, "one goes beyond");
    let late = [world.connect(), world.connect()];
    for client in late {
        world.ask(client, half_post(80));
        world.ask(client, "b".repeat(80));
    }
    assert_eq!(world.held.len(), 3, "and only one");
    assert_eq!(world.stats().body_bytes_held, 101);
    world.pass(BODIES_WAIT - MOMENT);
    assert_eq!(world.text(late[1]), "<open>");
    world.answer(200, "");
    assert_eq!(
        world.stats().body_bytes_held,
        40 + 1 + 80,
        "the next one goes beyond"
    );
    world.answer(200, "");
    assert_eq!(world.stats().body_bytes_held, 1 + 80 + 80, "and the next");
    assert_eq!(world.held.len(), 3);
    respond(&mut world);
    for client in clients.into_iter().chain(late) {
        assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    }
    world.check_balance();
}

fn half_post(len: usize) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n")
}

/// All room is taken by bodies in the middle: each comes to its end, and their clients feel that
/// they wait.
#[test]
fn bodies_that_wait_for_each_other_all_come_to_their_ends() {
    for chunked in [false, true] {
        let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
        let clients: Vec<usize> = (0..10).map(|_| world.connect()).collect();
        let (head, piece) = match chunked {
            false => (half_post(60), "b".repeat(10)),
            true => {
                let head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
                (head.to_owned(), format!("a\r\n{}\r\n", "b".repeat(10)))
            }
        };
        for &client in &clients {
            world.ask(client, &head);
        }
        for _ in 0..6 {
            for &client in &clients {
                world.ask(client, &piece);
            }
        }
        for &client in &clients {
            world.ask(client, if chunked { "0\r\n\r\n" } else { "" });
        }
        while !world.held.is_empty() {
            assert!(world.stats().body_bytes_held <= 200);
            let mut shuttle = world.take();
            let body = shuttle.body.clone();
            shuttle.answer(200, &[], &body).unwrap();
            world.send(shuttle);
        }
        for &client in &clients {
            let text = world.text(client);
            assert!(
                text.ends_with(&format!("||{}<open>", "b".repeat(60))),
                "{text}"
            );
        }
        world.check_balance();
    }
}

#[test]
fn who_finds_no_room_in_time_is_told_to_come_again() {
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
    let clients: Vec<usize> = (0..4).map(|_| world.connect()).collect();
    world.ask(clients[0], half_post(100) + &"b".repeat(100));
    world.ask(clients[1], half_post(10) + &"b".repeat(9));
    world.ask(clients[2], half_post(1) + "b");
    // This one waits to be invited, and is not.
    let head = half_post(1).replace("Host", "Expect: 100-continue\r\nHost");
    world.ask(clients[3], head);
    world.pass(BODIES_WAIT - MOMENT);
    for &client in &clients {
        assert_eq!(world.text(client), "<open>");
    }
    world.pass(MOMENT * 2);
    for &client in &clients[2..] {
        let text = world.text(client);
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(text.contains("|Retry-After: 5|"), "{text}");
    }
    world.ask(clients[1], "b");
    respond(&mut world);
    for &client in &clients[..2] {
        assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    }
    world.check_balance();
}

/// Its time is that of one wait, not of all.
#[test]
fn who_finds_room_for_a_part_may_wait_again() {
    const KIB: usize = 1024;
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 200 * KIB);
    let clients: Vec<usize> = (0..4).map(|_| world.connect()).collect();
    world.ask(clients[0], half_post(100 * KIB) + &"b".repeat(100 * KIB));
    world.ask(clients[1], half_post(90 * KIB) + &"b".repeat(90 * KIB));
    world.ask(clients[2], half_post(20 * KIB) + &"b".repeat(11 * KIB));
    world.ask(clients[3], half_post(100 * KIB) + &"b".repeat(100 * KIB));
    assert_eq!(world.stats().body_bytes_held, 201 * KIB as u64);
    world.pass(BODIES_WAIT - MOMENT);
    world.answer(200, "");
    let held = world.stats().body_bytes_held;
    assert!((140..200).contains(&(held / KIB as u64)), "{held}");
    world.pass(BODIES_WAIT - MOMENT);
    assert_eq!(world.text(clients[3]), "<open>");
    world.pass(MOMENT * 2);
    assert!(world.text(clients[3]).starts_with("HTTP/1.1 503 "));
    world.reset(clients[2]);
    respond(&mut world);
    world.check_balance();
}

/// Waiting is for a rush, not for a flood: unread bytes are memory too.
#[test]
fn in_a_crowd_nobody_begins_to_wait() {
    let mut world = World::with(|limits| {
        limits.buffered_bodies_bytes = 64 * 1024;
        limits.held_bytes = 40 * 1024 * 100 / CROWDED_PERCENT;
    });
    let clients: Vec<usize> = (0..20).map(|_| world.connect()).collect();
    let post = |len: usize| half_post(len) + &"b".repeat(len);
    world.ask(clients[0], post(60 * 1024));
    world.ask(clients[1], half_post(9 * 1024) + &"b".repeat(8 * 1024));
    for &client in &clients[2..] {
        world.ask(client, post(8 * 1024));
    }
    let refused = |world: &mut World, client| world.text(client).starts_with("HTTP/1.1 503 ");
    let count = clients
        .iter()
        .filter(|&&client| refused(&mut world, client));
    let count = count.count();
    assert!((10..18).contains(&count), "{count}");
    assert!(world.stats().bytes_held <= 80 * 1024, "{:?}", world.stats());
    // Those that wait go on as soon as there is room.
    respond(&mut world);
    for &client in &clients[2..5] {
        assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    }
    world.reset(clients[1]);
    respond(&mut world);
    world.check_balance();
}

#[test]
fn who_leaves_the_queue_makes_way() {
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
    let clients: Vec<usize> = (0..5).map(|_| world.connect()).collect();
    world.ask(clients[0], half_post(100) + &"b".repeat(100));
    world.ask(clients[1], half_post(10) + &"b".repeat(9));
    world.ask(clients[2], half_post(1) + "b");
    world.ask(
        clients[3],
        half_post(1).replace("Host", "Expect: 100-continue\r\nHost"),
    );
    world.ask(clients[4], half_post(1) + "b");
    world.reset(clients[1]);
    assert_eq!(world.held.len(), 2, "the next is first, and whole");
    assert_eq!(world.text(clients[3]), "<open>");
    world.answer(200, "");
    assert!(world.text(clients[3]).starts_with("HTTP/1.1 100 "));
    assert_eq!(
        world.held.len(),
        2,
        "and there is room for the one behind it"
    );
    world.reset(clients[3]);
    respond(&mut world);
    world.check_balance();
}

/// It would wait for ever.
#[test]
fn a_body_that_is_more_than_all_may_be_is_too_large() {
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
    let clients = [world.connect(), world.connect()];
    world.ask(clients[0], half_post(101));
    let head = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    world.ask(clients[1], format!("{head}65\r\n"));
    for client in clients {
        assert!(world.text(client).starts_with("HTTP/1.1 413 "));
    }
    world.check_balance();
}

/// Its client has said all and closed its direction: what waits unread is not cut short.
#[test]
fn a_body_that_waits_and_has_ended_is_whole() {
    let mut world = World::with(|limits| limits.buffered_bodies_bytes = 100);
    let clients: Vec<usize> = (0..3).map(|_| world.connect()).collect();
    world.ask(clients[0], half_post(100) + &"b".repeat(100));
    world.ask(clients[1], half_post(2) + "b");
    world.ask(clients[2], half_post(1) + "b");
    world.finish(clients[2]);
    assert_eq!(world.held.len(), 1);
    world.answer(200, "");
    assert_eq!(world.held.len(), 1);
    world.answer(200, "late");
    assert!(world.text(clients[2]).ends_with("||late<end>"));
    world.reset(clients[1]);
    world.check_balance();
}

#[test]
fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
    let mut world = World::with(|limits| limits.body_bytes = 10);
    for (len, status) in [(10, "200"), (11, "413")] {
        let client = world.connect();
        let head = format!("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n");
        world.ask(client, head + &"b".repeat(len));
        respond(&mut world);
        let text = world.text(client);
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{len}: {text}"
        );
    }
    world.check_balance();
}

#[test]
fn heads_may_be_as_long_as_the_limit_and_no_longer() {
    let mut world = World::with(|limits| {
        limits.head_bytes = 100;
        limits.request_line_bytes = 50;
        limits.fields_count = 2;
    });
    let mut ask = |head: String, status: &str| {
        let client = world.connect();
        world.ask(client, &head);
        respond(&mut world);
        let text = world.text(client);
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head:?}: {text}"
        );
    };
    let with_field = |len: usize| {
        let start = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
        format!("{start}{}\r\n\r\n", "a".repeat(len - start.len() - 4))
    };
    ask(with_field(100), "200");
    ask(with_field(101), "431");
    ask(
        "GET / HTTP/1.1\r\nHost: h\r\nA: a\r\nB: b\r\n\r\n".to_owned(),
        "431",
    );
    let with_target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(len));
    ask(with_target(50 - 14), "200");
    ask(with_target(51 - 14), "414");
}

#[test]
fn limits_can_be_changed_while_it_runs() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.answer(200, "");
    let limits = Limits {
        request_line_bytes: 5,
        ..Limits::default()
    };
    world.command(Command::Limits(Box::new(limits)));
    world.ask(client, GET);
    assert!(world.text(client).contains("HTTP/1.1 414 "));
}

#[test]
fn a_head_has_so_much_time() {
    let mut world = World::new(Setup::default());
    let timeout = Limits::default().header_timeout;
    let (silent, slow) = (world.connect(), world.connect());
    world.ask(slow, "GET ");
    world.pass(timeout - MOMENT);
    world.ask(slow, "/ ");
    assert_eq!(
        (world.text(silent), world.text(slow)),
        ("<open>".into(), "<open>".into())
    );
    world.pass(MOMENT * 2);
    assert_eq!(world.text(silent), "<end>");
    let text = world.text(slow);
    assert!(
        text.starts_with("HTTP/1.1 408 Request Timeout|") && text.ends_with("<end>"),
        "{text}"
    );
    assert_eq!(world.stats().timeouts, 2);
}

#[test]
fn a_pause_between_requests_has_so_much_time() {
    let mut world = World::new(Setup::default());
    let timeout = Limits::default().idle_timeout;
    let client = world.connect();
    for _ in 0..2 {
        world.ask(client, GET);
        world.answer(200, "");
        let _ = world.text(client);
        world.pass(timeout - MOMENT);
        assert_eq!(world.text(client), "<open>");
    }
    world.pass(MOMENT * 2);
    assert_eq!(world.text(client), "<end>");
    assert_eq!(world.stats().open, 0);
}

#[test]
fn a_handler_has_all_the_time() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    world.pass(Duration::from_secs(100_000));
    world.answer(200, "");
    assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    world.check_balance();
}

/// Asks for eight mebibytes and reads none of them.
fn slow_reader() -> (World, usize) {
    let mut world = World::new(Setup::default());
    let client = world.connect_slow(4096);
    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.write(b"", true).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    assert_eq!(world.at_tx(), "");
    (world, client)
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    let (mut world, client) = slow_reader();
    let timeout = Limits::default().write_timeout;
    for _ in 0..10 {
        world.clients[client].appetite = 100_000;
        world.pass(timeout - MOMENT);
    }
    world.clients[client].appetite = usize::MAX;
    world.settle();
    assert_eq!(
        world.text(client).len(),
        "HTTP/1.1 200 OK|Content-Length: 8388608||[8388608 x]<open>".len()
    );
    respond(&mut world);
    world.check_balance();
}

#[test]
fn a_reader_that_takes_nothing_is_reset() {
    let (mut world, client) = slow_reader();
    world.pass(Limits::default().write_timeout + MOMENT);
    assert_eq!(world.at_tx(), "Closed /a gone");
    world.clients[client].appetite = usize::MAX;
    world.go(Leg::Release);
    assert_eq!(world.clients[client].seen, Seen::Reset);
    assert_eq!(world.stats().open, 0);
    world.check_balance();
}

#[test]
fn copied_answers_free_their_berths_also_when_the_client_is_slow() {
    let mut world = World::with(|limits| limits.pipeline_depth_count = 4);
    let client = world.connect_slow(4096);
    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.write(b"", true).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    world.ask(client, GET.repeat(2));
    world.answer(200, "one");
    world.answer(200, "two");
    assert_eq!(world.stats().travelling, 1, "only the lent one is out");
    world.clients[client].appetite = usize::MAX;
    world.settle();
    assert!(world.text(client).ends_with("two<open>"));
    respond(&mut world);
    world.check_balance();
}

#[test]
fn buffered_output_stops_the_encoding_and_the_reading() {
    let mut world = World::with(|limits| limits.buffered_output_bytes = 1000);
    let client = world.connect_slow(4096);
    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.write(b"", true).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    world.ask(client, GET.repeat(4));
    assert_eq!(world.held.len(), 4);
    for _ in 0..4 {
        world.answer(200, &"b".repeat(600));
    }
    assert_eq!(
        world.stats().travelling,
        1 + 2,
        "two fit, beyond the bound by less than one"
    );
    world.ask(client, GET);
    assert_eq!(world.at_tx(), "");
    world.clients[client].appetite = usize::MAX;
    respond(&mut world);
    assert_eq!(world.stats().responses[1], 6);
    world.check_balance();
}

#[test]
fn lingering_is_bounded_in_bytes_and_in_time() {
    let mut world = World::new(Setup::default());
    let (talker, silent, polite) = (world.connect(), world.connect(), world.connect());
    for client in [talker, silent, polite] {
        world.ask(client, "GET / HTTP/1.1\r\n\r\n");
        assert!(world.text(client).ends_with("missing<end>"));
    }
    assert_eq!(world.stats().open, 3);
    world.finish(polite);
    assert_eq!(world.stats().open, 2);
    for _ in 0..LINGER_BYTES / 65536 {
        world.ask(talker, vec![0; 65536]);
    }
    assert_eq!(world.stats().open, 2);
    world.ask(talker, "x");
    assert_eq!(world.stats().open, 1);
    world.pass(Limits::default().linger_timeout + MOMENT);
    assert_eq!(world.stats().open, 0);
}
