//! The queue for a shuttle: who waits, who is next, who gave up.

use http_proto::Mark;

use super::trips::{Ticket, Trip, Waiter};
use crate::raw::{Raise, Stack, may_park};
use crate::realm::Realm;

/// What comes after a queue.
pub(super) enum Verdict {
    /// The shuttle is at home, and ours until we send it or return.
    Mine,
    /// Nothing may be sent any more, or nobody would get it.
    Over,
}

/// Waits for the shuttle, in the order of arrival. `stack` is that of the calling Lua function;
/// without it the fiber waits for itself and cannot be cancelled. `sleeps` is told before the first
/// park and says whether this is a writer.
pub(super) fn acquire(
    realm: &Realm,
    stack: Option<&Stack>,
    ticket: Ticket,
    sleeps: Option<Mark>,
) -> Result<Verdict, Raise> {
    let mut place = None;
    loop {
        let verdict = realm
            .http
            .with_trip(ticket, |trip| try_acquire(realm, trip, place));
        let Some(verdict) = verdict.unwrap_or(Some(Verdict::Over)) else {
            if let Err(raise) = wait(realm, stack, ticket, sleeps, &mut place) {
                leave(realm, ticket, place);
                return Err(raise);
            }
            continue;
        };
        return Ok(verdict);
    }
}

/// One look. Absent: wait.
fn try_acquire(realm: &Realm, trip: &mut Trip, place: Option<u64>) -> Option<Verdict> {
    let verdict = if trip.is_over() {
        Verdict::Over
    } else if trip.is_turn_of(place) {
        Verdict::Mine
    } else {
        return None;
    };
    if let Some(number) = place {
        trip.leave_queue(number);
    }
    match verdict {
        Verdict::Mine => realm.http.unpin(realm, trip, Mark::FiberUnrefs),
        Verdict::Over => {
            trip.wake_next();
        }
    }
    Some(verdict)
}

/// Parks once in the queue.
fn wait(
    realm: &Realm,
    stack: Option<&Stack>,
    ticket: Ticket,
    sleeps: Option<Mark>,
    place: &mut Option<u64>,
) -> Result<(), Raise> {
    if let Some(stack) = stack {
        may_park(&realm.vm, stack)
            .map_err(|why| Raise::text(format!("this function cannot block here: {why}")))?;
    }
    if place.is_none() {
        *place = enqueue(realm, ticket, sleeps);
    }
    match stack {
        Some(stack) => realm.park(stack, None).map(|_| ()),
        None => {
            realm.http.before_park();
            let serving = realm.stats.serving();
            let _ = tx_runtime::park_uncancellable(None);
            realm.stats.resumed(&serving);
            Ok(())
        }
    }
}

pub(super) fn enqueue(realm: &Realm, ticket: Ticket, sleeps: Option<Mark>) -> Option<u64> {
    let fiber = tx_runtime::current()?;
    if let Some(mark) = sleeps {
        realm.http.tell_of(ticket, mark);
    }
    let mut trips = realm.http.trips.borrow_mut();
    let number = trips.next_waiter();
    let writes = sleeps == Some(Mark::WriteSleeps);
    trips.get(ticket)?.waiters.push_back(Waiter {
        fiber,
        number,
        writes,
    });
    Some(number)
}

/// Gives up a place in the queue: who comes next must not wait for nobody.
pub(super) fn leave(realm: &Realm, ticket: Ticket, place: Option<u64>) {
    let Some(number) = place else { return };
    realm.http.with_trip(ticket, |trip| {
        trip.leave_queue(number);
        trip.wake_next();
    });
}

/// Nothing was sent after all: the next of the queue may.
pub(super) fn pass_on(realm: &Realm, ticket: Ticket) {
    realm.http.with_trip(ticket, |trip| trip.wake_next());
}
