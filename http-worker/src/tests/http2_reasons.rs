//! What an HTTP/2 client does wrong, and what it is told: clause by clause of RFC 9113 and 7541.

use super::client2::{Script, frames, head};
use super::world::{Setup, World, respond};

/// Reasons of RFC 9113 section 7.
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// The connection ends with GOAWAY and this reason, or, where that is allowed, the stream with
/// RST_STREAM.
#[track_caller]
fn check(clause: &str, script: Script, reason: u32) {
    let bytes = script.bytes();
    for size in [7, bytes.len()] {
        let mut world = World::new(Setup::default());
        let client = world.connect();
        for piece in bytes.chunks(size) {
            world.ask(client, piece);
        }
        let seen = frames(&world.clients[client].got);
        let is_told = seen.contains(&format!("GOAWAY {reason}"))
            || seen.contains(&format!("RST_STREAM 1 {reason}"));
        assert!(is_told, "{clause}, in pieces of {size}: {seen}");
        respond(&mut world);
        world.reset(client);
        world.check_balance();
    }
}

fn begun() -> Script {
    Script::new().settings()
}

/// With a request on stream 1 whose body is to come.
fn posting(fields: &[(&str, &str)]) -> Script {
    begun().frame(1, END_HEADERS, 1, &head("POST", "/", fields))
}

fn asked() -> Script {
    begun().get(1, "/")
}

#[test]
fn frame_sizes() {
    let of = |kind, flags, stream, len| begun().frame(kind, flags, stream, &vec![0; len]);
    check(
        "4.2",
        posting(&[]).frame(0, 0, 1, &vec![0; 16385]),
        FRAME_SIZE,
    );
    check("6.3", asked().frame(2, 0, 1, &[0; 4]), FRAME_SIZE);
    check("6.4", posting(&[]).frame(3, 0, 1, &[0; 3]), FRAME_SIZE);
    check("6.5 ack", of(4, 1, 0, 6), FRAME_SIZE);
    check("6.5", of(4, 0, 0, 3), FRAME_SIZE);
    check("6.7", of(6, 0, 0, 7), FRAME_SIZE);
    check("6.8", of(7, 0, 0, 7), FRAME_SIZE);
    check("6.9", of(8, 0, 0, 3), FRAME_SIZE);
}

#[test]
fn streams_where_they_do_not_belong() {
    let of = |kind, stream, payload: &[u8]| begun().frame(kind, 0, stream, payload);
    check("6.1", of(0, 0, b"x"), PROTOCOL);
    check(
        "6.2",
        begun().frame(1, 5, 0, &head("GET", "/", &[])),
        PROTOCOL,
    );
    check("6.3", of(2, 0, &[0; 5]), PROTOCOL);
    check("6.4", of(3, 0, &[0; 4]), PROTOCOL);
    check("6.5", of(4, 1, &[0, 3, 0, 0, 0, 9]), PROTOCOL);
    check("6.6", begun().frame(5, 4, 1, &[0, 0, 0, 2]), PROTOCOL);
    check("6.7", of(6, 1, &[0; 8]), PROTOCOL);
    check("6.8", of(7, 1, &[0; 8]), PROTOCOL);
    check("6.10", of(9, 0, &[]), PROTOCOL);
}

#[test]
fn settings_that_cannot_be() {
    let of = |payload: &[u8]| begun().frame(4, 0, 0, payload);
    check("6.5.2 push", of(&[0, 2, 0, 0, 0, 2]), PROTOCOL);
    check("6.5.2 window", of(&[0, 4, 0x80, 0, 0, 0]), FLOW_CONTROL);
    check(
        "6.5.2 small frames",
        of(&[0, 5, 0, 0, 0x3f, 0xff]),
        PROTOCOL,
    );
    check("6.5.2 large frames", of(&[0, 5, 1, 0, 0, 0]), PROTOCOL);
}

#[test]
fn windows() {
    let most = [0x7f, 0xff, 0xff, 0xff];
    check("6.9 nothing", begun().frame(8, 0, 0, &[0; 4]), PROTOCOL);
    check(
        "6.9 nothing",
        posting(&[]).frame(8, 0, 1, &[0; 4]),
        PROTOCOL,
    );
    check(
        "6.9.1",
        begun().frame(8, 0, 0, &most).frame(8, 0, 0, &most),
        FLOW_CONTROL,
    );
    let stream = posting(&[]).frame(8, 0, 1, &most).frame(8, 0, 1, &most);
    check("6.9.1", stream, FLOW_CONTROL);
}

#[test]
fn states_of_a_stream() {
    check("5.1 idle", begun().frame(0, 1, 1, b"x"), PROTOCOL);
    check("5.1 idle", begun().frame(3, 0, 1, &[0; 4]), PROTOCOL);
    check("5.1 idle", begun().frame(8, 0, 1, &[0, 0, 0, 1]), PROTOCOL);
    check(
        "5.1 idle",
        begun().frame(9, 4, 1, &head("GET", "/", &[])),
        PROTOCOL,
    );
    check(
        "5.1 half-closed",
        asked().frame(0, END_STREAM, 1, b"x"),
        STREAM_CLOSED,
    );
    check("5.1 half-closed", asked().get(1, "/"), STREAM_CLOSED);
    let reset = || posting(&[]).frame(3, 0, 1, &[0, 0, 0, 8]);
    check(
        "5.1 closed",
        reset().frame(0, END_STREAM, 1, b"x"),
        STREAM_CLOSED,
    );
    check("5.1 closed", reset().get(1, "/"), STREAM_CLOSED);
    check("5.1.1 even", begun().get(2, "/"), PROTOCOL);
    check(
        "5.1.1 passed over",
        begun().get(5, "/").get(3, "/"),
        PROTOCOL,
    );
    check(
        "5.3.1 itself",
        begun().frame(2, 0, 1, &[0, 0, 0, 1, 9]),
        PROTOCOL,
    );
}

#[test]
fn the_order_of_a_field_block() {
    let half = || begun().frame(1, END_STREAM, 1, &head("GET", "/", &[]));
    check("6.2", half().frame(2, 0, 1, &[0; 5]), PROTOCOL);
    check("6.2", half().get(3, "/"), PROTOCOL);
    check("5.5", half().frame(0xff, 0, 0, &[0; 8]), PROTOCOL);
    check(
        "6.10",
        half().frame(9, 0, 1, &[]).frame(0, 1, 1, b"x"),
        PROTOCOL,
    );
    check("6.10", half().frame(9, 4, 0, &[]), PROTOCOL);
    check("6.10", asked().frame(9, 4, 1, &[]), PROTOCOL);
    check(
        "6.10",
        posting(&[]).frame(0, 0, 1, b"x").frame(9, 4, 1, &[]),
        PROTOCOL,
    );
}

#[test]
fn padding() {
    check(
        "6.1",
        posting(&[]).frame(0, PADDED | 1, 1, b"\x06test"),
        PROTOCOL,
    );
    let block = [&[0xff][..], &head("GET", "/", &[])].concat();
    check(
        "6.2",
        begun().frame(1, PADDED | 5, 1, &block[..20]),
        PROTOCOL,
    );
    check(
        "6.2",
        begun().frame(1, PADDED | PRIORITY | 5, 1, &[1, 0, 0, 0]),
        PROTOCOL,
    );
}

#[test]
fn field_blocks_that_cannot_be_decoded() {
    let of = |more: &[u8]| {
        let block = [&head("GET", "/", &[])[..], more].concat();
        begun().frame(1, 5, 1, &block)
    };
    check("4.3", begun().frame(1, 5, 1, b"\x40"), COMPRESSION);
    check("7541 2.3.3", of(b"\xc6"), COMPRESSION);
    check("7541 2.3.3", of(b"\x7f\x07\x01a"), COMPRESSION);
    check("7541 4.2", of(b"\x21"), COMPRESSION);
    check(
        "7541 5.2",
        of(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
        COMPRESSION,
    );
    check(
        "7541 5.2",
        of(b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"),
        COMPRESSION,
    );
    check("7541 6.1", of(b"\x80"), COMPRESSION);
    let update = [&b"\x3f\xe1\xff\x03"[..], &head("GET", "/", &[])].concat();
    check("7541 6.3", begun().frame(1, 5, 1, &update), COMPRESSION);
}

#[test]
fn malformed_requests() {
    let with = |fields: &[(&str, &str)]| begun().frame(1, 5, 1, &head("GET", "/", fields));
    check("8.2.1 upper case", with(&[("X-Test", "a")]), PROTOCOL);
    check("8.3 unknown", with(&[(":test", "a")]), PROTOCOL);
    check("8.3 of responses", with(&[(":status", "200")]), PROTOCOL);
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ] {
        check("8.2.2", with(&[(name, "x")]), PROTOCOL);
    }
    check("8.2.2", with(&[("te", "trailers, deflate")]), PROTOCOL);
    check(
        "8.3.1",
        begun().frame(1, 5, 1, &head("GET", "", &[])),
        PROTOCOL,
    );
    check("8.3.1 twice", with(&[(":path", "/")]), PROTOCOL);
    check("8.3.1 none", begun().frame(1, 5, 1, b"\x82\x84"), PROTOCOL);
    let short = posting(&[("content-length", "1")]).frame(0, 1, 1, b"test");
    check("8.1.1", short, PROTOCOL);
    let parts = posting(&[("content-length", "1")])
        .frame(0, 0, 1, b"te")
        .frame(0, 1, 1, b"st");
    check("8.1.1", parts, PROTOCOL);
    let second = posting(&[]).frame(1, END_HEADERS, 1, b"\x00\x01a\x01a");
    check("8.1", second, PROTOCOL);
    let pseudo = posting(&[]).frame(0, 0, 1, b"x").frame(1, 5, 1, b"\x82");
    check("8.1 pseudo in trailers", pseudo, PROTOCOL);
}
