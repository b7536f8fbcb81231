//! HTTP/2 clients that keep the server busy for nothing: each is cut off, by a bound that an
//! honest client does not meet, and others are served meanwhile.

use super::client2::{Client2, Script, frames, head};
use super::world::{Seen, Setup, World, respond};
use crate::limits::{
    HTTP2_BUDGET_COUNT, HTTP2_ENGINE_RESETS_COUNT, HTTP2_TINY_DATA_BYTES, STREAMS_COUNT,
};

const CALM: &str = "GOAWAY 11";

/// Says `begin`, then `next` of 0, 1, 2... until the server has had enough: how many that took,
/// and all that it said.
fn flood(begin: Script, max: usize, next: impl Fn(u32) -> Script) -> (usize, String) {
    let mut world = World::new(Setup::default());
    let mut honest = Client2::new(&mut world);
    let client = world.connect();
    world.ask(client, begin.bytes());
    let mut count = 0;
    let mut seen = String::new();
    while count < max && !seen.contains("GOAWAY") && world.clients[client].seen == Seen::Open {
        world.ask(client, next(u32::try_from(count).unwrap()).bytes());
        seen = frames(&world.clients[client].got);
        count += 1;
        respond(&mut world);
    }
    let stream = honest.get(&mut world, "/honest");
    respond(&mut world);
    honest.settle(&mut world);
    assert!(honest.text(stream).ends_with("/honest<end>"));
    world.reset(client);
    world.check_balance();
    (count, seen)
}

/// It ends with ENHANCE_YOUR_CALM after so many at most.
#[track_caller]
fn check(max: usize, next: impl Fn(u32) -> Script) {
    let (count, seen) = flood(Script::new().settings(), max + 1, next);
    assert!(seen.contains(CALM), "after {count}: {seen}");
    assert!(count <= max, "only after {count}");
}

fn id(count: u32) -> u32 {
    count * 2 + 1
}

fn budget(price: i64) -> usize {
    usize::try_from(HTTP2_BUDGET_COUNT / price).unwrap() + 2
}

#[test]
fn pings_settings_and_window_updates() {
    check(budget(4), |_| Script::more().frame(6, 0, 0, &[0; 8]));
    check(budget(4), |_| Script::more().settings());
    check(budget(1), |_| Script::more().frame(8, 0, 0, &[0, 0, 0, 1]));
    check(budget(1), |_| {
        Script::more().frame(2, 0, 1, &[0, 0, 0, 0, 1])
    });
    check(budget(1), |_| {
        Script::more().frame(99, 0, 0, b"what is this")
    });
}

/// CVE-2023-44487.
#[test]
fn rapid_resets() {
    check(budget(4), |count| {
        Script::more()
            .get(id(count), "/a")
            .frame(3, 0, id(count), &[0, 0, 0, 8])
    });
}

/// All in one packet, so that none of them is seen before it is reset.
#[test]
fn rapid_resets_at_once() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    let mut script = Script::new().settings();
    for count in 0..u32::try_from(STREAMS_COUNT).unwrap() + 1 {
        script = script.get(id(count), "/a");
        script = script.frame(3, 0, id(count), &[0, 0, 0, 8]);
    }
    world.ask(client, script.bytes());
    respond(&mut world);
    assert!(frames(&world.clients[client].got).contains(CALM));
    world.check_balance();
}

/// CVE-2025-8671: the client makes us reset its streams.
#[test]
fn resets_that_the_server_is_made_to_send() {
    check(HTTP2_ENGINE_RESETS_COUNT + 2, |count| {
        Script::more()
            .frame(1, 4, id(count), &head("POST", "/a", &[]))
            .frame(8, 0, id(count), &[0x7f, 0xff, 0xff, 0xff])
    });
}

#[test]
fn empty_data() {
    let begin = Script::new()
        .settings()
        .frame(1, 4, 1, &head("POST", "/a", &[]));
    let (count, seen) = flood(begin, 200, |_| Script::more().frame(0, 0, 1, &[]));
    assert!(seen.contains(CALM), "after {count}: {seen}");
}

/// Frames that cost more than they bring; those that bring as much may go on.
#[test]
fn tiny_data() {
    let begin = || {
        let head = head("POST", "/a", &[]);
        Script::new().settings().frame(1, 4, 1, &head)
    };
    let (count, seen) = flood(begin(), 3_000, |_| Script::more().frame(0, 0, 1, b"a"));
    assert!(seen.contains(CALM), "after {count}: {seen}");
    assert!(count <= budget(1), "only after {count}");
    let data = [b'a'; HTTP2_TINY_DATA_BYTES];
    let (_, seen) = flood(begin(), 3_000, |_| Script::more().frame(0, 0, 1, &data));
    assert!(
        !seen.contains("RST_STREAM") && !seen.contains(CALM),
        "{seen}"
    );
}

/// CVE-2024-27316: a head that never ends.
#[test]
fn continuations() {
    let begin = Script::new()
        .settings()
        .frame(1, 1, 1, &head("GET", "/a", &[]));
    let (count, seen) = flood(begin, 20, |_| Script::more().frame(9, 0, 1, &[]));
    assert!(seen.contains(CALM), "after {count}: {seen}");
}

#[test]
fn header_bombs() {
    // A field of 4 KiB in the table, then thousands of references to it, one byte each.
    let mut block = head("GET", "/a", &[]);
    let value = "v".repeat(4_000);
    let mut field = head("", "", &[("n", &value)]);
    let at = field.windows(2).position(|w| w == [1, b'n']).unwrap() - 1;
    field[at] = 0x40;
    block.extend_from_slice(&field[at..]);
    block.extend(std::iter::repeat_n(0xbe, 8_000));
    let begin = Script::new().settings();
    let (_, seen) = flood(begin, 1, |_| Script::more().frame(1, 5, 1, &block));
    assert!(seen.contains(CALM), "{seen}");
    // One that is a little too large gets an answer.
    let fields: Vec<(String, &str)> = (0..130).map(|i| (format!("n{i}"), "v")).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let (_, seen) = flood(Script::new().settings(), 1, |_| {
        Script::more().frame(1, 5, 1, &head("GET", "/a", &fields))
    });
    assert!(seen.ends_with("HEADERS 1, DATA 1 end"), "{seen}");
}

/// Streams beyond those that we allowed are refused, and that is counted.
#[test]
fn too_many_streams() {
    let mut world = World::with(|limits| limits.streams_count = 3);
    let client = world.connect();
    let mut script = Script::new().settings();
    for count in 0..4 {
        script = script.get(id(count), "/a");
    }
    world.ask(client, script.bytes());
    assert_eq!(world.held.len(), 3);
    let seen = frames(&world.clients[client].got);
    assert!(seen.contains("RST_STREAM 7 7"), "{seen}");
    respond(&mut world);
    world.check_balance();
}

/// Large answers to a client whose windows are shut stay where they are: nothing is copied.
#[test]
fn shut_windows() {
    let mut world = World::new(Setup {
        berths: 200,
        ..Setup::default()
    });
    let client = world.connect();
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    let mut script = Script::new().frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for count in 0..100 {
        script = script.get(id(count), "/large");
    }
    world.ask(client, script.bytes());
    assert_eq!(world.held.len(), 100);
    respond(&mut world);
    let seen = frames(&world.clients[client].got);
    assert_eq!(seen.matches("HEADERS").count(), 100);
    assert_eq!(seen.matches("DATA").count(), 0);
    assert_eq!(world.stats().travelling, 100);
    world.reset(client);
    while !world.held.is_empty() {
        world.go(http_proto::Leg::Release);
    }
    world.check_balance();
}

/// A client that asks and does not read: nothing grows, and no frame that wants an answer is read.
#[test]
fn a_client_that_never_reads() {
    let mut world = World::new(Setup::default());
    let client = world.connect_slow(4_096);
    let script = Script::new()
        .frame(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])
        .frame(8, 0, 0, &[0x7f, 0, 0, 0]);
    // More than what the kernel keeps.
    let script = (0..8).fold(script, |script, count| script.get(id(count), "/large"));
    world.ask(client, script.bytes());
    respond(&mut world);
    assert!(world.stats().travelling > 0, "they are not sent");
    let before = world.stats().bytes_out;
    world.clients[client].appetite = usize::MAX;
    respond(&mut world);
    respond(&mut world);
    assert!(world.stats().bytes_out > before);
    let seen = frames(&world.clients[client].got);
    assert_eq!(seen.matches(" end").count(), 8);
    world.reset(client);
    respond(&mut world);
    world.check_balance();
}

/// RFC 9113: what is malformed is an error of the stream or of the connection, as it says.
#[test]
fn malformed_frames() {
    let stream_error = |block: Vec<u8>| {
        let (_, seen) = flood(Script::new().settings(), 1, |_| {
            Script::more().frame(1, 5, 1, &block)
        });
        // RFC 9113 section 5.4.1 lets the engine be stricter, which it is about names.
        let is_refused = seen.ends_with("RST_STREAM 1 1") || seen.ends_with("GOAWAY 1");
        assert!(is_refused, "{seen}");
    };
    stream_error(head("GET", "/", &[("Upper", "case")]));
    stream_error(head("GET", "/", &[("connection", "close")]));
    stream_error(head("GET", "/", &[("transfer-encoding", "chunked")]));
    stream_error(head("GET", "/", &[("te", "gzip")]));
    stream_error(head("GET", "/", &[(":late", "pseudo")]));
    stream_error(head("GET", "", &[]));
    stream_error(head("GET", "/", &[("content-length", "3")]));
    let connection_error = |script: &dyn Fn() -> Script, code: u32| {
        let (_, seen) = flood(Script::new().settings(), 1, |_| script());
        assert!(seen.ends_with(&format!("GOAWAY {code}")), "{seen}");
    };
    connection_error(&|| Script::more().frame(0, 0, 0, b"data"), 1);
    connection_error(&|| Script::more().frame(0, 0, 1, b"data"), 1);
    connection_error(&|| Script::more().frame(9, 4, 1, b""), 1);
    connection_error(&|| Script::more().frame(6, 0, 0, b"short"), 6);
    connection_error(&|| Script::more().frame(5, 4, 1, &[0, 0, 0, 2]), 1);
    connection_error(&|| Script::more().frame(1, 5, 2, &head("GET", "/", &[])), 1);
    connection_error(&|| Script::more().frame(1, 5, 1, b"\xff\xff\xff\xff"), 9);
    connection_error(&|| Script::more().frame(8, 0, 0, &[0, 0, 0, 0]), 1);
    connection_error(&|| Script::more().frame(0, 0, 1, &vec![0; 16_385]), 6);
}
