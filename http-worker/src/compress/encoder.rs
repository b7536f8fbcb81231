//! The three codings behind one name.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::{Compress, Compression, FlushCompress};
use http_proto::content::Coding;
use zstd::stream::raw::{CParameter, Encoder as Zstd, InBuffer, Operation, OutBuffer};

use crate::limits::{
    BROTLI_ENCODER_BYTES, GZIP_ENCODER_BYTES, ZSTD_ENCODER_BYTES, ZSTD_LARGE_ENCODER_BYTES,
};

/// Windows, as exponents of two. They are most of what an encoder takes in memory.
const GZIP_WINDOW_BITS: u8 = 15;
const BROTLI_WINDOW_BITS: i32 = 18;
const ZSTD_WINDOW_BITS: u32 = 17;

/// Levels that are used when none was asked for: beyond them time grows faster than bytes shrink.
const GZIP_LEVEL: u8 = 6;
const BROTLI_LEVEL: u8 = 5;
const ZSTD_LEVEL: u8 = 3;

/// The highest levels that are used: the next ones take several times the memory.
const BROTLI_LEVEL_MAX: u8 = 5;
const ZSTD_LEVEL_MAX: u8 = 6;
const ZSTD_SMALL_LEVEL_MAX: u8 = 3;

/// Room that is made for output at a time.
const ROOM_BYTES: usize = 4 * 1024;

/// What one encoder takes in memory.
pub(super) fn bytes(coding: Coding, level: Option<u8>) -> usize {
    match coding {
        Coding::Gzip => GZIP_ENCODER_BYTES,
        Coding::Brotli => BROTLI_ENCODER_BYTES,
        Coding::Zstandard if level.unwrap_or(ZSTD_LEVEL) > ZSTD_SMALL_LEVEL_MAX => {
            ZSTD_LARGE_ENCODER_BYTES
        }
        Coding::Zstandard => ZSTD_ENCODER_BYTES,
    }
}

/// What is wanted of an encoder after it took its input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    /// More comes: it may keep what it likes.
    GoOn,
    /// All that it has, so that the client can decode everything up to here.
    Flush,
    /// The end.
    Finish,
}

/// One body being encoded.
pub(super) enum Encoder {
    Gzip(Compress),
    /// `None`: finished.
    Brotli(Option<Box<CompressorWriter<Vec<u8>>>>),
    Zstd(Box<Zstd<'static>>),
}

impl Encoder {
    /// # Errors
    /// The library refuses our parameters.
    pub(super) fn new(coding: Coding, level: Option<u8>) -> io::Result<Self> {
        match coding {
            Coding::Gzip => {
                let level = Compression::new(level.unwrap_or(GZIP_LEVEL).into());
                Ok(Self::Gzip(Compress::new_gzip(level, GZIP_WINDOW_BITS)))
            }
            Coding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: level.unwrap_or(BROTLI_LEVEL).min(BROTLI_LEVEL_MAX).into(),
                    lgwin: BROTLI_WINDOW_BITS,
                    ..BrotliEncoderParams::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), ROOM_BYTES, &params);
                Ok(Self::Brotli(Some(Box::new(writer))))
            }
            Coding::Zstandard => {
                let level = level.unwrap_or(ZSTD_LEVEL).min(ZSTD_LEVEL_MAX);
                let mut encoder = Zstd::new(level.into())?;
                encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_BITS))?;
                Ok(Self::Zstd(Box::new(encoder)))
            }
        }
    }

    /// Takes `pieces` and appends what comes of them to `out`.
    ///
    /// # Errors
    /// The library fails, or the body was finished before: what is in `out` is of no use.
    pub(super) fn encode<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        then: Then,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => gzip(encoder, pieces, then, out),
            Self::Brotli(writer) => brotli(writer, pieces, then, out),
            Self::Zstd(encoder) => zstd(encoder, pieces, then, out),
        }
    }
}

fn gzip<'a>(
    encoder: &mut Compress,
    pieces: impl Iterator<Item = &'a [u8]>,
    then: Then,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut run = |mut input: &[u8], flush| loop {
        out.reserve(ROOM_BYTES);
        let before = encoder.total_in();
        encoder.compress_vec(input, out, flush)?;
        let taken = usize::try_from(encoder.total_in() - before).unwrap_or(input.len());
        input = &input[taken..];
        // With room left over there is nothing that it still wants to say.
        if input.is_empty() && out.len() < out.capacity() {
            return Ok::<(), io::Error>(());
        }
    };
    for piece in pieces {
        run(piece, FlushCompress::None)?;
    }
    match then {
        Then::GoOn => Ok(()),
        Then::Flush => run(&[], FlushCompress::Sync),
        Then::Finish => run(&[], FlushCompress::Finish),
    }
}

fn brotli<'a>(
    writer: &mut Option<Box<CompressorWriter<Vec<u8>>>>,
    mut pieces: impl Iterator<Item = &'a [u8]>,
    then: Then,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let Some(mut inner) = writer.take() else {
        return Err(io::ErrorKind::WriteZero.into());
    };
    std::mem::swap(inner.get_mut(), out);
    let mut result = pieces.try_for_each(|piece| inner.write_all(piece));
    if then == Then::Finish {
        *out = inner.into_inner();
        return result;
    }
    if then == Then::Flush {
        result = result.and_then(|()| inner.flush());
    }
    std::mem::swap(inner.get_mut(), out);
    *writer = Some(inner);
    result
}

fn zstd<'a>(
    encoder: &mut Zstd<'static>,
    pieces: impl Iterator<Item = &'a [u8]>,
    then: Then,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    for piece in pieces {
        let mut input = InBuffer::around(piece);
        while input.pos() < piece.len() {
            let mut room = room(out);
            encoder.run(&mut input, &mut room)?;
        }
    }
    loop {
        let left = match then {
            Then::GoOn => return Ok(()),
            Then::Flush => encoder.flush(&mut room(out))?,
            Then::Finish => encoder.finish(&mut room(out), true)?,
        };
        if left == 0 {
            return Ok(());
        }
    }
}

/// Room behind what is there.
fn room(out: &mut Vec<u8>) -> OutBuffer<'_, Vec<u8>> {
    out.reserve(ROOM_BYTES);
    let filled = out.len();
    OutBuffer::around_pos(out, filled)
}
