//! The two shores: what each side can do with its shuttles.

use std::fmt;
use std::rc::Rc;

use crate::bell::Sleep;
use crate::limits::TX_RING_AFTER_COUNT;
use crate::quay::{Presence, TxQuay, WorkerQuay};
use crate::shuttle::{BerthId, Shuttle, Tx, Worker};
use crate::state::{ClientGone, MustClose};

/// The worker's shore: shuttles begin and end here. Stays on the thread that landed on it.
///
/// Nothing on it blocks. Dropping it tells TX that nobody receives here any more
/// ([`TxShore::worker_has_left`]); handles that are still out stay valid.
pub struct WorkerShore<T> {
    pub(crate) quay: Rc<WorkerQuay<T>>,
    /// After the quay's last flush: as it drops, TX is told that this side has left.
    _presence: Presence<Worker, T>,
}

impl<T> WorkerShore<T> {
    pub(crate) fn new(quay: WorkerQuay<T>, presence: Presence<Worker, T>) -> Self {
        Self {
            quay: Rc::new(quay),
            _presence: presence,
        }
    }

    /// A free shuttle, or `None` while all berths travel: then stop taking in work until one is
    /// released. The cargo is as the last trip left it, so that its buffers are used again.
    pub fn board(&mut self) -> Option<Shuttle<Worker, T>> {
        self.quay
            .board()
            .map(|berth| Shuttle::new(&self.quay, berth))
    }

    /// Sends a shuttle to TX. It cannot fail and is published at once; TX is woken by
    /// [`flush`](Self::flush).
    ///
    /// If the shuttle is [abandoned](Shuttle::is_abandoned) and TX has left, it is freed instead.
    ///
    /// # Panics
    /// If the shuttle belongs to another link.
    pub fn send(&mut self, shuttle: Shuttle<Worker, T>) {
        self.quay.send_to_tx(shuttle.into_berth(&self.quay));
    }

    /// Sends a shuttle to TX for more of the response, unless TX has asked for its end meanwhile,
    /// or appended more of it.
    ///
    /// # Errors
    /// The shuttle, if a chunk came in time: [find](Shuttle::find_chunks) it and send it; or if
    /// MUST-CLOSE did: end the response and [accept the close](Shuttle::accept_close).
    ///
    /// # Panics
    /// If the shuttle belongs to another link.
    pub fn send_continue(&mut self, shuttle: Shuttle<Worker, T>) -> Result<(), Shuttle<Worker, T>> {
        let generation = shuttle.berth().generation();
        let berth = shuttle.into_berth(&self.quay);
        let kept = self.quay.continue_to_tx(berth);
        kept.map_err(|berth| Shuttle::new(&self.quay, (berth, generation)))
    }

    /// The next shuttle that came from TX, first sent first.
    ///
    /// When TX has left, also those that it never received, marked
    /// [abandoned](Shuttle::is_abandoned) and with nothing lent.
    pub fn recv(&mut self) -> Option<Shuttle<Worker, T>> {
        self.quay
            .recv()
            .map(|berth| Shuttle::new(&self.quay, berth))
    }

    /// Frees a shuttle: its berth may be boarded again, and its [`BerthId`] is stale from here on.
    ///
    /// # Panics
    /// If bytes are still lent by it, in its list or in chunks, or it belongs to another link.
    pub fn release(&mut self, shuttle: Shuttle<Worker, T>) {
        assert!(
            shuttle.lent_count() == 0,
            "a shuttle was freed while bytes were lent by it"
        );
        self.quay.release(shuttle.into_berth(&self.quay));
    }

    /// Tells TX that the client of this trip left, whoever owns the shuttle now. TX is woken by
    /// [`flush`](Self::flush). A second call and a stale id do nothing.
    ///
    /// # Panics
    /// If this link has no berth of that index.
    pub fn hail_client_gone(&mut self, berth: BerthId) {
        let hails = &self.quay.harbour().hails;
        let state = self.quay.state(berth.index());
        if cfg!(mutate = "hail_before_word") {
            hails.raise(berth.index());
        }
        match state.hail_client_gone(berth.generation()) {
            ClientGone::News => {
                if !cfg!(mutate = "hail_before_word") {
                    hails.raise(berth.index());
                }
                self.quay.note_unflushed();
            }
            ClientGone::Known | ClientGone::Stale => {}
        }
    }

    /// How many sends and hails TX may not have been woken for.
    pub fn unflushed(&self) -> usize {
        self.quay.unflushed()
    }

    /// Rings TX if it sleeps and anything was sent or hailed since the last flush. Costs a fence,
    /// and a system call only for a sleeper: call it once per batch.
    pub fn flush(&mut self) {
        self.quay.flush();
    }

    /// Call it before each sleep, and sleep only if it says so. Flushes. From `MaySleep` on the
    /// doorbell rings, once, for whatever comes; call [`woke`](Self::woke) after the sleep.
    pub fn prepare_sleep(&mut self) -> Sleep {
        self.quay.prepare_sleep()
    }

    /// Says that this thread is awake, whatever woke it, so that nobody rings in vain.
    pub fn woke(&mut self) {
        self.quay.woke();
    }

    /// How many shuttles exist: boarded and not yet released, wherever they are.
    pub fn travelling(&self) -> u16 {
        self.quay.travelling()
    }

    /// How many berths this link has.
    pub fn berths(&self) -> u16 {
        self.quay.harbour().slots.count()
    }

    /// Whether nobody receives on the TX shore any more. Shuttles that were sent there and not
    /// received come back by [`recv`](Self::recv); those still held by handles there come when
    /// these are dropped.
    pub fn tx_has_left(&self) -> bool {
        self.quay.has_other_left()
    }
}

impl<T> Drop for WorkerShore<T> {
    fn drop(&mut self) {
        self.quay.flush();
    }
}

/// The TX shore: shuttles come here to be answered. Stays on the thread that landed on it.
///
/// Nothing on it blocks. Dropping it tells the worker that nobody receives here any more
/// ([`WorkerShore::tx_has_left`]); handles that are still out stay valid.
pub struct TxShore<T> {
    pub(crate) quay: Rc<TxQuay<T>>,
    /// After the quay's last flush: as it drops, the worker is told that this side has left.
    _presence: Presence<Tx, T>,
}

impl<T> TxShore<T> {
    pub(crate) fn new(quay: TxQuay<T>, presence: Presence<Tx, T>) -> Self {
        Self {
            quay: Rc::new(quay),
            _presence: presence,
        }
    }

    /// The next shuttle that came from the worker, first sent first.
    ///
    /// When the worker has left, also those that it never received, marked
    /// [abandoned](Shuttle::is_abandoned) and with their bytes still lent: unpin and drop them.
    pub fn recv(&mut self) -> Option<Shuttle<Tx, T>> {
        self.quay
            .recv()
            .map(|berth| Shuttle::new(&self.quay, berth))
    }

    /// Sends a shuttle to the worker. It cannot fail and is published at once. The worker is woken
    /// by [`flush`](Self::flush), or by itself after [`TX_RING_AFTER_COUNT`] sends without one.
    ///
    /// If the shuttle is [abandoned](Shuttle::is_abandoned) and the worker has left, it is freed
    /// instead, and its lent bytes are forgotten.
    ///
    /// # Panics
    /// If the shuttle belongs to another link.
    pub fn send(&mut self, shuttle: Shuttle<Tx, T>) {
        self.quay.send_to_worker(shuttle.into_berth(&self.quay));
        if self.quay.unflushed() >= TX_RING_AFTER_COUNT {
            self.quay.flush();
        }
    }

    /// Rings the worker if it sleeps and anything was sent since the last flush. Costs a fence, and
    /// a system call only for a sleeper: call it when all that arrived is answered.
    pub fn flush(&mut self) {
        self.quay.flush();
    }

    /// Call it before each sleep, and sleep only if it says so. Flushes. From `MaySleep` on the
    /// doorbell rings, once, for whatever comes; call [`woke`](Self::woke) after the sleep.
    ///
    /// Hails are work too: ask [`hailed`](Self::hailed) until it has no more, or this never lets
    /// the thread sleep.
    pub fn prepare_sleep(&mut self) -> Sleep {
        self.quay.prepare_sleep()
    }

    /// Says that this thread is awake, whatever woke it, so that nobody rings in vain.
    pub fn woke(&mut self) {
        self.quay.woke();
    }

    /// The next trip of which there is news: its client [left](Self::client_gone), or the worker
    /// got on as was [asked for](Self::await_progress), or both. Each news is reported once, freed
    /// trips not at all. It may be one that was not received yet: ignore what you do not know, the
    /// shuttle itself will say [`client_gone`](Shuttle::client_gone).
    pub fn hailed(&mut self) -> Option<BerthId> {
        while let Some(index) = self.quay.harbour().hails.take(&self.quay.taken_hails) {
            if let Some(generation) = self.quay.state(index).take_hail() {
                return Some(BerthId::new(index, generation));
            }
        }
        None
    }

    /// Asks for the end of the response while the shuttle is away. Says whether the worker will see
    /// it, or else who has to do what: see [`MustClose`].
    ///
    /// # Panics
    /// If this link has no berth of that index.
    pub fn must_close(&mut self, berth: BerthId) -> MustClose {
        self.quay
            .state(berth.index())
            .must_close(berth.generation())
    }

    /// Whether the client of this trip left. True for a stale id too: nobody waits for it.
    ///
    /// # Panics
    /// If this link has no berth of that index.
    pub fn client_gone(&self, berth: BerthId) -> bool {
        self.quay
            .state(berth.index())
            .is_client_gone(berth.generation())
    }

    /// Whether nobody receives on the worker's shore any more. Shuttles that were sent there and
    /// not received come back by [`recv`](Self::recv).
    pub fn worker_has_left(&self) -> bool {
        self.quay.has_other_left()
    }
}

impl<T> Drop for TxShore<T> {
    fn drop(&mut self) {
        self.quay.flush();
    }
}

impl<T> fmt::Debug for WorkerShore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WorkerShore({} of {} travelling)",
            self.travelling(),
            self.berths()
        )
    }
}

impl<T> fmt::Debug for TxShore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TxShore")
    }
}
