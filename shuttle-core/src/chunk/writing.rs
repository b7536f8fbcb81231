//! The chunks in the hands of TX: the writer.

use std::cell::Cell;

use super::{Chunks, LentChunk, Position, Progress};
use crate::lent::LentBytes;
use crate::limits::{COPIED_MAX_BYTES, LENT_CHUNKS_MAX_COUNT, UNSENT_MAX_BYTES};
use crate::quay::TxQuay;

/// What TX alone knows. In a `Cell` because a shore has many handles to it.
#[derive(Default)]
pub(super) struct Writer {
    /// The trip that the rest is about.
    generation: Cell<u32>,
    /// Where the reader was when last looked at; looked at only when there seems to be no room.
    head: Cell<Position>,
    appended_bytes: Cell<u64>,
}

/// The room for chunks in the hands of TX, for one trip that goes on: the writer.
#[derive(Clone, Copy)]
pub(crate) struct Writing<'a>(&'a Chunks);

impl Writing<'_> {
    fn new(chunks: &Chunks, generation: u32) -> Writing<'_> {
        let writer = &chunks.writer;
        if writer.generation.replace(generation) != generation {
            writer.head.set(Position::default());
            writer.appended_bytes.set(0);
        }
        Writing(chunks)
    }

    /// Writes the bytes behind the tail. Answers the tail that publishes them, or `None` if there
    /// is no room.
    #[inline]
    pub(crate) fn copy(self, tail: Position, bytes: &[u8]) -> Option<Position> {
        let is_room = |head: Position| {
            let waiting = usize::from(tail.copied.wrapping_sub(head.copied));
            let slack = usize::from(cfg!(mutate = "area_overfull"));
            bytes.len() <= (COPIED_MAX_BYTES + slack).saturating_sub(waiting)
        };
        if !is_room(self.0.writer.head.get()) && !is_room(self.look_at_head()) {
            return None;
        }
        let (start, to_end) = Chunks::place(tail.copied);
        let (first, rest) = bytes.split_at(bytes.len().min(to_end));
        self.0.watch.write(start..start + first.len());
        self.0.watch.write(0..rest.len());
        // SAFETY: both ranges lie in the area. TX alone writes, and this is TX; the owner reads
        // from the head to the tail, and there is room, so these bytes are not among them. What was
        // read of them before was read before the head was moved, by a release that
        // `look_at_head` acquired, or in a trip before this one.
        unsafe {
            let area = self.0.start();
            area.add(start)
                .copy_from_nonoverlapping(first.as_ptr(), first.len());
            area.copy_from_nonoverlapping(rest.as_ptr(), rest.len());
        }
        let len = u16::try_from(bytes.len()).expect("the area is no larger");
        let copied = tail.copied.wrapping_add(len);
        Some(Position { copied, ..tail })
    }

    /// Puts the lent piece behind the tail, as [`Self::copy`] does with bytes.
    ///
    /// # Safety
    /// The bytes stay alive, unmoved and unchanged until the piece was settled, or was refused.
    pub(crate) unsafe fn lend(self, tail: Position, bytes: &[u8]) -> Option<Position> {
        if bytes.is_empty() {
            return Some(tail);
        }
        let is_room =
            |head: Position| usize::from(tail.lent.wrapping_sub(head.lent)) < LENT_CHUNKS_MAX_COUNT;
        if !is_room(self.0.writer.head.get()) && !is_room(self.look_at_head()) {
            return None;
        }
        let unsent = self.unsent_bytes();
        if unsent != 0 && unsent + bytes.len() as u64 > UNSENT_MAX_BYTES as u64 {
            return None;
        }
        let chunk = LentChunk {
            // SAFETY: it is read from the head to the tail only, and settled by moving the head.
            bytes: unsafe { LentBytes::new(bytes) },
            at: tail.copied,
        };
        self.0.lent_cell(tail.lent).with_mut(|place| {
            // SAFETY: as in `copy`: TX alone writes, and there is room, so the owner does not read
            // this place.
            unsafe { *place = chunk }
        });
        let lent = tail.lent.wrapping_add(1);
        Some(Position { lent, ..tail })
    }

    /// So many bytes were published.
    #[inline]
    pub(crate) fn count(self, bytes: usize) {
        let appended = &self.0.writer.appended_bytes;
        appended.set(appended.get() + bytes as u64);
    }

    pub(crate) fn progress(self) -> Progress {
        self.0.told.progress()
    }

    /// It may be less already.
    fn unsent_bytes(self) -> u64 {
        let appended = self.0.writer.appended_bytes.get();
        appended.saturating_sub(self.0.told.gone_bytes())
    }

    fn look_at_head(self) -> Position {
        let head = self.0.told.head();
        self.0.writer.head.set(head);
        head
    }
}

impl<T> TxQuay<T> {
    /// TX, for the trip that goes on: its chunks, if this berth ever had any.
    #[inline]
    pub(crate) fn chunks(&self, index: u16, generation: u32) -> Option<Writing<'_>> {
        let cell = self.harbour().slots.chunk_cell(index);
        // SAFETY: this thread alone writes to the cell, and not now.
        let chunks = cell.with(|chunks| unsafe { &*chunks }).as_deref();
        chunks.map(|chunks| Writing::new(chunks, generation))
    }

    /// TX, for the trip that goes on: makes the room for its chunks, once per berth.
    #[cold]
    pub(crate) fn make_chunks(&self, index: u16) {
        let cell = self.harbour().slots.chunk_cell(index);
        let write = |place: *mut Option<Box<Chunks>>| {
            // SAFETY: the worker does not look here before something was appended, which was not:
            // it needs this. No reference of this thread lives beyond the call that made it.
            unsafe {
                assert!((*place).is_none(), "the room for chunks is made once");
                *place = Some(Box::new(Chunks::new()));
            }
        };
        cell.with_mut(write);
    }
}
