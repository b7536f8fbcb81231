//! The body of a request on this side: pieces that arrive by a shuttle of their own, or the whole
//! that came with the request. Whoever reads does not see which.
//!
//! A piece is taken out of its shuttle and the shuttle sent back for the next one before Lua works
//! on it. So the worker reads on while the handler is busy, but no further than one piece ahead.

mod whole;

use std::time::{Duration, Instant};

use http_proto::{BodyBerth, BodyFault, Exchange, Fields, Leg, Mark};
use shuttle_core::{Shuttle, Tx};
use tx_runtime::{FiberRef, Wakeup};

use super::HttpHost;
use super::request::ticket_of;
use super::trips::{Ticket, Trip, Trips};
use crate::limits::BODY_KEEP_BYTES;
use crate::raw::{Kind, Outcome, Raise, Stack, Verb, may_park, verb};
use crate::realm::{Realm, realm};

pub(super) use whole::{Source, WHOLE_BODY, incomplete, part_of_whole, push_whole, source};

pub(super) const READ: Verb = verb(read);
pub(super) const HAS_WHOLE_BODY: Verb = verb(has_whole_body);

/// What is here of a request's body, and what is still to be had.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// It comes in pieces.
    is_streamed: bool,
    /// The place of its shuttle, while that may come here.
    berth: Option<BodyBerth>,
    /// The shuttle, with a piece in it that was not taken.
    home: Option<Shuttle<Tx, Exchange>>,
    /// The piece that is being read.
    piece: Vec<u8>,
    /// How much of the piece, or of the body that came whole, was read.
    at: usize,
    /// Nothing follows the piece.
    is_over: bool,
    /// Why, if that is not the end of the body.
    fault: Option<BodyFault>,
    /// Pieces were given to somebody: the whole can be given to nobody any more.
    was_read: bool,
    /// What was gathered for `req.body`.
    whole: Vec<u8>,
    /// How long that may become.
    max_bytes: u64,
    /// Fibers that wait for a piece.
    readers: Vec<FiberRef>,
    trailers: Fields,
}

impl Intake {
    /// A request arrived. The second argument names the shuttle of its body, if it has one.
    pub(super) fn begin(&mut self, berth: Option<BodyBerth>) {
        self.is_streamed = berth.is_some();
        self.berth = berth;
        self.is_over = berth.is_none();
    }

    pub(super) fn is_of(&self, berth: BodyBerth) -> bool {
        self.berth == Some(berth)
    }

    pub(super) fn set_max_bytes(&mut self, max: u64) {
        self.max_bytes = max;
    }

    /// Why the body is not whole, if somebody found out.
    pub(super) fn fault(&self) -> Option<BodyFault> {
        self.fault
    }

    /// Exchanges the trailers of a body that came whole.
    pub(super) fn swap_trailers(&mut self, trailers: &mut Fields) {
        if !self.is_streamed {
            std::mem::swap(&mut self.trailers, trailers);
        }
    }

    pub(super) fn wake_readers(&self) {
        for reader in &self.readers {
            reader.wake();
        }
    }

    pub(super) fn reset(&mut self) {
        debug_assert!(
            self.home.is_none(),
            "a request ended with the shuttle of its body"
        );
        self.readers.clear();
        self.piece.clear();
        self.piece.shrink_to(BODY_KEEP_BYTES);
        self.trailers.clear();
        self.whole = Vec::new();
        self.berth = None;
        self.fault = None;
        self.is_streamed = false;
        self.was_read = false;
        self.at = 0;
    }

    /// If its shuttle is away, it is lost.
    pub(super) fn lose(&mut self) {
        if self.berth.is_some() && self.home.is_none() {
            let _ = self.give_up(BodyFault::Closed);
            self.wake_readers();
        }
    }

    /// Nothing more of it is wanted; the shuttle, if it is here, is to be released.
    fn give_up(&mut self, fault: BodyFault) -> Option<Shuttle<Tx, Exchange>> {
        if !self.is_over {
            self.is_over = true;
            self.fault = Some(fault);
        }
        self.berth = None;
        self.home.take()
    }
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There are bytes: see [`take`].
    Bytes,
    /// All was read.
    End,
    /// The rest will not come.
    Fault(BodyFault),
    /// Nothing came in time; it may still come.
    TimedOut,
}

/// Waits until there is something to read of the body, or nothing ever will be. Whoever reads a
/// body calls this and then [`take`], again and again.
///
/// # Errors
/// The fiber may not wait here, or is cancelled.
pub(super) fn next(
    realm: &Realm,
    stack: &Stack,
    ticket: Ticket,
    deadline: Option<Instant>,
) -> Result<Next, Raise> {
    let mut is_late = false;
    loop {
        let look = |trip: &mut Trip| realm.http.look_for_bytes(trip);
        let found = realm.http.with_trip(ticket, look);
        // A request that is over has nobody who would send.
        if let Some(next) = found.unwrap_or(Some(Next::Fault(BodyFault::Closed))) {
            return Ok(next);
        }
        if is_late {
            return Ok(Next::TimedOut);
        }
        realm.http.tell_of(ticket, Mark::ReadSleeps);
        is_late = wait(realm, stack, ticket, deadline)? == Wakeup::Timeout;
    }
}

/// Gives the bytes that are there, at most so many, to `f`. They count as read.
pub(super) fn take<R>(trip: &mut Trip, max: usize, f: impl FnOnce(&[u8]) -> R) -> R {
    let bytes = unread(trip);
    let count = bytes.len().min(max);
    let result = f(&bytes[..count]);
    trip.intake.at += count;
    result
}

fn unread(trip: &Trip) -> &[u8] {
    let intake = &trip.intake;
    if intake.is_streamed {
        return &intake.piece[intake.at..];
    }
    let body = trip.request().map_or(&[][..], |(_, body, _)| body);
    &body[intake.at.min(body.len())..]
}

fn wait(
    realm: &Realm,
    stack: &Stack,
    ticket: Ticket,
    deadline: Option<Instant>,
) -> Result<Wakeup, Raise> {
    may_park(&realm.vm, stack)
        .map_err(|why| Raise::text(format!("this function cannot block here: {why}")))?;
    let me = tx_runtime::current();
    realm.http.with_trip(ticket, |trip| {
        trip.intake.readers.extend(me.clone());
    });
    let wakeup = realm.park(stack, deadline);
    realm.http.with_trip(ticket, |trip| {
        let readers = &mut trip.intake.readers;
        if let Some(at) = readers
            .iter()
            .position(|reader| Some(reader) == me.as_ref())
        {
            readers.swap_remove(at);
        }
    });
    wakeup
}

/// `read(req, n, timeout)`: a piece; nil at the end; nil and why there is none.
fn read(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let max = read_max(stack)?;
    let deadline = read_deadline(stack)?;
    let realm = realm();
    realm.http.tell_of(ticket, Mark::CallRead);
    let why = match next(&realm, stack, ticket, deadline)? {
        Next::Bytes => {
            realm.http.with_trip(ticket, |trip| {
                trip.intake.was_read = true;
                take(trip, max, |bytes| stack.push_bytes(bytes));
            });
            return Ok(1);
        }
        Next::End => {
            stack.push_nil();
            return Ok(1);
        }
        Next::Fault(fault) => fault.name(),
        Next::TimedOut => "timeout",
    };
    stack.push_nil();
    stack.push_str(why);
    Ok(2)
}

/// How many bytes are wanted at most; left out, as many as there are.
fn read_max(stack: &Stack) -> Result<usize, Raise> {
    match stack.kind(2) {
        Kind::None | Kind::Nil | Kind::Cdata => Ok(usize::MAX),
        _ => match stack.number(2) {
            Some(count) if count >= 1.0 => Ok(count as usize),
            _ => Err(Raise::text(
                "req:read: the number of bytes is not a positive number",
            )),
        },
    }
}

fn read_deadline(stack: &Stack) -> Result<Option<Instant>, Raise> {
    match stack.kind(3) {
        Kind::None | Kind::Nil | Kind::Cdata => Ok(None),
        _ => match stack.number(3).filter(|seconds| !seconds.is_nan()) {
            // What no clock reaches is for ever.
            Some(seconds) => Ok(Duration::try_from_secs_f64(seconds.max(0.0))
                .ok()
                .and_then(|time| tx_runtime::now().checked_add(time))),
            None => Err(Raise::text("req:read: the timeout is not a number")),
        },
    }
}

/// `has_whole_body(req)`: whether `req.body` can be read now without waiting for it.
fn has_whole_body(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let has = realm().http.with_trip(ticket, |trip| {
        !trip.intake.is_streamed && !trip.intake.was_read
    });
    // Without a request the field itself says what is wrong.
    stack.push_bool(has.unwrap_or(true));
    Ok(1)
}

/// Pushes the trailers as a table, or nil while they may still come.
pub(super) fn push_trailers(stack: &mut Stack, trip: &Trip) {
    let intake = &trip.intake;
    if !intake.is_over || intake.fault.is_some() {
        return stack.push_nil();
    }
    let came_along = trip
        .home
        .as_ref()
        .filter(|_| !intake.is_streamed && !trip.kept);
    let trailers = came_along.map_or(&intake.trailers, |exchange| &exchange.trailers);
    stack.push_table(0, trailers.len());
    let table = stack.top();
    for (name, value) in trailers.iter() {
        stack.push_bytes(name);
        stack.push_bytes(value);
        stack.set_pair(table);
    }
}

impl HttpHost {
    /// A piece of a body has arrived. If nobody is there for it its shuttle goes home.
    pub(super) fn on_body(&self, link: usize, shuttle: Shuttle<Tx, Exchange>) {
        let mut trips = self.trips.borrow_mut();
        match trips.of_body(link, &shuttle) {
            Some(trip) => {
                self.mark(Mark::TakePiece, trip.worker_ticket);
                if !trip.intake.readers.is_empty() {
                    self.mark(Mark::WakeFiber, trip.worker_ticket);
                }
                trip.intake.home = Some(shuttle);
                trip.intake.wake_readers();
            }
            None => self.release(link, shuttle),
        }
    }

    /// The worker left, or broke, with the shuttle of a body.
    pub(super) fn on_body_lost(&self, link: usize, shuttle: Shuttle<Tx, Exchange>) {
        let mut trips = self.trips.borrow_mut();
        if let Some(trip) = trips.of_body(link, &shuttle) {
            trip.intake.give_up(BodyFault::Closed);
            trip.intake.wake_readers();
        }
        self.release(link, shuttle);
    }

    /// What a reader finds now. Absent: it has to wait.
    fn look_for_bytes(&self, trip: &mut Trip) -> Option<Next> {
        loop {
            if !unread(trip).is_empty() {
                return Some(Next::Bytes);
            }
            let intake = &trip.intake;
            match intake.fault {
                // It left with its request.
                None if !intake.is_streamed && trip.request().is_none() => {
                    return Some(Next::Fault(BodyFault::Closed));
                }
                Some(fault) => return Some(Next::Fault(fault)),
                None if intake.is_over => return Some(Next::End),
                None if intake.home.is_none() => return None,
                None => self.take_piece(trip),
            }
        }
    }

    /// Takes the piece out of the shuttle, which is here, and sends it back.
    fn take_piece(&self, trip: &mut Trip) {
        let Some((link, _)) = trip.berth else { return };
        let intake = &mut trip.intake;
        let Some(mut shuttle) = intake.home.take() else {
            return;
        };
        self.mark(Mark::TakeOutPiece, trip.worker_ticket);
        // Swapped, not copied: the memory of the piece before goes back.
        intake.piece.clear();
        intake.at = 0;
        std::mem::swap(&mut intake.piece, &mut shuttle.body);
        if shuttle.last {
            intake.is_over = true;
            intake.fault = shuttle.fault;
            intake.berth = None;
            std::mem::swap(&mut intake.trailers, &mut shuttle.trailers);
            self.mark(Mark::AskToFreeBody, trip.worker_ticket);
            self.release(link, shuttle);
        } else if shuttle.advance(Leg::WantBody).is_ok() {
            self.mark(Mark::AskForPiece, trip.worker_ticket);
            self.with_shore(link, |shore| shore.send(shuttle));
        }
    }

    /// Nobody reads more of the body: what comes of it goes back.
    pub(super) fn leave_body(&self, trip: &mut Trip, fault: BodyFault) {
        let Some((link, _)) = trip.berth else { return };
        if let Some(shuttle) = trip.intake.give_up(fault) {
            self.release(link, shuttle);
        }
        trip.intake.wake_readers();
    }

    /// There is more of the body than may be here as a whole.
    fn refuse_body(&self, trip: &mut Trip) {
        self.leave_body(trip, BodyFault::TooLarge);
        // Also when the last piece is what was too much.
        trip.intake.fault = Some(BodyFault::TooLarge);
    }

    /// Ends a request; its ticket means nothing from now on.
    pub(super) fn end(&self, trips: &mut Trips, ticket: Ticket) {
        if let Some(trip) = trips.get(ticket) {
            self.leave_body(trip, BodyFault::Closed);
        }
        trips.end(ticket);
    }
}

#[cfg(test)]
mod tests;
