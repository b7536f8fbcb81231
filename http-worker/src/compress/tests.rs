//! Tests of the encoders.

use std::io::Read;
use std::sync::Arc;

use http_proto::content::Coding;
use proptest::prelude::*;

use super::encoder::{Encoder, Then};
use super::{Encoders, encoder};
use crate::limits::ENCODERS_BYTES;

/// What can be decoded of a body, whole or not.
pub(crate) fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn Read + '_> = match coding {
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
        Coding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
        Coding::Zstandard => Box::new(zstd::Decoder::new(bytes).unwrap()),
    };
    let mut result = Vec::new();
    let mut piece = [0; 1024];
    // An error is the end of what there is.
    while let Ok(count @ 1..) = decoder.read(&mut piece) {
        result.extend_from_slice(&piece[..count]);
    }
    result
}

/// The same of a body that is whole.
pub(crate) fn decoded_whole(coding: Coding, mut bytes: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    match coding {
        Coding::Gzip => flate2::bufread::GzDecoder::new(&mut bytes).read_to_end(&mut result),
        Coding::Brotli => brotli::Decompressor::new(&mut bytes, 1).read_to_end(&mut result),
        Coding::Zstandard => zstd::Decoder::with_buffer(&mut bytes)
            .unwrap()
            .single_frame()
            .read_to_end(&mut result),
    }
    .expect("it is whole");
    assert!(bytes.is_empty(), "nothing follows");
    result
}

fn any_piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        (0..20_000usize).prop_map(|len| b"to be or not to be, ".repeat(len / 20)),
        proptest::collection::vec(any::<u8>(), 9_000..10_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_decodes_and_so_does_each_flushed_prefix(
        coding in proptest::sample::select(Coding::ALL.to_vec()),
        level in proptest::option::of(1..=9u8),
        pieces in proptest::collection::vec((any_piece(), any::<bool>()), 0..6),
    ) {
        let mut encoder = Encoder::new(coding, level).unwrap();
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        for (piece, flushes) in &pieces {
            let then = if *flushes { Then::Flush } else { Then::GoOn };
            encoder.encode(piece.chunks(777), then, &mut out).unwrap();
            plain.extend_from_slice(piece);
            if *flushes && !plain.is_empty() {
                prop_assert_eq!(&decoded(coding, &out), &plain);
            }
        }
        encoder.encode(std::iter::empty(), Then::Finish, &mut out).unwrap();
        prop_assert_eq!(decoded_whole(coding, &out), plain);
    }
}

#[test]
fn encoders_are_counted_and_bounded() {
    for coding in Coding::ALL {
        let stats = Arc::default();
        let encoders = Encoders::new(&stats);
        let bytes = encoder::bytes(coding, None);
        let mut living = Vec::new();
        while let Some(encoder) = encoders.begin(coding, None, 4 * bytes) {
            living.push(encoder);
        }
        assert_eq!(
            (living.len(), stats.snapshot().encoder_bytes),
            (4, 4 * bytes as u64)
        );
        living.pop();
        assert!(encoders.begin(coding, None, 4 * bytes).is_some());
        drop(living);
        assert_eq!(stats.snapshot().encoder_bytes, 0);
        assert!(encoders.begin(coding, None, bytes - 1).is_none());
        assert!(encoders.begin(coding, None, ENCODERS_BYTES).is_some());
    }
}

#[test]
fn high_levels_of_zstd_count_for_more() {
    let bytes = |level| encoder::bytes(Coding::Zstandard, level);
    assert!(bytes(Some(4)) > bytes(Some(3)));
    assert_eq!(bytes(None), bytes(Some(3)));
}
