//! What chunks are without rings: a list of pieces, each byte written down.

use std::collections::VecDeque;

use crate::limits::{COPIED_MAX_BYTES, LENT_CHUNKS_MAX_COUNT, UNSENT_MAX_BYTES};

/// The chunks of one trip, and what became of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PlainChunks {
    /// Not sent; whether it is lent, and the bytes that are left of it.
    pub(super) waiting: VecDeque<(bool, Vec<u8>)>,
    /// How many of the pieces were found.
    pub(super) found: usize,
    pub(super) sent_bytes: usize,
    pub(super) settled: usize,
}

impl PlainChunks {
    fn bytes<'a>(pieces: impl Iterator<Item = &'a (bool, Vec<u8>)>) -> Vec<u8> {
        pieces.flat_map(|(_, bytes)| bytes).copied().collect()
    }

    pub(super) fn found_bytes(&self) -> Vec<u8> {
        Self::bytes(self.waiting.iter().take(self.found))
    }

    pub(super) fn unsent(&self) -> usize {
        self.waiting.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    pub(super) fn lent(&self) -> usize {
        self.waiting.iter().filter(|(is_lent, _)| *is_lent).count()
    }

    pub(super) fn has_room(&self, is_lent: bool, len: usize) -> bool {
        let all = self.unsent();
        match is_lent {
            _ if len == 0 => true,
            true => {
                self.lent() < LENT_CHUNKS_MAX_COUNT && (all == 0 || all + len <= UNSENT_MAX_BYTES)
            }
            false => {
                let copied = self.waiting.iter().filter(|(is_lent, _)| !is_lent);
                copied.map(|(_, bytes)| bytes.len()).sum::<usize>() + len <= COPIED_MAX_BYTES
            }
        }
    }

    pub(super) fn consume(&mut self, mut bytes: usize) {
        self.sent_bytes += bytes;
        while bytes != 0 {
            let (is_lent, piece) = self.waiting.front_mut().unwrap();
            let step = bytes.min(piece.len());
            piece.drain(..step);
            bytes -= step;
            if piece.is_empty() {
                self.settled += usize::from(*is_lent);
                self.found -= 1;
                self.waiting.pop_front();
            }
        }
    }

    pub(super) fn discard(&mut self) -> usize {
        let bytes = self.unsent();
        self.settled += self.lent();
        (self.found, self.waiting) = (0, VecDeque::new());
        bytes
    }
}
