//! `io`: the verbs by which a handler answers.
//!
//! Each checks its arguments, waits until it may use the shuttle, looks whether anybody still
//! listens, and acts. From the moment it may use the shuttle it does not park, so a part is never
//! interleaved with another.

use http_proto::{Leg, Mark};

use super::head::{HeadFault, fill_head, whole};
use super::queue::{Verdict, acquire, pass_on};
use super::request::ticket_of;
use super::sending::{self, Manner, Part, Sent};
use super::trips::{Ticket, Trip};
use super::waiting::push_field;
use crate::env::Stage;
use crate::limits::PIN_FROM_BYTES;
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, Verb, verb};
use crate::realm::{Realm, realm};

pub(super) const INDEX: Verb = verb(index);
pub(super) const WRITE: Verb = verb(write);
pub(super) const WRITE_HEADER: Verb = verb(write_header);
pub(super) const CLOSE: Verb = verb(close);
pub(super) const IS_CLOSED: Verb = verb(is_closed);
pub(super) const MARK: Verb = verb(mark);

/// `io[key]`: a method, or `headers`, which is made when it is first read, or what holds for
/// sending.
fn index(stack: &mut Stack) -> Outcome {
    stack.set_top(2);
    stack.push_upvalue(1);
    stack.push_copy(2);
    if stack.raw_get(3) != Kind::Nil {
        return Ok(1);
    }
    match stack.bytes(2) {
        Some(b"headers") => {
            stack.push_table(0, 4);
            stack.push_copy(-1);
            stack.set_field(1, "headers");
        }
        Some(b"_shuttle") => {
            let _ = stack.raw_item(1, 0);
        }
        Some(key) => {
            let key = key.to_vec();
            if !push_field(stack, &key) {
                stack.push_nil();
            }
        }
        None => stack.push_nil(),
    }
    Ok(1)
}

/// `io:write(body, is_last)`, `io:write(body, timeout)`.
fn write(stack: &mut Stack) -> Outcome {
    let ticket = io_of(stack)?;
    let realm = realm();
    realm.http.tell_of(ticket, Mark::CallWrite);
    let manner = Manner::of(&realm, stack, ticket, 3);
    if let Verdict::Over = may_send(&realm, stack, ticket)? {
        return ignored(&realm, stack, ticket, manner);
    }
    stack.set_top(3);
    let body = stack.stringify(2).then_some(2);
    let needs_head = realm.http.with_trip(ticket, |trip| !trip.head_sent) == Some(true);
    if needs_head {
        let headers = implied_headers(stack);
        begin(&realm, stack, ticket, 200, headers)?;
    }
    send(&realm, stack, ticket, body, manner)
}

/// Waits for the right to send, if the shuttle has to be at home for it.
fn may_send(realm: &Realm, stack: &Stack, ticket: Ticket) -> Result<Verdict, Raise> {
    if realm.stage.get() != Stage::Four {
        return acquire(realm, Some(stack), ticket, Some(Mark::WriteSleeps));
    }
    let is_open = realm.http.with_trip(ticket, |trip| !trip.is_over()) == Some(true);
    Ok(if is_open {
        Verdict::Mine
    } else {
        Verdict::Over
    })
}

/// Sends a part, the head before it if it has not left, and says what became of it.
fn send(
    realm: &Realm,
    stack: &mut Stack,
    ticket: Ticket,
    body: Option<Slot>,
    manner: Manner,
) -> Outcome {
    if realm.stage.get() == Stage::Four {
        return sending::write(realm, stack, ticket, body, manner);
    }
    send_part(realm, stack, ticket, body, manner.is_last());
    Ok(manner.answer(realm, stack, ticket, Sent::Accepted))
}

/// `io:write_header(code, headers, body, is_last)`, `io:write_header(code, headers, timeout)`.
fn write_header(stack: &mut Stack) -> Outcome {
    let ticket = io_of(stack)?;
    let code = stack
        .number(2)
        .ok_or_else(|| Raise::text("HTTP code is not an integer"))?;
    let given = match stack.kind(3) {
        Kind::None => None,
        Kind::Nil | Kind::Table => Some(3),
        Kind::Cdata => Some(0),
        _ => return Err(Raise::text("headers is not a table")),
    };
    let realm = realm();
    realm.http.tell_of(ticket, Mark::CallWriteHeader);
    // A number behind the headers, and nothing behind it, is a timeout and no body.
    let has_timeout = stack.kind(4) == Kind::Number && stack.kind(5) == Kind::None;
    let manner = Manner::of(&realm, stack, ticket, if has_timeout { 4 } else { 5 });
    if let Verdict::Over = may_send(&realm, stack, ticket)? {
        return ignored(&realm, stack, ticket, manner);
    }
    if realm.http.with_trip(ticket, |trip| trip.head_sent) == Some(true) {
        pass_on(&realm, ticket);
        return Err(Raise::text("Handler has already written header"));
    }
    stack.set_top(5);
    let body = (!has_timeout && stack.stringify(4)).then_some(4);
    let headers = match given {
        Some(slot) => slot,
        None => implied_headers(stack),
    };
    begin(&realm, stack, ticket, whole(code), headers)?;
    send(&realm, stack, ticket, body, manner)
}

/// `io:close()`.
fn close(stack: &mut Stack) -> Outcome {
    if stack.top() == 0 {
        return Err(Raise::text("Not enough parameters"));
    }
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let realm = realm();
    realm.http.tell_of(ticket, Mark::CallClose);
    if realm.stage.get() == Stage::Four {
        if let Sent::Over = sending::end(&realm, Some(&*stack), ticket)? {
            tell_ignored(&realm, ticket);
        }
        return Ok(0);
    }
    if realm.stage.get() == Stage::Three && close_from_afar(&realm, ticket) {
        return Ok(0);
    }
    match acquire(&realm, Some(&*stack), ticket, Some(Mark::CloseSleeps))? {
        Verdict::Mine => send_close(&realm, ticket),
        Verdict::Over => tell_ignored(&realm, ticket),
    }
    Ok(0)
}

/// `io:is_closed()`: whether whatever is written now is ignored.
fn is_closed(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let is_open = realm().http.with_trip(ticket, |trip| !trip.is_over()) == Some(true);
    stack.push_bool(!is_open);
    Ok(1)
}

/// `mark(io, number)`: the handler of a drawing says "Do something useful" number 1, 2 or 3.
fn mark(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let mark = match stack.number(2).map(|n| n as i32) {
        Some(2) => Mark::UsefulWork2,
        Some(3) => Mark::UsefulWork3,
        _ => Mark::UsefulWork,
    };
    realm().http.tell_of(ticket, mark);
    Ok(0)
}

/// The request of `io`, which has one argument at least.
fn io_of(stack: &Stack) -> Result<Ticket, Raise> {
    if stack.top() < 2 {
        return Err(Raise::text("Not enough parameters"));
    }
    ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))
}

fn ignored(realm: &Realm, stack: &mut Stack, ticket: Ticket, manner: Manner) -> Outcome {
    tell_ignored(realm, ticket);
    Ok(manner.answer(realm, stack, ticket, Sent::Over))
}

pub(super) fn tell_ignored(realm: &Realm, ticket: Ticket) {
    realm.http.with_trip(ticket, |trip| trip.ignored = true);
    if realm.http.is_watched && realm.http.with_trip(ticket, |trip| trip.gone) == Some(true) {
        realm.http.tell_of(ticket, Mark::IgnoreWrite);
    }
}

/// Pushes `io.headers`, if anybody touched it; where it is, 0 if it is nowhere.
fn implied_headers(stack: &mut Stack) -> Slot {
    match stack.raw_field(1, "headers") {
        Kind::Table => stack.top(),
        _ => {
            stack.pop(1);
            0
        }
    }
}

/// Fills in the head; the shuttle is ours.
fn begin(
    realm: &Realm,
    stack: &mut Stack,
    ticket: Ticket,
    status: i64,
    headers: Slot,
) -> Result<(), Raise> {
    let filled = realm.http.with_trip(ticket, |trip| {
        trip.keep_request();
        let Some(shuttle) = trip.home.as_mut() else {
            return Ok(());
        };
        realm.http.mark(Mark::FillHead, trip.worker_ticket);
        fill_head(stack, &mut shuttle.response, status, headers)?;
        trip.announce_trailers();
        Ok(())
    });
    if let Some(Err(HeadFault(text))) = filled {
        pass_on(realm, ticket);
        return Err(Raise::text(text));
    }
    Ok(())
}

/// Sends a part of the body, the head before it if it has not left. The shuttle is ours.
fn send_part(realm: &Realm, stack: &mut Stack, ticket: Ticket, body: Option<Slot>, last: bool) {
    realm.http.with_trip(ticket, |trip| {
        send_part_of(realm, stack, trip, body, last);
    });
}

/// As [`send_part`], of a request that is at hand.
pub(super) fn send_part_of(
    realm: &Realm,
    stack: &mut Stack,
    trip: &mut Trip,
    body: Option<Slot>,
    last: bool,
) {
    let http = &realm.http;
    let len = body.map_or(0, |slot| stack.raw_len(slot));
    if trip.head_sent && len == 0 && !last {
        // An empty part is nothing, and an empty chunk would be the end.
        trip.wake_next();
        return;
    }
    let has_trailers = last && trip.attach_trailers();
    let Some(shuttle) = trip.home.as_mut() else {
        return;
    };
    if trip.head_sent {
        http.mark(Mark::FillBody, trip.worker_ticket);
    }
    shuttle.part.clear();
    let is_copied = len < PIN_FROM_BYTES;
    if let Some(slot) = body {
        if is_copied {
            shuttle
                .part
                .extend_from_slice(stack.bytes(slot).unwrap_or_default());
        } else {
            let pin = http.pins.lend(stack, slot, shuttle);
            trip.pins.push(pin);
            realm.stats.set_pins(http.pins.count());
        }
    }
    let is_whole = last && !trip.head_sent;
    shuttle.last = last && !(is_whole && is_copied);
    if is_whole && !has_trailers && shuttle.response.content_length().is_none() {
        shuttle.response.set_content_length(len as u64);
    }
    let handed = if is_copied {
        Mark::HandOver
    } else {
        Mark::RefAndHandOver
    };
    http.mark(handed, trip.worker_ticket);
    let sent = if last {
        Mark::SendComplete
    } else {
        Mark::SendResponse
    };
    http.mark(sent, trip.worker_ticket);
    trip.head_sent = true;
    trip.ended = last;
    trip.answered = is_whole && is_copied;
    trip.flow.note_brought(len);
    if trip.answered {
        trip.flow.note_delivered();
    }
    http.send(
        trip,
        if trip.answered {
            Leg::Answer
        } else {
            Leg::Write
        },
    );
    if last {
        trip.wake_all();
    }
}

/// Sends the wish to close. The shuttle is ours.
fn send_close(realm: &Realm, ticket: Ticket) {
    realm
        .http
        .with_trip(ticket, |trip| send_close_of(realm, trip));
}

/// As [`send_close`], of a request that is at hand.
pub(super) fn send_close_of(realm: &Realm, trip: &mut Trip) {
    let http = &realm.http;
    if !trip.head_sent {
        trip.keep_request();
        let has_trailers = trip.trailers.is_some();
        let Some(shuttle) = trip.home.as_mut() else {
            return;
        };
        shuttle.response.clear();
        if !has_trailers {
            shuttle.response.set_content_length(0);
        }
        shuttle.part.clear();
        trip.announce_trailers();
    }
    trip.attach_trailers();
    http.mark(Mark::HandOver, trip.worker_ticket);
    trip.answered = !trip.head_sent;
    if trip.answered {
        http.mark(Mark::SendComplete, trip.worker_ticket);
    } else {
        http.mark(Mark::SendClose, trip.worker_ticket);
    }
    trip.head_sent = true;
    trip.ended = true;
    http.send(
        trip,
        if trip.answered {
            Leg::Answer
        } else {
            Leg::Close
        },
    );
    trip.wake_all();
}

/// Stage 3: the shuttle is away and nobody queues for it, so the worker is told by the shared word.
/// False: it is not so.
fn close_from_afar(realm: &Realm, ticket: Ticket) -> bool {
    let http = &realm.http;
    http.with_trip(ticket, |trip| {
        if trip.is_over() || trip.home.is_some() || !trip.waiters.is_empty() {
            return false;
        }
        if trip.trailers.is_some() {
            return false;
        }
        let Some((link, berth)) = trip.berth else {
            return false;
        };
        http.mark(Mark::SetMustClose, trip.worker_ticket);
        trip.ended = true;
        // In time: the worker ends the response. Too late: the dispatcher does, when the shuttle
        // comes. Stale cannot be.
        let _ = http.with_shore(link, |shore| shore.must_close(berth));
        true
    }) == Some(true)
}

/// The handler is over: ends the response as `close` does, but not to be cancelled.
pub(super) fn finish(realm: &Realm, ticket: Ticket) -> Result<(), Raise> {
    match realm.stage.get() {
        Stage::Four => return sending::end(realm, None, ticket).map(|_| ()),
        Stage::Three if close_from_afar(realm, ticket) => return Ok(()),
        _ => {}
    }
    if let Verdict::Mine = acquire(realm, None, ticket, None)? {
        send_close(realm, ticket);
    }
    Ok(())
}

/// The handler is over and returned a last part.
pub(super) fn finish_with(
    realm: &Realm,
    ticket: Ticket,
    stack: &mut Stack,
    body: Slot,
) -> Result<(), Raise> {
    if realm.stage.get() == Stage::Four {
        let part = Part {
            body: Some(body),
            last: true,
            deadline: None,
            is_shielded: true,
        };
        return sending::put(realm, stack, ticket, part).map(|_| ());
    }
    if let Verdict::Mine = acquire(realm, None, ticket, Some(Mark::WriteSleeps))? {
        send_part(realm, stack, ticket, Some(body), true);
    }
    Ok(())
}
