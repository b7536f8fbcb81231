//! Room in memory for the bodies of requests, and the queue of those that found none.
//!
//! Bodies are counted as they come, not as they are announced: who announces much and sends nothing
//! must not keep others out. So it may happen that all room is taken by bodies that are not
//! complete, each waiting for the others. Therefore the first in the queue may go beyond the bound,
//! if the others are within: it comes to its end, and when its memory is given back the next one
//! may. A body stays in the queue until it is complete or given up, so nobody else goes beyond
//! meanwhile, and all together are never more than the bound and one body.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::BODIES_WOKEN_COUNT;
use crate::token::ConnToken;

/// Where a connection stands with the body that it receives.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Its number in the queue; absent: it never had to wait.
    number: Option<u64>,
    /// There was no room when it asked last.
    waits: bool,
}

impl Standing {
    /// Whether it is told when there may be room.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }
}

/// One in the queue.
#[derive(Debug)]
struct Waiter {
    conn: ConnToken,
    /// What it asked for in vain; nothing: it has room, and its client is waited for.
    wants: usize,
}

/// All bodies of a worker.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    bytes: usize,
    queue: BTreeMap<u64, Waiter>,
    next: u64,
    /// How many of the queue asked in vain.
    waiting_count: usize,
    /// Room was given back, or somebody left the queue.
    has_news: bool,
}

impl Bodies {
    /// Bytes that are here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many stand in the queue.
    #[cfg(test)]
    pub(crate) fn queued_count(&self) -> usize {
        self.queue.len()
    }

    /// How many asked in vain.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// Whether so many bytes more may be taken in, of a body of which `has` are here; `max` is what
    /// all may be. If not, the connection stands in the queue.
    pub(crate) fn ask(
        &mut self,
        conn: ConnToken,
        standing: &mut Standing,
        (has, wants): (usize, usize),
        max: usize,
    ) -> bool {
        let is_first = match standing.number {
            Some(number) => self.queue.keys().next() == Some(&number),
            None => self.queue.is_empty(),
        };
        // Nobody begins while others wait; who has begun is nearer to the end.
        let overtakes = has == 0 && standing.number.is_none() && self.waiting_count > 0;
        let fits = self.bytes.saturating_add(wants) <= max && !overtakes;
        if standing.number.is_none() && !fits {
            standing.number = Some(self.next);
            self.queue.insert(self.next, Waiter { conn, wants: 0 });
            self.next += 1;
        }
        let may_go_beyond = is_first && self.bytes.saturating_sub(has) <= max;
        standing.waits = !fits && !may_go_beyond;
        self.note(standing, wants);
        !standing.waits
    }

    fn note(&mut self, standing: &Standing, wants: usize) {
        let number = standing.number;
        if let Some(waiter) = number.and_then(|number| self.queue.get_mut(&number)) {
            self.waiting_count -= usize::from(waiter.wants > 0);
            waiter.wants = if standing.waits { wants.max(1) } else { 0 };
            self.waiting_count += usize::from(waiter.wants > 0);
        }
    }

    /// The body is complete, or nothing more of it will come.
    pub(crate) fn leave(&mut self, standing: &mut Standing) {
        let Standing { number, .. } = std::mem::take(standing);
        if let Some(waiter) = number.and_then(|number| self.queue.remove(&number)) {
            self.waiting_count -= usize::from(waiter.wants > 0);
            self.has_news = true;
        }
    }

    /// So many bytes are here now.
    pub(crate) fn take_in(&mut self, count: usize) {
        self.bytes += count;
    }

    /// So many are gone.
    pub(crate) fn let_go(&mut self, count: usize) {
        self.bytes -= count;
        self.has_news |= count > 0;
    }

    /// Puts the connections that may find room by now at the end of `again`: the first, and of the
    /// others as many as fit.
    pub(crate) fn wake(&mut self, max: usize, again: &mut VecDeque<ConnToken>) {
        if !std::mem::take(&mut self.has_news) || self.waiting_count == 0 {
            return;
        }
        let mut bytes = self.bytes;
        let waiters = self.queue.values().take(BODIES_WOKEN_COUNT).enumerate();
        for (at, waiter) in waiters.filter(|(_, waiter)| waiter.wants > 0) {
            bytes = bytes.saturating_add(waiter.wants);
            if at > 0 && bytes > max {
                break;
            }
            again.push_back(waiter.conn);
        }
    }
}

#[cfg(test)]
mod tests;
