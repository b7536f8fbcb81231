//! The lines between chunks: RFC 9112 section 7.1.

use crate::error::PeerErrorKind;
use crate::head::token::{is_token_byte, is_value};
use crate::limits::{CHUNK_LINE_MAX_BYTES, CHUNK_SIZE_MAX_DIGIT_COUNT};

/// A line that announces a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChunkLine {
    /// Bytes of the chunk; zero for the last.
    pub(super) size: u64,
    /// The line, its CRLF included.
    pub(super) len: usize,
}

/// Reads the line at the front of `input`, or nothing while it is incomplete.
pub(super) fn line(input: &[u8]) -> Result<Option<ChunkLine>, PeerErrorKind> {
    // What cannot become a line is refused at once: its sender may be waiting for an answer.
    if input
        .first()
        .is_some_and(|first| !first.is_ascii_hexdigit())
    {
        return Err(PeerErrorKind::ChunkSize);
    }
    let window = &input[..input.len().min(CHUNK_LINE_MAX_BYTES + 2)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        let too_long = input.len() >= CHUNK_LINE_MAX_BYTES + 2;
        return if too_long {
            Err(PeerErrorKind::ChunkExtension)
        } else {
            Ok(None)
        };
    };
    let line = input[..end]
        .strip_suffix(b"\r")
        .ok_or(PeerErrorKind::LineEnd)?;
    let digits = line
        .iter()
        .position(|b| !b.is_ascii_hexdigit())
        .unwrap_or(line.len());
    if digits == 0 || digits > CHUNK_SIZE_MAX_DIGIT_COUNT {
        return Err(PeerErrorKind::ChunkSize);
    }
    let extensions = &line[digits..];
    if !are_extensions(extensions) {
        // `5 `, `5x`: not a size that others read the same way.
        let begun = extensions.contains(&b';');
        return Err(if begun {
            PeerErrorKind::ChunkExtension
        } else {
            PeerErrorKind::ChunkSize
        });
    }
    let size = line[..digits]
        .iter()
        .fold(0, |size, &digit| size << 4 | u64::from(hex(digit)));
    Ok(Some(ChunkLine { size, len: end + 1 }))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`. They mean nothing to us,
/// but where they end must be beyond doubt.
fn are_extensions(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = skip_blank(text).strip_prefix(b";") else {
            return false;
        };
        let Some(rest) = skip_token(skip_blank(rest)) else {
            return false;
        };
        text = rest;
        if let Some(value) = skip_blank(rest).strip_prefix(b"=") {
            let value = skip_blank(value);
            let skipped = if value.first() == Some(&b'"') {
                skip_quoted(value)
            } else {
                skip_token(value)
            };
            let Some(rest) = skipped else { return false };
            text = rest;
        }
    }
    true
}

fn skip_blank(text: &[u8]) -> &[u8] {
    let blank = text
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    &text[blank..]
}

/// What follows a token, or nothing when there is none.
fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|&&byte| is_token_byte(byte)).count();
    (len > 0).then(|| &text[len..])
}

/// What follows a quoted string.
fn skip_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut at = 1;
    loop {
        match *text.get(at)? {
            b'"' => return Some(&text[at + 1..]),
            b'\\' => at += 1,
            _ => {}
        }
        if !is_value(text.get(at..=at)?) {
            return None;
        }
        at += 1;
    }
}
