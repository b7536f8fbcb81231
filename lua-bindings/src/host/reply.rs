//! `io`: the verbs by which a handler answers.
//!
//! Each checks its arguments, waits until it may use the shuttle, looks whether anybody still
//! listens, and acts. From the moment it may use the shuttle it does not park, so a part is never
//! interleaved with another.

use http_proto::{FieldError, Leg, Mark, ResponseHead};

use super::request::ticket_of;
use super::trips::{Ticket, Trip, Waiter};
use crate::env::Stage;
use crate::limits::PIN_FROM_BYTES;
use crate::raw::{Kind, Outcome, Raise, Slot, Stack, Verb, may_park, verb};
use crate::realm::{Realm, realm};

pub(super) const INDEX: Verb = verb(index);
pub(super) const WRITE: Verb = verb(write);
pub(super) const WRITE_HEADER: Verb = verb(write_header);
pub(super) const CLOSE: Verb = verb(close);
pub(super) const IS_CLOSED: Verb = verb(is_closed);
pub(super) const MARK: Verb = verb(mark);

/// Why a head could not be filled in: a sentence that begins with `headers`.
pub(super) struct HeadFault(pub(super) String);

/// What comes after a queue.
enum Verdict {
    /// The shuttle is at home, and ours until we send it or return.
    Mine,
    /// Nothing may be sent any more, or nobody would get it.
    Over,
}

/// `io[key]`: a method, or `headers`, which is made when it is first read.
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
        _ => stack.push_nil(),
    }
    Ok(1)
}

/// `io:write(body, is_last)`.
fn write(stack: &mut Stack) -> Outcome {
    let ticket = io_of(stack)?;
    let realm = realm();
    tell(&realm, ticket, Mark::CallWrite);
    if let Verdict::Over = acquire(&realm, Some(&*stack), ticket, Some(Mark::WriteSleeps))? {
        return ignored(&realm, stack, ticket);
    }
    stack.set_top(3);
    let is_last = stack.truth(3);
    let body = stack.stringify(2).then_some(2);
    let needs_head = realm.http.with_trip(ticket, |trip| !trip.head_sent) == Some(true);
    if needs_head {
        let headers = implied_headers(stack);
        begin(&realm, stack, ticket, 200, headers)?;
    }
    send_part(&realm, stack, ticket, body, is_last);
    stack.push_bool(is_last);
    Ok(1)
}

/// `io:write_header(code, headers, body, is_last)`.
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
    tell(&realm, ticket, Mark::CallWriteHeader);
    if let Verdict::Over = acquire(&realm, Some(&*stack), ticket, Some(Mark::WriteSleeps))? {
        return ignored(&realm, stack, ticket);
    }
    if realm.http.with_trip(ticket, |trip| trip.head_sent) == Some(true) {
        pass_on(&realm, ticket);
        return Err(Raise::text("Handler has already written header"));
    }
    let is_last = stack.truth(5);
    stack.set_top(5);
    let body = stack.stringify(4).then_some(4);
    let headers = match given {
        Some(slot) => slot,
        None => implied_headers(stack),
    };
    begin(&realm, stack, ticket, whole(code), headers)?;
    send_part(&realm, stack, ticket, body, is_last);
    stack.push_bool(is_last);
    Ok(1)
}

/// `io:close()`.
fn close(stack: &mut Stack) -> Outcome {
    if stack.top() == 0 {
        return Err(Raise::text("Not enough parameters"));
    }
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let realm = realm();
    tell(&realm, ticket, Mark::CallClose);
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
    tell(&realm(), ticket, mark);
    Ok(0)
}

/// The request of `io`, which has one argument at least.
fn io_of(stack: &Stack) -> Result<Ticket, Raise> {
    if stack.top() < 2 {
        return Err(Raise::text("Not enough parameters"));
    }
    ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))
}

fn ignored(realm: &Realm, stack: &mut Stack, ticket: Ticket) -> Outcome {
    tell_ignored(realm, ticket);
    stack.push_bool(true);
    Ok(1)
}

fn tell_ignored(realm: &Realm, ticket: Ticket) {
    if realm.http.is_watched && realm.http.with_trip(ticket, |trip| trip.gone) == Some(true) {
        tell(realm, ticket, Mark::IgnoreWrite);
    }
}

fn tell(realm: &Realm, ticket: Ticket, mark: Mark) {
    let http = &realm.http;
    if http.is_watched {
        http.mark(mark, http.worker_ticket(ticket));
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

/// Waits for the shuttle, in the order of arrival. `stack` is that of the calling Lua function;
/// without it the fiber waits for itself and cannot be cancelled. `sleeps` is told before the first
/// park and says whether this is a writer.
fn acquire(
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
            let _ = tx_runtime::park_uncancellable(None);
            realm.stats.resumed();
            Ok(())
        }
    }
}

fn enqueue(realm: &Realm, ticket: Ticket, sleeps: Option<Mark>) -> Option<u64> {
    let fiber = tx_runtime::current()?;
    if let Some(mark) = sleeps {
        tell(realm, ticket, mark);
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
fn leave(realm: &Realm, ticket: Ticket, place: Option<u64>) {
    let Some(number) = place else { return };
    realm.http.with_trip(ticket, |trip| {
        trip.leave_queue(number);
        trip.wake_next();
    });
}

/// Nothing was sent after all: the next of the queue may.
fn pass_on(realm: &Realm, ticket: Ticket) {
    realm.http.with_trip(ticket, |trip| trip.wake_next());
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
        fill_head(stack, &mut shuttle.response, status, headers)
    });
    if let Some(Err(HeadFault(text))) = filled {
        pass_on(realm, ticket);
        return Err(Raise::text(text));
    }
    Ok(())
}

/// Sends a part of the body, the head before it if it has not left. The shuttle is ours.
fn send_part(realm: &Realm, stack: &mut Stack, ticket: Ticket, body: Option<Slot>, last: bool) {
    let http = &realm.http;
    http.with_trip(ticket, |trip| {
        let len = body.map_or(0, |slot| stack.raw_len(slot));
        if trip.head_sent && len == 0 && !last {
            // An empty part is nothing, and an empty chunk would be the end.
            trip.wake_next();
            return;
        }
        let Some(shuttle) = trip.home.as_mut() else {
            return;
        };
        if trip.head_sent {
            http.mark(Mark::FillBody, trip.worker_ticket);
        }
        shuttle.part.clear();
        shuttle.last = last;
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
        if is_whole && shuttle.response.content_length().is_none() {
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
    });
}

/// Sends the wish to close. The shuttle is ours.
fn send_close(realm: &Realm, ticket: Ticket) {
    let http = &realm.http;
    http.with_trip(ticket, |trip| {
        if !trip.head_sent {
            trip.keep_request();
            let Some(shuttle) = trip.home.as_mut() else {
                return;
            };
            shuttle.response.clear();
            shuttle.response.set_content_length(0);
            shuttle.part.clear();
        }
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
    });
}

/// Stage 3: the shuttle is away and nobody queues for it, so the worker is told by the shared word.
/// False: it is not so.
fn close_from_afar(realm: &Realm, ticket: Ticket) -> bool {
    let http = &realm.http;
    http.with_trip(ticket, |trip| {
        if trip.is_over() || trip.home.is_some() || !trip.waiters.is_empty() {
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
pub(super) fn finish(realm: &Realm, ticket: Ticket, from_afar: bool) -> Result<(), Raise> {
    if from_afar && close_from_afar(realm, ticket) {
        return Ok(());
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
    if let Verdict::Mine = acquire(realm, None, ticket, Some(Mark::WriteSleeps))? {
        send_part(realm, stack, ticket, Some(body), true);
    }
    Ok(())
}

/// The status of a returned table: 200 if it is no number.
pub(super) fn status_of(stack: &Stack, slot: Slot) -> i64 {
    match stack.kind(slot) {
        Kind::Number => stack.number(slot).map_or(200, whole),
        _ => 200,
    }
}

/// A number without its fraction. What is no number becomes one that no status has.
fn whole(number: f64) -> i64 {
    if number.is_finite() {
        number as i64
    } else {
        -1
    }
}

/// Sets status and fields. `headers` is the position of a table, or of nil, or 0 for none.
pub(super) fn fill_head(
    stack: &mut Stack,
    head: &mut ResponseHead,
    status: i64,
    headers: Slot,
) -> Result<(), HeadFault> {
    let reset = u16::try_from(status).map(|status| head.reset(status));
    if !matches!(reset, Ok(Ok(()))) {
        return Err(HeadFault(format!(
            "HTTP code {status} is not the status of a final response"
        )));
    }
    if headers == 0 || stack.kind(headers) == Kind::Nil {
        return Ok(());
    }
    if stack.kind(headers) != Kind::Table {
        return Err(HeadFault("headers is not a table".to_owned()));
    }
    stack.push_nil();
    while stack.next(headers) {
        let result = push_header(stack, head);
        stack.pop(1);
        if let Err(fault) = result {
            stack.pop(1);
            return Err(fault);
        }
    }
    Ok(())
}

/// Adds the header whose name and value are the two uppermost values, which stay.
fn push_header(stack: &mut Stack, head: &mut ResponseHead) -> Result<(), HeadFault> {
    if stack.kind(-2) != Kind::String {
        return Err(HeadFault("headers are invalid".to_owned()));
    }
    if stack.kind(-1) != Kind::Table {
        return push_value(stack, head, stack.top() - 1, None);
    }
    // A list: as many fields of this name.
    let (name, list) = (stack.top() - 1, stack.top());
    for place in 1..=stack.raw_len(list) {
        let _ = stack.raw_item(list, place);
        let result = push_value(stack, head, name, Some(place));
        stack.pop(1);
        result?;
    }
    Ok(())
}

/// Adds a field of the name at `name` with the value on top. What is neither string nor number
/// becomes an empty value.
fn push_value(
    stack: &mut Stack,
    head: &mut ResponseHead,
    name: Slot,
    place: Option<usize>,
) -> Result<(), HeadFault> {
    stack.stringify(-1);
    let name = stack.bytes(name).unwrap_or_default();
    let pushed = head.push(name, stack.bytes(-1).unwrap_or_default());
    pushed.map_err(|error| head_fault(name, place, error))
}

fn head_fault(name: &[u8], place: Option<usize>, error: FieldError) -> HeadFault {
    let name = name.escape_ascii();
    let item = place
        .map(|place| format!(", value {place} of its list"))
        .unwrap_or_default();
    HeadFault(format!("headers are invalid: \"{name}\"{item}: {error}"))
}
