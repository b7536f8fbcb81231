//! HTTP/2: what a client may do with streams, and what becomes of their trips.

use std::time::Duration;

use http_proto::{Leg, Site, Sites};

use super::client2::{Client2, Script};
use super::world::{LARGE, Setup, World, respond};
use crate::limits::{BODIES_WAIT_MS, HTTP2_BODIES_WAITING_COUNT};
use crate::{App, Command, Serve};

fn world() -> (World, Client2) {
    let mut world = World::new(roomy());
    let client = Client2::new(&mut world);
    (world, client)
}

/// Berths for many streams: they are not scarce.
fn roomy() -> Setup {
    Setup {
        berths: 64,
        ..Setup::default()
    }
}

#[test]
fn a_request_and_its_answer() {
    let (mut world, mut client) = world();
    let stream = client.get(&mut world, "/a?b=c");
    assert_eq!(world.at_tx(), "Request /a");
    let mut shuttle = world.take();
    assert_eq!(shuttle.request.version().major(), 2);
    assert_eq!(shuttle.request.version().minor(), 0);
    assert_eq!(shuttle.request.query(), Some(&b"b=c"[..]));
    assert_eq!(shuttle.request.host(), b"h");
    assert_eq!(shuttle.request.field(b"host"), Some(&b"h"[..]));
    assert!(shuttle.peer.is_some() && shuttle.local.is_some() && !shuttle.https);
    shuttle
        .answer(200, &[("X-Note", "n"), ("Connection", "keep-alive")], b"hi")
        .unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    assert_eq!(
        client.text(stream),
        "200 | content-length: 2 | x-note: n || hi<end>"
    );
    assert_eq!(world.stats().responses[1], 1);
    world.check_balance();
}

/// The preface may come in any pieces, and the same port serves HTTP/1.
#[test]
fn the_preface_is_seen_at_any_split() {
    let mut world = World::new(Setup::default());
    let script = Script::new().settings().get(1, "/a").bytes();
    for at in 1..script.len() {
        let client = world.connect();
        world.ask(client, &script[..at]);
        world.ask(client, &script[at..]);
        assert_eq!(world.at_tx(), "Request /a", "{at}");
        world.answer(200, "ok");
        let frames = super::client2::frames(&world.clients[client].got);
        assert!(
            frames.ends_with("HEADERS 1, DATA 1 end"),
            "split at {at}: {frames}"
        );
        world.clients[client].got.clear();
    }
    let client = world.connect();
    world.ask(client, "PR");
    world.ask(client, "OPFIND / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(world.at_tx(), "Request /");
    respond(&mut world);
    assert!(world.text(client).starts_with("HTTP/1.1 200 OK|"));
    let client = world.connect();
    world.ask(client, "PRI * HTT");
    world.finish(client);
    assert!(world.text(client).starts_with("HTTP/1.1 400 "));
    world.check_balance();
}

#[test]
fn answers_leave_as_they_come_back() {
    let (mut world, mut client) = world();
    let streams: Vec<usize> = (0..4)
        .map(|i| client.get(&mut world, &format!("/{i}")))
        .collect();
    assert_eq!(world.held.len(), 4);
    for i in [2, 0, 3, 1] {
        let at = world
            .held
            .iter()
            .position(|shuttle| shuttle.request.path() == format!("/{i}").as_bytes());
        let mut shuttle = world.held.remove(at.unwrap());
        shuttle.answer(200, &[], format!("{i}").as_bytes()).unwrap();
        world.send(shuttle);
        client.settle(&mut world);
        assert_eq!(
            client.text(streams[i]),
            format!("200 | content-length: 1 || {i}<end>")
        );
    }
    world.check_balance();
}

#[test]
fn what_is_ready_together_leaves_with_one_write() {
    let (mut world, mut client) = world();
    for i in 0..8 {
        client.begin("GET", &format!("/{i}"), &[], true);
    }
    client.settle(&mut world);
    let before = world.stats().writes;
    while !world.held.is_empty() {
        let mut shuttle = world.take();
        shuttle.answer(200, &[], b"hi").unwrap();
        world.tx().send(shuttle);
    }
    client.settle(&mut world);
    assert_eq!(world.stats().writes, before + 1);
    world.check_balance();
}

#[test]
fn bodies_and_trailers_come_whole() {
    let (mut world, mut client) = world();
    let stream = client.begin("POST", "/echo", &[("content-length", "4")], false);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "");
    client.send(stream, b"ab", false);
    client.settle(&mut world);
    assert_eq!(world.stats().body_bytes_held, 2);
    client.send(stream, b"cd", false);
    client.send_trailers(stream, &[("checksum", "1"), ("content-type", "late")]);
    client.settle(&mut world);
    let shuttle = &world.held[0];
    assert_eq!(shuttle.body, b"abcd");
    assert_eq!(
        shuttle.trailers.iter().collect::<Vec<_>>(),
        [(&b"checksum"[..], &b"1"[..])]
    );
    respond(&mut world);
    client.settle(&mut world);
    assert_eq!(client.text(stream), "200 | content-length: 4 || abcd<end>");
    world.check_balance();
}

/// Larger than every window on the way.
#[test]
fn large_bodies_go_both_ways() {
    let (mut world, mut client) = self::world();
    let stream = client.begin("POST", "/echo", &[], false);
    client.send(stream, &LARGE, true);
    client.settle(&mut world);
    respond(&mut world);
    client.settle(&mut world);
    assert_eq!(
        client.text(stream),
        "200 | content-length: 1048576 || [1048576 x]<end>"
    );
    let stream = client.get(&mut world, "/large");
    respond(&mut world);
    client.settle(&mut world);
    respond(&mut world);
    assert_eq!(
        client.text(stream),
        "200 | content-length: 1048576 || [1048576 x]<end>"
    );
    world.check_balance();
}

#[test]
fn parts_are_continued_as_the_client_takes_them() {
    let (mut world, mut client) = world();
    let stream = client.get(&mut world, "/parts");
    let mut shuttle = world.take();
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"one", false).unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    assert_eq!(client.text(stream), "200 || one");
    assert_eq!(world.at_tx(), "Continue /parts");
    world.write(" two", false);
    assert_eq!(world.at_tx(), "Continue /parts");
    world.go(Leg::Close);
    client.settle(&mut world);
    assert_eq!(client.text(stream), " two<end>");
    assert_eq!(world.at_tx(), "Closed /parts");
    world.go(Leg::Release);
    world.check_balance();
}

/// Every path of the responder that HTTP/1 is tested with.
#[test]
fn the_same_answers_as_in_http1() {
    for (path, expected) in [
        ("/parts", "200 || one two<end>"),
        ("/close", "200 || one<end>"),
        ("/long", "200 | content-length: 2 || fo<end>"),
        ("/nothing", "200 | content-length: 0 || <end>"),
        (
            "/mute",
            "500 | content-length: 14 | content-type: text/plain; charset=utf-8 | vary: Accept || \
             Internal error<end>",
        ),
        ("/204", "204 || <end>"),
    ] {
        let (mut world, mut client) = world();
        let stream = client.get(&mut world, path);
        respond(&mut world);
        client.settle(&mut world);
        respond(&mut world);
        client.settle(&mut world);
        assert_eq!(client.text(stream), expected, "{path}");
        let stream = client.begin("HEAD", path, &[], true);
        client.settle(&mut world);
        respond(&mut world);
        client.settle(&mut world);
        respond(&mut world);
        let head = expected.split(" || ").next().unwrap();
        assert_eq!(
            client.text(stream),
            format!("{head} || <end>"),
            "HEAD {path}"
        );
        world.check_balance();
    }
}

/// R: a response that lacks declared bytes must not be taken for whole.
#[test]
fn a_short_answer_is_reset() {
    let (mut world, mut client) = world();
    let stream = client.get(&mut world, "/short");
    respond(&mut world);
    client.settle(&mut world);
    let text = client.text(stream);
    assert!(text.ends_with("<reset INTERNAL_ERROR>"), "{text}");
    let stream = client.get(&mut world, "/a");
    respond(&mut world);
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("/a<end>"), "others go on");
    world.check_balance();
}

#[test]
fn a_reset_is_hailed_at_once_and_frees_once() {
    let (mut world, mut client) = world();
    let (first, second) = (client.get(&mut world, "/a"), client.get(&mut world, "/b"));
    client.reset(first);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "Request /a gone, Request /b");
    assert_eq!(world.stats().client_gone, 1);
    world.answer(200, "nobody");
    world.answer(200, "somebody");
    client.settle(&mut world);
    assert!(client.text(second).ends_with("somebody<end>"));
    world.check_balance();
}

#[test]
fn a_reset_in_a_body_and_in_an_answer() {
    let (mut world, mut client) = world();
    let stream = client.begin("POST", "/p", &[], false);
    client.send(stream, b"some", false);
    client.settle(&mut world);
    client.reset(stream);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "");
    world.check_balance();
    let stream = client.get(&mut world, "/w");
    let mut shuttle = world.take();
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"one", false).unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    client.reset(stream);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "Continue /w gone");
    world.write("more", false);
    assert_eq!(world.at_tx(), "Closed /w gone");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn a_lost_connection_is_hailed_for_every_stream() {
    for how in [World::reset, World::finish] {
        let (mut world, mut client) = world();
        client.get(&mut world, "/a");
        client.get(&mut world, "/b");
        how(&mut world, client.client);
        assert_eq!(world.at_tx(), "Request /a gone, Request /b gone");
        world.answer(200, "");
        world.go(Leg::Release);
        world.check_balance();
    }
}

/// A stream whose window is shut does not hold its neighbours up, and its lent bytes stay where
/// they are.
#[test]
fn a_slow_stream_does_not_hold_up_others() {
    let (mut world, mut client) = world();
    client.appetite = 0;
    let slow = client.get(&mut world, "/large");
    respond(&mut world);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "", "the part is not taken");
    client.appetite = usize::MAX;
    client.holds.push(slow);
    let quick = client.get(&mut world, "/quick");
    respond(&mut world);
    client.settle(&mut world);
    assert!(client.text(quick).ends_with("/quick<end>"));
    assert_eq!(world.at_tx(), "");
    client.holds.clear();
    client.settle(&mut world);
    respond(&mut world);
    assert!(client.text(slow).ends_with("[1048576 x]<end>"));
    world.check_balance();
}

#[test]
fn a_client_that_does_not_read_is_reset_in_the_end() {
    let (mut world, mut client) = world();
    let slow = client.get(&mut world, "/large");
    client.holds.push(slow);
    respond(&mut world);
    client.settle(&mut world);
    world.pass(Duration::from_secs(29));
    assert_eq!(world.at_tx(), "");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.at_tx(), "Closed /large gone");
    world.go(Leg::Release);
    client.settle(&mut world);
    assert_eq!(world.stats().timeouts, 1);
    world.check_balance();
}

#[test]
fn limits_are_answered() {
    let mut world = World::with(|limits| {
        limits.body_bytes = 10;
        limits.head_bytes = 300;
        limits.fields_count = 4;
    });
    let mut client = Client2::new(&mut world);
    let mut ask = |fields: &[(&str, &str)], body: &[u8]| {
        let stream = client.begin("POST", "/echo", fields, false);
        client.send(stream, body, true);
        client.settle(&mut world);
        respond(&mut world);
        client.settle(&mut world);
        client.text(stream)[..3].to_owned()
    };
    assert_eq!(ask(&[], b"0123456789"), "200");
    assert_eq!(ask(&[], b"0123456789a"), "413");
    assert_eq!(ask(&[("content-length", "11")], b"0123456789a"), "413");
    assert_eq!(ask(&[("a", "1"), ("b", "1"), ("c", "1")], b""), "200");
    assert_eq!(
        ask(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")], b""),
        "431"
    );
    assert_eq!(ask(&[("a", &"v".repeat(400))], b""), "431");
    assert_eq!(ask(&[("expect", "tea")], b""), "417");
    world.check_balance();
}

#[test]
fn expect_100_is_invited() {
    let (mut world, mut client) = world();
    let stream = client.begin("POST", "/echo", &[("expect", "100-continue")], false);
    client.settle(&mut world);
    assert_eq!(client.informed(stream), "100");
    client.send(stream, b"hi", true);
    client.settle(&mut world);
    respond(&mut world);
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("hi<end>"));
    world.check_balance();
}

/// A stream without a berth waits, others behind it; nothing turns meanwhile.
#[test]
fn streams_wait_for_berths_without_a_busy_loop() {
    let mut world = World::new(Setup {
        berths: 2,
        ..Setup::default()
    });
    let mut client = Client2::new(&mut world);
    let streams: Vec<usize> = (0..6)
        .map(|i| client.begin("GET", &format!("/{i}"), &[], true))
        .collect();
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "Request /0, Request /1");
    let turns = world.stats().turns;
    world.pass(Duration::from_secs(1));
    assert!(world.stats().turns < turns + 10);
    client.reset(streams[2]);
    client.settle(&mut world);
    for _ in 0..5 {
        world.answer(200, "ok");
        client.settle(&mut world);
    }
    for (i, &stream) in streams.iter().enumerate() {
        let ending = if i == 2 { "" } else { "ok<end>" };
        assert!(client.text(stream).ends_with(ending), "{i}");
    }
    world.check_balance();
}

#[test]
fn a_drain_lets_streams_finish_and_closes() {
    let (mut world, mut client) = world();
    let stream = client.get(&mut world, "/a");
    world.command(Command::Drain { deadline_ms: None });
    client.settle(&mut world);
    assert!(!world.core.is_finished());
    world.answer(200, "still");
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("still<end>"));
    world.pass(Duration::from_secs(3));
    client.settle(&mut world);
    assert_eq!(client.end(), "closed");
    assert!(world.core.is_finished());
}

#[test]
fn a_client_that_ignores_the_drain_is_closed_when_idle() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, Script::new().settings().bytes());
    world.command(Command::Drain { deadline_ms: None });
    world.pass(Duration::from_millis(500));
    let frames = super::client2::frames(&world.clients[client].got);
    assert!(frames.ends_with("GOAWAY 0"), "{frames}");
    world.finish(client);
    assert!(world.core.is_finished());
}

#[test]
fn idle_connections_and_slow_ones_are_closed() {
    let mut world = World::new(Setup::default());
    let idle = world.connect();
    world.ask(idle, Script::new().settings().bytes());
    let slow = world.connect();
    world.ask(slow, "PRI * ");
    world.pass(Duration::from_secs(11));
    assert_eq!(world.stats().open, 1);
    world.pass(Duration::from_secs(65));
    world.pass(Duration::from_secs(1));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.stats().open, 0);
    let frames = super::client2::frames(&world.clients[idle].got);
    assert!(frames.contains("GOAWAY 0"), "{frames}");
}

#[test]
fn a_slow_body_is_answered_408() {
    let (mut world, mut client) = world();
    let stream = client.begin("POST", "/p", &[], false);
    client.send(stream, b"some", false);
    client.settle(&mut world);
    world.pass(Duration::from_secs(31));
    client.settle(&mut world);
    assert!(client.text(stream).starts_with("408"));
    world.check_balance();
}

/// Room for bodies: streams wait for it as connections of HTTP/1 do, with their windows unread.
fn rushed() -> (World, Client2, usize) {
    let mut setup = roomy();
    setup.limits.buffered_bodies_bytes = 100;
    let mut world = World::new(setup);
    let other = world.connect();
    let post = "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n";
    world.ask(other, format!("{post}{}", "b".repeat(100)));
    let client = Client2::new(&mut world);
    (world, client, other)
}

#[test]
fn streams_wait_for_room() {
    let (mut world, mut client, _) = rushed();
    let streams: Vec<usize> = (0..4)
        .map(|_| client.begin("POST", "/echo", &[], false))
        .collect();
    for &stream in &streams {
        client.send(stream, &[b'b'; 60], true);
    }
    client.settle(&mut world);
    assert_eq!(world.held.len(), 2, "one goes beyond");
    assert_eq!(world.stats().body_bytes_held, 160);
    world.pass(Duration::from_millis(BODIES_WAIT_MS - 1));
    client.settle(&mut world);
    assert_eq!(world.held.len(), 2);
    // One that is given up makes way as one that is complete does.
    client.reset(streams[1]);
    client.settle(&mut world);
    while !world.held.is_empty() {
        assert!(world.stats().body_bytes_held <= 200);
        let mut shuttle = world.take();
        let body = shuttle.body.clone();
        shuttle.answer(200, &[], &body).unwrap();
        world.send(shuttle);
        client.settle(&mut world);
    }
    for at in [0, 2, 3] {
        let text = client.text(streams[at]);
        assert!(
            text.ends_with(&format!("{}<end>", "b".repeat(60))),
            "{at}: {text}"
        );
    }
    world.check_balance();
}

#[test]
fn a_stream_that_finds_no_room_in_time_is_answered_503() {
    let (mut world, mut client, _) = rushed();
    let first = client.begin("POST", "/echo", &[], false);
    client.send(first, b"some", false);
    let late = client.begin("POST", "/echo", &[], false);
    client.send(late, b"some", true);
    client.settle(&mut world);
    assert_eq!(world.stats().body_bytes_held, 104);
    world.pass(Duration::from_millis(BODIES_WAIT_MS - 1));
    client.settle(&mut world);
    assert_eq!(client.text(late), "");
    world.pass(Duration::from_millis(200));
    client.settle(&mut world);
    let text = client.text(late);
    assert!(text.starts_with("503"), "{text}");
    assert!(text.contains("retry-after: 5"), "{text}");
    client.send(first, b"", true);
    client.settle(&mut world);
    respond(&mut world);
    client.settle(&mut world);
    assert!(client.text(first).ends_with("some<end>"));
    world.check_balance();
}

#[test]
fn so_many_streams_wait_for_room() {
    let (mut world, mut client, _) = rushed();
    let first = client.begin("POST", "/echo", &[], false);
    client.send(first, b"some", false);
    let late: Vec<usize> = (0..=HTTP2_BODIES_WAITING_COUNT)
        .map(|_| client.begin("POST", "/echo", &[], false))
        .collect();
    for &stream in &late {
        client.send(stream, b"some", true);
    }
    client.settle(&mut world);
    let (last, others) = late.split_last().unwrap();
    for &stream in others {
        assert_eq!(client.text(stream), "");
    }
    let text = client.text(*last);
    assert!(text.starts_with("503"), "{text}");
    world.lose_tx();
    drop(client);
}

#[test]
fn a_stop_resets() {
    let (mut world, mut client) = world();
    client.get(&mut world, "/a");
    world.command(Command::Stop);
    assert_eq!(world.at_tx(), "Request /a gone");
    world.answer(200, "");
    assert!(world.core.is_finished());
}

#[test]
fn cookies_are_joined_and_hosts_compared() {
    let (mut world, mut client) = world();
    client.begin("GET", "/", &[("cookie", "a=b"), ("cookie", "c=d")], true);
    client.settle(&mut world);
    assert_eq!(
        world.held[0].request.field(b"cookie"),
        Some(&b"a=b; c=d"[..])
    );
    respond(&mut world);
    let stream = client.begin("GET", "/", &[("host", "other")], true);
    client.settle(&mut world);
    assert!(client.text(stream).starts_with("400"));
    world.check_balance();
}

/// R33: a connection that is closed leaves nothing armed, whatever protocol it turned to.
#[test]
fn r33_nothing_is_left_of_a_connection_that_turned() {
    let mut world = World::new(Setup::default());
    for _ in 0..3 {
        let mut client = Client2::new(&mut world);
        let stream = client.get(&mut world, "/a");
        respond(&mut world);
        client.settle(&mut world);
        assert!(client.text(stream).ends_with("/a<end>"));
        world.reset(client.client);
        let plain = world.connect();
        world.ask(
            plain,
            "GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        );
        respond(&mut world);
        assert!(world.text(plain).starts_with("HTTP/1.1 200 OK|"));
        world.finish(plain);
        assert_eq!(world.stats().open, 0);
    }
    world.pass(Duration::from_secs(100));
    assert_eq!(world.stats().timeouts, 0);
    world.check_balance();
}

/// What TX appends while the shuttle is here leaves as the client's windows admit, and TX hears of
/// it.
#[test]
fn what_is_appended_is_sent_too() {
    let (mut world, mut client) = world();
    let stream = client.get(&mut world, "/w");
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"one", false).unwrap();
    world.tx().send(shuttle);
    let _ = world.tx().append(berth, b" two");
    client.settle(&mut world);
    assert_eq!(client.text(stream), "200 || one two");
    assert_eq!(world.tx().progress(berth).unwrap().sent_bytes, 4);
    client.holds.push(stream);
    let mut shuttle = world.take();
    shuttle.write(b"", false).unwrap();
    shuttle.lend_static(&LARGE);
    world.send(shuttle);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "");
    let _ = world.tx().append(berth, b" three");
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "", "behind what the window does not admit");
    client.holds.clear();
    client.settle(&mut world);
    assert_eq!(client.text(stream), "[1048576 x] three");
    assert_eq!(world.tx().progress(berth).unwrap().sent_bytes, 10);
    assert_eq!(world.at_tx(), "Continue /w");
    let mut shuttle = world.take();
    shuttle.unpin();
    shuttle.write(b"", false).unwrap();
    shuttle.lend_static(&LARGE);
    client.holds.push(stream);
    world.send(shuttle);
    let _ = world.tx().append(berth, b" four");
    let verdict = world.tx().must_close(berth);
    assert_eq!(verdict, shuttle_core::MustClose::InTime);
    client.holds.clear();
    client.settle(&mut world);
    assert_eq!(client.text(stream), "[1048576 x] four<end>");
    assert_eq!(world.at_tx(), "Closed /w");
    world.go(Leg::Release);
    world.check_balance();
}

/// A site that streams, `/u`, and one that takes ten bytes, `/ten`.
fn streaming() -> (World, Client2) {
    let site = |path: &str, body_max_bytes| Site {
        path: path.into(),
        value: Serve::App(App {
            streams_body: true,
            body_max_bytes,
            ..App::default()
        }),
    };
    let mut world = World::new(Setup {
        routes: Sites::new([site("/u", None), site("/ten", Some(10))]),
        ..roomy()
    });
    let client = Client2::new(&mut world);
    (world, client)
}

/// TX takes the piece of a body that it holds, and wants more or has it freed.
fn take_piece(world: &mut World) -> String {
    let held = &mut world.held;
    let at = held.iter().position(|shuttle| shuttle.leg() == Leg::Body);
    let mut shuttle = held.remove(at.expect("a piece is at TX"));
    let mut text = match shuttle.body.len() {
        0..100 => String::from_utf8(shuttle.body.clone()).unwrap(),
        len => len.to_string(),
    };
    if shuttle.last {
        text += " last";
    }
    if let Some(fault) = shuttle.fault {
        text = format!("{text} {}", fault.name());
    }
    let next = if shuttle.last {
        Leg::Release
    } else {
        Leg::WantBody
    };
    shuttle.advance(next).unwrap();
    world.send(shuttle);
    text
}

#[test]
fn bodies_may_cross_in_pieces() {
    let (mut world, mut client) = streaming();
    let stream = client.begin("POST", "/u", &[("expect", "100-continue")], false);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "Request /u, Body /");
    assert!(world.held[0].body_berth.is_some());
    assert_eq!(client.informed(stream), "", "nobody has asked for it");
    assert_eq!(take_piece(&mut world), "");
    client.settle(&mut world);
    assert_eq!(client.informed(stream), "100");
    client.send(stream, b"one", false);
    client.settle(&mut world);
    assert_eq!(take_piece(&mut world), "one");
    client.send(stream, b"two", false);
    client.send_trailers(stream, &[("sum", "6")]);
    client.settle(&mut world);
    let last = world.held.last().unwrap();
    assert_eq!(last.trailers.get(b"sum"), Some(&b"6"[..]));
    assert_eq!(take_piece(&mut world), "two last");
    world.answer(200, "ok");
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("ok<end>"));
    world.check_balance();
}

/// What nobody takes stays in its window; neighbours go on.
#[test]
fn a_body_that_nobody_takes_holds_nobody_up() {
    let (mut world, mut client) = streaming();
    let stuck: Vec<usize> = (0..3)
        .map(|_| {
            let stream = client.begin("POST", "/u", &[], false);
            client.send(stream, &LARGE, true);
            stream
        })
        .collect();
    client.settle(&mut world);
    let most = 3 * (128 + 2 * 80 + 64) * 1024;
    assert!(world.stats().bytes_in < most, "{:?}", world.stats());
    let quick = client.begin("POST", "/u", &[], false);
    client.send(quick, b"quick", true);
    client.settle(&mut world);
    let at = world.held.iter().rposition(|s| s.leg() == Leg::Request);
    let mut shuttle = world.held.remove(at.unwrap());
    shuttle.answer(200, &[], b"done").unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    assert!(client.text(quick).ends_with("done<end>"));
    // Those that wait for the other shore are not silent.
    world.pass(Duration::from_secs(3600));
    let mut total = 0;
    while world.held.iter().any(|shuttle| shuttle.leg() == Leg::Body) {
        let text = take_piece(&mut world);
        let text = text.trim_end_matches(" closed").trim_end_matches(" last");
        total += text.parse::<usize>().unwrap_or(0);
        client.settle(&mut world);
    }
    assert_eq!(total, 3 * LARGE.len());
    respond(&mut world);
    client.settle(&mut world);
    for stream in stuck {
        assert!(client.text(stream).starts_with("200"));
    }
    world.check_balance();
}

#[test]
fn bodies_in_pieces_may_fail() {
    let (mut world, mut client) = streaming();
    let stream = client.begin("POST", "/ten", &[], false);
    client.send(stream, b"0123456789", false);
    client.settle(&mut world);
    assert_eq!(take_piece(&mut world), "0123456789");
    client.send(stream, b"a", false);
    client.settle(&mut world);
    assert_eq!(take_piece(&mut world), " last too large");
    world.answer(413, "");
    client.settle(&mut world);
    assert!(client.text(stream).starts_with("413"));
    world.check_balance();
    let stream = client.begin("POST", "/ten", &[("content-length", "11")], false);
    client.settle(&mut world);
    assert!(client.text(stream).starts_with("413"));
    assert_eq!(world.at_tx(), "");
    // Silent.
    let stream = client.begin("POST", "/u", &[], false);
    client.settle(&mut world);
    world.pass(Duration::from_secs(31));
    assert_eq!(take_piece(&mut world), " last silent");
    world.answer(408, "");
    client.settle(&mut world);
    assert!(client.text(stream).starts_with("408"));
    world.check_balance();
    // Reset, with the shuttle here and there.
    for is_taken in [false, true] {
        let stream = client.begin("POST", "/u", &[], false);
        client.send(stream, b"some", false);
        client.settle(&mut world);
        if is_taken {
            take_piece(&mut world);
        }
        client.reset(stream);
        client.settle(&mut world);
        assert!(world.at_tx().contains("Request /u gone"));
        while world.held.iter().any(|shuttle| shuttle.leg() == Leg::Body) {
            take_piece(&mut world);
        }
        world.answer(200, "");
        world.check_balance();
    }
    // Answered before it was whole: the client is told to stop, without an error.
    let stream = client.begin("POST", "/u", &[], false);
    client.send(stream, b"some", false);
    client.settle(&mut world);
    world.answer(200, "enough");
    client.settle(&mut world);
    assert!(client.text(stream).ends_with("enough<end>"));
    assert_eq!(take_piece(&mut world), "some");
    assert_eq!(take_piece(&mut world), " last closed");
    world.check_balance();
}

/// When more than half of the berths are taken, a connection has one at a time, however many
/// streams it has.
#[test]
fn l14_one_connection_does_not_take_all_berths() {
    let mut world = World::new(Setup::default());
    let mut greedy = Client2::new(&mut world);
    let mut modest = Client2::new(&mut world);
    for _ in 0..20 {
        greedy.begin("GET", "/greedy", &[], true);
    }
    greedy.settle(&mut world);
    assert_eq!(world.held.len(), 5, "half of eight, and one");
    let stream = modest.get(&mut world, "/modest");
    assert!(world.at_tx().ends_with("Request /modest"));
    respond(&mut world);
    modest.settle(&mut world);
    assert!(modest.text(stream).ends_with("/modest<end>"));
    while !world.held.is_empty() {
        respond(&mut world);
        greedy.settle(&mut world);
    }
    assert_eq!(world.stats().responses[1], 21);
    world.check_balance();
}
