//! The fibers that serve requests: take one, call its handler, see its response to the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use http_proto::{BodyFault, Leg, Mark, Sites};
use tx_runtime::FiberRef;

use super::desk::Desk;
use super::failing::{answer_with_page, details_of, report};
use super::returned::{Reply, finish_started, judge, respond_at_once};
use super::trips::Ticket;
use super::{Handler, HttpHost, request};
use crate::limits::{IDLE_FIBERS_MAX_COUNT, REQUESTS_IN_A_ROW_COUNT};
use crate::raw::{Called, Failure, Stack, Thread};
use crate::realm::{Realm, realm};
use crate::stats::Serving;

/// What fibers of the pool are called until a handler names them.
pub(super) const NAME: &str = "http";

/// What a fiber of the pool runs.
pub(super) fn run() {
    let realm = realm();
    let me = tx_runtime::current().expect("this runs in a fiber");
    let mut thread = Desk::set_up(&realm);
    realm.stats.runs(&me);
    loop {
        let is_fit = take_requests(&realm, &me, &mut thread);
        if !is_fit || !wait_for_turn(&realm.http, &me) {
            break;
        }
        realm.stats.runs(&me);
    }
    realm.vm.with_main(|stack| thread.discard(stack));
    let http = &realm.http;
    http.servers.borrow_mut().remove(&me.id());
    http.pump();
}

/// Serves while this fiber is the runner and there are requests. False: the fiber is not to be used
/// again.
fn take_requests(realm: &Rc<Realm>, me: &FiberRef, thread: &mut Thread) -> bool {
    let http = &realm.http;
    let mut served = 0;
    while http.runner.get() == me.id() {
        if served == REQUESTS_IN_A_ROW_COUNT {
            // The others are runnable as well. This fiber stays the runner.
            let _ = tx_runtime::shielded(tx_runtime::yield_now);
            realm.stats.resumed(&Serving::NOTHING);
            served = 0;
        }
        let next = http.arrived.borrow_mut().pop_front();
        let Some(ticket) = next else { break };
        served += 1;
        let done = catch_unwind(AssertUnwindSafe(|| serve(realm, me, ticket, thread)));
        if done.is_err() {
            // A mistake of ours (the panic was reported by its hook) costs this request only.
            log::error!("a request is given up after a panic");
            http.give_up(realm, ticket);
            renew(realm, thread);
        }
        if realm.fibers.retire_handler(me, NAME) {
            realm.stats.renamed(me);
        }
        realm.stats.serves(&Serving::NOTHING);
        realm.stats.request_over();
        if me.is_cancelled() {
            resign(http, me);
            return false;
        }
        if http.runner.get() == 0 {
            http.runner.set(me.id());
        }
    }
    resign(http, me);
    true
}

fn resign(http: &HttpHost, me: &FiberRef) {
    if http.runner.get() == me.id() {
        http.runner.set(0);
    }
}

/// Waits in the pool until this fiber is made the runner. False: it is not wanted any more.
fn wait_for_turn(http: &HttpHost, me: &FiberRef) -> bool {
    if http.is_closing.get() || http.idle.borrow().len() >= IDLE_FIBERS_MAX_COUNT {
        return false;
    }
    http.idle.borrow_mut().push(me.clone());
    while http.runner.get() != me.id() {
        if http.is_closing.get() {
            http.idle.borrow_mut().retain(|fiber| fiber != me);
            return false;
        }
        let _ = tx_runtime::park_uncancellable(None);
    }
    true
}

/// Serves one request from its arrival to its end.
fn serve(realm: &Rc<Realm>, me: &FiberRef, ticket: Ticket, thread: &mut Thread) {
    let http = &realm.http;
    if !thread.is_fit(Desk::TOP) {
        renew(realm, thread);
    }
    let Some(called_for) = prepare(realm, me, ticket, thread) else {
        return;
    };
    let worker_ticket = http.worker_ticket(ticket);
    http.mark(Mark::CallHandler, worker_ticket);
    let handoffs = realm.handoffs.get();
    let called = thread.call(called_for.takes.into(), 1);
    http.mark(Mark::ExitHandler, worker_ticket);
    if realm.handoffs.get() != handoffs {
        request::keep(realm, ticket, &mut thread.stack(), Desk::REQ);
    }
    conclude(realm, me, ticket, thread, called, &called_for);
    http.mark(Mark::ExitFiber, worker_ticket);
}

/// Takes what the handler gave back, and sees the response to its end.
// Not a part of its caller, whose frame is on the stack of every handler that waits: with this and
// `prepare` in it, each of those took a page of memory more.
#[inline(never)]
fn conclude(
    realm: &Rc<Realm>,
    me: &FiberRef,
    ticket: Ticket,
    thread: &mut Thread,
    called: Called,
    called_for: &CalledFor,
) {
    let http = &realm.http;
    let reply = match called {
        Called::Done => judge(realm, &mut thread.stack()),
        Called::Failed(failure) => Err(failure),
    };
    // From here on everything is ours, and is not to be cancelled.
    if reply.is_err() {
        renew(realm, thread);
    }
    let mut stack = thread.stack();
    if let Err(failure) = tx_runtime::shielded(|| respond(realm, ticket, &mut stack, reply)) {
        let site = called_for.path();
        let page = if is_farewell(http, me, ticket, &failure) {
            log::debug!("the handler of \"{site}\" was cancelled: its client has left");
            FAILED
        } else {
            blame(realm, ticket, site, &failure)
        };
        let details = details_of(http, &failure);
        let failed = tx_runtime::shielded(|| {
            respond_with_error(realm, ticket, &mut stack, page, details.as_deref())
        });
        debug_assert!(failed.is_ok(), "the error page has good fields");
    }
    stack.set_top(Desk::REQ - 1);
    stack.push_nil();
}

/// The site whose handler is called.
struct CalledFor {
    sites: Rc<Sites<Handler>>,
    place: usize,
    /// How many arguments were pushed.
    takes: u8,
}

impl CalledFor {
    fn path(&self) -> &str {
        self.sites.at(self.place).map_or("", |site| &site.path)
    }
}

/// Puts the handler and what it takes of `req` and `io` on the stack. Absent: there is nothing to
/// call, and the request has been answered.
// Not a part of its caller: see `conclude`.
#[inline(never)]
fn prepare(realm: &Rc<Realm>, me: &FiberRef, ticket: Ticket, thread: &Thread) -> Option<CalledFor> {
    let http = &realm.http;
    let sites = Rc::clone(&http.sites.borrow());
    let mut trips = http.trips.borrow_mut();
    let trip = trips.get(ticket)?;
    http.mark(Mark::FillRequestTable, trip.worker_ticket);
    if let Some(shuttle) = &mut trip.home {
        shuttle.taken_at = Some(tx_runtime::now());
    }
    let (head, ..) = trip.request()?;
    realm
        .stats
        .serves(&Serving::new(ticket, head.method(), head.path()));
    let place = sites.place_for(head);
    let Some((place, site)) = place.and_then(|place| Some((place, sites.at(place)?))) else {
        answer_with_page(http, trip, (404, "not found"), None);
        http.end(&mut trips, ticket);
        return None;
    };
    let Handler::Lua(handler) = site.value else {
        // Sites were replaced while it was on its way: by now its worker knows.
        if let Some(shuttle) = &mut trip.home {
            shuttle.is_elsewhere = true;
        }
        http.send(trip, Leg::Release);
        http.end(&mut trips, ticket);
        return None;
    };
    trip.intake.set_max_bytes(handler.body_max_bytes);
    trip.server = Some(me.clone());
    trip.cancels = handler.cancels;
    if trip.cancels {
        trips.look_after(ticket);
    }
    let mut stack = thread.stack();
    stack.push_anchored(handler.anchor);
    if handler.takes > 0 {
        request::push_handle(&mut stack, ticket, Desk::REQ_META);
        stack.push_copy(-1);
        stack.replace(Desk::REQ);
    }
    if handler.takes > 1 {
        request::push_handle(&mut stack, ticket, Desk::IO_META);
    }
    let takes = handler.takes.min(2);
    Some(CalledFor {
        sites: Rc::clone(&sites),
        place,
        takes,
    })
}

/// Whether a handler ended as one does that was cancelled because nobody waits for it any more.
fn is_farewell(http: &HttpHost, me: &FiberRef, ticket: Ticket, failure: &Failure) -> bool {
    let is_deserted = http.with_trip(ticket, |trip| trip.is_orphan || trip.cancels && trip.gone);
    is_deserted != Some(false) && me.is_cancelled() && failure.message == "fiber is cancelled"
}

/// What a client is told whose handler failed: status and text.
const FAILED: (u16, &str) = (500, "Path handler execution error");

/// A thread in which a call failed is not used again.
fn renew(realm: &Rc<Realm>, thread: &mut Thread) {
    let spent = std::mem::replace(thread, Desk::set_up(realm));
    realm.vm.with_main(|stack| spent.discard(stack));
}

/// Whose mistake it is that the handler failed, and what its client is told: status and text. A
/// handler that only passes on why there is no more of its request's body has made none.
fn blame(realm: &Realm, ticket: Ticket, site: &str, failure: &Failure) -> (u16, &'static str) {
    let fault = realm.http.with_trip(ticket, |trip| trip.intake.fault());
    match fault.flatten() {
        Some(fault) if failure.message.ends_with(fault.name()) => {
            log::info!("a request for \"{site}\" failed: {}", failure.message);
            fault.answer()
        }
        _ => {
            report(realm, ticket, site, failure);
            FAILED
        }
    }
}

/// Sees the response to its end. The error is one of the handler's reply: then nothing was sent for
/// it.
fn respond(
    realm: &Rc<Realm>,
    ticket: Ticket,
    stack: &mut Stack,
    reply: Result<Reply, Failure>,
) -> Result<(), Failure> {
    let http = &realm.http;
    let is_fresh = http.with_trip(ticket, |trip| {
        trip.server = None;
        trip.is_fresh()
    });
    let reply = reply?;
    if is_fresh == Some(true) {
        if respond_at_once(realm, ticket, stack, reply)? {
            return Ok(());
        }
    } else {
        finish_started(realm, ticket, stack, reply)?;
    }
    see_off(realm, ticket);
    Ok(())
}

/// An error page, or what can still be said when the head has left.
fn respond_with_error(
    realm: &Rc<Realm>,
    ticket: Ticket,
    stack: &mut Stack,
    page: (u16, &str),
    details: Option<&str>,
) -> Result<(), Failure> {
    let http = &realm.http;
    let fresh = http.with_trip(ticket, |trip| {
        trip.trailers = None;
        let is_fresh = trip.is_fresh();
        if is_fresh {
            answer_with_page(http, trip, page, details);
        }
        is_fresh
    });
    if fresh == Some(false) {
        finish_started(realm, ticket, stack, Reply::End)?;
    }
    see_off(realm, ticket);
    Ok(())
}

/// Nothing more will be sent: waits until the shuttle is home for the last time and has it freed.
fn see_off(realm: &Rc<Realm>, ticket: Ticket) {
    let http = &realm.http;
    http.with_trip(ticket, |trip| http.leave_body(trip, BodyFault::Closed));
    let mut has_slept = false;
    loop {
        let is_away = http.with_trip(ticket, |trip| {
            let is_away = trip.home.is_none() && !trip.answered && !trip.is_orphan;
            if is_away {
                trip.finisher = tx_runtime::current();
                if !has_slept {
                    http.mark(Mark::ExitSleeps, trip.worker_ticket);
                }
            }
            is_away
        });
        if is_away != Some(true) {
            break;
        }
        has_slept = true;
        http.before_park();
        let serving = realm.stats.serving();
        let _ = tx_runtime::park_uncancellable(None);
        realm.stats.resumed(&serving);
    }
    let is_orphan = http.with_trip(ticket, |trip| {
        if !trip.answered && !trip.is_orphan {
            http.let_all_go(realm, trip, Mark::FiberUnrefs);
            http.mark(Mark::AskToFree, trip.worker_ticket);
            http.send(trip, Leg::Release);
        }
        trip.is_orphan
    });
    // The dispatcher sees to the end of one that was given up.
    if is_orphan == Some(false) {
        http.end(&mut http.trips.borrow_mut(), ticket);
    }
}
