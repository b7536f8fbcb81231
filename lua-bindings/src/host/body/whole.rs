//! The whole body of a request, for those who want it at once: what came whole is here, what comes
//! in pieces is gathered.

use http_proto::BodyFault;

use super::{Next, next, take};
use crate::host::request::ticket_of;
use crate::host::trips::{Ticket, Trip};
use crate::raw::{Outcome, Raise, Stack, Verb, verb};
use crate::realm::{Realm, realm};

pub(in crate::host) const WHOLE_BODY: Verb = verb(whole_body);

/// `whole_body(req)`: the whole body; nil, why the client's is not whole, and the status that tells
/// it.
fn whole_body(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    match find_whole(&realm(), stack, ticket)? {
        Whole::Pushed => Ok(1),
        Whole::Faulty(fault) => {
            stack.push_nil();
            stack.push_str(&incomplete(fault));
            stack.push_number(f64::from(fault.answer().0));
            Ok(3)
        }
        Whole::Absent => Err(Raise::text("the request is over")),
    }
}

/// What became of the wish for the whole body.
pub(in crate::host) enum Whole {
    /// It is on the stack.
    Pushed,
    /// The request is no longer here.
    Absent,
    /// It will not be whole, or is too long.
    Faulty(BodyFault),
}

/// Pushes the whole body, waiting for it. False, and nothing is pushed: the request is no longer
/// here.
///
/// # Errors
/// It will not be whole, is too long, or pieces of it are with somebody else; or as [`next`].
pub(in crate::host) fn push_whole(
    realm: &Realm,
    stack: &mut Stack,
    ticket: Ticket,
) -> Result<bool, Raise> {
    match find_whole(realm, stack, ticket)? {
        Whole::Pushed => Ok(true),
        Whole::Absent => Ok(false),
        Whole::Faulty(fault) => Err(Raise::text(incomplete(fault))),
    }
}

fn find_whole(realm: &Realm, stack: &mut Stack, ticket: Ticket) -> Result<Whole, Raise> {
    realm.http.with_trip(ticket, |trip| {
        if announced_bytes(trip) > trip.intake.max_bytes {
            realm.http.refuse_body(trip);
        }
    });
    loop {
        let at_once = |trip: &mut Trip| push_at_once(stack, trip);
        if let Some(outcome) = realm
            .http
            .with_trip(ticket, at_once)
            .unwrap_or(Some(Ok(Whole::Absent)))
        {
            return outcome;
        }
        match next(realm, stack, ticket, None)? {
            Next::Bytes => gather(realm, ticket),
            Next::End => break,
            Next::Fault(fault) => return Ok(Whole::Faulty(fault)),
            Next::TimedOut => {}
        }
    }
    let pushed = realm.http.with_trip(ticket, |trip| {
        stack.push_bytes(&trip.intake.whole);
    });
    Ok(pushed.map_or(Whole::Absent, |()| Whole::Pushed))
}

/// How long a body that comes in pieces will be by its own word; 0 if it says nothing.
fn announced_bytes(trip: &Trip) -> u64 {
    let head = trip.request().filter(|_| trip.intake.is_streamed);
    let length = head.and_then(|(head, ..)| head.field(b"content-length"));
    let length = length.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    length.unwrap_or(0)
}

/// Pushes a body that came whole, or finds that there is none to be had. Absent: it comes in
/// pieces.
fn push_at_once(stack: &mut Stack, trip: &mut Trip) -> Option<Result<Whole, Raise>> {
    if trip.intake.was_read {
        return Some(Err(read_in_pieces()));
    }
    if trip.intake.is_streamed {
        return None;
    }
    let Some((_, body, _)) = trip.request() else {
        return Some(Ok(Whole::Absent));
    };
    stack.push_bytes(body);
    trip.intake.at = body.len();
    Some(Ok(Whole::Pushed))
}

fn read_in_pieces() -> Raise {
    Raise::text("the request body was read in pieces")
}

/// Why there is no body to be had, as programs see it.
pub(in crate::host) fn incomplete(fault: BodyFault) -> String {
    format!("the request body is not complete: {}", fault.name())
}

/// How a body is to be had by somebody who wants all of it, bit by bit.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) enum Source {
    /// It is here: see [`part_of_whole`].
    Whole,
    /// By [`next`] and [`take`]. It counts as read in pieces.
    Stream,
}

/// How the body of a request is to be had. `req.body` does not use it up.
///
/// # Errors
/// The request is over, or pieces of its body are with somebody else.
pub(in crate::host) fn source(realm: &Realm, ticket: Ticket) -> Result<Source, Raise> {
    let found = realm.http.with_trip(ticket, |trip| {
        let intake = &mut trip.intake;
        if intake.was_read {
            return Err(read_in_pieces());
        }
        let is_wanted_whole = !intake.whole.is_empty() && intake.fault.is_none();
        match is_wanted_whole {
            _ if !intake.is_streamed => Ok(Source::Whole),
            true if intake.is_over => Ok(Source::Whole),
            true => Err(Raise::text("the request body is being read as a whole")),
            false => {
                intake.was_read = true;
                Ok(Source::Stream)
            }
        }
    });
    found.unwrap_or_else(|| Err(Raise::text("the request is over")))
}

/// So many bytes at most of a body that is here, from a place on. Absent: the request is over.
pub(in crate::host) fn part_of_whole(trip: &Trip, at: usize, max: usize) -> Option<&[u8]> {
    let body = match trip.intake.is_streamed {
        true => &trip.intake.whole[..],
        false => trip.request()?.1,
    };
    let rest = body.get(at..).unwrap_or_default();
    Some(&rest[..rest.len().min(max)])
}

fn gather(realm: &Realm, ticket: Ticket) {
    realm.http.with_trip(ticket, |trip| {
        let mut whole = std::mem::take(&mut trip.intake.whole);
        take(trip, usize::MAX, |bytes| whole.extend_from_slice(bytes));
        if whole.len() as u64 > trip.intake.max_bytes {
            whole = Vec::new();
            realm.http.refuse_body(trip);
        }
        trip.intake.whole = whole;
    });
}
