//! Frames in, the reason out that would be given for the last of them; at every split.

use proptest::prelude::*;

use super::*;

/// A frame: kind, flags, stream, payload.
type Frame<'a> = (u8, u8, u32, &'a [u8]);

fn bytes_of(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    for (kind, flags, stream, payload) in frames {
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend([*kind, *flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// Feeds pieces of at most so many bytes; how many the engine got at once, and the reason.
fn feed(bytes: &[u8], size: usize) -> (Vec<usize>, Reason) {
    let mut frames = Frames::new();
    let mut pieces = Vec::new();
    for mut received in bytes.chunks(size) {
        while !received.is_empty() {
            let count = frames.next_piece(received);
            assert!(0 < count && count <= received.len());
            pieces.push(count);
            received = &received[count..];
        }
    }
    (pieces, frames.reason())
}

#[track_caller]
fn check(frames: &[Frame<'_>], expected: Reason) {
    let bytes = bytes_of(frames);
    for size in 1..=bytes.len() {
        assert_eq!(feed(&bytes, size).1, expected, "pieces of {size}");
    }
}

const GET: &[u8] = b"\x82\x84\x86\x41\x01a";

#[test]
fn sizes() {
    for (kind, len) in [
        (2, 4),
        (2, 6),
        (3, 3),
        (4, 5),
        (6, 7),
        (6, 9),
        (7, 7),
        (8, 3),
        (8, 5),
    ] {
        check(&[(kind, 0, 0, &vec![0; len])], Reason::FRAME_SIZE_ERROR);
    }
    check(&[(4, 1, 0, &[0; 6])], Reason::FRAME_SIZE_ERROR);
    for (kind, len) in [
        (2, 5),
        (3, 4),
        (4, 0),
        (4, 12),
        (6, 8),
        (7, 8),
        (7, 99),
        (8, 4),
        (77, 3),
    ] {
        check(&[(kind, 0, 0, &vec![0; len])], Reason::PROTOCOL_ERROR);
    }
    let large = vec![0; HTTP2_FRAME_MAX_BYTES + 1];
    let at_bound = &large[1..];
    assert_eq!(
        feed(&bytes_of(&[(0, 0, 9, at_bound)]), 9000).1,
        Reason::PROTOCOL_ERROR
    );
    assert_eq!(
        feed(&bytes_of(&[(0, 0, 9, &large)]), 1 << 20).1,
        Reason::FRAME_SIZE_ERROR
    );
}

#[test]
fn a_window_beyond_what_there_is() {
    let settings = b"\x00\x03\x00\x00\x00\x64\x00\x04\x80\x00\x00\x00";
    check(&[(4, 0, 0, settings)], Reason::FLOW_CONTROL_ERROR);
    check(
        &[(4, 0, 0, b"\x00\x04\x7f\xff\xff\xff")],
        Reason::PROTOCOL_ERROR,
    );
    check(
        &[(4, 0, 0, b"\x00\x05\xff\xff\xff\xff")],
        Reason::PROTOCOL_ERROR,
    );
}

#[test]
fn what_comes_on_a_stream_that_the_client_has_ended() {
    let closed = Reason::STREAM_CLOSED;
    check(&[(1, 5, 1, GET), (0, 0, 1, b"x")], closed);
    check(&[(1, 5, 1, GET), (1, 5, 1, GET)], closed);
    check(&[(1, 4, 1, GET), (0, 1, 1, b"x"), (0, 1, 1, b"x")], closed);
    check(
        &[(1, 4, 1, GET), (3, 0, 1, &[0; 4]), (0, 1, 1, b"x")],
        closed,
    );
    check(
        &[
            (1, 4, 1, GET),
            (0, 0, 1, b"x"),
            (1, 5, 1, GET),
            (1, 5, 1, GET),
        ],
        closed,
    );
    check(
        &[(1, 5, 1, GET), (1, 5, 2001, GET), (0, 1, 1, b"x")],
        closed,
    );
}

/// The engine says what is wrong with these, and calls it what the RFC calls it.
#[test]
fn what_is_left_to_the_engine() {
    let protocol = Reason::PROTOCOL_ERROR;
    check(&[(1, 4, 1, GET), (0, 0, 1, b"x")], protocol);
    check(&[(0, 0, 1, b"x")], protocol);
    check(&[(1, 5, 5, GET), (0, 0, 3, b"x")], protocol);
    check(&[(8, 0, 1, &[0; 4])], protocol);
}

/// Of a block whose frame is right only decoding can have failed, or what it says.
#[test]
fn field_blocks() {
    let (broken, protocol) = (Reason::COMPRESSION_ERROR, Reason::PROTOCOL_ERROR);
    check(&[(1, 5, 1, GET)], protocol);
    check(&[(1, 5, 1, GET), (6, 0, 0, &[0; 8])], protocol);
    for block in [
        &b"\x80"[..],
        b"\xc6",
        b"\x7f\x07\x01a",
        b"\x40",
        b"\x82\x21",
        b"\x3f\xe1\xff\x03\x82",
        b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",
        b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        check(&[(1, 5, 1, block)], broken);
        let (front, back) = block.split_at(block.len() / 2);
        check(&[(1, 1, 1, front), (9, 4, 1, back)], broken);
    }
    // What an earlier block may have put into the table.
    check(&[(1, 5, 1, GET), (1, 5, 3, b"\xc6")], protocol);
    check(&[(1, 5, 1, b"\x00\x01A\x01a")], protocol);
}

#[test]
fn pseudo_fields_among_trailers() {
    let (settings, begun) = ((4, 0, 0, &b""[..]), (1, 4, 1, GET));
    for (block, expected) in [
        (&b"\x00\x02:a\x01a"[..], true),
        (b"\x82", true),
        (b"\x00\x01a\x01a\x84", true),
        (b"\x00\x01a\x01a", false),
        (b"\x80\x82", false),
    ] {
        for frames in [
            vec![settings, begun, (1, 5, 1, block)],
            vec![
                settings,
                begun,
                (1, 1, 1, &block[..1]),
                (9, 4, 1, &block[1..]),
            ],
        ] {
            passes_over(&frames, expected);
        }
    }
}

#[track_caller]
fn passes_over(frames: &[Frame<'_>], expected: bool) {
    let bytes = bytes_of(frames);
    let mut all = Frames::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        rest = &rest[all.next_piece(rest)..];
    }
    assert_eq!(all.take_passed_over(), expected, "{frames:x?}");
    assert!(!all.take_passed_over());
}

#[test]
fn settings_come_first() {
    let settings = (4, 0, 0, &b""[..]);
    passes_over(&[settings, (6, 0, 0, &[0; 8])], false);
    passes_over(&[(6, 0, 0, &[0; 8]), settings], true);
    passes_over(&[(1, 5, 1, GET)], true);
    passes_over(&[(4, 1, 0, b"")], true);
}

#[test]
fn padding_and_priority() {
    let (broken, protocol) = (Reason::COMPRESSION_ERROR, Reason::PROTOCOL_ERROR);
    check(&[(1, 0x0d, 1, b"\x02\x82\x80\x80")], protocol);
    check(&[(1, 0x0d, 1, b"\x01\x82\x80\x80")], broken);
    check(
        &[(1, 0x2d, 1, b"\x01\x80\x80\x80\x80\x80\x82\x80")],
        protocol,
    );
    check(&[(1, 0x25, 1, b"\x82\x82\x82\x82\x82\x80")], broken);
    for wrong in [&b""[..], b"\x01", b"\xff\x82"] {
        check(&[(1, 0x0d, 1, wrong)], protocol);
    }
    check(&[(1, 0x25, 1, b"\x80\x80\x80\x80")], protocol);
}

#[test]
fn the_order_of_frames() {
    let protocol = Reason::PROTOCOL_ERROR;
    check(&[(9, 4, 1, b"\x80")], protocol);
    check(&[(1, 1, 1, GET), (9, 4, 3, b"\x80")], protocol);
    check(&[(1, 1, 1, GET), (1, 5, 3, b"\x80")], protocol);
    check(&[(1, 5, 1, GET), (9, 4, 1, b"\x80")], protocol);
    for stream in [0, 2] {
        check(&[(1, 5, stream, b"\x80")], protocol);
    }
    check(&[(1, 5, 5, GET), (1, 5, 3, b"\x80")], protocol);
}

#[test]
fn of_a_block_as_large_as_may_be_nothing_is_said() {
    let mut block = Block::default();
    block.begin();
    block.put(&vec![0x80; HTTP2_BLOCK_KEPT_BYTES - 1]);
    assert!(block.is_undecodable());
    block.put(&[0x80, 0x80]);
    assert_eq!(block.bytes.len(), HTTP2_BLOCK_KEPT_BYTES);
    assert!(!block.is_undecodable());
}

proptest! {
    /// Whatever comes, in whatever pieces, is passed on, and something is said of it.
    #[test]
    fn prop_anything_may_come(
        frames in proptest::collection::vec(
            (0_u8..11, any::<u8>(), 0_u32..6, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        size in 1_usize..60,
    ) {
        let frames: Vec<Frame<'_>> = frames
            .iter()
            .map(|(kind, flags, stream, payload)| (*kind, *flags, *stream, &payload[..]))
            .collect();
        let bytes = bytes_of(&frames);
        let (pieces, _) = feed(&bytes, size);
        prop_assert_eq!(pieces.iter().sum::<usize>(), bytes.len());
    }
}

#[test]
fn the_engine_gets_field_blocks_alone() {
    let ping: Frame<'_> = (6, 0, 0, &[0; 8]);
    let get: Frame<'_> = (1, 5, 1, GET);
    let bytes = bytes_of(&[ping, ping, get, get, ping, (9, 4, 1, b"")]);
    let (pieces, _) = feed(&bytes, bytes.len());
    assert_eq!(pieces, [24 + 2 * 17, 15, 15, 17, 9]);
}

#[test]
fn more_open_streams_than_are_counted() {
    let mut streams = Streams::default();
    let count = u32::try_from(HTTP2_OPEN_TRACKED_COUNT).unwrap();
    for at in 0..count {
        assert_eq!(streams.see(HEADERS, 0, at * 2 + 1), None);
    }
    assert_eq!(streams.see(DATA, END_STREAM, 1), None);
    assert_eq!(
        streams.see(DATA, END_STREAM, 1),
        Some(Reason::STREAM_CLOSED)
    );
    for at in count..count + 2 {
        assert_eq!(streams.see(HEADERS, 0, at * 2 + 1), None);
    }
    assert_eq!(streams.see(DATA, END_STREAM, 1), None, "it has lost count");
    assert_eq!(streams.open.len(), HTTP2_OPEN_TRACKED_COUNT);
}
