//! The links to the workers: ends that land, what is told along all of them, and ends whose worker
//! has left.

use http_proto::Exchange;
use shuttle_core::{Sleep, TxEnd, TxShore};

use super::HttpHost;
use super::trips::Ticket;

impl HttpHost {
    /// Takes over the TX ends of newly started workers.
    pub(crate) fn land(&self, ends: Vec<TxEnd<Exchange>>) {
        let mut links = self.links.borrow_mut();
        for end in ends {
            let shore = Some(end.land());
            let number = self.landed_total.replace(self.landed_total.get() + 1);
            let mut numbers = self.numbers.borrow_mut();
            match links.iter().position(Option::is_none) {
                Some(free) => (links[free], numbers[free]) = (shore, number),
                None => {
                    links.push(shore);
                    numbers.push(number);
                }
            }
        }
    }

    /// The link by which a request came. Absent when it is over.
    pub(crate) fn link_of(&self, ticket: Ticket) -> Option<usize> {
        self.with_trip(ticket, |trip| trip.berth)?
            .map(|(link, _)| link)
    }

    /// The number of the end that a link is.
    pub(crate) fn number_of(&self, link: usize) -> Option<u64> {
        self.numbers.borrow().get(link).copied()
    }

    pub(super) fn with_shore<R>(
        &self,
        link: usize,
        f: impl FnOnce(&mut TxShore<Exchange>) -> R,
    ) -> Option<R> {
        self.links.borrow_mut().get_mut(link)?.as_mut().map(f)
    }

    /// Lets go of the shore of a worker that has left, when nothing of it is on this side any more.
    pub(super) fn drop_deserted(&self, link: usize) {
        let has_left = self.with_shore(link, |shore| shore.worker_has_left()) == Some(true);
        if has_left {
            self.trips.borrow_mut().lose_bodies(link);
        }
        if has_left && !self.trips.borrow().any_of(link) {
            self.links.borrow_mut()[link] = None;
        }
    }

    /// Rings the workers that sleep and have something to do.
    pub(crate) fn flush(&self) {
        for shore in self.links.borrow_mut().iter_mut().flatten() {
            shore.flush();
        }
    }

    /// Whether the thread may sleep until its doorbell rings.
    pub(crate) fn prepare_sleep(&self) -> Sleep {
        let mut verdict = Sleep::MaySleep;
        for shore in self.links.borrow_mut().iter_mut().flatten() {
            if shore.prepare_sleep() == Sleep::WorkArrived {
                verdict = Sleep::WorkArrived;
            }
        }
        if verdict == Sleep::WorkArrived {
            self.woke();
        }
        verdict
    }

    /// The thread is awake.
    pub(crate) fn woke(&self) {
        for shore in self.links.borrow_mut().iter_mut().flatten() {
            shore.woke();
        }
    }
}
