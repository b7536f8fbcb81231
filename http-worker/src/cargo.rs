//! What a shuttle brings to be sent, whatever frames it: the copied part, the lent pieces, and
//! then what TX appended while the shuttle was on its way or here.
//!
//! TX is told of appended bytes as they go ([`Cargo::advance`]); of the others it hears when the
//! shuttle comes home.

use http_proto::{Exchange, Leg};
use shuttle_core::{Shuttle, Worker};

/// Bytes of one shuttle that are to be sent in one go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cargo {
    /// How much of the part and the lent pieces is behind us.
    passed: usize,
    /// Still to be sent.
    left: usize,
}

impl Cargo {
    /// All of a shuttle that has just come home. Takes note of what was appended so far.
    pub(crate) fn of_arrival(shuttle: &mut Shuttle<Worker, Exchange>) -> Self {
        match shuttle.leg() {
            // The common case, in which nobody appends.
            Leg::Answer => Self {
                passed: 0,
                left: brought_len(shuttle),
            },
            Leg::Close => Self::of_appended(shuttle),
            _ => Self {
                passed: 0,
                left: brought_len(shuttle) + shuttle.find_chunks(),
            },
        }
    }

    /// What was appended since the last look, of a shuttle whose other cargo is gone.
    pub(crate) fn of_appended(shuttle: &mut Shuttle<Worker, Exchange>) -> Self {
        Self {
            passed: brought_len(shuttle),
            left: shuttle.find_chunks(),
        }
    }

    /// Bytes still to be sent.
    pub(crate) fn len(self) -> usize {
        self.left
    }

    /// The first `admitted` bytes of it.
    pub(crate) fn cut(self, admitted: usize) -> Self {
        Self {
            left: self.left.min(admitted),
            ..self
        }
    }

    /// The bytes, each where it lies. No piece is empty.
    pub(crate) fn pieces(self, shuttle: &Shuttle<Worker, Exchange>) -> impl Iterator<Item = &[u8]> {
        let (exchange, lent) = shuttle.parts();
        let Self {
            mut passed,
            mut left,
        } = self;
        let brought = std::iter::once(&exchange.part[..]).chain(lent);
        let brought = brought.map(move |piece| {
            let skipped = passed.min(piece.len());
            passed -= skipped;
            &piece[skipped..]
        });
        brought
            .chain(shuttle.chunks())
            .map(move |piece| {
                let piece = &piece[..left.min(piece.len())];
                left -= piece.len();
                piece
            })
            .filter(|piece| !piece.is_empty())
    }

    /// So many of the bytes are gone: tells TX of those that it appended, and says how many these
    /// are.
    ///
    /// # Panics
    /// If there were not so many.
    pub(crate) fn advance(
        &mut self,
        shuttle: &mut Shuttle<Worker, Exchange>,
        count: usize,
    ) -> usize {
        let brought = (brought_len(shuttle) - self.passed).min(count);
        self.passed += brought;
        self.left -= count;
        shuttle.consumed(count - brought);
        count - brought
    }
}

/// Everything that was found is dealt with: what was copied, and what the client does not get
/// because it is beyond the declared length or the response has no body.
pub(crate) fn settle(shuttle: &mut Shuttle<Worker, Exchange>) {
    let rest = shuttle.chunks().map(<[u8]>::len).sum();
    shuttle.consumed(rest);
}

/// Bytes of the part and of the lent pieces.
fn brought_len(shuttle: &Shuttle<Worker, Exchange>) -> usize {
    let (exchange, lent) = shuttle.parts();
    exchange.part.len() + lent.map(<[u8]>::len).sum::<usize>()
}
