//! How much of a response was accepted from its handler and how much of it is with the client: what
//! the window bounds, and what `io:wait` waits for.
//!
//! The worker says how far it got with what was appended to a shuttle, wherever the shuttle is
//! (`Progress`); what travels in the shuttle itself is known to be sent when it comes home.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use http_proto::Mark;
use shuttle_core::{BerthId, Progress, TxShore};
use tx_runtime::FiberRef;

use super::HttpHost;
use super::trips::Trip;
use crate::limits::{SEND_TIMEOUT_MS, SEND_WINDOW_BYTES};
use crate::pins::Pin;
use crate::realm::Realm;

/// What holds for responses that say nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendDefaults {
    pub(crate) window_bytes: u64,
    pub(crate) timeout: Duration,
    /// The program configured the timeout: writes that name none have it too.
    pub(crate) is_timeout_given: bool,
}

impl Default for SendDefaults {
    fn default() -> Self {
        Self {
            window_bytes: SEND_WINDOW_BYTES,
            timeout: Duration::from_millis(SEND_TIMEOUT_MS),
            is_timeout_given: false,
        }
    }
}

/// A fiber in `io:wait`.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) fiber: FiberRef,
    /// So many bytes sent in all if above zero, else so many at most, negated, that are not sent.
    pub(crate) position: f64,
    /// It was so at a moment when somebody looked. It stays so for who waited, whatever others
    /// write meanwhile.
    pub(crate) is_met: Cell<bool>,
}

/// The body of one response on its way.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Bytes that were taken from the handler.
    pub(crate) accepted_bytes: u64,
    /// Those of them that travel in the shuttle itself.
    brought_bytes: u64,
    /// Those that did, and are sent.
    delivered_bytes: u64,
    /// What the worker was last seen to say of what was appended.
    seen: Progress,
    /// The lent pieces that were appended and are not let go, in their order.
    pub(crate) pins: VecDeque<Pin>,
    pub(crate) window_bytes: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) watchers: Vec<Rc<Watcher>>,
}

impl Flow {
    /// Bytes that are with the client, as far as is known here.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.delivered_bytes + self.seen.sent_bytes
    }

    /// Bytes that were accepted and are not sent, as far as is known here.
    pub(crate) fn unsent_bytes(&self) -> u64 {
        self.accepted_bytes.saturating_sub(self.sent_bytes())
    }

    /// So many bytes were appended.
    #[inline]
    pub(crate) fn note_appended(&mut self, count: usize) {
        self.accepted_bytes += count as u64;
    }

    /// So many bytes are about to leave in the shuttle itself.
    pub(crate) fn note_brought(&mut self, count: usize) {
        self.accepted_bytes += count as u64;
        self.brought_bytes += count as u64;
    }

    /// What left in the shuttle is sent.
    pub(crate) fn note_delivered(&mut self) {
        self.delivered_bytes += std::mem::take(&mut self.brought_bytes);
    }

    /// Whether what this fiber waits for is so.
    pub(crate) fn is_met(&self, position: f64) -> bool {
        match position > 0.0 {
            true => self.sent_bytes() as f64 >= position,
            false => self.unsent_bytes() as f64 <= -position,
        }
    }

    /// Begins anew, for another request.
    pub(crate) fn reset(&mut self) {
        debug_assert!(self.pins.is_empty(), "a request ended with pinned strings");
        self.accepted_bytes = 0;
        self.brought_bytes = 0;
        self.delivered_bytes = 0;
        self.seen = Progress::default();
        self.window_bytes = None;
        self.timeout = None;
        self.watchers.clear();
    }
}

impl Trip {
    /// Wakes those whose position is reached.
    fn wake_watchers(&self) {
        for watcher in &self.flow.watchers {
            if self.flow.is_met(watcher.position) {
                watcher.is_met.set(true);
                watcher.fiber.wake();
            }
        }
    }

    /// Wakes who is first in line for the shuttle or for room in it: it looks for itself.
    fn wake_front(&self) {
        if let Some(waiter) = self.waiters.front() {
            waiter.fiber.wake();
        }
    }
}

impl HttpHost {
    /// Looks how far the worker got, wherever the shuttle is, and lets go of strings that nobody
    /// reads any more. `mark` is told if there were some.
    pub(super) fn look(&self, realm: &Realm, trip: &mut Trip, mark: Mark) -> Progress {
        let ask = |shore: &mut TxShore<_>, berth| shore.progress(berth);
        self.look_by(realm, trip, mark, ask)
    }

    /// As [`look`](Self::look); and the worker shall hail as soon as it gets further.
    pub(super) fn look_and_await(&self, realm: &Realm, trip: &mut Trip, mark: Mark) -> Progress {
        let ask = |shore: &mut TxShore<_>, berth| shore.await_progress(berth);
        self.look_by(realm, trip, mark, ask)
    }

    fn look_by(
        &self,
        realm: &Realm,
        trip: &mut Trip,
        mark: Mark,
        ask: impl FnOnce(&mut TxShore<http_proto::Exchange>, BerthId) -> Option<Progress>,
    ) -> Progress {
        let Some((link, berth)) = trip.berth else {
            return trip.flow.seen;
        };
        // A stale berth has nothing to say: it was answered, and the worker has freed it.
        if let Some(progress) = self.with_shore(link, |shore| ask(shore, berth)).flatten() {
            self.let_settled_go(realm, trip, progress, mark);
        }
        trip.flow.seen
    }

    fn let_settled_go(&self, realm: &Realm, trip: &mut Trip, now: Progress, mark: Mark) {
        let flow = &mut trip.flow;
        let count = now.settled_count.saturating_sub(flow.seen.settled_count) as usize;
        flow.seen = now;
        let count = count.min(flow.pins.len());
        if count == 0 {
            return;
        }
        self.mark(mark, trip.worker_ticket);
        self.pins.let_go(&realm.vm, flow.pins.drain(..count));
        realm.stats.set_pins(self.pins.count());
    }

    /// The shuttle is at home and goes out with nothing more: forgets what was appended and not
    /// sent, and lets go of every string.
    pub(super) fn let_all_go(&self, realm: &Realm, trip: &mut Trip, mark: Mark) {
        if let Some(shuttle) = trip.home.as_mut() {
            shuttle.discard_chunks();
            let now = shuttle.progress();
            self.let_settled_go(realm, trip, now, mark);
        }
        self.unpin(realm, trip, mark);
    }

    /// There is news of this response: lets those look who wait for it, and asks for the next.
    pub(super) fn tell_waiters(&self, realm: &Realm, trip: &mut Trip) {
        trip.wake_front();
        loop {
            trip.wake_watchers();
            let is_all_met = trip.flow.watchers.iter().all(|one| one.is_met.get());
            if is_all_met {
                return;
            }
            let before = trip.flow.seen;
            if self.look_and_await(realm, trip, Mark::TxUnrefs) == before {
                return;
            }
        }
    }

    /// The worker hails a request: its client has left, or it got on as somebody wanted to know.
    pub(super) fn on_hail(&self, realm: &Realm, link: usize, berth: BerthId) {
        let is_gone = self.with_shore(link, |shore| shore.client_gone(berth)) == Some(true);
        let mut trips = self.trips.borrow_mut();
        let Some(ticket) = trips.find(link, berth) else {
            return;
        };
        let Some(trip) = trips.get(ticket) else {
            return;
        };
        if is_gone && !trip.gone {
            self.mark(Mark::TakeClientGone, trip.worker_ticket);
            trip.gone = true;
            trip.wake_all();
        }
        self.look(realm, trip, Mark::TxUnrefs);
        self.tell_waiters(realm, trip);
        trips.look_after(ticket);
    }

    /// The shuttle is home with something that was appended too late for the worker: it goes out
    /// with it again. False: there is nothing, or nobody to send it to.
    pub(super) fn send_rest(&self, trip: &mut Trip) -> bool {
        let is_gone = trip.gone;
        let Some(shuttle) = trip.home.as_mut().filter(|_| !is_gone) else {
            return false;
        };
        if shuttle.unsent_bytes() == 0 {
            return false;
        }
        shuttle.part.clear();
        shuttle.last = false;
        self.mark(Mark::TxSeesRest, trip.worker_ticket);
        self.mark(Mark::TxHandsOver, trip.worker_ticket);
        self.mark(Mark::TxSendsRest, trip.worker_ticket);
        self.send(trip, http_proto::Leg::Write);
        true
    }
}
