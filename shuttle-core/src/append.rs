//! Writing to a shuttle that is away: TX appends, and whoever owns the shuttle sends what it finds.
//!
//! What a chunk may count on is decided by one step on the berth's word (`state.rs`); where it lies
//! is `chunk.rs`. Lent ones are in `lent.rs`, with the promise that they ask for.

use crate::chunk::{Position, Progress, Writing};
use crate::quay::{TxQuay, WorkerQuay};
use crate::shore::{TxShore, WorkerShore};
use crate::shuttle::{BerthId, Shuttle, Tx, Worker};
use crate::state::Appended;

impl<T> TxQuay<T> {
    /// `put` writes the chunk behind the tail and answers the tail that publishes it, or `None` if
    /// there is no room.
    #[inline]
    pub(crate) fn append(
        &self,
        berth: BerthId,
        bytes: usize,
        put: impl FnOnce(Writing<'_>, Position) -> Option<Position>,
    ) -> Appended {
        let (index, generation) = (berth.index(), berth.generation());
        let state = self.state(index);
        let seen = state.look();
        if !seen.is_open(generation) {
            return Appended::Stale;
        }
        let Some(writing) = self.chunks(index, generation) else {
            self.make_chunks(index);
            return self.append(berth, bytes, put);
        };
        let Some(tail) = put(writing, seen.tail()) else {
            return Appended::Full;
        };
        let appended = state.append(seen, generation, tail);
        if appended != Appended::Stale {
            writing.count(bytes);
        }
        appended
    }
}

impl<T> TxShore<T> {
    /// Appends a copy of these bytes to what the worker will send for this trip, after everything
    /// that was sent or appended before, whoever owns the shuttle. Never waits, allocates only for
    /// the first append to a berth, and rings for nobody: a worker that has the shuttle looks for
    /// chunks before it gives it back, and until a worker has it there is nothing to wake.
    ///
    /// All or nothing: what has no room is [`Full`](Appended::Full). More than [`COPIED_MAX_BYTES`]
    /// never has; lend those ([`append_lent`](Self::append_lent)). Small neighbours become one
    /// piece for the worker. No bytes at all append nothing, and the verdict is as for some.
    ///
    /// Append nothing after [`must_close`](Self::must_close), nor after the send that asks for the
    /// end or the release: nobody would send it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use shuttle_core::Appended;
    /// # let bell = Arc::new(shuttle_core::NoBell);
    /// # let (worker, tx) = shuttle_core::link::<()>(1, bell.clone(), bell);
    /// # let (mut worker, mut tx) = (worker.land(), tx.land());
    /// # let shuttle = worker.board().unwrap();
    /// # worker.send(shuttle);
    /// let shuttle = tx.recv().unwrap();
    /// let id = shuttle.berth();
    /// tx.send(shuttle);
    /// let mut shuttle = worker.recv().unwrap();
    ///
    /// assert_eq!(tx.append(id, b"tick 1, "), Appended::InTime);
    /// assert_eq!(tx.append(id, b"tick 2"), Appended::InTime);
    ///
    /// // It cannot leave before it has looked.
    /// let mut shuttle = worker.send_continue(shuttle).unwrap_err();
    /// assert_eq!(shuttle.find_chunks(), 14);
    /// assert_eq!(shuttle.chunks().next(), Some(&b"tick 1, tick 2"[..]));
    /// shuttle.consumed(14);
    /// assert!(worker.send_continue(shuttle).is_ok());
    ///
    /// assert_eq!(tx.progress(id).unwrap().sent_bytes, 14);
    /// assert_eq!(tx.append(id, b", tick 3"), Appended::TooLate);
    /// let shuttle = tx.recv().unwrap();
    /// assert_eq!(shuttle.unsent_bytes(), 8);
    /// # tx.send(shuttle);
    /// # let shuttle = worker.recv().unwrap();
    /// # worker.release(shuttle);
    /// assert_eq!(tx.append(id, b"tick 4"), Appended::Stale);
    /// ```
    ///
    /// # Panics
    /// If this link has no berth of that index.
    ///
    /// [`COPIED_MAX_BYTES`]: crate::limits::COPIED_MAX_BYTES
    #[inline]
    pub fn append(&mut self, berth: BerthId, bytes: &[u8]) -> Appended {
        let copy = |chunks: Writing<'_>, tail| chunks.copy(tail, bytes);
        self.quay.append(berth, bytes.len(), copy)
    }

    /// How far the worker got with the chunks of this trip, wherever the shuttle is; it may be
    /// further already. `None` for a stale id.
    ///
    /// # Panics
    /// If this link has no berth of that index.
    #[must_use]
    pub fn progress(&self, berth: BerthId) -> Option<Progress> {
        let (index, generation) = (berth.index(), berth.generation());
        if !self.quay.state(index).look().is_of(generation) {
            return None;
        }
        let chunks = self.quay.chunks(index, generation);
        Some(chunks.map_or_else(Progress::default, Writing::progress))
    }

    /// As [`progress`](Self::progress), for who waits until the worker gets on: from here on it
    /// [hails](Self::hailed) this trip once, as soon as it got further than is answered here and
    /// keeps the shuttle. If it gives the shuttle back, that is the news. Ask again for the next
    /// hail; asking twice changes nothing.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # let bell = Arc::new(shuttle_core::NoBell);
    /// # let (worker, tx) = shuttle_core::link::<()>(1, bell.clone(), bell);
    /// # let (mut worker, mut tx) = (worker.land(), tx.land());
    /// # let shuttle = worker.board().unwrap();
    /// # worker.send(shuttle);
    /// # let shuttle = tx.recv().unwrap();
    /// # let id = shuttle.berth();
    /// # tx.send(shuttle);
    /// # let mut shuttle = worker.recv().unwrap();
    /// tx.append(id, b"tick 1, tick 2");
    /// assert_eq!(tx.await_progress(id).unwrap().sent_bytes, 0);
    ///
    /// shuttle.find_chunks();
    /// shuttle.consumed(6);
    /// worker.tell_progress(&shuttle);
    /// assert_eq!(tx.hailed(), Some(id));
    /// assert!(!tx.client_gone(id));
    /// assert_eq!(tx.progress(id).unwrap().sent_bytes, 6);
    /// # shuttle.consumed(8);
    /// # worker.tell_progress(&shuttle);
    /// # assert_eq!(tx.hailed(), None);
    /// # worker.release(shuttle);
    /// ```
    ///
    /// # Panics
    /// If this link has no berth of that index.
    #[must_use]
    pub fn await_progress(&mut self, berth: BerthId) -> Option<Progress> {
        let before = self.progress(berth);
        let state = self.quay.state(berth.index());
        if !state.want_progress(berth.generation()) {
            return None;
        }
        match cfg!(mutate = "look_before_wish") {
            true => before,
            false => self.progress(berth),
        }
    }
}

impl<T> WorkerShore<T> {
    /// Hails TX if it [waits](TxShore::await_progress) to hear how far this shuttle's chunks got.
    /// Call it after [`consumed`](Shuttle::consumed) when the shuttle stays here, once for what was
    /// sent in one go. TX is woken by [`flush`](Self::flush). Costs one load if nothing was ever
    /// appended in this trip, else one change of the word.
    ///
    /// # Panics
    /// If the shuttle belongs to another link.
    pub fn tell_progress(&mut self, shuttle: &Shuttle<Worker, T>) {
        if shuttle.reading().is_some() {
            self.quay.tell_progress(shuttle.berth().index());
        }
    }
}

impl<T> WorkerQuay<T> {
    fn tell_progress(&self, index: u16) {
        if self.state(index).answer_wish() {
            self.harbour().hails.raise(index);
            self.note_unflushed();
        }
    }
}

impl<T> Shuttle<Tx, T> {
    /// How far the worker got with the chunks of this trip.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.reading()
            .map_or_else(Progress::default, |chunks| chunks.progress())
    }

    /// How many bytes of chunks were appended and not sent. If it is not zero, send the shuttle
    /// again, or [discard](Self::discard_chunks) them.
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.reading().map_or(0, |chunks| chunks.unsent_bytes())
    }

    /// Forgets the chunks that were not sent, because nobody waits for them any more, and says how
    /// many bytes they were. All lent ones are [settled](Progress::settled_count) then.
    pub fn discard_chunks(&mut self) -> usize {
        self.reading().map_or(0, |chunks| chunks.discard())
    }
}

impl<T> Shuttle<Worker, T> {
    /// Looks whether TX has appended more, and says how many bytes there are to send now, those
    /// included that were found before and not [consumed](Self::consumed). Costs one load if
    /// nothing was ever appended in this trip.
    ///
    /// Do so whenever a shuttle comes, for what was too late the last time is in it, and before the
    /// response ends. Until all was found the shuttle cannot leave by
    /// [`send_continue`](crate::WorkerShore::send_continue) and takes no
    /// [close](Self::accept_close).
    pub fn find_chunks(&mut self) -> usize {
        self.reading().map_or(0, |chunks| chunks.find())
    }

    /// The chunks that were found and not consumed, in the order in which they were appended, for
    /// one vectored write; the first one without what was consumed of it. None is empty.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let chunks = self.reading().into_iter();
        chunks.flat_map(|chunks| chunks.pieces())
    }

    /// Notes that so many bytes of what was found were sent, and need not be kept any longer. TX
    /// sees it at once, wherever the shuttle is.
    ///
    /// # Panics
    /// If that is more than was found.
    pub fn consumed(&mut self, bytes: usize) {
        match self.reading() {
            Some(chunks) => chunks.consumed(bytes),
            None => assert!(bytes == 0, "more was consumed than was found"),
        }
    }
}
