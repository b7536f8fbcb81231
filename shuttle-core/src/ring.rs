//! A queue of berths for one writing thread and one reading thread.
//!
//! It has room for every berth of its link and a berth is in it at most once, so it cannot be full:
//! there is no "full" to report, and `push` asserts it. For the same reason the writer never waits
//! for the reader's position. That a slot may be written again follows from the ownership of
//! berths: as many berths as there are slots went in since it was last written, so one of them came
//! back to the writer in between (through the other ring, which orders memory), and the reader
//! reads in order.

use std::cell::Cell;

use crate::slot::Berth;
use crate::sync::CachePadded;
use crate::sync::atomic::{
    AtomicU16, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

/// The part that both threads see. Positions count for ever and wrap; a slot is a position modulo
/// the number of slots, which is a power of two so that wrapping does no harm.
pub(crate) struct Ring {
    slots: Box<[AtomicU16]>,
    berths: u32,
    /// Written by the writer alone: the position after the last berth.
    tail: CachePadded<AtomicU32>,
    /// Written by the reader alone: the position of the next berth.
    head: CachePadded<AtomicU32>,
}

/// The writer's own knowledge, kept on its shore.
#[derive(Default)]
pub(crate) struct Writer {
    tail: Cell<u32>,
    /// Where the reader was when last looked at; looked at only when the ring seems full.
    head_seen: Cell<u32>,
}

/// The reader's own knowledge, kept on its shore.
#[derive(Default)]
pub(crate) struct Reader {
    head: Cell<u32>,
    /// Where the writer was when last looked at; looked at only when all up to there was read.
    tail_seen: Cell<u32>,
}

impl Ring {
    pub(crate) fn new(berths: u16) -> Self {
        let slots = usize::from(berths).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| AtomicU16::new(0)).collect(),
            berths: u32::from(berths),
            tail: CachePadded(AtomicU32::new(0)),
            head: CachePadded(AtomicU32::new(0)),
        }
    }

    #[inline]
    fn slot(&self, position: u32) -> &AtomicU16 {
        &self.slots[position as usize & (self.slots.len() - 1)]
    }

    /// Writer: publishes the berth, and with it all that was written to its cargo before.
    #[inline]
    pub(crate) fn push(&self, writer: &Writer, berth: Berth) {
        let tail = writer.tail.get();
        if tail.wrapping_sub(writer.head_seen.get()) >= self.berths {
            // Relaxed is recent enough: the reader's step that made room happened before this push,
            // for the reason on top of this file.
            writer.head_seen.set(self.head.load(Relaxed));
            let waiting = tail.wrapping_sub(writer.head_seen.get());
            assert!(
                waiting < self.berths,
                "a ring with a slot for every berth is full"
            );
        }
        self.slot(tail).store(berth.into_index(), Relaxed);
        let tail = tail.wrapping_add(1);
        writer.tail.set(tail);
        let order = if cfg!(mutate = "ring_store_relaxed") {
            Relaxed
        } else {
            Release
        };
        self.tail.store(tail, order);
    }

    /// Reader: the next berth, and the right to all that was written to its cargo.
    #[inline]
    pub(crate) fn pop(&self, reader: &Reader) -> Option<Berth> {
        if self.is_empty(reader) {
            return None;
        }
        let head = reader.head.get();
        let index = self.slot(head).load(Relaxed);
        reader.head.set(head.wrapping_add(1));
        self.head.store(head.wrapping_add(1), Relaxed);
        // SAFETY: the index was a berth until `push` consumed it, and each position is read once.
        Some(unsafe { Berth::from_index(index) })
    }

    /// Reader: whether nothing waits. Looks at the writer's line only when it must.
    #[inline]
    pub(crate) fn is_empty(&self, reader: &Reader) -> bool {
        if reader.head.get() == reader.tail_seen.get() {
            let order = if cfg!(mutate = "ring_load_relaxed") {
                Relaxed
            } else {
                Acquire
            };
            reader.tail_seen.set(self.tail.load(order));
        }
        reader.head.get() == reader.tail_seen.get()
    }

    /// Writer, once it knows that the reader has left for good: the oldest berth that was not read.
    pub(crate) fn take_back(&self, writer: &Writer) -> Option<Berth> {
        if self.is_all_read(writer) {
            return None;
        }
        let head = self.head.load(Relaxed);
        let index = self.slot(head).load(Relaxed);
        self.head.store(head.wrapping_add(1), Relaxed);
        // SAFETY: as in `pop`; the reader is gone, so the writer reads in its place.
        Some(unsafe { Berth::from_index(index) })
    }

    /// Writer, once it knows that the reader has left for good: whether all was read.
    pub(crate) fn is_all_read(&self, writer: &Writer) -> bool {
        self.head.load(Relaxed) == writer.tail.get()
    }
}
