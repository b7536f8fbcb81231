//! The chunks in the hands of who owns the shuttle: the reader.

use super::{Chunks, LentChunk, Position, Progress};
use crate::lent::LentBytes;
use crate::slot::{Berth, Slots};

/// What comes next between two positions.
enum Next {
    Copied(usize),
    Lent(LentBytes),
}

/// What the owner of the shuttle alone knows.
#[derive(Clone, Copy, Default)]
pub(super) struct Reader {
    head: Position,
    /// How much of the lent chunk at the head was sent.
    front_bytes: usize,
    /// The tail as it was when last looked for.
    found: Position,
    /// From the head to `found`.
    left_bytes: usize,
}

/// The room for chunks in the hands of who owns the shuttle: the reader. Never outlives the loan of
/// the berth that it was made from.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    chunks: &'a Chunks,
    /// From the word, acquired.
    tail: Position,
}

impl<'a> Reading<'a> {
    fn get(self) -> Reader {
        // SAFETY: the berth is lent for as long as `self` lives, so this is its owner's thread, and
        // nobody keeps a reference into the cell.
        self.chunks.reader.with(|reader| unsafe { *reader })
    }

    fn set(self, reader: Reader) {
        let write = |place: *mut Reader| {
            // SAFETY: as in `get`.
            unsafe { *place = reader }
        };
        self.chunks.reader.with_mut(write);
    }

    pub(crate) fn found(self) -> Position {
        self.get().found
    }

    /// Takes note of all there is, and says how many bytes from the head on that are.
    pub(crate) fn find(self) -> usize {
        let reader = self.with_all_found();
        self.set(reader);
        if cfg!(mutate = "settled_when_found") {
            self.tell(
                &reader,
                Reader {
                    head: reader.found,
                    ..reader
                },
                0,
                0,
            );
        }
        reader.left_bytes
    }

    /// How many bytes wait, found or not.
    pub(crate) fn unsent_bytes(self) -> usize {
        self.with_all_found().left_bytes
    }

    /// How many lent chunks are not settled, found or not.
    pub(crate) fn lent_count(self) -> usize {
        usize::from(self.tail.lent.wrapping_sub(self.get().head.lent))
    }

    pub(crate) fn progress(self) -> Progress {
        self.chunks.told.progress()
    }

    fn with_all_found(self) -> Reader {
        let mut reader = self.get();
        let mut lent = reader.found.lent;
        while lent != self.tail.lent {
            reader.left_bytes += self.lent_at(lent).bytes.len();
            lent = lent.wrapping_add(1);
        }
        reader.left_bytes += usize::from(self.tail.copied.wrapping_sub(reader.found.copied));
        reader.found = self.tail;
        reader
    }

    fn lent_at(self, position: u8) -> LentChunk {
        // SAFETY: it is between head and tail, so TX does not write there.
        self.chunks
            .lent_cell(position)
            .with(|chunk| unsafe { *chunk })
    }

    fn next(self, at: Position, end: Position) -> Option<Next> {
        let mut copied_to = end.copied;
        if at.lent != end.lent {
            let lent = self.lent_at(at.lent);
            if lent.at == at.copied {
                return Some(Next::Lent(lent.bytes));
            }
            copied_to = lent.at;
        }
        let count = usize::from(copied_to.wrapping_sub(at.copied));
        (count != 0).then(|| Next::Copied(count.min(Chunks::place(at.copied).1)))
    }

    /// What was found and is not consumed.
    pub(crate) fn pieces(self) -> Pieces<'a> {
        let Reader {
            head,
            front_bytes,
            found,
            ..
        } = self.get();
        Pieces {
            reading: self,
            at: head,
            front_bytes,
            end: found,
        }
    }

    /// So many bytes of what was found were sent.
    pub(crate) fn consumed(self, bytes: usize) {
        let before = self.get();
        assert!(
            bytes <= before.left_bytes,
            "more was consumed than was found"
        );
        let mut reader = before;
        reader.left_bytes -= bytes;
        let mut rest = bytes;
        while rest != 0 {
            let next = self.next(reader.head, reader.found);
            match next.expect("so much was found") {
                Next::Copied(count) => {
                    let step = count.min(rest);
                    reader.head.copied = reader.head.copied.wrapping_add(step as u16);
                    rest -= step;
                }
                Next::Lent(lent) => {
                    let step = rest.min(lent.len() - reader.front_bytes);
                    reader.front_bytes += step;
                    rest -= step;
                    let is_whole = reader.front_bytes == lent.len();
                    if is_whole || cfg!(mutate = "settled_when_begun") {
                        reader.front_bytes = 0;
                        reader.head.lent = reader.head.lent.wrapping_add(1);
                    }
                }
            }
        }
        self.set(reader);
        self.tell(&before, reader, bytes, 0);
    }

    /// Forgets all there is, found or not, and says how many bytes that were.
    pub(crate) fn discard(self) -> usize {
        let (before, bytes) = (self.get(), self.unsent_bytes());
        let reader = Reader {
            head: self.tail,
            found: self.tail,
            ..Reader::default()
        };
        self.set(reader);
        self.tell(&before, reader, 0, bytes);
        bytes
    }

    /// The trip is over: the next one counts from 0. Who still appends to it hears of it later.
    pub(crate) fn reset(self) {
        if !cfg!(mutate = "positions_stay") {
            self.set(Reader::default());
            self.chunks.told.reset();
        }
    }

    fn tell(self, before: &Reader, now: Reader, sent: usize, discarded: usize) {
        let told = &self.chunks.told;
        told.tell(before.head, now.head, sent, discarded);
    }
}

/// The pieces that were found, each where it lies.
#[derive(Clone)]
pub(crate) struct Pieces<'a> {
    reading: Reading<'a>,
    at: Position,
    front_bytes: usize,
    end: Position,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.reading.next(self.at, self.end)? {
            Next::Lent(lent) => {
                self.at.lent = self.at.lent.wrapping_add(1);
                // SAFETY: it is not settled, and will not be while the berth is lent to `'a`.
                let bytes = unsafe { lent.bytes() };
                Some(&bytes[std::mem::take(&mut self.front_bytes)..])
            }
            Next::Copied(count) => {
                let (start, _) = Chunks::place(self.at.copied);
                self.at.copied = self.at.copied.wrapping_add(count as u16);
                let chunks = self.reading.chunks;
                chunks.watch.read(start..start + count);
                // SAFETY: they lie in the area, between head and tail, where TX does not write, and
                // the head will not be moved while the berth is lent to `'a`.
                Some(unsafe { std::slice::from_raw_parts(chunks.start().add(start), count) })
            }
        }
    }
}

impl<T> Slots<T> {
    /// Owner: the chunks of this trip, or `None` if none was ever appended.
    #[inline]
    pub(crate) fn chunks<'a>(&'a self, berth: &'a Berth) -> Option<Reading<'a>> {
        let seen = self.state(berth.index()).look_for_chunks();
        if !seen.has_chunks() {
            return None;
        }
        let tail = seen.tail();
        let cell = self.chunk_cell(berth.index());
        // SAFETY: TX writes to this cell once in its life, before it appends for the first time,
        // and that append was seen and acquired.
        let chunks = cell.with(|chunks| unsafe { &*chunks }).as_deref();
        chunks.map(|chunks| Reading { chunks, tail })
    }
}
