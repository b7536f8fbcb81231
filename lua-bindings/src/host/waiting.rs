//! `io`: what a handler learns of how far its response got, and waiting for that.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_proto::Mark;
use shuttle_core::limits::UNSENT_MAX_BYTES;

use super::flow::Watcher;
use super::request::ticket_of;
use super::sending::{Sent, after, deadline};
use super::trips::{Ticket, Trip};
use crate::raw::{Kind, Outcome, Raise, Stack, Verb, verb};
use crate::realm::{Realm, realm};

pub(super) const SET_FIELD: Verb = verb(set_field);
pub(super) const SEND_STATS: Verb = verb(send_stats);
pub(super) const WAIT: Verb = verb(wait);

/// What is told of a response.
#[derive(Clone, Copy, Debug)]
struct Report {
    current: u64,
    sent: u64,
    is_cancelled: bool,
    is_head_sent: bool,
}

impl Report {
    /// Of a request that is over: nobody hears anything any more.
    const OVER: Self = Self {
        current: 0,
        sent: 0,
        is_cancelled: true,
        is_head_sent: true,
    };

    fn of(realm: &Realm, ticket: Ticket) -> Self {
        let report = realm.http.with_trip(ticket, |trip| {
            realm.http.look(realm, trip, Mark::FiberUnrefs);
            let flow = &trip.flow;
            let (current, sent) = (flow.accepted_bytes, flow.sent_bytes());
            Self {
                current,
                sent,
                // Who has everything was not cut off, however it left.
                is_cancelled: trip.gone && !(trip.ended && sent == current),
                is_head_sent: trip.head_sent,
            }
        });
        report.unwrap_or(Self::OVER)
    }
}

/// Pushes what a call says that did not do what it should.
pub(super) fn push_result(realm: &Realm, stack: &mut Stack, ticket: Ticket, sent: Sent) {
    let report = Report::of(realm, ticket);
    stack.push_table(0, 4);
    stack.push_bool(report.is_cancelled && sent != Sent::Late);
    stack.set_field(-2, "cancelled");
    stack.push_bool(report.is_head_sent);
    stack.set_field(-2, "headers_were_sent");
    stack.push_number(report.sent as f64);
    stack.set_field(-2, "body_bytes_sent");
}

/// `io:get_send_stats()`.
fn send_stats(stack: &mut Stack) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let report = Report::of(&realm(), ticket);
    stack.push_table(0, 4);
    stack.push_number(report.current as f64);
    stack.set_field(-2, "current");
    stack.push_number(report.sent as f64);
    stack.set_field(-2, "sent");
    stack.push_bool(report.is_cancelled);
    stack.set_field(-2, "cancelled");
    stack.push_bool(report.is_head_sent);
    stack.set_field(-2, "headers_were_sent");
    Ok(1)
}

/// `io[key] = value` for keys that the table does not have.
fn set_field(stack: &mut Stack) -> Outcome {
    stack.set_top(3);
    match stack.bytes(2) {
        Some(b"send_window") => set_window(stack),
        Some(b"send_timeout") => set_timeout(stack),
        _ => {
            let is_key = match stack.kind(2) {
                Kind::Nil | Kind::None => false,
                Kind::Number => stack.number(2).is_some_and(|key| !key.is_nan()),
                _ => true,
            };
            if !is_key || stack.kind(1) != Kind::Table {
                return Err(Raise::text("table index is nil"));
            }
            stack.set_pair(1);
            Ok(0)
        }
    }
}

fn set_window(stack: &Stack) -> Outcome {
    let window = match stack.kind(3) {
        Kind::Nil => None,
        _ => {
            let bytes = stack.number(3).filter(|bytes| !bytes.is_nan());
            let bytes = bytes.ok_or_else(|| Raise::text("send_window is not a number"))?;
            Some(bytes.clamp(1.0, UNSENT_MAX_BYTES as f64) as u64)
        }
    };
    with_io(stack, |trip| trip.flow.window_bytes = window)
}

fn set_timeout(stack: &Stack) -> Outcome {
    let timeout = match stack.kind(3) {
        Kind::Nil => None,
        _ => {
            let seconds = stack.number(3).filter(|seconds| !seconds.is_nan());
            let seconds = seconds.ok_or_else(|| Raise::text("send_timeout is not a number"))?;
            let timeout = Duration::try_from_secs_f64(seconds.max(0.0));
            Some(timeout.unwrap_or(Duration::MAX))
        }
    };
    with_io(stack, |trip| trip.flow.timeout = timeout)
}

fn with_io(stack: &Stack, change: impl FnOnce(&mut Trip)) -> Outcome {
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    realm().http.with_trip(ticket, change);
    Ok(0)
}

/// Pushes `io.send_window` or `io.send_timeout`. False: it is another key, and nothing is pushed.
pub(super) fn push_field(stack: &mut Stack, key: &[u8]) -> bool {
    let realm = realm();
    let defaults = realm.http.sending.get();
    let flow = ticket_of(stack, 1).and_then(|ticket| {
        realm
            .http
            .with_trip(ticket, |trip| (trip.flow.window_bytes, trip.flow.timeout))
    });
    let (window, timeout) = flow.unwrap_or_default();
    match key {
        b"send_window" => stack.push_number(window.unwrap_or(defaults.window_bytes) as f64),
        b"send_timeout" => stack.push_number(timeout.unwrap_or(defaults.timeout).as_secs_f64()),
        _ => return false,
    }
    true
}

/// What a look of `io:wait` found. Absent: wait.
type Look = Option<Sent>;

/// `io:wait(position, timeout)`.
fn wait(stack: &mut Stack) -> Outcome {
    if stack.top() < 2 {
        return Err(Raise::text("Not enough parameters"));
    }
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    let position = stack.number(2).filter(|position| !position.is_nan());
    let position = position.ok_or_else(|| Raise::text("position is not a number"))?;
    let realm = realm();
    let until = match stack.number(3) {
        Some(seconds) => deadline(seconds),
        None => after(timeout_of(&realm, ticket)),
    };
    let mut watcher = None;
    let waited = wait_until(&realm, stack, ticket, position, until, &mut watcher);
    if let Some(watcher) = &watcher {
        realm.http.with_trip(ticket, |trip| {
            trip.flow
                .watchers
                .retain(|other| !Rc::ptr_eq(other, watcher));
        });
    }
    match waited? {
        Sent::Accepted => stack.push_nil(),
        sent => push_result(&realm, stack, ticket, sent),
    }
    Ok(1)
}

fn timeout_of(realm: &Realm, ticket: Ticket) -> Duration {
    let own = realm.http.with_trip(ticket, |trip| trip.flow.timeout);
    own.flatten()
        .unwrap_or_else(|| realm.http.sending.get().timeout)
}

fn wait_until(
    realm: &Realm,
    stack: &Stack,
    ticket: Ticket,
    position: f64,
    until: Option<Instant>,
    watcher: &mut Option<Rc<Watcher>>,
) -> Result<Sent, Raise> {
    loop {
        let is_met = watcher.as_ref().is_some_and(|watcher| watcher.is_met.get());
        let look = realm
            .http
            .with_trip(ticket, |trip| look(realm, trip, position));
        let look = look.unwrap_or(Some(Sent::Over));
        match look.filter(|_| !is_met) {
            _ if is_met => return Ok(Sent::Accepted),
            Some(sent) => return Ok(sent),
            None => {}
        }
        if until.is_some_and(|at| at <= tx_runtime::now()) {
            return Ok(Sent::Late);
        }
        if watcher.is_none() {
            *watcher = enlist(realm, ticket, position);
        }
        // Woken or late: it looks again.
        let _ = realm.park(stack, until)?;
    }
}

/// Looks how far the response got; if not far enough, the worker will hail.
fn look(realm: &Realm, trip: &mut Trip, position: f64) -> Look {
    let http = &realm.http;
    loop {
        let before = http.look(realm, trip, Mark::FiberUnrefs);
        if trip.flow.is_met(position) {
            return Some(Sent::Accepted);
        }
        let is_complete = trip.answered || (trip.ended && trip.home.is_some());
        if trip.gone || is_complete {
            return Some(Sent::Over);
        }
        if http.look_and_await(realm, trip, Mark::FiberUnrefs) == before {
            return None;
        }
    }
}

fn enlist(realm: &Realm, ticket: Ticket, position: f64) -> Option<Rc<Watcher>> {
    let watcher = Rc::new(Watcher {
        fiber: tx_runtime::current()?,
        position,
        is_met: Cell::new(false),
    });
    let ours = Rc::clone(&watcher);
    realm
        .http
        .with_trip(ticket, |trip| trip.flow.watchers.push(ours))?;
    Some(watcher)
}
