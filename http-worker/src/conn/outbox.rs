//! What a connection has to say, in order: copied bytes, and between them the cargo of shuttles,
//! which is written from where it lies, and stretches of a file.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use http_proto::Exchange;
use shuttle_core::{Shuttle, Worker};

use crate::cargo::Cargo;
use crate::files::Opened;
use crate::limits::WRITE_SLICES_COUNT;

/// A stretch of output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stretch {
    /// So many of the copied bytes.
    Copied(usize),
    /// The cargo of the next shuttle. With nothing to be sent it only marks that all before it has
    /// gone.
    Cargo(Cargo),
    /// Bytes of the file, from this place on, still to be sent. Never none.
    File { from: u64, left: u64 },
}

/// Output of one connection that was not yet taken by the socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    copied: Vec<u8>,
    /// How many of the copied bytes are gone.
    gone: usize,
    stretches: VecDeque<Stretch>,
    /// Cargo bytes waiting, over all stretches.
    cargo_bytes: usize,
    /// The file of which stretches wait, and how many.
    file: Option<Arc<Opened>>,
    file_stretches: usize,
    /// Some of what TX appended is gone, and nobody was told.
    has_news: bool,
    /// All bytes that were ever put here, and those of them that are gone.
    put: u64,
    went: u64,
}

/// Slices for one vectored write.
pub(crate) type Slices<'a> = [IoSlice<'a>; WRITE_SLICES_COUNT];

impl Outbox {
    /// Whether nothing waits, marks included.
    pub(crate) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Copied bytes that wait.
    pub(crate) fn copied_bytes(&self) -> usize {
        self.copied.len() - self.gone
    }

    /// Appends copied bytes.
    pub(crate) fn copy<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.copied.len();
        let result = write(&mut self.copied);
        let count = self.copied.len() - before;
        self.put += count as u64;
        match self.stretches.back_mut() {
            _ if count == 0 => {}
            Some(Stretch::Copied(last)) => *last += count,
            _ => self.stretches.push_back(Stretch::Copied(count)),
        }
        result
    }

    /// Appends the cargo of the next shuttle.
    pub(crate) fn load(&mut self, cargo: Cargo) {
        self.cargo_bytes += cargo.len();
        self.put += cargo.len() as u64;
        self.stretches.push_back(Stretch::Cargo(cargo));
    }

    /// Appends bytes of a file, at least one. There may be only one file at a time.
    pub(crate) fn load_file(&mut self, file: &Arc<Opened>, range: Range<u64>) {
        debug_assert!(range.start < range.end, "there is something to be sent");
        let (from, left) = (range.start, range.end - range.start);
        self.file_stretches += 1;
        self.put += left;
        self.file = Some(Arc::clone(file));
        self.stretches.push_back(Stretch::File { from, left });
    }

    /// Whether bytes of a file wait.
    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Whether bytes of a file come first.
    pub(crate) fn is_file_first(&self) -> bool {
        matches!(self.stretches.front(), Some(Stretch::File { .. }))
    }

    /// The bytes of a file that come first: the file, from where, how many.
    pub(crate) fn file(&self) -> Option<(&Arc<Opened>, u64, u64)> {
        match (self.stretches.front(), &self.file) {
            (Some(&Stretch::File { from, left }), Some(file)) => Some((file, from, left)),
            _ => None,
        }
    }

    /// Forgets all that waits: the connection is cut.
    pub(crate) fn abandon(&mut self) {
        *self = Self {
            put: self.put,
            went: self.went,
            ..Self::default()
        };
    }

    /// How many bytes were ever put here.
    pub(crate) fn put_bytes(&self) -> u64 {
        self.put
    }

    /// How many of them are gone.
    pub(crate) fn went_bytes(&self) -> u64 {
        self.went
    }

    /// The bytes that come first, when they are all copied ones: the usual case, one plain write.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        let copied = &self.copied[self.gone..];
        match self.file {
            _ if self.cargo_bytes > 0 => None,
            None => Some(copied),
            Some(_) => Some(&copied[..self.copied_before_file()]),
        }
    }

    /// How many copied bytes go before the first ones of a file.
    fn copied_before_file(&self) -> usize {
        let before = self.stretches.iter().map_while(|stretch| match stretch {
            Stretch::Copied(len) => Some(*len),
            Stretch::Cargo { .. } => Some(0),
            Stretch::File { .. } => None,
        });
        before.sum()
    }

    /// Fills in as many slices as there is room for; says how many. `shuttles` are those whose
    /// cargo was loaded, in that order.
    pub(crate) fn slices<'a>(
        &'a self,
        mut shuttles: impl Iterator<Item = Option<&'a Shuttle<Worker, Exchange>>>,
        slices: &mut Slices<'a>,
    ) -> usize {
        let mut room = slices.iter_mut();
        let mut copied = &self.copied[self.gone..];
        let mut count = 0;
        for stretch in &self.stretches {
            match *stretch {
                Stretch::Copied(len) => {
                    let (here, rest) = copied.split_at(len);
                    copied = rest;
                    let Some(slot) = room.next() else {
                        return count;
                    };
                    *slot = IoSlice::new(here);
                    count += 1;
                }
                Stretch::File { .. } => return count,
                Stretch::Cargo(cargo) => {
                    let shuttle = shuttles.next().flatten();
                    let Some(shuttle) = shuttle.filter(|_| cargo.len() > 0) else {
                        continue;
                    };
                    for piece in cargo.pieces(shuttle) {
                        let Some(slot) = room.next() else {
                            return count;
                        };
                        *slot = IoSlice::new(piece);
                        count += 1;
                    }
                }
            }
        }
        count
    }

    /// Takes off `taken` bytes that are gone. Says how many shuttles have none left: the first
    /// ones of those loaded, which are given as to [`slices`](Self::slices).
    pub(crate) fn advance<'a>(
        &mut self,
        mut taken: usize,
        mut shuttles: impl Iterator<Item = Option<&'a mut Shuttle<Worker, Exchange>>>,
    ) -> usize {
        let mut finished = 0;
        self.went += taken as u64;
        while let Some(stretch) = self.stretches.front_mut() {
            match stretch {
                Stretch::Copied(left) => {
                    let here = taken.min(*left);
                    taken -= here;
                    *left -= here;
                    self.gone += here;
                    if *left > 0 {
                        break;
                    }
                }
                Stretch::File { from, left } => {
                    let here = usize::try_from(*left).map_or(taken, |left| taken.min(left));
                    taken -= here;
                    *left -= here as u64;
                    *from += here as u64;
                    if *left > 0 {
                        break;
                    }
                    self.file_stretches -= 1;
                    if self.file_stretches == 0 {
                        self.file = None;
                    }
                }
                Stretch::Cargo(cargo) => {
                    let here = taken.min(cargo.len());
                    taken -= here;
                    self.cargo_bytes -= here;
                    if let Some(shuttle) = shuttles.next().flatten().filter(|_| here > 0) {
                        self.has_news |= cargo.advance(shuttle, here) > 0;
                    }
                    if cargo.len() > 0 {
                        break;
                    }
                    finished += 1;
                }
            }
            self.stretches.pop_front();
        }
        debug_assert_eq!(taken, 0, "no more can be gone than there was");
        self.reuse();
        finished
    }

    /// Whether some of what TX appended is gone since the last time this was asked.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// What it takes in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.copied.capacity()
    }

    /// Gives back memory that nothing is in.
    pub(crate) fn shrink(&mut self) {
        self.copied.drain(..self.gone);
        self.gone = 0;
        self.copied.shrink_to_fit();
    }

    /// The buffer for copied bytes, when nothing is to be said: an idle connection needs none,
    /// and another one finds it still in the cache.
    pub(crate) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        let is_idle = self.is_empty() && self.copied.capacity() != 0;
        is_idle.then(|| std::mem::take(&mut self.copied))
    }

    /// The room for stretches, when nothing is to be said.
    pub(crate) fn take_stretches(&mut self) -> VecDeque<Stretch> {
        debug_assert!(self.stretches.is_empty(), "what waits is not taken away");
        std::mem::take(&mut self.stretches)
    }

    /// Gives it room for stretches, if it has none.
    pub(crate) fn give_stretches(&mut self, room: VecDeque<Stretch>) {
        if self.stretches.capacity() == 0 {
            self.stretches = room;
        }
    }

    /// Whether a buffer is wanted before something is copied.
    pub(crate) fn wants_buffer(&self) -> bool {
        self.copied.capacity() == 0
    }

    /// Gives it an empty buffer.
    pub(crate) fn give_buffer(&mut self, buffer: Vec<u8>) {
        debug_assert!(self.wants_buffer() && buffer.is_empty());
        self.copied = buffer;
    }

    /// Uses the front of the buffer again, when that costs little.
    fn reuse(&mut self) {
        if self.gone == self.copied.len() {
            self.copied.clear();
            self.gone = 0;
        } else if self.gone > self.copied.len() / 2 {
            self.copied.drain(..self.gone);
            self.gone = 0;
        }
    }
}
