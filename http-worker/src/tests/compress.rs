//! Responses that are compressed on their way.

use std::sync::Arc;
use std::time::Duration;

use http_proto::content::{Coding, CompressRule};
use http_proto::{Leg, Site, Sites};
use proptest::prelude::*;
use shuttle_core::{Appended, MustClose};

use super::client2::Client2;
use super::world::{LARGE, Seen, Setup, World};
use crate::compress::tests::{decoded, decoded_whole};
use crate::core::Flush;
use crate::limits::{COMPRESS_STEP_BYTES, COMPRESS_TURN_BYTES, GZIP_ENCODER_BYTES};
use crate::{App, Limits, Serve};

const PLAIN: &[(&str, &str)] = &[("Content-Type", "text/plain")];

/// A world whose site `/` compresses, and `/off` does not.
fn world(limits: Limits) -> World {
    let site = |path: &str, compress| Site {
        path: path.into(),
        value: Serve::App(App {
            compress,
            ..App::default()
        }),
    };
    let rule = Arc::new(CompressRule {
        min_bytes: 10,
        ..CompressRule::default()
    });
    World::new(Setup {
        limits,
        routes: Sites::new([site("/off", None), site("/", Some(rule))]),
        ..Setup::default()
    })
}

fn get(coding: &str) -> String {
    request("GET", "/a", "HTTP/1.1", coding)
}

fn request(method: &str, path: &str, version: &str, coding: &str) -> String {
    format!("{method} {path} {version}\r\nHost: h\r\nAccept-Encoding: {coding}\r\n\r\n")
}

/// Takes what a client got apart: the head with its fields behind the date, and the body without
/// its chunks.
fn taken(world: &mut World, client: usize) -> (String, Vec<u8>) {
    let got = std::mem::take(&mut world.clients[client].got);
    let at = got.windows(4).position(|four| four == b"\r\n\r\n");
    let at = at.expect("a head is there");
    let head = String::from_utf8(got[..at].to_vec()).unwrap();
    let lines = head.split("\r\n").filter(|line| !line.starts_with("Date"));
    let head = lines.collect::<Vec<_>>().join("|");
    let body = &got[at + 4..];
    match head.contains("chunked") {
        true => (head, unchunked(body)),
        false => (head, body.to_vec()),
    }
}

/// The chunks that are there, joined. The last one is told by a panic if something follows it.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let len = std::str::from_utf8(&bytes[..end]).unwrap();
        let len = usize::from_str_radix(len, 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + len]);
        bytes = &bytes[end + 2 + len + 2..];
        if len == 0 {
            assert_eq!(bytes, b"");
        }
    }
    body
}

fn used(world: &World) -> u64 {
    world.stats().encoder_bytes
}

#[test]
fn a_complete_answer_has_the_length_of_what_is_sent() {
    for coding in Coding::ALL {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, get(coding.name()));
        let mut shuttle = world.take();
        let text = "to be or not to be, ".repeat(1000);
        shuttle.answer(200, PLAIN, text.as_bytes()).unwrap();
        world.send(shuttle);
        let (head, body) = taken(&mut world, client);
        let expected = format!(
            "HTTP/1.1 200 OK|Content-Length: {}|Content-Type: text/plain|Content-Encoding: {}\
             |Vary: Accept-Encoding",
            body.len(),
            coding.name(),
        );
        assert_eq!(head, expected);
        assert!(body.len() < 500, "{} bytes", body.len());
        assert_eq!(decoded_whole(coding, &body), text.as_bytes());
        assert_eq!(used(&world), 0);
        world.check_balance();
    }
}

#[test]
fn who_does_not_ask_gets_it_as_it_is() {
    for (path, coding, extra) in [
        ("/a", "identity", "|Vary: Accept-Encoding"),
        ("/off", "gzip", ""),
    ] {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, request("GET", path, "HTTP/1.1", coding));
        let mut shuttle = world.take();
        shuttle.answer(200, PLAIN, b"to be or not").unwrap();
        world.send(shuttle);
        let expected = format!(
            "HTTP/1.1 200 OK|Content-Length: 12|Content-Type: text/plain{extra}||to be or not<open>"
        );
        assert_eq!(world.text(client), expected);
        world.check_balance();
    }
}

#[test]
fn head_has_the_fields_and_no_body() {
    let mut world = world(Limits::default());
    let client = world.connect();
    world.ask(client, request("HEAD", "/a", "HTTP/1.1", "gzip"));
    let mut shuttle = world.take();
    shuttle.answer(200, PLAIN, b"to be or not").unwrap();
    world.send(shuttle);
    let expected = "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Content-Type: text/plain\
                    |Content-Encoding: gzip|Vary: Accept-Encoding||<open>";
    assert_eq!(world.text(client), expected);
    assert_eq!(used(&world), 0);
    world.check_balance();
}

/// Longer than a step: it is not known how long it will be.
#[test]
fn a_long_answer_goes_as_a_stream() {
    for (version, ends) in [("HTTP/1.1", Seen::Open), ("HTTP/1.0", Seen::End)] {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, request("GET", "/a", version, "gzip"));
        let mut shuttle = world.take();
        let text: String = (0..100_000).map(|n| format!("{n} ")).collect();
        shuttle.answer(200, PLAIN, text.as_bytes()).unwrap();
        world.send(shuttle);
        let (head, body) = taken(&mut world, client);
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(decoded_whole(Coding::Gzip, &body), text.as_bytes());
        assert_eq!((world.clients[client].seen, used(&world)), (ends, 0));
        world.check_balance();
    }
}

#[test]
fn a_step_is_the_longest_that_has_its_length_told() {
    for (len, is_told) in [
        (COMPRESS_STEP_BYTES, true),
        (COMPRESS_STEP_BYTES + 1, false),
    ] {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, get("gzip"));
        let mut shuttle = world.take();
        shuttle.answer(200, PLAIN, &LARGE[..len]).unwrap();
        world.send(shuttle);
        let (head, body) = taken(&mut world, client);
        assert_eq!(head.contains("Content-Length"), is_told, "{head}");
        assert_eq!(decoded_whole(Coding::Gzip, &body), &LARGE[..len]);
        world.check_balance();
    }
}

/// What a stream of writes does, by both protocols.
#[test]
fn each_write_can_be_decoded_when_it_arrives_and_appended_ones_share_a_flush() {
    for coding in Coding::ALL {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, get(coding.name()));
        let mut shuttle = world.take();
        let berth = shuttle.berth();
        shuttle.write_head(200, PLAIN).unwrap();
        shuttle.write(b"one ", false).unwrap();
        world.send(shuttle);
        assert!(used(&world) > 0);
        let (_, mut body) = taken(&mut world, client);
        assert_eq!(decoded(coding, &body), b"one ");
        let mut shuttle = world.take();
        assert_eq!(shuttle.leg(), Leg::Continue);
        shuttle.write(b"two ", false).unwrap();
        shuttle.lend_static(b"three ");
        world.tx().send(shuttle);
        for _ in 0..2 {
            assert_eq!(world.tx().append(berth, b"four "), Appended::InTime);
        }
        let writes = world.stats().writes;
        world.settle();
        assert_eq!(world.stats().writes, writes + 1);
        let got = std::mem::take(&mut world.clients[client].got);
        body.extend(unchunked(&got));
        assert_eq!(decoded(coding, &body), b"one two three four four ");
        // They count as they were given.
        assert_eq!(world.tx().progress(berth).unwrap().sent_bytes, 10);
        world.go(Leg::Close);
        let got = std::mem::take(&mut world.clients[client].got);
        assert!(got.ends_with(b"\r\n0\r\n\r\n"));
        body.extend(unchunked(&got));
        assert_eq!(decoded_whole(coding, &body), b"one two three four four ");
        assert_eq!(used(&world), 0);
        world.go(Leg::Release);
        world.check_balance();
    }
}

#[test]
fn a_close_that_meets_the_shuttle_here_ends_the_body() {
    let mut world = world(Limits::default());
    let client = world.connect();
    world.ask(client, get("zstd"));
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write_head(200, PLAIN).unwrap();
    shuttle.write(b"all of it is here", false).unwrap();
    world.tx().send(shuttle);
    assert_eq!(world.tx().must_close(berth), MustClose::InTime);
    world.settle();
    let (_, body) = taken(&mut world, client);
    assert_eq!(
        decoded_whole(Coding::Zstandard, &body),
        b"all of it is here"
    );
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn a_declared_length_is_held_to() {
    let declared = &[("Content-Type", "text/plain"), ("Content-Length", "20")];
    for (text, seen) in [
        ("much more than it was to be", Seen::Open),
        ("too little", Seen::End),
    ] {
        let mut world = world(Limits::default());
        let client = world.connect();
        world.ask(client, get("gzip"));
        let mut shuttle = world.take();
        shuttle.write_head(200, declared).unwrap();
        shuttle.write(text.as_bytes(), true).unwrap();
        world.send(shuttle);
        let is_whole = seen == Seen::Open;
        let got = &world.clients[client].got;
        let tells_end = got.ends_with(b"\r\n0\r\n\r\n")
            || String::from_utf8_lossy(got).contains("Content-Length");
        assert_eq!(tells_end, is_whole);
        let (_, body) = taken(&mut world, client);
        let text = &text.as_bytes()[..text.len().min(20)];
        assert_eq!(decoded(Coding::Gzip, &body), text);
        assert_eq!(world.clients[client].seen, seen);
        world.go(Leg::Release);
        world.check_balance();
    }
}

#[test]
fn encoders_beyond_the_limit_are_not_had() {
    let mut world = world(Limits {
        encoders_bytes: 2 * GZIP_ENCODER_BYTES,
        ..Limits::default()
    });
    let clients = [world.connect(), world.connect(), world.connect()];
    for (place, client) in clients.into_iter().enumerate() {
        world.ask(client, get("gzip"));
        let mut shuttle = world.held.pop().unwrap();
        shuttle.write_head(200, PLAIN).unwrap();
        shuttle.write(b"one", false).unwrap();
        world.send(shuttle);
        let (head, _) = taken(&mut world, client);
        assert_eq!(head.contains("gzip"), place < 2, "{head}");
        assert!(head.contains("Vary: Accept-Encoding"), "{head}");
    }
    assert_eq!(used(&world), 2 * GZIP_ENCODER_BYTES as u64);
    // One who leaves gives its encoder back.
    world.reset(clients[0]);
    assert_eq!(used(&world), GZIP_ENCODER_BYTES as u64);
    for _ in 0..3 {
        world.go(Leg::Close);
    }
    while !world.held.is_empty() {
        world.go(Leg::Release);
    }
    assert_eq!(used(&world), 0);
    world.check_balance();
}

/// Noise, of which compressing makes nothing.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    bytes.take(len).collect()
}

#[test]
fn a_client_that_does_not_read_is_bounded() {
    let mut world = world(Limits::default());
    let client = world.connect_slow(4096);
    world.ask(client, get("gzip"));
    let mut shuttle = world.take();
    let noise: &'static [u8] = Box::leak(noise(8 << 20).into_boxed_slice());
    shuttle.write_head(200, PLAIN).unwrap();
    shuttle.write(b"", true).unwrap();
    shuttle.lend_static(noise);
    world.send(shuttle);
    assert_eq!(world.at_tx(), "", "it is not taken");
    // One step waits, not what the handler gave.
    assert!(world.stats().bytes_held < 4 * COMPRESS_STEP_BYTES as u64);
    world.clients[client].appetite = usize::MAX;
    world.settle();
    let (_, body) = taken(&mut world, client);
    assert!(decoded_whole(Coding::Gzip, &body) == noise);
    assert_eq!(world.at_tx(), "Closed /a");
    let mut shuttle = world.take();
    shuttle.unpin();
    shuttle.advance(Leg::Release).unwrap();
    world.send(shuttle);
    world.check_balance();
}

/// Steps of one connection in one turn of the loop: in that in which a shuttle came home for it, it
/// is served a second time.
const IN_TURN_COUNT: u64 = 2 * (COMPRESS_TURN_BYTES / COMPRESS_STEP_BYTES) as u64;

/// Turns until so many responses are on their way; in none of them were there more than a
/// connection may compress.
#[track_caller]
fn share_turns(world: &mut World, wanted: u64) {
    let mut count = 0;
    while count < wanted {
        let moment = Some(Duration::from_millis(1));
        world.core.turn(moment, Flush::Lazily).unwrap();
        let before = std::mem::replace(&mut count, world.stats().responses[1]);
        assert!(count - before <= IN_TURN_COUNT, "{before} to {count}");
        world.clients.iter_mut().for_each(|client| {
            client.take();
        });
    }
}

/// How many bytes leave in each turn, until nothing moves.
fn turns(world: &mut World) -> Vec<u64> {
    let mut turns = Vec::new();
    loop {
        let before = world.stats().bytes_out;
        let moment = Duration::from_millis(1);
        let moved = world.core.turn(Some(moment), Flush::Lazily).unwrap();
        world.clients.iter_mut().for_each(|client| {
            client.take();
        });
        match world.stats().bytes_out - before {
            0 if moved == 0 => return turns,
            sent => turns.push(sent),
        }
    }
}

#[test]
fn a_long_body_takes_many_turns_and_lets_others_have_theirs() {
    let mut world = world(Limits::default());
    let clients = [world.connect(), world.connect()];
    for client in clients {
        world.ask(client, get("gzip"));
    }
    let noise: &'static [u8] = Box::leak(noise(1 << 20).into_boxed_slice());
    let mut long = world.take();
    long.write_head(200, PLAIN).unwrap();
    long.write(b"", true).unwrap();
    long.lend_static(noise);
    world.tx().send(long);
    let mut short = world.take();
    short.answer(200, PLAIN, &[b'x'; 100]).unwrap();
    world.tx().send(short);
    let most = IN_TURN_COUNT * COMPRESS_STEP_BYTES as u64;
    let turns = turns(&mut world);
    assert!(turns.iter().all(|&sent| sent <= most), "{turns:?}");
    assert!(turns.len() as u64 >= (1 << 20) / most, "{turns:?}");
    let (head, _) = taken(&mut world, clients[1]);
    assert!(head.contains("gzip"), "{head}");
    let (_, body) = taken(&mut world, clients[0]);
    assert!(decoded_whole(Coding::Gzip, &body) == noise);
    world.settle();
    let mut shuttle = world.take();
    shuttle.unpin();
    shuttle.advance(Leg::Release).unwrap();
    world.send(shuttle);
    world.check_balance();
}

#[test]
fn pipelined_answers_share_the_turn_of_their_connection() {
    let mut world = world(Limits::default());
    let client = world.connect();
    world.ask(client, get("gzip").repeat(8));
    let count = world.held.len() as u64;
    assert!(count > IN_TURN_COUNT);
    for mut shuttle in std::mem::take(&mut world.held) {
        shuttle
            .answer(200, PLAIN, &LARGE[..COMPRESS_STEP_BYTES])
            .unwrap();
        world.tx().send(shuttle);
    }
    share_turns(&mut world, count);
    world.settle();
    while !world.held.is_empty() {
        world.answer(204, "");
    }
    world.check_balance();
}

#[test]
fn streams_of_one_connection_share_its_turn() {
    let mut world = world(Limits::default());
    let mut client = Client2::new(&mut world);
    let accept = [("accept-encoding", "gzip")];
    let streams = [(); 5].map(|()| client.begin("GET", "/a", &accept, true));
    client.settle(&mut world);
    assert!(world.held.len() as u64 > IN_TURN_COUNT);
    for mut shuttle in std::mem::take(&mut world.held) {
        shuttle
            .answer(200, PLAIN, &LARGE[..COMPRESS_STEP_BYTES])
            .unwrap();
        world.tx().send(shuttle);
    }
    let moment = Some(Duration::from_millis(1));
    world.core.turn(moment, Flush::Lazily).unwrap();
    assert!(world.stats().responses[1] <= IN_TURN_COUNT);
    client.settle(&mut world);
    for stream in streams {
        let body = decoded_whole(Coding::Gzip, client.bytes(stream));
        assert_eq!(body, &LARGE[..COMPRESS_STEP_BYTES]);
    }
    world.check_balance();
}

/// What waits for the windows of the client is one step; the rest stays in the shuttle.
#[test]
fn a_stream_that_is_not_read_is_bounded_and_its_reset_frees_the_encoder() {
    let mut world = world(Limits::default());
    let mut client = Client2::new(&mut world);
    let accept = [("accept-encoding", "gzip")];
    let stream = client.begin("GET", "/a", &accept, true);
    client.holds.push(stream);
    client.settle(&mut world);
    let noise: &'static [u8] = Box::leak(noise(1 << 20).into_boxed_slice());
    let mut shuttle = world.take();
    shuttle.write_head(200, PLAIN).unwrap();
    shuttle.write(b"", true).unwrap();
    shuttle.lend_static(noise);
    world.send(shuttle);
    client.settle(&mut world);
    assert_eq!(world.at_tx(), "", "it is not taken");
    assert!(
        world.stats().bytes_out < 110_000,
        "the window of the stream"
    );
    assert_eq!(used(&world), GZIP_ENCODER_BYTES as u64);
    client.reset(stream);
    client.settle(&mut world);
    assert_eq!(
        (world.at_tx().as_str(), used(&world)),
        ("Closed /a gone", 0)
    );
    let mut shuttle = world.take();
    shuttle.unpin();
    shuttle.advance(Leg::Release).unwrap();
    world.send(shuttle);
    world.check_balance();
}

#[test]
fn a_stream_that_lacks_declared_bytes_is_reset() {
    let mut world = world(Limits::default());
    let mut client = Client2::new(&mut world);
    let accept = [("accept-encoding", "br")];
    let stream = client.begin("GET", "/a", &accept, true);
    client.settle(&mut world);
    let declared = &[("Content-Type", "text/plain"), ("Content-Length", "20")];
    let mut shuttle = world.take();
    shuttle.write_head(200, declared).unwrap();
    shuttle.write(b"too little", true).unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    let text = client.text(stream);
    assert!(text.ends_with("<reset INTERNAL_ERROR>"), "{text}");
    world.go(Leg::Release);
    world.check_balance();
}

#[test]
fn streams_of_http2_are_compressed_too() {
    for coding in Coding::ALL {
        let mut world = world(Limits::default());
        let mut client = Client2::new(&mut world);
        let accept = [("accept-encoding", coding.name())];
        let [whole, stream, gone] = [(); 3].map(|()| client.begin("GET", "/a", &accept, true));
        client.settle(&mut world);
        let text: String = (0..100_000).map(|n| format!("{n} ")).collect();
        let mut shuttle = world.take();
        shuttle.answer(200, PLAIN, text.as_bytes()).unwrap();
        world.send(shuttle);
        for _ in 0..2 {
            let mut shuttle = world.take();
            shuttle.write_head(200, PLAIN).unwrap();
            shuttle.write(b"one ", false).unwrap();
            world.send(shuttle);
        }
        client.settle(&mut world);
        assert_eq!(decoded_whole(coding, client.bytes(whole)), text.as_bytes());
        let head = client.text(whole);
        let named = format!(" | content-encoding: {}", coding.name());
        assert!(head.contains(&named), "{head}");
        assert_eq!(decoded(coding, client.bytes(stream)), b"one ");
        let both = used(&world);
        client.reset(gone);
        client.settle(&mut world);
        assert_eq!(used(&world), both / 2);
        let mut shuttle = world.take();
        shuttle.write(text.as_bytes(), true).unwrap();
        world.send(shuttle);
        client.settle(&mut world);
        let all = decoded_whole(coding, client.bytes(stream));
        assert_eq!(all, format!("one {text}").as_bytes());
        assert_eq!(used(&world), 0);
        while !world.held.is_empty() {
            let leg = world.held[0].leg();
            world.go(if leg == Leg::Continue {
                Leg::Close
            } else {
                Leg::Release
            });
        }
        world.check_balance();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However a body comes (written, lent, appended, ended together with its last piece or
    /// after it), the client gets the same.
    #[test]
    fn any_way_to_write_a_body_decodes_to_the_same(
        coding in proptest::sample::select(Coding::ALL.to_vec()),
        pieces in proptest::collection::vec((0..70_000usize, 0..3u8), 0..6),
        ends_with_last in any::<bool>(),
        is_http2 in any::<bool>(),
    ) {
        let mut world = world(Limits::default());
        let mut client2 = is_http2.then(|| Client2::new(&mut world));
        let client = client2.as_ref().map_or(0, |client| client.client);
        let stream = match &mut client2 {
            Some(client) => client.begin("GET", "/a", &[("accept-encoding", coding.name())], true),
            None => {
                world.connect();
                world.ask(client, get(coding.name()));
                0
            }
        };
        let settle = |world: &mut World, client2: &mut Option<Client2>| match client2 {
            Some(client) => client.settle(world),
            None => world.settle(),
        };
        settle(&mut world, &mut client2);
        let berth = world.held[0].berth();
        world.held[0].write_head(200, PLAIN).unwrap();
        let mut plain = Vec::new();
        for (place, (len, way)) in pieces.iter().enumerate() {
            let piece: &'static [u8] = &LARGE[..*len];
            let is_last = ends_with_last && place + 1 == pieces.len();
            plain.extend_from_slice(piece);
            let mut shuttle = world.take();
            prop_assert!(matches!(shuttle.leg(), Leg::Request | Leg::Continue));
            shuttle.unpin();
            match way {
                0 => shuttle.write(piece, is_last).unwrap(),
                1 => {
                    shuttle.write(b"", is_last).unwrap();
                    shuttle.lend_static(piece);
                }
                _ => shuttle.write(b"", false).unwrap(),
            }
            world.tx().send(shuttle);
            if *way == 2 {
                if !piece.is_empty() {
                    let appended = world.tx().append_static(berth, piece);
                    prop_assert_eq!(appended, Appended::InTime);
                }
                if is_last {
                    prop_assert_eq!(world.tx().must_close(berth), MustClose::InTime);
                }
            }
            settle(&mut world, &mut client2);
        }
        let leg = world.held[0].leg();
        if leg != Leg::Closed {
            world.go(Leg::Close);
            settle(&mut world, &mut client2);
        }
        let body = match &client2 {
            Some(client) => client.bytes(stream).to_vec(),
            None => taken(&mut world, client).1,
        };
        let got = if plain.is_empty() && body.is_empty() {
            Vec::new()
        } else {
            decoded_whole(coding, &body)
        };
        prop_assert!(got == plain);
        prop_assert_eq!(used(&world), 0);
        world.go(Leg::Release);
        world.check_balance();
    }
}
