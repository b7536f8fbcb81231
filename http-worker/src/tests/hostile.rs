//! Clients that want to wear the worker down: each is bounded in time and in memory, and others
//! are served meanwhile.

use std::fmt::Write as _;
use std::time::Duration;

use http_proto::Leg;
use http_proto::limits::CHUNK_OVERHEAD_MAX_BYTES;

use super::world::{LARGE, Seen, Setup, World, respond};
use crate::Limits;
use crate::limits::{
    CHUNK_FORGIVEN_PER_SECOND_BYTES, EVICT_IDLE_MS, EVICT_RETRY_MS, HELD_SHARE_BYTES,
    RESERVED_COUNT, RESERVED_FROM_COUNT,
};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const MOMENT: Duration = Duration::from_millis(200);
const EVICT_IDLE: Duration = Duration::from_millis(EVICT_IDLE_MS);

/// Somebody else is served at once.
#[track_caller]
fn check_others_are_served(world: &mut World) {
    let client = world.connect();
    world.ask(client, GET);
    respond(world);
    let text = world.text(client);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
}

/// Begins with `start`, then sends `bytes` bytes every `every` until it is cut: after how long.
#[track_caller]
fn lasts(world: &mut World, start: &str, bytes: &str, every: Duration) -> Duration {
    let client = world.connect();
    world.ask(client, start);
    let mut lasted = Duration::ZERO;
    while world.clients[client].seen == Seen::Open {
        assert!(lasted < Duration::from_secs(5_000), "it is never cut");
        world.ask(client, bytes);
        world.pass(every);
        lasted += every;
    }
    let text = world.text(client);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    lasted
}

#[test]
fn a_head_that_trickles_has_the_time_of_a_head() {
    let mut world = World::new(Setup::default());
    let lasted = lasts(
        &mut world,
        "GET / HTTP/1.1\r\nX: ",
        "a",
        Duration::from_secs(1),
    );
    assert!(lasted <= Limits::default().header_timeout + Duration::from_secs(1));
    let lasted = lasts(&mut world, "\r\n", "", Duration::from_secs(1));
    assert!(lasted <= Limits::default().header_timeout + Duration::from_secs(1));
}

#[test]
fn a_body_that_trickles_is_cut_and_one_that_makes_the_rate_is_not() {
    let mut world = World::with(|limits| limits.receive_rate_bytes = 100);
    let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let grace = Limits::default().body_timeout;
    let second = Duration::from_secs(1);
    let lasted = lasts(&mut world, post, "b", second);
    assert!(lasted > grace && lasted < grace * 2, "{lasted:?}");
    let client = world.connect();
    world.ask(client, post);
    for _ in 0..1000 {
        world.ask(client, "b".repeat(100));
        world.pass(second);
    }
    respond(&mut world);
    assert!(world.text(client).starts_with("HTTP/1.1 200 "));
    world.check_balance();
}

#[test]
fn a_body_may_be_silent_for_so_long() {
    let mut world = World::new(Setup::default());
    let timeout = Limits::default().body_timeout;
    let client = world.connect();
    world.ask(
        client,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n",
    );
    for _ in 0..3 {
        world.pass(timeout - MOMENT);
        world.ask(client, "b".repeat(20_000));
    }
    assert_eq!(world.text(client), "<open>");
    world.pass(timeout + MOMENT);
    assert!(world.text(client).starts_with("HTTP/1.1 408 "));
    world.check_balance();
}

#[test]
fn every_body_has_its_own_time() {
    let mut world = World::new(Setup::default());
    let timeout = Limits::default().body_timeout;
    let client = world.connect();
    for _ in 0..3 {
        world.ask(
            client,
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
        );
        world.pass(timeout - MOMENT);
        world.ask(client, "b");
        respond(&mut world);
        assert!(world.text(client).ends_with("ab<open>"));
    }
}

#[test]
fn tiny_chunks_are_cut_off_and_time_forgives_them() {
    let mut world = World::new(Setup::default());
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let tiny = "1\r\nb\r\n";
    let most = usize::try_from(CHUNK_OVERHEAD_MAX_BYTES).unwrap() / 4;
    let (fast, patient) = (world.connect(), world.connect());
    for client in [fast, patient] {
        world.ask(client, head);
        world.ask(client, tiny.repeat(most));
        assert_eq!(world.text(client), "<open>");
    }
    world.ask(fast, tiny);
    let text = world.text(fast);
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(
        text.contains("too much framing for too little data"),
        "{text}"
    );
    // As much as a second forgives, each second.
    let forgiven = usize::try_from(CHUNK_FORGIVEN_PER_SECOND_BYTES).unwrap() / 4;
    for _ in 0..5 {
        world.pass(Duration::from_secs(1));
        world.ask(patient, tiny.repeat(forgiven));
        assert_eq!(world.text(patient), "<open>");
    }
    world.ask(patient, tiny);
    assert!(world.text(patient).starts_with("HTTP/1.1 400 "));
    check_others_are_served(&mut world);
    world.check_balance();
}

#[test]
fn tiny_chunks_are_bounded_by_what_they_carry_and_extensions_by_their_own_bound() {
    let mut world = World::with(|limits| limits.body_bytes = 1000);
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (tiny, endless, huge) = (world.connect(), world.connect(), world.connect());
    world.ask(tiny, format!("{head}{}", "1\r\nb\r\n".repeat(1001)));
    assert!(world.text(tiny).starts_with("HTTP/1.1 413 "));
    world.ask(
        endless,
        format!(
            "{head}{}",
            format!("1;{}\r\nb\r\n", "e".repeat(200)).repeat(90)
        ),
    );
    assert!(world.text(endless).starts_with("HTTP/1.1 400 "));
    world.ask(huge, format!("{head}1;{}", "e".repeat(1000)));
    assert!(world.text(huge).starts_with("HTTP/1.1 400 "));
    check_others_are_served(&mut world);
}

/// A client that asks for eight mebibytes.
fn downloader(world: &mut World) -> usize {
    let client = world.connect_slow(4096);
    world.ask(client, GET);
    let mut shuttle = world.take();
    shuttle.write(b"", true).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    client
}

/// Lets the downloader take `bytes` every second: after how many seconds it was cut, if it was.
fn downloads(world: &mut World, client: usize, bytes: usize, seconds: usize) -> Option<usize> {
    for second in 0..seconds {
        if world.stats().timeouts > 0 {
            return Some(second);
        }
        world.clients[client].appetite = bytes;
        world.pass(Duration::from_secs(1));
    }
    None
}

#[test]
fn a_reader_that_takes_a_few_bytes_now_and_then_is_reset() {
    let mut world = World::with(|limits| limits.send_rate_bytes = 10_000);
    let client = downloader(&mut world);
    let cut = downloads(&mut world, client, 1_000, 600).expect("it is cut");
    let grace = Limits::default().write_timeout.as_secs() as usize;
    assert!(cut >= grace && cut < 3 * grace, "{cut}");
    assert_eq!(world.at_tx(), "Closed /a gone");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn a_reader_that_makes_the_rate_stays() {
    let mut world = World::with(|limits| limits.send_rate_bytes = 10_000);
    let client = downloader(&mut world);
    assert_eq!(downloads(&mut world, client, 20_000, 300), None);
}

#[test]
fn an_address_has_so_many_connections() {
    let mut world = World::with(|limits| limits.connections_per_ip_count = 2);
    let clients: Vec<usize> = (0..3).map(|_| world.connect()).collect();
    world.settle();
    let seen = clients.iter().map(|&client| world.clients[client].seen);
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [Seen::Open, Seen::Open, Seen::End]
    );
    assert_eq!((world.stats().open, world.stats().refused), (2, 1));
    world.reset(clients[0]);
    check_others_are_served(&mut world);
}

#[test]
fn who_only_waits_makes_room_for_others() {
    let mut world = World::with(|limits| limits.connections_count = 3);
    let asking = world.connect();
    world.ask(asking, GET);
    let (begun, silent) = (world.connect(), world.connect());
    world.ask(begun, "GET / HT");
    world.pass(MOMENT);
    let late = world.connect();
    world.ask(late, GET);
    assert_eq!(
        world.at_tx(),
        "Request /a",
        "those inside are new: it waits"
    );
    world.pass(EVICT_IDLE);
    assert_eq!(world.at_tx(), "Request /a, Request /a");
    assert_eq!(world.stats().evicted, 1);
    respond(&mut world);
    assert!(world.text(asking).starts_with("HTTP/1.1 200 "));
    assert!(world.text(late).starts_with("HTTP/1.1 200 "));
    let gone = [begun, silent].map(|client| world.clients[client].seen == Seen::Open);
    assert_eq!(gone.iter().filter(|&&open| open).count(), 1);
}

#[test]
fn a_full_worker_looks_for_room_without_being_told_and_without_spinning() {
    let mut world = World::with(|limits| limits.connections_count = 2);
    let inside = [world.connect(), world.connect()];
    for client in inside {
        world.ask(client, GET);
    }
    let late = world.connect();
    world.settle();
    let before = world.stats().turns;
    for _ in 0..20 {
        world.pass(Duration::from_millis(EVICT_RETRY_MS));
    }
    let turns = world.stats().turns - before;
    assert!(turns < 200, "{turns} turns for 20 looks");
    assert_eq!((world.stats().open, world.stats().evicted), (2, 0));
    world.answer(200, "");
    world.answer(200, "");
    world.ask(late, GET);
    world.pass(EVICT_IDLE + MOMENT);
    respond(&mut world);
    assert!(world.text(late).starts_with("HTTP/1.1 200 "));
    world.check_balance();
}

#[test]
fn the_last_places_are_for_the_machine_itself() {
    let mut world = World::with(|limits| limits.connections_count = RESERVED_FROM_COUNT);
    let usual = RESERVED_FROM_COUNT - RESERVED_COUNT;
    let busy: Vec<usize> = (0..=usual).map(|_| world.connect()).collect();
    let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    for &client in &busy {
        world.say(client, post);
    }
    world.settle();
    assert_eq!(
        world.stats().open as usize,
        usual + 1,
        "we are of the machine"
    );
    check_others_are_served(&mut world);
    assert_eq!(world.stats().evicted + world.stats().refused, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_last_places_may_be_for_others() {
    let mut world = World::with(|limits| {
        limits.connections_count = RESERVED_FROM_COUNT;
        limits.reserved_for = vec!["127.0.0.8/30".parse().unwrap()];
    });
    let usual = RESERVED_FROM_COUNT - RESERVED_COUNT;
    let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    for _ in 0..usual {
        let busy = world.connect();
        world.say(busy, post);
    }
    world.settle();
    let stranger = world.connect();
    world.settle();
    assert_eq!(world.clients[stranger].seen, Seen::End);
    assert_eq!(
        (world.stats().open, world.stats().refused),
        (usual as u64, 1)
    );
    for last in 8..12 {
        let operator = world.connect_from([127, 0, 0, last]);
        world.ask(operator, GET);
        respond(&mut world);
        assert!(world.text(operator).starts_with("HTTP/1.1 200 "));
    }
    let neighbour = world.connect_from([127, 0, 0, 12]);
    world.settle();
    assert_eq!(world.clients[neighbour].seen, Seen::End);
    assert_eq!((world.stats().evicted, world.stats().refused), (0, 2));
}

#[test]
fn heads_that_never_end_are_bounded_over_all_connections() {
    let mut world = World::with(|limits| limits.held_bytes = 64 * 1024);
    let head = |len: usize| format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(len));
    let many: Vec<usize> = (0..32).map(|_| world.connect()).collect();
    for &client in &many {
        world.ask(client, head(8 * 1024));
    }
    let refused = many
        .iter()
        .filter(|&&client| world.text(client).starts_with("HTTP/1.1 503 "));
    let refused = refused.count();
    assert!((20..32).contains(&refused), "{refused}");
    assert!(world.stats().bytes_held <= 64 * 1024 + 16 * 1024);
    let small = world.connect();
    world.ask(small, "GET /a HTTP/1.1\r\n");
    world.ask(
        small,
        format!("X: {}\r\n", "a".repeat(HELD_SHARE_BYTES - 200)),
    );
    world.ask(small, "Host: h\r\n\r\n");
    respond(&mut world);
    assert!(
        world.text(small).starts_with("HTTP/1.1 200 "),
        "a usual head has its share"
    );
    check_others_are_served(&mut world);
    drop(world.clients.drain(..));
    world.check_balance();
    assert_eq!(world.stats().bytes_held, 0);
}

#[test]
fn heads_of_bodies_that_never_come_are_counted_too() {
    let mut world = World::with(|limits| limits.held_bytes = 64 * 1024);
    let padding = "a".repeat(8 * 1024);
    let post = format!("POST / HTTP/1.1\r\nHost: h\r\nX: {padding}\r\nContent-Length: 9\r\n\r\n");
    let many: Vec<usize> = (0..32).map(|_| world.connect()).collect();
    for &client in &many {
        world.ask(client, &post);
    }
    let refused = many
        .iter()
        .filter(|&&client| world.text(client).starts_with("HTTP/1.1 503 "));
    assert!(refused.count() >= 20);
    check_others_are_served(&mut world);
}

#[test]
fn pipelines_that_wait_for_answers_are_counted_too() {
    let mut world = World::with(|limits| limits.held_bytes = 64 * 1024);
    let many: Vec<usize> = (0..16).map(|_| world.connect()).collect();
    for &client in &many {
        world.ask(client, GET.repeat(500));
    }
    assert!(
        world.stats().bytes_held <= 64 * 1024 + 16 * 1024,
        "{:?}",
        world.stats()
    );
    while !world.held.is_empty() {
        respond(&mut world);
    }
    let cut = many
        .iter()
        .filter(|&&client| world.text(client).contains("HTTP/1.1 503 "));
    assert!(cut.count() > 0);
    world.check_balance();
}

#[test]
fn few_clients_cannot_take_all_berths() {
    let mut world = World::new(Setup {
        berths: 16,
        ..Setup::default()
    });
    for _ in 0..3 {
        let client = world.connect();
        world.ask(client, GET.repeat(16));
    }
    let out = world.stats().travelling;
    assert!(out <= 11, "{out} of 16 are out");
    let client = world.connect();
    world.ask(client, "GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        world.at_tx().ends_with("Request /other"),
        "{}",
        world.at_tx()
    );
    respond(&mut world);
    assert_eq!(world.stats().responses[1], 3 * 16 + 1);
    world.check_balance();
}

#[test]
fn thousands_of_pipelined_requests_take_no_memory() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    let piece = GET.repeat(500);
    let mut most = 0;
    for _ in 0..10 {
        world.ask(client, &piece);
        most = most.max(world.stats().bytes_held);
        respond(&mut world);
    }
    assert_eq!(world.stats().responses[1], 5_000);
    assert!(most < 256 * 1024, "{most}");
}

#[test]
fn a_reset_at_every_moment_leaves_nothing_behind() {
    let whole = "POST /parts HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\nGET /large HTTP/1.1\r\nHost: h\r\n\r\n";
    for (at, after_answer) in (0..=whole.len()).flat_map(|at| [(at, false), (at, true)]) {
        let mut world = World::new(Setup::default());
        let client = world.connect();
        world.ask(client, &whole[..at]);
        if after_answer && !world.held.is_empty() {
            world.answer(200, "one");
        }
        world.reset(client);
        respond(&mut world);
        world.check_balance();
        let stats = world.stats();
        assert_eq!((stats.open, stats.bytes_held), (0, 0), "after {at} bytes");
    }
}

#[test]
fn half_closed_connections_end() {
    let mut world = World::new(Setup::default());
    let mut text = String::new();
    for start in [
        "",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
    ] {
        let client = world.connect();
        world.ask(client, start);
        world.finish(client);
        world.pass(Limits::default().linger_timeout + MOMENT);
        let got = world.text(client);
        let status = got.split('|').next().unwrap_or_default();
        let _ = writeln!(text, "{status} {:?}", world.clients[client].seen);
    }
    assert_eq!(
        text,
        "<end> End\nHTTP/1.1 400 Bad Request End\nHTTP/1.1 400 Bad Request End\n"
    );
    assert_eq!(world.stats().open, 0);
}

#[test]
fn a_client_that_waits_to_be_invited_is_not_slow() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\n\r\n";
    world.ask(client, post);
    world.pass(Limits::default().body_timeout * 2);
    world.answer(200, "");
    assert!(
        world
            .text(client)
            .ends_with("HTTP/1.1 100 Continue||<open>")
    );
    world.pass(Limits::default().body_timeout - MOMENT);
    world.ask(client, "hi");
    respond(&mut world);
    assert!(world.text(client).ends_with("hi<open>"));
    world.check_balance();
}
