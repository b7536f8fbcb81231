//! What was seen, in one order for both shores, and the holding of a shore at its gates.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_proto::drawing::{Mark, MarkKind, Participant, Witness};
use shuttle_core::Doorbell;

use super::gates::Gate;
use crate::clock;

/// The common record of both shores for one request: the first that is told of. Any thread.
pub struct Recorder {
    log: Mutex<Log>,
    changed: Condvar,
    /// How long a gate holds before it gives up and says so.
    patience: Duration,
}

#[derive(Default)]
struct Log {
    ticket: Option<u64>,
    marks: Vec<Mark>,
    published: Vec<Mark>,
    complaints: Vec<String>,
    bells: Vec<Arc<dyn Doorbell>>,
}

impl Recorder {
    /// An empty record. A gate that waits longer than `patience` lets go and complains.
    pub fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            log: Mutex::default(),
            changed: Condvar::new(),
            patience,
        })
    }

    /// The witness of one shore, held at `gates`.
    pub fn witness(self: &Arc<Self>, gates: Vec<Gate>) -> Box<dyn Witness> {
        Box::new(Side {
            recorder: Arc::clone(self),
            gates,
            done: HashMap::new(),
        })
    }

    /// A doorbell that is rung when a shore is held. Both shores publish at once but ring lazily,
    /// and one that is held inside its turn comes to no ringing: its last message would lie
    /// unseen while it waits for what follows from it.
    pub fn add_bell(&self, bell: Arc<dyn Doorbell>) {
        self.lock().bells.push(bell);
    }

    /// Rings all of them.
    pub fn ring(&self) {
        self.lock().bells.iter().for_each(|bell| bell.ring());
    }

    /// How long a gate holds.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Everything seen so far, in order.
    pub fn marks(&self) -> Vec<Mark> {
        self.lock().marks.clone()
    }

    /// Gates that gave up. A drawing with complaints proves nothing.
    pub fn complaints(&self) -> Vec<String> {
        self.lock().complaints.clone()
    }

    /// Blocks until `mark` was seen `times` times (an arrow to TX: can be seen there); false when
    /// the patience ran out first.
    pub fn wait_for(&self, mark: Mark, times: usize) -> bool {
        self.wait(self.lock(), mark, times).count(mark) >= times
    }

    fn wait<'a>(
        &'a self,
        mut log: MutexGuard<'a, Log>,
        mark: Mark,
        times: usize,
    ) -> MutexGuard<'a, Log> {
        let deadline = clock::now() + self.patience;
        while log.count(mark) < times {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            for bell in &log.bells {
                bell.ring();
            }
            let waited = self.changed.wait_timeout(log, left);
            log = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        log
    }

    /// A panic of another thread leaves the log whole: every change of it is one push.
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// How often the other side may rely on it: told, and for an arrow to TX, out of the hands of
    /// whoever told it.
    fn count(&self, mark: Mark) -> usize {
        let told = if goes_to_tx(mark) {
            &self.published
        } else {
            &self.marks
        };
        told.iter().filter(|seen| **seen == mark).count()
    }
}

/// Whether a mark is an arrow from the worker to TX: those are told before they can be seen.
fn goes_to_tx(mark: Mark) -> bool {
    matches!(
        mark.kind(),
        MarkKind::Arrow {
            from: Participant::Worker,
            to: Participant::Tx
        }
    )
}

/// One shore's view of the recorder.
struct Side {
    recorder: Arc<Recorder>,
    gates: Vec<Gate>,
    /// How often this side told what.
    done: HashMap<Mark, usize>,
}

impl Side {
    fn hold<'a>(
        &'a self,
        mut log: MutexGuard<'a, Log>,
        (mark, nth): (Mark, usize),
        after: bool,
    ) -> MutexGuard<'a, Log> {
        let held = |gate: &&Gate| gate.at == mark && gate.nth == nth && gate.after == after;
        for gate in self.gates.iter().filter(held) {
            log = self.recorder.wait(log, gate.until, gate.times);
            if log.count(gate.until) < gate.times {
                log.complaints.push(format!("held in vain: {gate:?}"));
            }
        }
        log
    }
}

impl Witness for Side {
    fn mark(&mut self, mark: Mark, worker_ticket: u64) {
        let mut log = self.recorder.lock();
        if *log.ticket.get_or_insert(worker_ticket) != worker_ticket {
            return;
        }
        let nth = self.done.entry(mark).or_insert(0);
        *nth += 1;
        let nth = *nth;
        let mut log = self.hold(log, (mark, nth), false);
        log.marks.push(mark);
        self.recorder.changed.notify_all();
        drop(self.hold(log, (mark, nth), true));
    }

    fn published(&mut self, mark: Mark, worker_ticket: u64) {
        let mut log = self.recorder.lock();
        if log.ticket == Some(worker_ticket) {
            log.published.push(mark);
            self.recorder.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
