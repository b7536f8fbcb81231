//! Chunks: what TX appends to a shuttle, whoever owns it, and where it lies.
//!
//! There are two kinds, and they keep their order. *Copied* bytes go into a ring of bytes, so that
//! many small writes become one or two pieces for the worker. A *lent* chunk is a pointer in a ring
//! of pointers, with the position in the copied bytes before which it stands:
//!
//! ```text
//!   copied   │ a a a b b │ d d │          lent   │ CCCCC at 5 │
//!            0           5     7                 0            1
//!   sent as    aaabb  CCCCC  dd           tail: 7 copied, 1 lent
//! ```
//! One [`Position`] says how far both go. TX alone writes, behind the tail, and moves the tail by
//! one step of the berth's word (`state.rs`): that publishes. The owner of the shuttle alone reads,
//! from the head to what it has found, and moves the head; TX reads the head to know what it may
//! overwrite and let go of. Both count from 0 in each generation. A position wraps; as it has at
//! least twice as many values as the ring has places, full and empty differ.
//!
//! None of this exists before the first append to a berth. Then it stays until the link ends: the
//! worker could not free it under TX, nor TX under the worker, without asking.

use std::cell::UnsafeCell as BareUnsafeCell;

pub(crate) use self::reading::Reading;
pub(crate) use self::writing::Writing;
use crate::lent::LentBytes;
use crate::limits::{COPIED_MAX_BYTES, LENT_CHUNKS_MAX_COUNT};
use crate::sync::atomic::{
    AtomicU16, AtomicU64, Ordering,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::sync::{CachePadded, UnsafeCell, Watch};

mod reading;
mod writing;

/// A place between two chunks: after so many copied bytes and so many lent pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) copied: u16,
    pub(crate) lent: u8,
}

/// How far the worker got with what was appended in one trip. Both numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of chunks that were sent, copied and lent: what the worker called
    /// [`consumed`](crate::Shuttle::consumed) for.
    pub sent_bytes: u64,
    /// Lent chunks that nobody will read any more, sent or discarded, in the order in which they
    /// were appended: so many of the oldest pins may go, all in all.
    pub settled_count: u64,
}

/// A lent piece among the copied bytes.
#[derive(Clone, Copy)]
struct LentChunk {
    bytes: LentBytes,
    /// It stands before the copied byte of this position.
    at: u16,
}

/// What the owner tells TX.
#[derive(Default)]
struct Told {
    /// The head: what is before it may be written over.
    copied: AtomicU16,
    /// The head again, counted without wrapping: what is before it may be let go.
    settled: AtomicU64,
    sent_bytes: AtomicU64,
    discarded_bytes: AtomicU64,
}

impl Told {
    /// What is settled was read, whoever asks.
    fn progress(&self) -> Progress {
        let order = either(cfg!(mutate = "progress_relaxed"), Acquire);
        Progress {
            sent_bytes: self.sent_bytes.load(Relaxed),
            settled_count: self.settled.load(order),
        }
    }

    /// TX: where the reader is, with the right to all that is before.
    fn head(&self) -> Position {
        let order = either(cfg!(mutate = "head_read_relaxed"), Acquire);
        Position {
            copied: self.copied.load(order),
            lent: self.settled.load(order) as u8,
        }
    }

    /// Bytes that wait no longer.
    fn gone_bytes(&self) -> u64 {
        self.sent_bytes.load(Relaxed) + self.discarded_bytes.load(Relaxed)
    }

    /// Owner: how far the head got, and that all before was read. Nobody else writes these, so a
    /// load and a store do.
    fn tell(&self, before: Position, head: Position, sent: usize, discarded: usize) {
        let copied_order = either(cfg!(mutate = "head_told_relaxed"), Release);
        let settled_order = either(cfg!(mutate = "settled_relaxed"), Release);
        self.copied.store(head.copied, copied_order);
        let settled = head.lent.wrapping_sub(before.lent);
        for (counter, more, order) in [
            (&self.settled, u64::from(settled), settled_order),
            (&self.sent_bytes, sent as u64, Relaxed),
            (&self.discarded_bytes, discarded as u64, Relaxed),
        ] {
            if more != 0 {
                counter.store(counter.load(Relaxed) + more, order);
            }
        }
    }

    /// Owner, as the trip ends: the next one counts from 0.
    fn reset(&self) {
        self.copied.store(0, Release);
        self.settled.store(0, Release);
        self.sent_bytes.store(0, Relaxed);
        self.discarded_bytes.store(0, Relaxed);
    }
}

/// The room for chunks of one berth.
pub(crate) struct Chunks {
    /// One after another in memory, so that a piece is a slice.
    copied: Box<[BareUnsafeCell<u8>]>,
    watch: Watch,
    lent: Box<[UnsafeCell<LentChunk>]>,
    writer: writing::Writer,
    reader: UnsafeCell<reading::Reader>,
    told: CachePadded<Told>,
}

impl Chunks {
    fn new() -> Self {
        let none = LentChunk {
            bytes: LentBytes::NONE,
            at: 0,
        };
        Self {
            copied: (0..COPIED_MAX_BYTES)
                .map(|_| BareUnsafeCell::new(0))
                .collect(),
            watch: Watch::new(COPIED_MAX_BYTES),
            lent: (0..LENT_CHUNKS_MAX_COUNT)
                .map(|_| UnsafeCell::new(none))
                .collect(),
            writer: writing::Writer::default(),
            reader: UnsafeCell::new(reading::Reader::default()),
            told: CachePadded(Told::default()),
        }
    }

    #[inline]
    fn lent_cell(&self, position: u8) -> &UnsafeCell<LentChunk> {
        &self.lent[usize::from(position) % LENT_CHUNKS_MAX_COUNT]
    }

    /// Where the copied byte of this position lies, and how many follow before the area ends.
    #[inline]
    fn place(position: u16) -> (usize, usize) {
        let start = usize::from(position) % COPIED_MAX_BYTES;
        (start, COPIED_MAX_BYTES - start)
    }

    #[inline]
    fn start(&self) -> *mut u8 {
        BareUnsafeCell::raw_get(self.copied.as_ptr())
    }
}

/// The order, or none at all when a mutation says so.
#[inline]
fn either(is_mutated: bool, order: Ordering) -> Ordering {
    if is_mutated { Relaxed } else { order }
}
