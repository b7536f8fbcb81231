//! `io` in stage 4: a part is appended to the shuttle, wherever that is, and nobody waits while
//! there is room in it and in the window of the response.
//!
//! Whoever finds no room joins the queue of those who want to send; the first of it looks again
//! whenever the worker got on, or the shuttle came home. One part is one append, so parts of
//! several fibers never mix.

use std::time::{Duration, Instant};

use http_proto::{Leg, Mark};
use shuttle_core::Appended;

use super::queue::{enqueue, leave};
use super::reply;
use super::trips::{Ticket, Trip};
use crate::limits::PIN_FROM_BYTES;
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, may_park};
use crate::realm::Realm;

/// What became of something to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Accepted,
    /// Nothing may be sent any more, or nobody would get it.
    Over,
    /// There was no room in time. Nothing of it was sent.
    Late,
}

/// How a call of `write` or `write_header` wants to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// As ever: waits for as long as the client lives, and says whether the response is over.
    Boolean { is_last: bool },
    /// Waits until then, and says nil or what went wrong.
    Result { deadline: Option<Instant> },
}

impl Manner {
    /// By the argument at `slot`: a number is a timeout, anything else says whether it is the last
    /// part. Without it the timeout of the response counts, if the program has given one.
    pub(super) fn of(realm: &Realm, stack: &Stack, ticket: Ticket, slot: Slot) -> Self {
        match stack.kind(slot) {
            Kind::Number => Self::Result {
                deadline: deadline(stack.number(slot).unwrap_or(0.0)),
            },
            Kind::None | Kind::Nil => {
                let own = realm.http.with_trip(ticket, |trip| trip.flow.timeout);
                let defaults = realm.http.sending.get();
                let common = defaults.is_timeout_given.then_some(defaults.timeout);
                match own.flatten().or(common) {
                    Some(timeout) => Self::Result {
                        deadline: after(timeout),
                    },
                    None => Self::Boolean { is_last: false },
                }
            }
            _ => Self::Boolean {
                is_last: stack.truth(slot),
            },
        }
    }

    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Boolean { is_last: true })
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Boolean { .. } => None,
            Self::Result { deadline } => deadline,
        }
    }

    /// Pushes what the call answers.
    pub(super) fn answer(
        self,
        realm: &Realm,
        stack: &mut Stack,
        ticket: Ticket,
        sent: Sent,
    ) -> i32 {
        match self {
            Self::Boolean { is_last } => stack.push_bool(is_last || sent != Sent::Accepted),
            Self::Result { .. } if sent == Sent::Accepted => stack.push_nil(),
            Self::Result { .. } => super::waiting::push_result(realm, stack, ticket, sent),
        }
        1
    }
}

/// So many seconds from now; absent: for ever.
pub(super) fn deadline(seconds: f64) -> Option<Instant> {
    let seconds = if seconds.is_nan() { 0.0 } else { seconds };
    let timeout = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    after(timeout)
}

pub(super) fn after(timeout: Duration) -> Option<Instant> {
    tx_runtime::now().checked_add(timeout)
}

/// `io:write` and, after the head was filled in, `io:write_header`.
pub(super) fn write(
    realm: &Realm,
    stack: &mut Stack,
    ticket: Ticket,
    body: Option<Slot>,
    manner: Manner,
) -> Outcome {
    let part = Part {
        body,
        last: manner.is_last(),
        deadline: manner.deadline(),
        is_shielded: false,
    };
    let sent = put(realm, stack, ticket, part)?;
    if sent == Sent::Over {
        reply::tell_ignored(realm, ticket);
    }
    Ok(manner.answer(realm, stack, ticket, sent))
}

/// A part of a body that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) body: Option<Slot>,
    pub(super) last: bool,
    pub(super) deadline: Option<Instant>,
    /// The fiber waits for itself and cannot be cancelled.
    pub(super) is_shielded: bool,
}

/// Sends a part when it is its turn and there is room.
pub(super) fn put(
    realm: &Realm,
    stack: &mut Stack,
    ticket: Ticket,
    part: Part,
) -> Result<Sent, Raise> {
    let mut place = None;
    loop {
        let tried = realm
            .http
            .with_trip(ticket, |trip| try_put(realm, stack, trip, place, part));
        if let Some(sent) = tried.unwrap_or(Some(Sent::Over)) {
            return Ok(sent);
        }
        let wait = Wait {
            stack: (!part.is_shielded).then_some(&*stack),
            deadline: part.deadline,
            mark: Mark::RoomSleeps,
        };
        if !sleep(realm, ticket, &mut place, wait)? {
            return Ok(Sent::Late);
        }
    }
}

/// One look. Absent: wait.
fn try_put(
    realm: &Realm,
    stack: &mut Stack,
    trip: &mut Trip,
    place: Option<u64>,
    part: Part,
) -> Option<Sent> {
    if trip.is_over() {
        retire(trip, place);
        return Some(Sent::Over);
    }
    if !trip.is_first(place) {
        return None;
    }
    if part.last && trip.trailers.is_some() && trip.home.is_none() {
        // What follows it travels in the shuttle.
        return None;
    }
    if part.last && !trip.head_sent {
        // The whole of it at once: the shuttle is at home, and takes it as it is.
        reply::send_part_of(realm, stack, trip, part.body, true);
        return Some(Sent::Accepted);
    }
    let len = part.body.map_or(0, |slot| stack.raw_len(slot));
    if trip.home.is_some() && trip.head_sent && len > 0 {
        realm.http.mark(Mark::FillBody, trip.worker_ticket);
    }
    if let Some(slot) = part.body.filter(|_| len > 0) {
        match append_in_room(realm, stack, trip, slot, len) {
            Appended::Full => return None,
            Appended::Stale => {
                retire(trip, place);
                return Some(Sent::Over);
            }
            Appended::InTime | Appended::TooLate => trip.flow.note_appended(len),
        }
    }
    hand_over(realm, trip, len, part.last);
    retire(trip, place);
    Some(Sent::Accepted)
}

/// Who was first in the queue is done; the next may look.
fn retire(trip: &mut Trip, place: Option<u64>) {
    if let Some(number) = place {
        trip.leave_queue(number);
    }
    if let Some(next) = trip.waiters.front() {
        next.fiber.wake();
    }
}

/// Appends if there is room in window and shuttle. If not, it has been asked for the hail that says
/// that there may be.
fn append_in_room(
    realm: &Realm,
    stack: &mut Stack,
    trip: &mut Trip,
    slot: Slot,
    len: usize,
) -> Appended {
    let http = &realm.http;
    let window = trip.flow.window_bytes;
    let window = window.unwrap_or_else(|| http.sending.get().window_bytes);
    loop {
        // What is known may be old, but only in that more is believed to wait.
        let unsent = trip.flow.unsent_bytes();
        if unsent == 0 || unsent + len as u64 <= window {
            let appended = append(realm, stack, trip, slot, len);
            if appended != Appended::Full {
                return appended;
            }
        }
        let before = trip.flow.sent_bytes();
        let pins = trip.flow.pins.len();
        http.look_and_await(realm, trip, Mark::FiberUnrefs);
        if (trip.flow.sent_bytes(), trip.flow.pins.len()) == (before, pins) {
            return Appended::Full;
        }
    }
}

fn append(realm: &Realm, stack: &mut Stack, trip: &mut Trip, slot: Slot, len: usize) -> Appended {
    let http = &realm.http;
    let Some((link, berth)) = trip.berth else {
        return Appended::Stale;
    };
    let appended = if len < PIN_FROM_BYTES {
        let bytes = stack.bytes(slot).unwrap_or_default();
        http.with_shore(link, |shore| shore.append(berth, bytes))
    } else {
        http.with_shore(link, |shore| {
            let (appended, pin) = http.pins.append(stack, slot, shore, berth);
            trip.flow.pins.extend(pin);
            appended
        })
    };
    if len >= PIN_FROM_BYTES {
        realm.stats.set_pins(http.pins.count());
    }
    appended.unwrap_or(Appended::Stale)
}

/// What was appended shall reach the worker: it has the shuttle and finds it, or gets the shuttle
/// now.
fn hand_over(realm: &Realm, trip: &mut Trip, len: usize, last: bool) {
    let http = &realm.http;
    let Some(shuttle) = trip.home.as_mut() else {
        if len > 0 {
            http.mark(Mark::AppendPart, trip.worker_ticket);
        }
        if last {
            set_must_close(realm, trip);
        }
        return;
    };
    if len == 0 && trip.head_sent && !last {
        // An empty part is nothing.
        return;
    }
    shuttle.part.clear();
    shuttle.last = last;
    if last {
        trip.attach_trailers();
    }
    let handed = match len < PIN_FROM_BYTES {
        true => Mark::HandOver,
        false => Mark::RefAndHandOver,
    };
    http.mark(handed, trip.worker_ticket);
    let sent = match last {
        true => Mark::SendComplete,
        false => Mark::SendResponse,
    };
    http.mark(sent, trip.worker_ticket);
    trip.head_sent = true;
    trip.ended = last;
    http.send(trip, Leg::Write);
    if last {
        trip.wake_all();
    }
}

/// The shuttle is away: the worker is told by the shared word.
fn set_must_close(realm: &Realm, trip: &mut Trip) {
    let http = &realm.http;
    let Some((link, berth)) = trip.berth else {
        return;
    };
    http.mark(Mark::SetMustClose, trip.worker_ticket);
    trip.ended = true;
    // In time: the worker ends the response. Too late: the dispatcher does, when the shuttle comes.
    // Stale cannot be.
    let _ = http.with_shore(link, |shore| shore.must_close(berth));
    trip.wake_all();
}

/// Ends the response behind everything that waits to be sent. `stack` is that of the calling Lua
/// function; without it the fiber waits for itself and cannot be cancelled.
pub(super) fn end(realm: &Realm, stack: Option<&Stack>, ticket: Ticket) -> Result<Sent, Raise> {
    let mut place = None;
    loop {
        let tried = realm.http.with_trip(ticket, |trip| {
            if trip.is_over() {
                retire(trip, place);
                return Some(Sent::Over);
            }
            if !trip.is_first(place) {
                return None;
            }
            match trip.home.is_some() {
                true => reply::send_close_of(realm, trip),
                // They travel in the shuttle.
                false if trip.trailers.is_some() => return None,
                false => set_must_close(realm, trip),
            }
            retire(trip, place);
            Some(Sent::Accepted)
        });
        if let Some(sent) = tried.unwrap_or(Some(Sent::Over)) {
            return Ok(sent);
        }
        let wait = Wait {
            stack,
            deadline: None,
            mark: Mark::CloseSleeps,
        };
        sleep(realm, ticket, &mut place, wait)?;
    }
}

/// How a fiber waits in the queue.
struct Wait<'a> {
    stack: Option<&'a Stack>,
    deadline: Option<Instant>,
    mark: Mark,
}

/// Parks once in the queue. False: it was too long, and the place is given up.
fn sleep(
    realm: &Realm,
    ticket: Ticket,
    place: &mut Option<u64>,
    wait: Wait<'_>,
) -> Result<bool, Raise> {
    let is_late = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= tx_runtime::now());
    if is_late(wait.deadline) {
        leave_line(realm, ticket, *place);
        return Ok(false);
    }
    if let Some(stack) = wait.stack {
        may_park(&realm.vm, stack)
            .map_err(|why| Raise::text(format!("this function cannot block here: {why}")))?;
    }
    if place.is_none() {
        *place = enqueue(realm, ticket, Some(wait.mark));
    }
    match wait.stack {
        Some(stack) => {
            if let Err(raise) = realm.park(stack, wait.deadline) {
                leave_line(realm, ticket, *place);
                return Err(raise);
            }
        }
        None => {
            realm.http.before_park();
            let serving = realm.stats.serving();
            let _ = tx_runtime::park_uncancellable(wait.deadline);
            realm.stats.resumed(&serving);
        }
    }
    Ok(true)
}

/// Gives a place in the queue up; who is first now may find room for what is smaller.
fn leave_line(realm: &Realm, ticket: Ticket, place: Option<u64>) {
    leave(realm, ticket, place);
    realm.http.with_trip(ticket, |trip| {
        if let Some(next) = trip.waiters.front() {
            next.fiber.wake();
        }
    });
}
