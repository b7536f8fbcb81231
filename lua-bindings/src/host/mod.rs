//! The HTTP side of TX: shuttles in, fibers started and woken, shuttles out.
//!
//! The dispatcher ([`HttpHost::drain`]) never runs Lua. It takes what arrived, queues new requests,
//! gives shuttles that came home to whom they belong, and unpins. Requests are served by a pool of
//! fibers ([`serve`]): one of them, the *runner*, takes request after request from the queue; only
//! when its handler parks does another become runner. So a handler that does not block costs a
//! protected call and no switch.

mod body;
mod closing;
mod desk;
mod failing;
mod flow;
mod form;
mod head;
mod links;
mod queue;
mod reply;
mod request;
mod returned;
mod sending;
mod serve;
mod trailers;
mod trips;
mod waiting;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use http_proto::{Exchange, Leg, Mark, Sites, Witness};
use shuttle_core::{Shuttle, Tx, TxShore};
use tx_runtime::FiberRef;

use crate::env::Stage;
use crate::limits::DRAIN_MAX_COUNT;
use crate::pins::Pins;
use crate::raw::{Verb, Vm};
use crate::realm::Realm;

pub(crate) use flow::SendDefaults;
pub(crate) use request::Metatables;
pub(crate) use trips::Ticket;
use trips::{Trip, Trips};

/// The functions that handlers meet as methods of `req` and `io`, for the Lua half.
pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("req_index", request::INDEX),
    ("req_values", request::VALUES),
    ("read", body::READ),
    ("has_whole_body", body::HAS_WHOLE_BODY),
    ("whole_body", body::WHOLE_BODY),
    ("pairs", form::PAIRS),
    ("form", form::FORM),
    ("save_file", form::SAVE_FILE),
    ("read_file", form::READ_FILE),
    ("io_index", reply::INDEX),
    ("write", reply::WRITE),
    ("write_header", reply::WRITE_HEADER),
    ("set_trailers", trailers::SET_TRAILERS),
    ("close", reply::CLOSE),
    ("is_closed", reply::IS_CLOSED),
    ("on_close", closing::ON_CLOSE),
    ("mark", reply::MARK),
    ("io_set_field", waiting::SET_FIELD),
    ("get_send_stats", waiting::SEND_STATS),
    ("wait", waiting::WAIT),
];

/// Who serves a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    /// A function.
    Lua(LuaHandler),
    /// The worker, without asking here. The site holds its place among the others, so that a
    /// request that was sent before the worker knew does not come to one behind it.
    Elsewhere,
}

/// A function of a program that serves a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LuaHandler {
    /// Where the registry holds it.
    pub(crate) anchor: i32,
    /// Its fiber is cancelled when the client leaves.
    pub(crate) cancels: bool,
    /// How long the body of a request may be when it is wanted whole.
    pub(crate) body_max_bytes: u64,
    /// How many of `req` and `io` it takes: one that it cannot see is not made.
    pub(crate) takes: u8,
}

/// The HTTP side of one TX thread.
pub(crate) struct HttpHost {
    links: RefCell<Vec<Option<TxShore<Exchange>>>>,
    /// Which end each link is: they are counted as they land.
    numbers: RefCell<Vec<u64>>,
    landed_total: Cell<u64>,
    trips: RefCell<Trips>,
    pins: Pins,
    sites: RefCell<Rc<Sites<Handler>>>,
    pub(crate) metatables: Cell<Metatables>,
    /// For responses that say nothing else.
    pub(crate) sending: Cell<SendDefaults>,
    /// Whether clients are shown why handlers failed.
    pub(crate) shows_failures: Cell<bool>,
    /// Requests that no fiber has taken yet.
    arrived: RefCell<VecDeque<Ticket>>,
    /// Fibers without a request, the warmest last.
    idle: RefCell<Vec<FiberRef>>,
    /// The number of the fiber that takes requests now; 0 is nobody.
    runner: Cell<u64>,
    /// The numbers of the pool's fibers.
    servers: RefCell<BTreeSet<u64>>,
    serve: Rc<dyn Fn()>,
    /// Pooled fibers end instead of waiting for more.
    is_closing: Cell<bool>,
    witness: RefCell<Option<Box<dyn Witness>>>,
    is_watched: bool,
}

impl HttpHost {
    pub(crate) fn new(vm: &Vm, witness: Option<Box<dyn Witness>>) -> Self {
        Self {
            links: RefCell::default(),
            numbers: RefCell::default(),
            landed_total: Cell::default(),
            trips: RefCell::default(),
            pins: Pins::new(vm),
            sites: RefCell::default(),
            metatables: Cell::default(),
            sending: Cell::default(),
            shows_failures: Cell::default(),
            arrived: RefCell::default(),
            idle: RefCell::default(),
            runner: Cell::new(0),
            servers: RefCell::default(),
            serve: Rc::new(serve::run),
            is_closing: Cell::new(false),
            is_watched: witness.is_some(),
            witness: RefCell::new(witness),
        }
    }

    /// Works on a request, and then looks after those who wait for its end. Absent when it is over.
    fn with_trip<R>(&self, ticket: Ticket, f: impl FnOnce(&mut Trip) -> R) -> Option<R> {
        // It is borrowed already only for a finalizer that runs while another verb is at work. It
        // finds nothing then.
        let mut trips = self.trips.try_borrow_mut().ok()?;
        let trip = trips.get(ticket)?;
        let result = f(trip);
        if trip.has_onlookers() {
            trips.look_after(ticket);
        }
        Some(result)
    }

    /// The worker's name for a request, for marks.
    fn worker_ticket(&self, ticket: Ticket) -> u64 {
        if !self.is_watched {
            return 0;
        }
        self.with_trip(ticket, |trip| trip.worker_ticket)
            .unwrap_or(0)
    }

    /// Replaces the handlers. Requests that a fiber has taken keep theirs. The former ones come
    /// back.
    pub(crate) fn set_sites(&self, sites: Sites<Handler>) -> Rc<Sites<Handler>> {
        self.sites.replace(Rc::new(sites))
    }

    /// How many requests have arrived and are not over.
    pub(crate) fn open_count(&self) -> usize {
        self.trips.borrow().len()
    }

    /// How many strings are lent out.
    pub(crate) fn pins_count(&self) -> usize {
        self.pins.count()
    }

    /// Takes what arrived: at most [`DRAIN_MAX_COUNT`] shuttles of each worker. How much there was.
    pub(crate) fn drain(&self, realm: &Realm) -> usize {
        let count = self.links.borrow().len();
        (0..count).map(|link| self.drain_link(realm, link)).sum()
    }

    fn drain_link(&self, realm: &Realm, link: usize) -> usize {
        let mut taken = 0;
        while let Some(berth) = self.with_shore(link, TxShore::hailed).flatten() {
            self.on_hail(realm, link, berth);
            taken += 1;
        }
        while taken < DRAIN_MAX_COUNT {
            let Some(shuttle) = self.with_shore(link, TxShore::recv).flatten() else {
                break;
            };
            taken += 1;
            if shuttle.is_abandoned() {
                match shuttle.carries_body {
                    true => self.on_body_lost(link, shuttle),
                    false => self.on_shipwreck(realm, shuttle),
                }
                continue;
            }
            let ticket = Ticket::from_u64(shuttle.tx_ticket);
            match shuttle.leg() {
                Leg::Request => self.on_request(realm, link, shuttle),
                Leg::Continue => {
                    self.on_continue(realm, shuttle);
                    self.look_after(ticket);
                }
                Leg::Closed => {
                    self.on_closed(realm, shuttle);
                    self.look_after(ticket);
                }
                Leg::Body => self.on_body(link, shuttle),
                leg => log::error!("a worker sent a shuttle with {leg:?}; it is given back"),
            }
        }
        if taken == 0 {
            self.drop_deserted(link);
        }
        self.pump();
        taken
    }

    fn on_request(&self, realm: &Realm, link: usize, shuttle: Shuttle<Tx, Exchange>) {
        realm.stats.request_arrived();
        let worker_ticket = shuttle.worker_ticket;
        match self.trips.borrow_mut().begin(link, shuttle) {
            Ok(ticket) => {
                self.mark(Mark::CreateFiber, worker_ticket);
                self.mark(Mark::ShuttleToFiber, worker_ticket);
                self.arrived.borrow_mut().push_back(ticket);
            }
            // There are more berths than tickets only if somebody made them so.
            Err(shuttle) => {
                log::error!("there are too many requests: one is answered by its worker");
                realm.stats.request_over();
                self.release(link, shuttle);
            }
        }
    }

    /// A part was sent and the shuttle is home.
    fn on_continue(&self, realm: &Realm, shuttle: Shuttle<Tx, Exchange>) {
        self.mark(Mark::TakeContinued, shuttle.worker_ticket);
        let ticket = Ticket::from_u64(shuttle.tx_ticket);
        let mut trips = self.trips.borrow_mut();
        let Some(trip) = trips.get(ticket) else {
            log::error!("a worker sent an unknown shuttle; it is given back");
            return;
        };
        if trip.is_orphan {
            trip.home = Some(shuttle);
            self.let_all_go(realm, trip, Mark::TxUnrefs);
            self.send(trip, Leg::Release);
            self.end(&mut trips, ticket);
            return;
        }
        let must_close = trip.ended || shuttle.must_close_pending();
        trip.gone |= shuttle.client_gone();
        trip.home = Some(shuttle);
        let writer_waits = trip.waiters.front().is_some_and(|waiter| waiter.writes);
        trip.flow.note_delivered();
        self.look(realm, trip, Mark::TxUnrefs);
        if must_close || (realm.stage.get() != Stage::One && !writer_waits) {
            self.unpin(realm, trip, Mark::TxUnrefs);
        }
        let has_rest = trip
            .home
            .as_ref()
            .is_some_and(|home| home.unsent_bytes() > 0);
        if must_close && !trip.gone {
            if has_rest {
                self.mark(Mark::TxSeesRest, trip.worker_ticket);
            }
            self.mark(Mark::TxSeesMustClose, trip.worker_ticket);
            self.mark(Mark::TxHandsOver, trip.worker_ticket);
            self.mark(Mark::TxSendsClose, trip.worker_ticket);
            trip.ended = true;
            self.send(trip, Leg::Close);
        } else if trip.gone {
            self.wake_all(trip);
        } else if !self.send_rest(trip) {
            self.wake_next(trip);
        }
        self.tell_waiters(realm, trip);
    }

    /// The response is over and the shuttle is home for the last time.
    fn on_closed(&self, realm: &Realm, shuttle: Shuttle<Tx, Exchange>) {
        self.mark(Mark::TakeClosed, shuttle.worker_ticket);
        let ticket = Ticket::from_u64(shuttle.tx_ticket);
        let mut trips = self.trips.borrow_mut();
        let Some(trip) = trips.get(ticket) else {
            log::error!("a worker closed an unknown shuttle; it is given back");
            return;
        };
        trip.gone |= shuttle.client_gone();
        trip.ended = true;
        trip.home = Some(shuttle);
        if !trip.gone {
            trip.flow.note_delivered();
        }
        self.let_all_go(realm, trip, Mark::TxUnrefs);
        if trip.is_orphan {
            self.send(trip, Leg::Release);
            self.end(&mut trips, ticket);
        } else {
            self.wake_all(trip);
        }
    }

    /// The worker left without receiving this shuttle of ours.
    fn on_shipwreck(&self, realm: &Realm, mut shuttle: Shuttle<Tx, Exchange>) {
        let ticket = Ticket::from_u64(shuttle.tx_ticket);
        let mut trips = self.trips.borrow_mut();
        match trips
            .get(ticket)
            .filter(|trip| trip.home.is_none() && !trip.answered)
        {
            Some(trip) => {
                trip.gone = true;
                trip.ended = true;
                trip.home = Some(shuttle);
                self.let_all_go(realm, trip, Mark::TxUnrefs);
                if trip.is_orphan {
                    trip.home = None;
                    self.end(&mut trips, ticket);
                } else {
                    self.wake_all(trip);
                    trips.look_after(ticket);
                }
            }
            // An answer or a release: nothing is pinned for it any more.
            None => {
                shuttle.unpin();
            }
        }
    }

    fn wake_next(&self, trip: &Trip) {
        if self.is_watched && (!trip.waiters.is_empty() || trip.finisher.is_some()) {
            self.mark(Mark::WakeFiber, trip.worker_ticket);
        }
        trip.wake_next();
    }

    fn wake_all(&self, trip: &Trip) {
        if self.is_watched && (!trip.waiters.is_empty() || trip.finisher.is_some()) {
            self.mark(Mark::WakeFiber, trip.worker_ticket);
        }
        trip.wake_all();
    }

    /// Makes the shuttle, which is home, forget what was lent.
    fn unpin(&self, realm: &Realm, trip: &mut Trip, mark: Mark) {
        let Some(shuttle) = trip.home.as_mut().filter(|_| !trip.pins.is_empty()) else {
            return;
        };
        if self.is_watched {
            self.mark(mark, trip.worker_ticket);
        }
        self.pins.release(&realm.vm, shuttle, &mut trip.pins);
        realm.stats.set_pins(self.pins.count());
    }

    /// Hands the shuttle, which is home, to the worker with this leg.
    fn send(&self, trip: &mut Trip, leg: Leg) {
        let (Some(mut shuttle), Some((link, _))) = (trip.home.take(), trip.berth) else {
            return;
        };
        if let Err(illegal) = shuttle.advance(leg) {
            // Only for a shuttle that came home from a wreck. Dropping it frees it.
            log::debug!("{illegal}");
            return;
        }
        self.with_shore(link, |shore| shore.send(shuttle));
    }

    /// Asks the worker to free a shuttle that no trip owns.
    fn release(&self, link: usize, mut shuttle: Shuttle<Tx, Exchange>) {
        if shuttle.advance(Leg::Release).is_ok() {
            self.with_shore(link, |shore| shore.send(shuttle));
        }
    }

    /// The running fiber is about to park: if it is the runner, somebody else has to be.
    pub(crate) fn before_park(&self) {
        let runner = self.runner.get();
        if runner != 0 && tx_runtime::current().is_some_and(|fiber| fiber.id() == runner) {
            self.runner.set(0);
            self.pump();
        }
    }

    /// Sees to it that somebody takes the requests that have arrived.
    fn pump(&self) {
        if self.runner.get() != 0 || self.arrived.borrow().is_empty() {
            return;
        }
        let warm = self.idle.borrow_mut().pop();
        if let Some(fiber) = warm {
            self.runner.set(fiber.id());
            fiber.wake();
            return;
        }
        match tx_runtime::spawn_shared(serve::NAME, &self.serve) {
            Ok(fiber) => {
                self.servers.borrow_mut().insert(fiber.id());
                self.runner.set(fiber.id());
            }
            // Those that serve now will look at the queue when they are done.
            Err(_) if !self.has_no_fibers() => {}
            Err(full) => self.refuse_all(&full.to_string()),
        }
    }

    /// Requests that found no fiber are taken as soon as one can be had, and fibers that ended in
    /// this turn left room for one. Whether a fiber is to run for them now.
    pub(crate) fn take_waiting(&self) -> bool {
        let before = self.runner.get();
        self.pump();
        before == 0 && self.runner.get() != 0
    }

    /// No fiber can be had and none will come back: says so to the clients.
    fn refuse_all(&self, why: &str) {
        log::error!("requests are answered with 500: {why}");
        let arrived = std::mem::take(&mut *self.arrived.borrow_mut());
        for ticket in arrived {
            let mut trips = self.trips.borrow_mut();
            if let Some(trip) = trips.get(ticket) {
                failing::answer_with_page(self, trip, (500, "Failed to create fiber"), None);
            }
            self.end(&mut trips, ticket);
            if let Some(realm) = crate::realm::try_realm() {
                realm.stats.request_over();
            }
        }
    }

    /// Ends the fibers of the pool that have nothing to do, and later the others.
    pub(crate) fn close(&self) {
        self.is_closing.set(true);
        self.trips.borrow_mut().remove_files();
        for fiber in self.idle.borrow_mut().drain(..) {
            fiber.wake();
        }
    }

    /// How many fibers of the pool have no request.
    pub(crate) fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Whether no fiber of the pool is left.
    pub(crate) fn has_no_fibers(&self) -> bool {
        self.servers.borrow().is_empty()
    }

    /// Tells the witness, if there is one.
    pub(crate) fn mark(&self, mark: Mark, worker_ticket: u64) {
        if self.is_watched {
            self.tell(mark, worker_ticket);
        }
    }

    /// Tells the witness of a request, if there is one.
    fn tell_of(&self, ticket: Ticket, mark: Mark) {
        if self.is_watched {
            self.tell(mark, self.worker_ticket(ticket));
        }
    }

    #[cold]
    fn tell(&self, mark: Mark, worker_ticket: u64) {
        if let Some(witness) = self.witness.borrow_mut().as_mut() {
            witness.mark(mark, worker_ticket);
        }
    }
}
