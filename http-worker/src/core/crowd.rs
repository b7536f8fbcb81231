//! Who comes in: the bounds on connections, by address and in all, and how room is made.
//!
//! A full worker does not let those inside decide: a connection that only waits for its client to
//! ask for something has to go when another is at the door. If there is none, whoever is at the
//! door waits there; the last places are for those they are kept for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Core;
use crate::accept::Accepted;
use crate::conn::Conn;
use crate::guests::Guests;
use crate::limits::{EVICT_IDLE_MS, EVICT_RETRY_MS, EVICT_SCAN_COUNT};
use crate::line::Line;
use crate::token::ConnToken;

const EVICT_IDLE: Duration = Duration::from_millis(EVICT_IDLE_MS);
const EVICT_RETRY: Duration = Duration::from_millis(EVICT_RETRY_MS);

/// What is remembered of the doors between two turns.
pub(super) struct Crowd {
    guests: Arc<Guests>,
    /// Where the next search for somebody idle begins.
    hand: usize,
    /// It is full and nobody was idle: when to look again.
    look_at: Option<Instant>,
}

/// How many may come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Room {
    For(usize),
    /// For one, instead of this one, which waits for a request.
    InsteadOf(ConnToken),
    /// For one, and only of those that the last places are kept for.
    Reserved,
    None,
}

impl Crowd {
    pub(super) fn new(guests: Arc<Guests>) -> Self {
        Self {
            guests,
            hand: 0,
            look_at: None,
        }
    }

    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at
    }
}

impl Core {
    /// Whether there may be room for somebody at the door, so that a look is worth it now.
    pub(super) fn has_room(&self) -> bool {
        let is_full = self.conns.len() >= self.cx.limits.connections_count;
        !is_full || self.crowd.look_at.is_some_and(|at| at <= self.cx.now)
    }

    /// Lets in those for whom there is room. Says how many came, to stay or not.
    pub(super) fn accept(&mut self) -> usize {
        let may_retry = self.doors.retry_at().is_some_and(|at| at <= self.cx.now);
        if !self.doors.is_ready() && !may_retry {
            self.crowd.look_at = None;
            return 0;
        }
        let (room, is_reserved, victim) = match self.room() {
            Room::None => return 0,
            Room::For(count) => (count, false, None),
            Room::InsteadOf(victim) => (1, false, Some(victim)),
            Room::Reserved => (1, true, None),
        };
        let (before, open) = (self.accepted, self.conns.len());
        let mut doors = std::mem::take(&mut self.doors);
        let refused = doors.accept(self.cx.now, room, |accepted| {
            let is_out = is_reserved && !self.cx.limits.are_reserved_for(accepted.peer.ip());
            if is_out {
                self.accepted += 1;
                self.cx.stats.refused.one();
            } else {
                self.admit(accepted);
            }
        });
        self.doors = doors;
        self.cx.stats.accept_errors.add(refused);
        if let Some(victim) = victim.filter(|_| self.conns.len() > open) {
            self.evict(victim);
        }
        if refused > 0 {
            // The system has no descriptors left; one of ours may be enough.
            self.find_idle()
                .into_iter()
                .for_each(|idle| self.evict(idle));
        }
        self.accepted - before
    }

    fn room(&mut self) -> Room {
        let limit = self.cx.limits.connections_count;
        let usual = limit.saturating_sub(self.cx.limits.reserved_count());
        let open = self.conns.len();
        if open < usual {
            self.crowd.look_at = None;
            return Room::For(usual - open);
        }
        if self.cx.is_draining {
            return if open < limit {
                Room::For(1)
            } else {
                Room::None
            };
        }
        // Whether somebody else is at the door shows only when this one has come in.
        self.crowd.look_at = Some(self.cx.now);
        if let Some(idle) = self.find_idle() {
            return Room::InsteadOf(idle);
        }
        if open < limit {
            return Room::Reserved;
        }
        self.crowd.look_at = Some(self.cx.now + EVICT_RETRY);
        Room::None
    }

    /// The connection that has waited longest for a request, of some that are looked at.
    fn find_idle(&mut self) -> Option<ConnToken> {
        let places = self.conns.capacity().max(1);
        let now = self.cx.now;
        let mut longest: Option<(Instant, ConnToken)> = None;
        for _ in 0..EVICT_SCAN_COUNT.min(places) {
            self.crowd.hand = (self.crowd.hand + 1) % places;
            let Some(conn) = self.conns.get(self.crowd.hand) else {
                continue;
            };
            let since = conn.awaits_request_since();
            let Some(since) = since.filter(|&since| now >= since + EVICT_IDLE) else {
                continue;
            };
            if longest.is_none_or(|(other, _)| since < other) {
                longest = Some((since, conn.token()));
            }
        }
        longest.map(|(_, token)| token)
    }

    fn evict(&mut self, token: ConnToken) {
        self.cx.stats.evicted.one();
        self.conns.remove(token.index()).farewell(&mut self.cx);
    }

    fn admit(&mut self, accepted: Accepted) {
        self.accepted += 1;
        self.cx.stats.accepted.one();
        let address = accepted.peer.ip();
        let max = self.cx.limits.connections_per_ip_count;
        let Some(guest) = self.crowd.guests.enter(address, max) else {
            self.cx.stats.refused.one();
            return log::debug!("{address} has {max} connections and gets no more");
        };
        let place = self.conns.vacant_entry();
        let token = ConnToken::new(place.key(), self.accepted);
        let mut conn = match Conn::new(accepted, guest, token, &self.cx) {
            Ok(conn) => conn,
            Err(e) => return log::error!("TLS cannot be begun: {e}"),
        };
        match conn.register(&mut self.cx) {
            Ok(()) => drop(place.insert(Line::Http1(conn))),
            Err(e) => log::warn!("a connection cannot be watched and is closed: {e}"),
        }
    }
}
