//! Bodies that cross in pieces: what TX gets, what the client feels, and that nothing stays out.

use http_proto::{BodyFault, Exchange, Leg, Site, Sites};
use proptest::prelude::*;
use shuttle_core::{Shuttle, Tx};
use std::time::Duration;

use super::world::{Seen, Setup, World};
use crate::limits::{BODY_PIECE_BYTES, BODY_REST_BYTES, READ_BYTES};
use crate::{App, Serve};

const HEAD: &str = "POST /u HTTP/1.1\r\nHost: h\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK|Content-Length: 2||ok";

/// Sites: `/u` streams, `/ten` streams ten bytes at most, the others do not.
fn setup() -> Setup {
    let site = |path: &str, streams_body, body_max_bytes| Site {
        path: path.into(),
        value: Serve::App(App {
            streams_body,
            body_max_bytes,
            ..App::default()
        }),
    };
    let sites = [
        site("/u", true, None),
        site("/ten", true, Some(10)),
        site("/", false, None),
    ];
    Setup {
        routes: Sites::new(sites),
        ..Setup::default()
    }
}

fn world() -> World {
    World::new(setup())
}

fn asked(length: usize) -> String {
    format!("{HEAD}Content-Length: {length}\r\n\r\n")
}

/// What a shuttle at TX says of a body.
fn told(shuttle: &Shuttle<Tx, Exchange>) -> String {
    let mut text = format!("{:?}", shuttle.leg());
    if shuttle.leg() == Leg::Body {
        let piece = &shuttle.body;
        match piece.len() {
            0..100 => text += &format!(" \"{}\"", piece.escape_ascii()),
            len => text += &format!(" {len}"),
        }
        for (name, value) in shuttle.trailers.iter() {
            text += &format!(" [{}: {}]", name.escape_ascii(), value.escape_ascii());
        }
        if shuttle.last {
            text += " last";
        }
        if let Some(fault) = shuttle.fault {
            text += &format!(" {}", fault.name());
        }
    }
    text
}

fn at_tx(world: &World) -> String {
    let texts: Vec<_> = world.held.iter().map(told).collect();
    texts.join(", ")
}

/// TX takes the piece of the body that it holds, and wants more or has it freed.
fn take(world: &mut World) -> String {
    let at = world
        .held
        .iter()
        .position(|shuttle| shuttle.leg() == Leg::Body);
    let mut shuttle = world.held.remove(at.expect("a piece is at TX"));
    let text = told(&shuttle);
    let next = if shuttle.last {
        Leg::Release
    } else {
        Leg::WantBody
    };
    shuttle.body.clear();
    shuttle.advance(next).unwrap();
    world.send(shuttle);
    text
}

/// TX has the shuttle of a body freed although more of it may come.
fn refuse(world: &mut World) {
    let at = world
        .held
        .iter()
        .position(|shuttle| shuttle.leg() == Leg::Body);
    let mut shuttle = world.held.remove(at.expect("a piece is at TX"));
    shuttle.advance(Leg::Release).unwrap();
    world.send(shuttle);
}

/// TX answers its request.
fn answer(world: &mut World) {
    let at = world
        .held
        .iter()
        .position(|shuttle| shuttle.leg() == Leg::Request);
    let mut shuttle = world.held.remove(at.expect("a request is at TX"));
    shuttle.answer(200, &[], b"ok").unwrap();
    world.send(shuttle);
}

/// Whatever pieces come are taken or refused until nothing is left.
fn finish(world: &mut World) {
    while !world.held.is_empty() {
        match world.held[0].leg() {
            Leg::Request => answer(world),
            _ => refuse(world),
        }
    }
    world.check_balance();
}

#[test]
fn a_request_crosses_before_its_body() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(6));
    assert_eq!(at_tx(&world), "Request");
    let name = world.held[0].body_berth.expect("it names the other one");
    world.ask(client, "abc");
    assert_eq!(at_tx(&world), "Request, Body \"abc\"");
    let berth = world.held[1].berth();
    assert_eq!(
        (name.index, name.generation),
        (berth.index(), berth.generation())
    );
    assert!(world.held[1].carries_body && !world.held[0].carries_body);
    world.ask(client, "def");
    assert_eq!(take(&mut world), "Body \"abc\"");
    assert_eq!(take(&mut world), "Body \"def\" last");
    answer(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    world.check_balance();
    // The connection goes on.
    world.ask(client, asked(1) + "x");
    assert_eq!(at_tx(&world), "Request, Body \"x\" last");
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
}

#[test]
fn chunks_and_trailers() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, format!("{HEAD}{CHUNKED}3\r\nabc\r\n1\r\n"));
    assert_eq!(take(&mut world), "Body \"abc\"");
    world.ask(client, "d\r\n0\r\nX-Sum: 7\r\n\r\n");
    assert_eq!(take(&mut world), "Body \"d\" [x-sum: 7] last");
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
}

#[test]
fn sites_that_do_not_stream_and_requests_without_a_body_cross_whole() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(3).replace("/u", "/other") + "ab");
    assert_eq!(at_tx(&world), "");
    world.ask(client, "c");
    assert_eq!(at_tx(&world), "Request");
    assert_eq!(world.held[0].body, b"abc");
    assert_eq!(world.held[0].body_berth, None);
    finish(&mut world);
    world.ask(client, "GET /u HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(world.held[0].body_berth, None);
    finish(&mut world);
}

#[test]
fn a_worker_with_one_berth_sends_bodies_whole() {
    let mut world = World::new(Setup {
        berths: 1,
        ..setup()
    });
    let client = world.connect();
    world.ask(client, asked(3) + "abc");
    assert_eq!(world.held[0].body, b"abc");
    finish(&mut world);
}

/// Sends until the socket is full, letting the others go on between. How much went.
fn pour(world: &mut World, client: usize) -> usize {
    use std::io::Write as _;
    let block = [b'y'; 64 * 1024];
    let mut sent = 0;
    loop {
        match world.clients[client].stream.write(&block) {
            Ok(count) => sent += count,
            Err(_) => return sent,
        }
        world.settle();
    }
}

#[test]
fn who_does_not_read_makes_its_client_wait_and_holds_little() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(1 << 40));
    let sent = pour(&mut world, client);
    let read = world.stats().bytes_in as usize;
    assert!(sent > read, "the rest waits in the kernel");
    // One piece crossed, one waits, and what was read with it.
    let most = 3 * (BODY_PIECE_BYTES + READ_BYTES);
    assert!(read <= most, "{read} bytes were read and nobody took one");
    // While the client is made to wait, its silence does not count.
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.clients[client].seen, Seen::Open);
    let before = world.stats().bytes_in;
    take(&mut world);
    take(&mut world);
    assert!(world.stats().bytes_in > before, "there is room again");
    world.reset(client);
    finish(&mut world);
}

#[test]
fn the_end_is_told_also_when_there_was_no_room_for_the_last_byte() {
    for len in [1, BODY_PIECE_BYTES, BODY_PIECE_BYTES + 1] {
        let mut world = world();
        let client = world.connect();
        world.ask(client, asked(1 + len) + "a");
        world.ask(client, vec![b'x'; len]);
        assert_eq!(take(&mut world), "Body \"a\"");
        let text = take(&mut world);
        if !text.ends_with("last") {
            assert!(take(&mut world).ends_with("last"), "{len}: {text}");
        }
        finish(&mut world);
    }
}

#[test]
fn a_silent_client_is_told_of_once_it_is_waited_for() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(6) + "abc");
    assert_eq!(take(&mut world), "Body \"abc\"");
    world.pass(Duration::from_secs(20));
    world.ask(client, "d");
    assert_eq!(take(&mut world), "Body \"d\"");
    world.pass(Duration::from_secs(20));
    assert_eq!(at_tx(&world), "Request", "each piece gives it time");
    world.pass(Duration::from_secs(11));
    assert_eq!(at_tx(&world), "Request, Body \"\" last silent");
    finish(&mut world);
    let text = world.text(client);
    assert!(text.contains("|Connection: close|"), "{text}");
}

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Way {
    Reset,
    Fin,
}

fn leave(world: &mut World, client: usize, way: Way) {
    match way {
        Way::Reset => world.reset(client),
        Way::Fin => world.finish(client),
    }
}

#[test]
fn r42_a_client_may_leave_at_each_piece_of_a_body() {
    for way in [Way::Reset, Way::Fin] {
        for pieces in 0..4 {
            for is_taken in [false, true] {
                let mut world = world();
                let client = world.connect();
                world.ask(client, asked(100));
                for _ in 0..pieces {
                    world.ask(client, "abc");
                    if is_taken {
                        assert_eq!(take(&mut world), "Body \"abc\"");
                    }
                }
                leave(&mut world, client, way);
                while !is_taken && !world.held[1..].is_empty() && !world.held[1].last {
                    take(&mut world);
                }
                let text = at_tx(&world);
                let what = format!("{way:?} after {pieces}, taken: {is_taken}: {text}");
                assert!(text.ends_with("last closed"), "{what}");
                finish(&mut world);
            }
        }
    }
}

#[test]
fn r42_broken_chunks_end_the_body_and_the_connection() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, format!("{HEAD}{CHUNKED}3\r\nabcX"));
    assert_eq!(take(&mut world), "Body \"abc\" last malformed");
    answer(&mut world);
    let text = world.text(client);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok<end>"
    );
    world.check_balance();
}

#[test]
fn tiny_chunks_end_the_body_and_the_connection() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, format!("{HEAD}{CHUNKED}"));
    let tiny = "1\r\nb\r\n".repeat(1_000);
    let mut pieces = 0;
    while !at_tx(&world).contains("last") {
        world.ask(client, &tiny);
        pieces += 1;
        assert!(pieces <= 5, "they are never cut off: {}", at_tx(&world));
        let first = take(&mut world);
        assert!(first.starts_with("Body "), "{first}");
        if first.ends_with("last malformed") {
            break;
        }
    }
    assert_eq!(pieces, 5);
    answer(&mut world);
    assert!(world.text(client).ends_with("||ok<end>"));
    world.check_balance();
}

#[test]
fn a_site_may_bound_its_bodies() {
    let mut world = world();
    let ten = |len: usize| asked(len).replace("/u", "/ten");
    let client = world.connect();
    world.ask(client, ten(10) + "0123456789");
    assert_eq!(take(&mut world), "Body \"0123456789\" last");
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    // By its own word: nobody hears of it.
    world.ask(client, ten(11));
    assert_eq!(at_tx(&world), "");
    let text = world.text(client);
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    // By its chunks.
    let client = world.connect();
    let head = HEAD.replace("/u", "/ten");
    world.ask(client, format!("{head}{CHUNKED}a\r\n0123456789\r\n1\r\nx"));
    assert_eq!(take(&mut world), "Body \"0123456789\" last too large");
    finish(&mut world);
}

#[test]
fn who_waits_for_an_invitation_is_invited_when_the_body_is_wanted() {
    let mut world = world();
    let client = world.connect();
    let head = format!("{HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    world.ask(client, &head);
    assert_eq!(at_tx(&world), "Request, Body \"\"", "an offer");
    assert_eq!(world.text(client), "<open>");
    world.pass(Duration::from_secs(3600));
    assert_eq!(take(&mut world), "Body \"\"");
    assert_eq!(world.text(client), "HTTP/1.1 100 Continue||<open>");
    world.ask(client, "abc");
    assert_eq!(take(&mut world), "Body \"abc\" last");
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    // Answered instead: it may send its body now or not, so the connection cannot go on.
    world.ask(client, &head);
    answer(&mut world);
    let text = world.text(client);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok<end>"
    );
    finish(&mut world);
}

#[test]
fn an_invitation_never_follows_the_head_of_the_answer() {
    let mut world = world();
    let client = world.connect();
    world.ask(
        client,
        format!("{HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
    );
    let mut request = world.take();
    request.write_head(200, &[]).unwrap();
    request.write(b"one", false).unwrap();
    world.send(request);
    world.text(client);
    assert_eq!(take(&mut world), "Body \"\"");
    assert_eq!(world.text(client), "<open>");
    world.ask(client, "abc");
    assert_eq!(take(&mut world), "Body \"abc\" last");
    world.write("two", true);
    world.go(Leg::Release);
    assert_eq!(world.text(client), "3|two|0||<open>");
    world.check_balance();
}

#[test]
fn reading_and_writing_at_once() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, format!("{HEAD}{CHUNKED}"));
    let mut request = world.take();
    request.write_head(200, &[]).unwrap();
    request.write(b">", false).unwrap();
    world.send(request);
    world.text(client);
    for word in ["one", "two", "three"] {
        world.ask(client, format!("{:x}\r\n{word}\r\n", word.len()));
        assert_eq!(take(&mut world), format!("Body \"{word}\""));
        world.write(word, false);
        let echo = format!("{:x}|{word}|<open>", word.len());
        assert_eq!(world.text(client), echo);
    }
    world.ask(client, "0\r\n\r\n");
    assert_eq!(take(&mut world), "Body \"\" last");
    world.write("", true);
    world.go(Leg::Release);
    assert_eq!(world.text(client), "0||<open>");
    world.check_balance();
}

#[test]
fn requests_in_one_packet_take_their_turns() {
    let mut world = world();
    let client = world.connect();
    let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let stream = asked(3) + "abc";
    world.ask(client, format!("{get}{stream}{stream}{get}"));
    for at_tx_each in ["Request", "Request, Body \"abc\" last"] {
        assert_eq!(at_tx(&world), at_tx_each);
        answer(&mut world);
        assert_eq!(world.text(client), format!("{OK}<open>"));
        if world.held[0].leg() == Leg::Body {
            take(&mut world);
        }
    }
    // The first body came home after its answer: the next request did not wait for that.
    assert_eq!(at_tx(&world), "Request, Body \"abc\" last");
    take(&mut world);
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}{OK}<open>"));
}

#[test]
fn who_answers_first_and_reads_then_hears_that_it_is_over() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(9) + "abc");
    assert_eq!(take(&mut world), "Body \"abc\"");
    answer(&mut world);
    assert_eq!(
        at_tx(&world),
        "Body \"\" last closed",
        "it waited for a piece"
    );
    finish(&mut world);
    world.ask(client, "defghi");
    world.ask(client, asked(9) + "abc");
    answer(&mut world);
    assert_eq!(take(&mut world), "Body \"abc\"");
    assert_eq!(
        take(&mut world),
        "Body \"\" last closed",
        "it asked too late"
    );
    world.check_balance();
}

#[test]
fn a_small_rest_is_thrown_away_and_the_connection_goes_on() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(BODY_REST_BYTES) + "abc");
    answer(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    refuse(&mut world);
    world.check_balance();
    let mut left = BODY_REST_BYTES - 3;
    while left > 0 {
        let here = left.min(60_000);
        world.ask(client, vec![b'x'; here]);
        left -= here;
    }
    world.ask(client, asked(1) + "x");
    finish(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
}

#[test]
fn a_large_rest_ends_the_connection_but_not_the_answer() {
    let close = "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok<end>";
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(BODY_REST_BYTES + 4) + "abc");
    answer(&mut world);
    assert_eq!(world.text(client), close);
    finish(&mut world);
    // Chunks do not say how many there are.
    let client = world.connect();
    world.ask(client, format!("{HEAD}{CHUNKED}"));
    answer(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    for _ in 0..BODY_REST_BYTES / 0x1000 {
        world.ask(client, &chunk);
    }
    assert_eq!(world.clients[client].seen, Seen::Open, "the bound");
    world.ask(client, &chunk);
    assert_eq!(world.clients[client].seen, Seen::End, "beyond it");
    finish(&mut world);
}

#[test]
fn r42_nothing_is_left_when_tx_leaves_or_the_worker_stops() {
    for way in 0..3 {
        let mut world = world();
        let client = world.connect();
        world.ask(client, asked(100) + "abc");
        match way {
            0 => world.lose_tx(),
            1 => world.command(crate::Command::Stop),
            _ => world.command(crate::Command::Drain { deadline_ms: None }),
        }
        if way == 2 {
            world.ask(client, [b'x'; 97]);
            assert_eq!(take(&mut world), "Body \"abc\"");
        }
        while !world.held.is_empty() {
            finish(&mut world);
        }
        world.check_balance();
        // Without TX the worker answers itself, and waits for the little that is left.
        let is_open = world.clients[client].seen == Seen::Open;
        assert_eq!(is_open, way == 0, "way {way}: {}", world.text(client));
    }
}

#[test]
fn a_dropped_shuttle_of_a_body_is_freed() {
    let mut world = world();
    let client = world.connect();
    world.ask(client, asked(6) + "abc");
    let body = world.held.remove(1);
    drop(body);
    world.settle();
    world.ask(client, "def");
    answer(&mut world);
    assert_eq!(world.text(client), format!("{OK}<open>"));
    world.check_balance();
}

#[test]
fn requests_and_their_bodies_never_wait_for_each_other() {
    let mut world = World::new(Setup {
        berths: 3,
        ..setup()
    });
    let clients: Vec<_> = (0..4).map(|_| world.connect()).collect();
    for &client in &clients {
        world.ask(client, asked(3) + "abc");
    }
    // The second has one berth before it and would need two; none is taken by halves.
    assert_eq!(at_tx(&world), "Request, Body \"abc\" last");
    // Who needs one only waits behind, or big ones would wait for ever.
    let small = world.connect();
    world.ask(small, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(world.held.len(), 2);
    finish(&mut world);
    for client in clients.into_iter().chain([small]) {
        assert_eq!(world.text(client), format!("{OK}<open>"));
    }
}

#[test]
fn every_fault_has_a_name_and_an_answer() {
    let lines: Vec<_> = BodyFault::ALL
        .iter()
        .map(|fault| format!("{} {}", fault.name(), fault.answer().0))
        .collect();
    assert_eq!(
        lines.join(", "),
        "closed 400, silent 408, too large 413, malformed 400"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However the network cuts a body and whenever TX takes pieces, TX gets what was sent.
    #[test]
    fn any_split_gives_the_same_body(
        chunks in proptest::collection::vec(1..30_000_usize, 0..6),
        cuts in proptest::collection::vec((1..50_000_usize, any::<bool>()), 1..12),
        is_chunked in any::<bool>(),
    ) {
        let mut sent = Vec::new();
        let mut wire = Vec::new();
        for (nth, len) in chunks.iter().enumerate() {
            let chunk: Vec<u8> = (0..*len).map(|at| (at % 251 + nth) as u8).collect();
            if is_chunked {
                wire.extend_from_slice(format!("{len:x}\r\n").as_bytes());
            }
            wire.extend_from_slice(&chunk);
            if is_chunked {
                wire.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(&chunk);
        }
        let head = if is_chunked {
            wire.extend_from_slice(b"0\r\n\r\n");
            format!("{HEAD}{CHUNKED}")
        } else {
            asked(sent.len())
        };
        let mut world = world();
        let client = world.connect();
        world.ask(client, head);
        let mut got = Vec::new();
        let mut left = &wire[..];
        for (cut, is_taken) in cuts.into_iter().cycle().take(400) {
            let (here, rest) = left.split_at(cut.min(left.len()));
            left = rest;
            world.ask(client, here);
            if is_taken || left.is_empty() {
                collect(&mut world, &mut got);
            }
            if left.is_empty() {
                break;
            }
        }
        world.ask(client, left);
        for _ in 0..16 {
            collect(&mut world, &mut got);
        }
        prop_assert!(got == sent);
        finish(&mut world);
        prop_assert_eq!(world.text(client), format!("{OK}<open>"));
    }
}

/// TX takes the piece that it holds, if it holds one.
fn collect(world: &mut World, got: &mut Vec<u8>) {
    let piece = world
        .held
        .iter()
        .find(|shuttle| shuttle.leg() == Leg::Body)
        .map(|shuttle| shuttle.body.clone());
    if let Some(piece) = piece {
        got.extend_from_slice(&piece);
        take(world);
    }
}
