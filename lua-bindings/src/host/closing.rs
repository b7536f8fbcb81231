//! The end of a response, as others see it: functions that wait for it, handlers that are cancelled
//! because of it, and handlers that do not end when their worker has to.

use std::rc::Rc;

use http_proto::{BodyFault, Leg, Mark};

use super::HttpHost;
use super::request::ticket_of;
use super::trips::{Ticket, Trip, Trips};
use crate::limits::CLOSERS_MAX_COUNT;
use crate::raw::{Kind, Outcome, Raise, Stack, Verb, verb};
use crate::realm::{Realm, realm};

pub(super) const ON_CLOSE: Verb = verb(on_close);

/// What fibers are called that run such functions.
const NAME: &str = "on_close";

/// How a response came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// Its client has left, or ended its direction, or its worker gave it up.
    Gone,
    /// Everything was sent, or is in the hands of the worker and needs nobody here any more.
    Done,
}

impl Close {
    fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Done => "done",
        }
    }
}

/// A function that waits for the end of a response, and the `io` it is given: where the registry
/// holds them. Whoever takes it out of its trip runs it or releases both.
#[derive(Debug)]
pub(crate) struct Closer {
    function: i32,
    io: i32,
}

/// Functions whose response is over and that no fiber runs yet.
pub(super) type Due = (Closer, Close);

/// `io:on_close(function)`.
fn on_close(stack: &mut Stack) -> Outcome {
    if stack.top() < 2 {
        return Err(Raise::text("Not enough parameters"));
    }
    let ticket = ticket_of(stack, 1).ok_or_else(|| Raise::text("shuttle is invalid"))?;
    if stack.kind(2) != Kind::Function {
        return Err(Raise::text("io:on_close: a function is expected"));
    }
    let realm = realm();
    let Ok(mut trips) = realm.http.trips.try_borrow_mut() else {
        return Err(Raise::text(
            "io:on_close: a finalizer cannot wait for the end",
        ));
    };
    let waiting = trips.get(ticket).map(|trip| trip.closers.len());
    if waiting >= Some(CLOSERS_MAX_COUNT) {
        return Err(Raise::text(format!(
            "io:on_close: {CLOSERS_MAX_COUNT} functions wait for the end of this response already"
        )));
    }
    stack.set_top(2);
    let function = stack.anchor();
    let io = stack.anchor();
    let closer = Closer { function, io };
    trips.expect_close(ticket, closer);
    Ok(0)
}

impl Trip {
    /// Whether anything is to happen when the response ends.
    pub(super) fn has_onlookers(&self) -> bool {
        self.cancels || !self.closers.is_empty()
    }

    /// How the response has ended. Absent: it has not.
    fn close(&self) -> Option<Close> {
        if self.gone {
            Some(Close::Gone)
        } else if self.answered || (self.ended && self.home.is_some()) {
            // At home with something unsent it would go on; that is seen to before anybody asks.
            Some(Close::Done)
        } else {
            None
        }
    }
}

impl Trips {
    /// Keeps a function until the response is over. If it is over, the function is due at once; of
    /// a request that is over nobody knows how it ended.
    fn expect_close(&mut self, ticket: Ticket, closer: Closer) {
        match self.get(ticket) {
            Some(trip) => trip.closers.push(closer),
            None => self.due.push_back((closer, Close::Done)),
        }
        self.look_after(ticket);
    }

    /// To be called after whatever may have ended a response: who waits for that is due, and its
    /// handler is cancelled if that is what its site wants. Does nothing as long as it goes on, and
    /// nothing twice.
    pub(super) fn look_after(&mut self, ticket: Ticket) {
        let Some(trip) = self.get(ticket) else { return };
        let Some(close) = trip.close() else { return };
        if let (Close::Gone, true, Some(server)) = (close, trip.cancels, &trip.server)
            && !server.is_cancelled()
        {
            server.cancel();
        }
        let closers = std::mem::take(&mut trip.closers);
        self.due
            .extend(closers.into_iter().map(|closer| (closer, close)));
    }

    /// The requests of these links whose handlers run.
    fn running(&self, is_meant: impl Fn(usize) -> bool) -> Vec<Ticket> {
        self.all()
            .filter(|(_, trip)| trip.server.is_some())
            .filter(|(_, trip)| trip.berth.is_some_and(|(link, _)| is_meant(link)))
            .map(|(ticket, _)| ticket)
            .collect()
    }
}

impl HttpHost {
    /// See [`Trips::look_after`].
    pub(super) fn look_after(&self, ticket: Ticket) {
        self.trips.borrow_mut().look_after(ticket);
    }

    /// Starts fibers for the functions that are due, and one that has temporary files of requests
    /// that are over removed. Those for which there is no fiber stay due.
    /// Whether any started. To be called outside of fibers.
    pub(crate) fn start_closers(&self, realm: &Rc<Realm>) -> bool {
        let files = std::mem::take(&mut self.trips.borrow_mut().left_files);
        let mut has_started = !files.is_empty();
        if has_started {
            realm.discard(files);
        }
        loop {
            let next = self.trips.borrow_mut().due.pop_front();
            let Some((closer, close)) = next else {
                return has_started;
            };
            if !start(realm, &closer, close) {
                self.trips.borrow_mut().due.push_front((closer, close));
                return has_started;
            }
            has_started = true;
        }
    }

    /// Nobody serves this request any more: its shuttle goes home as soon as it is here.
    pub(crate) fn give_up(&self, realm: &Realm, ticket: Ticket) {
        let is_home = self.with_trip(ticket, |trip| {
            trip.ended = true;
            trip.gone = true;
            trip.is_orphan = true;
            trip.server = None;
            self.leave_body(trip, BodyFault::Closed);
            trip.wake_all();
            self.let_all_go(realm, trip, Mark::FiberUnrefs);
            let is_home = trip.home.is_some() || trip.answered;
            self.send(trip, Leg::Release);
            is_home
        });
        if is_home == Some(true) {
            self.end(&mut self.trips.borrow_mut(), ticket);
        }
    }

    /// Ends what requests still hold of these links although their handlers do not end: their
    /// shuttles go home, their `io` is inert, their fibers are cancelled. How many there were.
    pub(crate) fn give_up_running(&self, realm: &Realm, is_meant: impl Fn(usize) -> bool) -> usize {
        let tickets = self.trips.borrow().running(is_meant);
        for ticket in &tickets {
            let server = self.with_trip(*ticket, |trip| {
                if let Some((head, ..)) = trip.request() {
                    let (method, path) = (head.method(), head.path());
                    let (method, path) = (method.escape_ascii(), path.escape_ascii());
                    log::warn!("{method} {path}: its handler does not end; it is given up");
                } else {
                    log::warn!("a handler does not end; it is given up");
                }
                trip.server.take()
            });
            self.give_up(realm, *ticket);
            if let Some(server) = server.flatten() {
                server.cancel();
            }
        }
        tickets.len()
    }
}

/// Starts a fiber for a function and lets go of it. False, and nothing happened: there is none.
fn start(realm: &Realm, closer: &Closer, close: Close) -> bool {
    realm.vm.with_main(|stack| {
        stack.push_anchored(closer.function);
        stack.push_anchored(closer.io);
        stack.push_str(close.name());
        let is_started = realm.fibers.spawn(stack, NAME, 2).is_ok();
        if is_started {
            stack.release(closer.function);
            stack.release(closer.io);
        }
        is_started
    })
}
