//! What a handler returned, and the response that is made of it.

use std::rc::Rc;

use http_proto::{Leg, Mark};

use super::desk::Desk;
use super::head::{self, HeadFault};
use super::reply;
use super::trips::{Ticket, Trip};
use crate::limits::PIN_FROM_BYTES;
use crate::raw::{Called, Failure, Kind, Slot, Stack};
use crate::realm::Realm;

/// What a handler gave back, as positions on the stack.
#[derive(Clone, Copy)]
pub(super) enum Reply {
    /// Nothing: end the response.
    End,
    /// A table with these fields.
    Table {
        status: Slot,
        headers: Slot,
        body: Slot,
        trailers: Slot,
    },
}

/// Looks at the value that the handler returned, on top of the stack.
pub(super) fn judge(realm: &Rc<Realm>, stack: &mut Stack) -> Result<Reply, Failure> {
    let value = stack.at(-1);
    match stack.kind(value) {
        Kind::Nil => Ok(Reply::End),
        // As httpng: a returned string is ignored. (Its body would be the next idea; programs rely
        // on neither.)
        Kind::String => Ok(Reply::End),
        Kind::Table => {
            if stack.push_metatable(value) {
                stack.pop(1);
                flatten(realm, stack, value)?;
            }
            let names = [Desk::STATUS, Desk::HEADERS, Desk::BODY, Desk::TRAILERS];
            stack.raw_get_all(value, &names);
            Ok(Reply::Table {
                status: value + 1,
                headers: value + 2,
                body: value + 3,
                trailers: value + 4,
            })
        }
        other => Err(fault(format!(
            "a handler returns a table or nil, not a {}",
            other.name()
        ))),
    }
}

/// Replaces a table with a metatable by a plain one that has its fields by ordinary access, which
/// may run user code.
fn flatten(realm: &Rc<Realm>, stack: &mut Stack, value: Slot) -> Result<(), Failure> {
    stack.push_anchored(realm.http.metatables.get().flatten);
    stack.push_copy(value);
    match crate::raw::call(stack, 1, 1) {
        Called::Done => {
            stack.replace(value);
            Ok(())
        }
        Called::Failed(failure) => Err(failure),
    }
}

/// Puts all but the body into the shuttle, if that is home; where the body is, and its length.
fn fill_response(
    stack: &mut Stack,
    trip: &mut Trip,
    reply: Reply,
) -> Result<(Slot, usize), Failure> {
    let mut returned = (0, 0);
    if let Reply::Table { trailers, .. } = reply
        && stack.kind(trailers) != Kind::Nil
    {
        take_trailers(stack, trip, trailers)?;
    }
    let Some(shuttle) = trip.home.as_mut() else {
        return Ok(returned);
    };
    shuttle.part.clear();
    match reply {
        Reply::End => shuttle.response.clear(),
        Reply::Table {
            status,
            headers,
            body,
            ..
        } => {
            let status = head::status_of(stack, status);
            head::fill_head(stack, &mut shuttle.response, status, headers)
                .map_err(|HeadFault(text)| fault(format!("the returned {text}")))?;
            if stack.stringify(body) {
                returned = (body, stack.raw_len(body));
            }
        }
    }
    if trip.trailers.is_some() {
        trip.announce_trailers();
        trip.attach_trailers();
    } else {
        shuttle.response.set_content_length(returned.1 as u64);
    }
    Ok(returned)
}

/// The whole response in one go: nothing has left yet, so the shuttle is home. True: the worker
/// frees the shuttle, and the request is over.
pub(super) fn respond_at_once(
    realm: &Rc<Realm>,
    ticket: Ticket,
    stack: &mut Stack,
    reply: Reply,
) -> Result<bool, Failure> {
    let http = &realm.http;
    let mut trips = http.trips.borrow_mut();
    let Some(trip) = trips.get(ticket) else {
        return Ok(false);
    };
    let worker_ticket = trip.worker_ticket;
    let (body_slot, body_len) = fill_response(stack, trip, reply)?;
    let Some(shuttle) = trip.home.as_mut() else {
        return Ok(false);
    };
    if body_len < PIN_FROM_BYTES {
        if body_len > 0 {
            shuttle
                .part
                .extend_from_slice(stack.bytes(body_slot).unwrap_or_default());
        }
        http.mark(Mark::FillHeadAndCopy, worker_ticket);
        http.mark(Mark::HandOver, worker_ticket);
        http.mark(Mark::SendComplete, worker_ticket);
        trip.answered = true;
        http.send(trip, Leg::Answer);
    } else {
        http.mark(Mark::FillHead, worker_ticket);
        let pin = http.pins.lend(stack, body_slot, shuttle);
        shuttle.last = true;
        trip.pins.push(pin);
        realm.stats.set_pins(http.pins.count());
        http.mark(Mark::RefAndHandOver, worker_ticket);
        http.mark(Mark::SendComplete, worker_ticket);
        http.send(trip, Leg::Write);
    }
    trip.head_sent = true;
    trip.ended = true;
    if trip.answered && !trip.is_orphan {
        http.end(&mut trips, ticket);
        return Ok(true);
    }
    trip.wake_all();
    Ok(false)
}

/// What a returned table has behind the body counts in place of what was set before.
#[cold]
fn take_trailers(stack: &mut Stack, trip: &mut Trip, slot: Slot) -> Result<(), Failure> {
    let returned = head::trailers_of(stack, slot);
    let returned = returned.map_err(|HeadFault(text)| fault(format!("the returned {text}")))?;
    if returned.is_some() {
        trip.trailers = returned;
    }
    Ok(())
}

/// The head has left: what was returned is the last part, or only the end is missing.
///
/// # Errors
/// The trailers that were returned cannot be sent; nothing of what was returned was.
pub(super) fn finish_started(
    realm: &Rc<Realm>,
    ticket: Ticket,
    stack: &mut Stack,
    reply: Reply,
) -> Result<(), Failure> {
    if let Reply::Table { trailers, .. } = reply {
        let taken = realm
            .http
            .with_trip(ticket, |trip| take_trailers(stack, trip, trailers));
        taken.transpose()?;
    }
    let body = match reply {
        Reply::Table { body, .. } if stack.stringify(body) && stack.raw_len(body) > 0 => Some(body),
        _ => None,
    };
    let _ = match body {
        Some(body) => reply::finish_with(realm, ticket, stack, body),
        None => reply::finish(realm, ticket),
    };
    Ok(())
}

fn fault(message: String) -> Failure {
    Failure {
        message,
        traceback: String::new(),
    }
}
