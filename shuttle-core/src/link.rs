//! Making a link, and carrying its two ends to their threads.

use std::fmt;
use std::sync::Arc;

use crate::bell::{Bell, Doorbell};
use crate::hail::Hails;
use crate::quay::{Harbour, Presence, Quay};
use crate::ring::Ring;
use crate::shore::{TxShore, WorkerShore};
use crate::shuttle::{Tx, Worker};
use crate::slot::{Berth, Slots};
use crate::sync::CachePadded;

/// Makes a link with so many berths. `to_tx` wakes the thread of the TX shore, `to_worker` that of
/// the worker's. All memory is allocated here: later hops allocate nothing, except what the cargo
/// does, the lists of lent bytes as they grow, and the room for chunks (18 KiB) when something is
/// [appended](crate::TxShore::append) to a berth for the first time.
///
/// # Panics
/// If `berths` is 0.
pub fn link<T: Send + Default>(
    berths: u16,
    to_tx: Arc<dyn Doorbell>,
    to_worker: Arc<dyn Doorbell>,
) -> (WorkerEnd<T>, TxEnd<T>) {
    assert!(berths != 0, "a link needs a berth");
    let (harbour, free) = harbour(berths, to_tx, to_worker);
    let presence = Presence::new(Arc::clone(&harbour));
    (
        WorkerEnd { presence, free },
        TxEnd {
            presence: Presence::new(harbour),
        },
    )
}

/// What a link consists of before anybody stands on a shore.
pub(crate) fn harbour<T: Default>(
    berths: u16,
    to_tx: Arc<dyn Doorbell>,
    to_worker: Arc<dyn Doorbell>,
) -> (Arc<Harbour<T>>, Vec<Berth>) {
    let (slots, free) = Slots::new(berths);
    let harbour = Arc::new(Harbour {
        slots,
        to_tx: Ring::new(berths),
        to_worker: Ring::new(berths),
        hails: Hails::new(berths),
        tx_bell: CachePadded(Bell::new(to_tx)),
        worker_bell: CachePadded(Bell::new(to_worker)),
    });
    (harbour, free)
}

/// The worker's end of a link, on its way to the worker's thread. Dropping it counts as leaving.
#[must_use = "an end that is dropped has left the link"]
pub struct WorkerEnd<T> {
    presence: Presence<Worker, T>,
    free: Vec<Berth>,
}

impl<T> WorkerEnd<T> {
    /// Lands on this thread, for good: the shore cannot be sent on.
    pub fn land(self) -> WorkerShore<T> {
        let quay = Quay::new(Arc::clone(&self.presence.harbour), self.free);
        WorkerShore::new(quay, self.presence)
    }
}

/// The TX end of a link, on its way to the TX thread. Dropping it counts as leaving.
#[must_use = "an end that is dropped has left the link"]
pub struct TxEnd<T> {
    presence: Presence<Tx, T>,
}

impl<T> TxEnd<T> {
    /// Lands on this thread, for good: the shore cannot be sent on.
    pub fn land(self) -> TxShore<T> {
        let quay = Quay::new(Arc::clone(&self.presence.harbour), Vec::new());
        TxShore::new(quay, self.presence)
    }
}

impl<T> fmt::Debug for WorkerEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerEnd")
    }
}

impl<T> fmt::Debug for TxEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TxEnd")
    }
}
