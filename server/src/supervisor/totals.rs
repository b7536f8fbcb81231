//! What the workers of all Lua threads of a process counted, for whichever of them is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_worker::WorkerStats;

use super::{Inner, Tally};

/// The counters of a process. Clones are the same; any thread may have one.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<Mutex<BTreeMap<u16, Known>>>);

/// Those of one Lua thread.
#[derive(Debug)]
struct Known {
    /// What workers counted that have ended.
    past: Tally,
    /// The others count on.
    workers: Vec<Arc<WorkerStats>>,
}

impl Totals {
    /// The sums at this moment.
    pub fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for known in self.known().values() {
            sum += known.past;
            for worker in &known.workers {
                sum.add(&worker.snapshot());
            }
        }
        sum
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u16, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Others are told whose counters are ours. To be called when workers have come or gone.
    pub(super) fn publish(&self) {
        let mut workers = self.crew.stats();
        workers.extend(self.leaving.stats());
        let past = self.past;
        let index = self.overrides.seat.index;
        let known = Known { past, workers };
        self.overrides.totals.known().insert(index, known);
    }
}
