//! The private half of a shore: its ends of the two rings, and every move of a berth over it.
//!
//! A shore and the handles of its shuttles share one quay by `Rc`, so a hop counts no atomic
//! reference, and neither can leave its thread.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::bell::{Bell, Sleep};
use crate::chunk::{Position, Reading};
use crate::hail::{Hails, Taken};
use crate::ring::{Reader, Ring, Writer};
use crate::shuttle::{Side, Tx, Worker};
use crate::slot::{Berth, Slots};
use crate::state::{Continued, Seen, State};
use crate::sync::{CachePadded, is_model_over};

/// All that the two threads share.
pub(crate) struct Harbour<T> {
    pub(crate) slots: Slots<T>,
    pub(crate) to_tx: Ring,
    pub(crate) to_worker: Ring,
    pub(crate) hails: Hails,
    pub(crate) tx_bell: CachePadded<Bell>,
    pub(crate) worker_bell: CachePadded<Bell>,
}

/// What belongs to the thread of one shore.
pub(crate) struct Quay<S: Side, T> {
    harbour: Arc<Harbour<T>>,
    writer: Writer,
    reader: Reader,
    /// Sent or hailed since the other shore's bell was last considered.
    unflushed: Cell<usize>,
    /// Whether this side was told already that the other one has left.
    knows_other_left: Cell<bool>,
    /// The free berths, last used first: their cargo is still in the cache. Empty on the TX side.
    free: RefCell<Vec<Berth>>,
    pub(crate) taken_hails: Taken,
    side: PhantomData<S>,
}

impl<S: Side, T> Quay<S, T> {
    pub(crate) fn new(harbour: Arc<Harbour<T>>, free: Vec<Berth>) -> Self {
        Self {
            harbour,
            writer: Writer::default(),
            reader: Reader::default(),
            unflushed: Cell::new(0),
            knows_other_left: Cell::new(false),
            free: RefCell::new(free),
            taken_hails: Taken::default(),
            side: PhantomData,
        }
    }

    pub(crate) fn harbour(&self) -> &Harbour<T> {
        &self.harbour
    }

    pub(crate) fn state(&self, index: u16) -> &State {
        self.harbour.slots.state(index)
    }

    fn outgoing(&self) -> &Ring {
        if S::IS_WORKER {
            &self.harbour.to_tx
        } else {
            &self.harbour.to_worker
        }
    }

    fn incoming(&self) -> &Ring {
        if S::IS_WORKER {
            &self.harbour.to_worker
        } else {
            &self.harbour.to_tx
        }
    }

    fn own_bell(&self) -> &Bell {
        if S::IS_WORKER {
            &self.harbour.worker_bell
        } else {
            &self.harbour.tx_bell
        }
    }

    fn other_bell(&self) -> &Bell {
        if S::IS_WORKER {
            &self.harbour.tx_bell
        } else {
            &self.harbour.worker_bell
        }
    }

    /// Publishes a berth that the other side owns already.
    pub(crate) fn push(&self, berth: Berth) {
        self.outgoing().push(&self.writer, berth);
        self.note_unflushed();
    }

    pub(crate) fn note_unflushed(&self) {
        self.unflushed.set(self.unflushed.get() + 1);
    }

    pub(crate) fn unflushed(&self) -> usize {
        self.unflushed.get()
    }

    pub(crate) fn flush(&self) {
        if self.unflushed.replace(0) != 0 && !is_model_over() {
            self.other_bell().ring_if_asleep();
        }
    }

    /// The next berth that arrived; or, when nobody is left to read them, one that this side sent.
    pub(crate) fn recv(&self) -> Option<(Berth, u32)> {
        let berth = match self.incoming().pop(&self.reader) {
            Some(berth) => berth,
            None if cfg!(mutate = "nothing_taken_back") => return None,
            None if self.other_bell().has_left() => self.take_back()?,
            None => return None,
        };
        let seen = self.state(berth.index()).look();
        let is_mine = if S::IS_WORKER {
            seen.is_at_worker()
        } else {
            seen.is_at_tx()
        };
        assert!(is_mine, "a shuttle arrived that belongs to the other side");
        Some((berth, seen.generation()))
    }

    fn take_back(&self) -> Option<Berth> {
        let mut berth = self.outgoing().take_back(&self.writer)?;
        let state = self.state(berth.index());
        let _ = state.abandon();
        if S::IS_WORKER {
            let _ = state.hand_to_worker();
            // TX kept the bytes alive to its end and beyond, and nobody will read them any more.
            self.forget_lent(&mut berth);
        } else {
            let _ = state.hand_to_tx();
        }
        Some(berth)
    }

    /// Owner: nobody will read what is lent, in the list or in chunks.
    fn forget_lent(&self, berth: &mut Berth) {
        self.harbour.slots.lent_mut(berth).forget();
        if let Some(chunks) = self.harbour.slots.chunks(berth) {
            chunks.discard();
        }
    }

    /// Owner: pieces that are lent, in the list and in chunks.
    pub(crate) fn lent_count(&self, berth: &Berth) -> usize {
        let slots = &self.harbour.slots;
        let in_chunks = slots.chunks(berth).map_or(0, Reading::lent_count);
        slots.lent(berth).count() + in_chunks
    }

    /// Owner: up to where it has found chunks.
    pub(crate) fn found(&self, berth: &Berth) -> Position {
        let chunks = self.harbour.slots.chunks(berth);
        chunks.map_or_else(Position::default, Reading::found)
    }

    pub(crate) fn has_other_left(&self) -> bool {
        let has_left = self.other_bell().has_left();
        self.knows_other_left.set(has_left);
        has_left
    }

    pub(crate) fn prepare_sleep(&self) -> Sleep {
        self.flush();
        self.own_bell().announce_sleep();
        if !cfg!(mutate = "no_second_look") && self.has_work() {
            self.own_bell().wake_up();
            return Sleep::WorkArrived;
        }
        Sleep::MaySleep
    }

    fn has_work(&self) -> bool {
        if !self.incoming().is_empty(&self.reader) {
            return true;
        }
        if !S::IS_WORKER && !self.harbour.hails.is_none_raised(&self.taken_hails) {
            return !cfg!(mutate = "sleep_ignores_hails");
        }
        let knew = self.knows_other_left.get();
        !cfg!(mutate = "sleep_ignores_leaving")
            && self.has_other_left()
            && (!knew || !self.outgoing().is_all_read(&self.writer))
    }

    pub(crate) fn woke(&self) {
        self.own_bell().wake_up();
    }

    /// The handle was dropped. Rings at once: there may be nobody on this shore to flush later.
    pub(crate) fn abandon(&self, mut berth: Berth) {
        let before = self.state(berth.index()).abandon();
        if S::IS_WORKER {
            self.abandon_at_worker(berth, before);
        } else {
            if !cfg!(mutate = "dropped_stays_lent") {
                self.forget_lent(&mut berth);
            }
            self.send_to_worker(berth);
        }
        self.flush();
    }

    /// TX hears of it, for a fiber may wait, unless it cannot know of the shuttle or was told
    /// before.
    fn abandon_at_worker(&self, mut berth: Berth, before: Seen) {
        let has_left = self.other_bell().has_left();
        if has_left {
            self.forget_lent(&mut berth);
        }
        let is_lent = self.lent_count(&berth) != 0;
        let is_news = before.has_sailed() && !has_left && (is_lent || !before.is_abandoned());
        if is_news && !cfg!(mutate = "dropped_is_freed") {
            self.send_to_tx(berth);
        } else {
            self.release(berth);
        }
    }

    /// Worker.
    pub(crate) fn send_to_tx(&self, berth: Berth) {
        debug_assert!(S::IS_WORKER);
        let before = self.state(berth.index()).hand_to_tx();
        self.depart_to_tx(berth, before);
    }

    /// Worker: gives the berth back if the close or a chunk came first.
    pub(crate) fn continue_to_tx(&self, berth: Berth) -> Result<(), Berth> {
        debug_assert!(S::IS_WORKER);
        let found = || self.found(&berth);
        match self.state(berth.index()).continue_to_tx(found) {
            Continued::HandedOver(before) => {
                self.depart_to_tx(berth, before);
                Ok(())
            }
            Continued::Kept => Err(berth),
        }
    }

    /// What was abandoned and finds nobody goes no further, or it would come back for ever.
    fn depart_to_tx(&self, mut berth: Berth, before: Seen) {
        if before.is_abandoned() && self.other_bell().has_left() {
            let _ = self.state(berth.index()).hand_to_worker();
            self.forget_lent(&mut berth);
            self.release(berth);
        } else {
            self.push(berth);
        }
    }

    /// TX.
    pub(crate) fn send_to_worker(&self, mut berth: Berth) {
        debug_assert!(!S::IS_WORKER);
        let state = self.state(berth.index());
        if cfg!(mutate = "push_before_handover") {
            self.push(berth);
            let _ = state.hand_to_worker();
            return;
        }
        let before = state.hand_to_worker();
        if before.is_abandoned() && self.other_bell().has_left() {
            // The worker that would have freed it is gone: it is laid to rest where it is.
            self.forget_lent(&mut berth);
            state.free();
        } else {
            self.push(berth);
        }
    }

    /// Worker.
    pub(crate) fn board(&self) -> Option<(Berth, u32)> {
        let berth = self.free.borrow_mut().pop()?;
        let generation = self.state(berth.index()).board();
        Some((berth, generation))
    }

    /// Worker.
    pub(crate) fn release(&self, berth: Berth) {
        debug_assert!(S::IS_WORKER);
        debug_assert!(self.lent_count(&berth) == 0, "freed while it lends");
        if let Some(chunks) = self.harbour.slots.chunks(&berth) {
            chunks.reset();
        }
        self.state(berth.index()).free();
        self.free.borrow_mut().push(berth);
    }

    /// Worker: berths that are not free.
    pub(crate) fn travelling(&self) -> u16 {
        let free = u16::try_from(self.free.borrow().len()).expect("no more than there are berths");
        self.harbour.slots.count() - free
    }
}

/// Stands on a shore, landed or not yet; as it drops, the other side learns that nobody does any
/// more.
pub(crate) struct Presence<S: Side, T> {
    pub(crate) harbour: Arc<Harbour<T>>,
    side: PhantomData<S>,
}

impl<S: Side, T> Presence<S, T> {
    pub(crate) fn new(harbour: Arc<Harbour<T>>) -> Self {
        Self {
            harbour,
            side: PhantomData,
        }
    }
}

impl<S: Side, T> Drop for Presence<S, T> {
    fn drop(&mut self) {
        if is_model_over() {
            return;
        }
        let (own, other) = match S::IS_WORKER {
            true => (&self.harbour.worker_bell, &self.harbour.tx_bell),
            false => (&self.harbour.tx_bell, &self.harbour.worker_bell),
        };
        own.leave();
        if !cfg!(mutate = "leave_silently") {
            other.ring_if_asleep();
        }
    }
}

/// One quay per side is what the rings and the free list rely on.
pub(crate) type WorkerQuay<T> = Quay<Worker, T>;
/// The other one.
pub(crate) type TxQuay<T> = Quay<Tx, T>;
