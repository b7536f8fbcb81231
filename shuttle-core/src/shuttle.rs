//! The handle of a shuttle: move-only, typed by the side that owns it.

use std::fmt;
use std::mem::replace;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::chunk::Reading;
use crate::lent::LentList;
use crate::quay::Quay;
use crate::slot::Berth;
use crate::state::Seen;
use crate::sync::is_model_over;

/// Marks what belongs to the worker's side. There are no values of it.
#[derive(Debug)]
pub enum Worker {}

/// Marks what belongs to the TX side. There are no values of it.
#[derive(Debug)]
pub enum Tx {}

mod sealed {
    /// Out of reach on purpose: there are two sides and will not be a third.
    #[expect(
        unnameable_types,
        reason = "that nobody can name it is what seals `Side`"
    )]
    pub trait Sealed {
        const IS_WORKER: bool;
    }
}

/// One of the two sides: [`Worker`] or [`Tx`].
pub trait Side: sealed::Sealed + 'static {}

impl sealed::Sealed for Worker {
    const IS_WORKER: bool = true;
}
impl sealed::Sealed for Tx {
    const IS_WORKER: bool = false;
}
impl Side for Worker {}
impl Side for Tx {}

/// Names one trip: the berth, and how often the berth was freed before. It owns nothing and may be
/// kept for as long as one likes; once the shuttle is freed it is stale and stays so (until the
/// generation has gone round, after 2³¹ trips of that berth).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BerthId {
    index: u16,
    generation: u32,
}

impl BerthId {
    pub(crate) fn new(index: u16, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The number of the berth: 0 up to the number of berths, so it may index a table.
    pub fn index(self) -> u16 {
        self.index
    }

    /// How often this berth was freed before this trip.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// A shuttle, in the hands of the side that owns it. Dereferences to its cargo.
///
/// It is neither `Clone` nor `Send`: it changes sides only by the `send` of its shore.
///
/// Dropping it is never right but never harmful: it is marked [abandoned](Self::is_abandoned) and
/// goes home by itself. From the TX side it goes to the worker, and its lent bytes are forgotten.
/// From the worker's side it goes to TX, so that whoever waits there wakes up and unpins; if it was
/// never on the TX side, or TX has abandoned it before or has left, it is freed at once.
///
/// A shuttle has one handle:
/// ```compile_fail,E0277
/// # fn is_clone<T: Clone>() {}
/// is_clone::<shuttle_core::Shuttle<shuttle_core::Tx, ()>>();
/// ```
/// It stays on its thread:
/// ```compile_fail,E0277
/// # fn is_send<T: Send>() {}
/// is_send::<shuttle_core::Shuttle<shuttle_core::Tx, ()>>();
/// ```
/// So does a shore:
/// ```compile_fail,E0277
/// # fn is_send<T: Send>() {}
/// is_send::<shuttle_core::WorkerShore<()>>();
/// ```
/// What is TX's is not sent by the worker:
/// ```compile_fail,E0308
/// # use shuttle_core::{Shuttle, Tx, WorkerShore};
/// fn wrong_shore(shore: &mut WorkerShore<u32>, shuttle: Shuttle<Tx, u32>) {
///     shore.send(shuttle);
/// }
/// ```
/// What was sent is not touched:
/// ```compile_fail,E0382
/// # use shuttle_core::{Shuttle, Tx, TxShore};
/// fn too_late(shore: &mut TxShore<u32>, mut shuttle: Shuttle<Tx, u32>) {
///     shore.send(shuttle);
///     *shuttle += 1;
/// }
/// ```
/// The lent bytes are the worker's to read while it has the shuttle, and no longer:
/// ```compile_fail,E0505
/// # use shuttle_core::{Shuttle, Worker, WorkerShore};
/// fn kept(shore: &mut WorkerShore<u32>, shuttle: Shuttle<Worker, u32>) -> usize {
///     let first = shuttle.lent().next();
///     shore.send(shuttle);
///     first.map_or(0, <[u8]>::len)
/// }
/// ```
#[must_use = "a shuttle that is dropped is abandoned: send it or release it"]
pub struct Shuttle<S: Side, T> {
    quay: Rc<Quay<S, T>>,
    berth: Berth,
    generation: u32,
}

impl<S: Side, T> Shuttle<S, T> {
    pub(crate) fn new(quay: &Rc<Quay<S, T>>, (berth, generation): (Berth, u32)) -> Self {
        Self {
            quay: Rc::clone(quay),
            berth,
            generation,
        }
    }

    /// Takes the berth out; the handle is empty then, and its drop does nothing.
    ///
    /// # Panics
    /// If the shuttle belongs to another link.
    pub(crate) fn into_berth(mut self, quay: &Rc<Quay<S, T>>) -> Berth {
        assert!(Rc::ptr_eq(&self.quay, quay), "a shuttle of another link");
        replace(&mut self.berth, Berth::NOWHERE)
    }

    fn seen(&self) -> Seen {
        self.quay.state(self.berth.index()).look()
    }

    /// The name of this trip.
    pub fn berth(&self) -> BerthId {
        BerthId::new(self.berth.index(), self.generation)
    }

    /// Whether the worker said that nobody waits for the response. Once true it stays true. On the
    /// TX side it may be news at any moment.
    pub fn client_gone(&self) -> bool {
        self.seen().is_client_gone()
    }

    /// Whether a handle of this shuttle was dropped, or it was sent to a side that had left. Once
    /// true it stays true, and all that is left to do is: TX unpins and sends it back (or drops
    /// it), the worker releases it.
    pub fn is_abandoned(&self) -> bool {
        self.seen().is_abandoned()
    }

    /// How many pieces are lent by this shuttle: those of the list, empty ones included, and the
    /// lent chunks that are not [settled](crate::Progress::settled_count).
    pub fn lent_count(&self) -> usize {
        self.quay.lent_count(&self.berth)
    }

    /// Chunks of this trip, if anything was ever appended in it.
    pub(crate) fn reading(&self) -> Option<Reading<'_>> {
        self.quay.harbour().slots.chunks(&self.berth)
    }

    pub(crate) fn lent_list(&self) -> &LentList {
        self.quay.harbour().slots.lent(&self.berth)
    }

    pub(crate) fn lent_list_mut<R>(&mut self, change: impl FnOnce(&mut LentList) -> R) -> R {
        change(self.quay.harbour().slots.lent_mut(&mut self.berth))
    }
}

impl<T> Shuttle<Worker, T> {
    /// Notes that the client left, for TX to see when it receives this shuttle. For a shuttle that
    /// is away, or that stays here for long, use
    /// [`hail_client_gone`](crate::WorkerShore::hail_client_gone).
    pub fn mark_client_gone(&self) {
        self.quay.state(self.berth.index()).mark_client_gone();
    }

    /// Whether TX asked for the end of the response while the shuttle was here. May become true at
    /// any moment; [`send_continue`](crate::WorkerShore::send_continue) has the last look. Chunks
    /// that were appended before are to be sent before: [`accept_close`](Self::accept_close) sees
    /// to it.
    pub fn must_close(&self) -> bool {
        self.seen().is_must_close()
    }

    /// Takes the request to close upon the worker: it will end the response and say so. True if
    /// there was a request and every chunk was [found](Self::find_chunks): nothing will follow
    /// these. While there is one that was not found, the answer is false and the request stands.
    #[must_use]
    pub fn accept_close(&mut self) -> bool {
        let found = || self.quay.found(&self.berth);
        self.quay.state(self.berth.index()).accept_close(found)
    }
}

impl<T> Shuttle<Tx, T> {
    /// Whether a request to close came too late for the worker and was not seen by it. Whoever
    /// received this shuttle sends the close request with it; the send takes the flag down.
    pub fn must_close_pending(&self) -> bool {
        self.seen().is_must_close()
    }
}

impl<S: Side, T> Deref for Shuttle<S, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.quay.harbour().slots.cargo(&self.berth)
    }
}

impl<S: Side, T> DerefMut for Shuttle<S, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.quay.harbour().slots.cargo_mut(&mut self.berth)
    }
}

impl<S: Side, T> Drop for Shuttle<S, T> {
    fn drop(&mut self) {
        if !self.berth.is_nowhere() && !is_model_over() {
            self.quay.abandon(replace(&mut self.berth, Berth::NOWHERE));
        }
    }
}

impl<S: Side, T> fmt::Debug for Shuttle<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if S::IS_WORKER { "Worker" } else { "Tx" };
        write!(
            f,
            "Shuttle<{side}>({}.{})",
            self.berth.index(),
            self.generation
        )
    }
}
