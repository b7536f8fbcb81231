//! Deadlines in order: a heap of four branches whose entries know their place, so that a timer
//! that is no longer wanted leaves at once instead of waiting for its hour. No clock here.

use std::cell::Cell;
use std::time::Instant;

/// Where a sleeper stands in the heap. Kept by the sleeper, written by the heap.
#[derive(Debug)]
pub(crate) struct Place(Cell<u32>);

impl Place {
    const NOWHERE: u32 = u32::MAX;

    pub(crate) const fn nowhere() -> Self {
        Self(Cell::new(Self::NOWHERE))
    }

    /// Whether a timer of this sleeper is armed.
    pub(crate) fn is_armed(&self) -> bool {
        self.0.get() != Self::NOWHERE
    }
}

/// Something that has at most one deadline at a time.
pub(crate) trait Sleeper {
    /// Its place in the heap.
    fn place(&self) -> &Place;
}

struct Entry<S> {
    deadline: Instant,
    /// Breaks ties: who armed first is due first.
    order: u64,
    sleeper: S,
}

impl<S> Entry<S> {
    fn is_before(&self, other: &Self) -> bool {
        (self.deadline, self.order) < (other.deadline, other.order)
    }
}

/// All armed deadlines of one thread.
pub(crate) struct Timers<S> {
    heap: Vec<Entry<S>>,
    armed_total: u64,
}

/// Children per node. Four keep a node's children in about two cache lines and halve the height.
const BRANCHES: usize = 4;

impl<S: Sleeper> Timers<S> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: Vec::new(),
            armed_total: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// Arms the sleeper's only timer. O(log n).
    ///
    /// # Panics
    /// If it is armed already: a sleeper waits in one place.
    pub(crate) fn arm(&mut self, deadline: Instant, sleeper: S) {
        assert!(!sleeper.place().is_armed(), "a sleeper has one timer");
        let order = self.armed_total;
        self.armed_total += 1;
        self.heap.push(Entry {
            deadline,
            order,
            sleeper,
        });
        self.sift_up(self.heap.len() - 1);
    }

    /// Takes the sleeper's timer out, wherever it stands. O(log n); nothing if it is not armed.
    pub(crate) fn disarm(&mut self, sleeper: &S) {
        if sleeper.place().is_armed() {
            let at = sleeper.place().0.get() as usize;
            self.remove(at);
        }
    }

    /// Takes the first sleeper whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<S> {
        if self.next_deadline()? > now {
            return None;
        }
        Some(self.remove(0))
    }

    fn remove(&mut self, at: usize) -> S {
        let entry = self.heap.swap_remove(at);
        entry.sleeper.place().0.set(Place::NOWHERE);
        if at < self.heap.len() {
            let settled = self.sift_up(at);
            self.sift_down(settled);
        }
        entry.sleeper
    }

    fn sift_up(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / BRANCHES;
            if !self.heap[at].is_before(&self.heap[parent]) {
                break;
            }
            self.heap.swap(at, parent);
            self.note_place(at);
            at = parent;
        }
        self.note_place(at);
        at
    }

    fn sift_down(&mut self, mut at: usize) {
        while let Some(child) = self.first_child(at) {
            if !self.heap[child].is_before(&self.heap[at]) {
                break;
            }
            self.heap.swap(at, child);
            self.note_place(at);
            at = child;
        }
        self.note_place(at);
    }

    /// The earliest child of a node.
    fn first_child(&self, at: usize) -> Option<usize> {
        let first = at * BRANCHES + 1;
        let end = (first + BRANCHES).min(self.heap.len());
        (first..end).reduce(|best, child| {
            if self.heap[child].is_before(&self.heap[best]) {
                child
            } else {
                best
            }
        })
    }

    fn note_place(&self, at: usize) {
        let place = u32::try_from(at).expect("there are at most FIBERS_MAX_COUNT timers");
        self.heap[at].sleeper.place().0.set(place);
    }
}

#[cfg(test)]
mod tests;
