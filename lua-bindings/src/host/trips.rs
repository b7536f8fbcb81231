//! The TX side of every request that has arrived and is not over: where its shuttle is, who waits
//! for it, what is pinned.
//!
//! A shuttle at home is the right to send. Whoever wants it queues; the first of the queue has it
//! when the shuttle is home. So a wake-up means nothing by itself, and nobody owns a shuttle by
//! being awake.

use std::collections::VecDeque;

use http_proto::{BodyBerth, Exchange, RequestHead, RequestId, Trailers};
use shuttle_core::{BerthId, Shuttle, Tx};
use tempfile::TempPath;
use tx_runtime::FiberRef;

use super::body::Intake;
use super::closing::{Closer, Due};
use super::flow::Flow;
use crate::limits::TRIPS_MAX_COUNT;
use crate::pins::Pin;

/// Names one request for as long as it lasts, and nothing afterwards. Lua holds it as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    index: u32,
    generation: u32,
}

/// Bits of a ticket that are the index. With 32 bits of generation the number stays below 2^53: a
/// double holds it.
const INDEX_BITS: u32 = TRIPS_MAX_COUNT.trailing_zeros();
const _: () = assert!(TRIPS_MAX_COUNT.is_power_of_two() && INDEX_BITS + 32 < 53);

impl Ticket {
    /// As a number that a shuttle or a Lua table carries.
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << INDEX_BITS | u64::from(self.index)
    }

    /// The ticket of a number. Any number gives one; those that were not made by us find nothing.
    pub(crate) fn from_u64(number: u64) -> Self {
        let index = (number & u64::from(TRIPS_MAX_COUNT - 1)) as u32;
        Self {
            index,
            generation: (number >> INDEX_BITS) as u32,
        }
    }
}

/// A fiber in the queue for a shuttle.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) fiber: FiberRef,
    /// Tells apart two places in the queue, also of the same fiber.
    pub(crate) number: u64,
    /// A writer unpins by itself, as the drawing has it.
    pub(crate) writes: bool,
}

/// One request.
#[derive(Debug, Default)]
pub(crate) struct Trip {
    generation: u32,
    /// The link by which it came, and its place there. Absent: nobody travels here.
    pub(crate) berth: Option<(usize, BerthId)>,
    pub(crate) worker_ticket: u64,
    /// The shuttle, while it is on our side.
    pub(crate) home: Option<Shuttle<Tx, Exchange>>,
    pub(crate) pins: Vec<Pin>,
    /// The head has left: it cannot be changed any more.
    pub(crate) head_sent: bool,
    /// The last part or the wish to close has left, or no client is there to send to. Nothing more
    /// is sent.
    pub(crate) ended: bool,
    /// The worker frees the shuttle by itself: it never comes back.
    pub(crate) answered: bool,
    /// No fiber will see to its end: the dispatcher does.
    pub(crate) is_orphan: bool,
    /// The client has left, or ended its direction.
    pub(crate) gone: bool,
    /// Something that the handler sent was ignored: what it sends later is not the whole answer.
    pub(crate) ignored: bool,
    /// The queue for the shuttle.
    pub(crate) waiters: VecDeque<Waiter>,
    /// The body on its way.
    pub(crate) flow: Flow,
    /// What goes behind it. Leaves with the end.
    pub(crate) trailers: Option<Box<Trailers>>,
    /// The request's own fiber, when its handler is over and it waits for the shuttle.
    pub(crate) finisher: Option<FiberRef>,
    /// The request's own fiber, while its handler runs.
    pub(crate) server: Option<FiberRef>,
    /// That fiber is cancelled when the client leaves.
    pub(crate) cancels: bool,
    /// Functions that wait for the end of the response.
    pub(crate) closers: Vec<Closer>,
    /// Temporary files of its form.
    pub(crate) files: Vec<TempPath>,
    /// Head and body of the request since the shuttle first left with a response.
    pub(crate) kept: bool,
    pub(crate) request: RequestHead,
    pub(crate) body: Vec<u8>,
    /// Its body, as far as it is read by the handler.
    pub(crate) intake: Intake,
    /// What it is called.
    pub(crate) id: RequestId,
    /// What does not fit into `request`, kept likewise.
    pub(crate) facts: Facts,
}

/// What an exchange says of the request besides head and body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) peer: Option<std::net::SocketAddr>,
    pub(crate) local: Option<std::net::SocketAddr>,
    pub(crate) https: bool,
}

impl Trip {
    /// Whether whoever sends now sends to nobody.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.gone
    }

    /// Whether the whole answer can still be given at once. Also after the client has "left": it
    /// may only have ended its own direction, and the worker knows how to send to such a one.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.head_sent && !self.ended && !self.ignored
    }

    /// Whether this place in the queue (or nobody, if absent) may use the shuttle now.
    pub(crate) fn is_turn_of(&self, number: Option<u64>) -> bool {
        self.home.is_some() && self.waiters.front().map(|waiter| waiter.number) == number
    }

    /// Whether this place in the queue (or nobody, if absent) comes first, wherever the shuttle is.
    pub(crate) fn is_first(&self, number: Option<u64>) -> bool {
        self.waiters.front().map(|waiter| waiter.number) == number
    }

    /// Takes a place out of the queue.
    pub(crate) fn leave_queue(&mut self, number: u64) {
        self.waiters.retain(|waiter| waiter.number != number);
    }

    /// Wakes whose turn it is, if the shuttle is home. True if there was somebody.
    pub(crate) fn wake_next(&self) -> bool {
        match (&self.home, self.waiters.front(), &self.finisher) {
            (Some(_), Some(waiter), _) => waiter.fiber.wake(),
            (Some(_), None, Some(finisher)) => finisher.wake(),
            _ => false,
        }
    }

    /// Wakes all: there is nothing to wait for any more.
    pub(crate) fn wake_all(&self) {
        for waiter in &self.waiters {
            waiter.fiber.wake();
        }
        for watcher in &self.flow.watchers {
            watcher.fiber.wake();
        }
        self.intake.wake_readers();
        if self.home.is_some() {
            self.finisher.as_ref().map(FiberRef::wake);
        }
    }

    /// Head of the request, wherever it is. Absent when the shuttle left with it.
    pub(crate) fn request(&self) -> Option<(&RequestHead, &[u8], Facts)> {
        if self.kept {
            return Some((&self.request, &self.body, self.facts));
        }
        let exchange = self.home.as_ref()?;
        let facts = Facts {
            peer: exchange.peer,
            local: exchange.local,
            https: exchange.https,
        };
        Some((&exchange.request, &exchange.body, facts))
    }

    /// Keeps head and body of the request here, before the shuttle leaves while the handler runs.
    /// What was here goes into the shuttle instead, so that its memory is used again.
    pub(crate) fn keep_request(&mut self) {
        let Some(exchange) = self.home.as_mut().filter(|_| !self.kept) else {
            return;
        };
        self.kept = true;
        self.request.clear();
        self.body.clear();
        std::mem::swap(&mut self.request, &mut exchange.request);
        std::mem::swap(&mut self.body, &mut exchange.body);
        self.intake.swap_trailers(&mut exchange.trailers);
        self.facts = Facts {
            peer: exchange.peer,
            local: exchange.local,
            https: exchange.https,
        };
    }

    fn reset(&mut self) {
        debug_assert!(self.pins.is_empty(), "a request ended with pinned strings");
        debug_assert!(
            self.home.is_none(),
            "a request ended with its shuttle at home"
        );
        self.generation = self.generation.wrapping_add(1);
        self.berth = None;
        self.head_sent = false;
        self.ended = false;
        self.answered = false;
        self.is_orphan = false;
        self.gone = false;
        self.ignored = false;
        self.kept = false;
        self.finisher = None;
        self.server = None;
        self.cancels = false;
        self.waiters.clear();
        self.flow.reset();
        self.trailers = None;
        self.intake.reset();
    }
}

/// All requests.
#[derive(Debug, Default)]
pub(crate) struct Trips {
    slots: Vec<Trip>,
    free: Vec<u32>,
    /// For each link, which slot the last request of each berth had, that of its body included:
    /// hails name berths, and pieces of a body come by theirs.
    by_berth: Vec<Vec<u32>>,
    last_waiter: u64,
    /// Functions whose response is over and that no fiber runs yet.
    pub(super) due: VecDeque<Due>,
    /// Temporary files of requests that are over.
    pub(super) left_files: Vec<TempPath>,
}

impl Trips {
    /// Registers an arrived request. The shuttle comes back if there is no room for more.
    pub(crate) fn begin(
        &mut self,
        link: usize,
        mut shuttle: Shuttle<Tx, Exchange>,
    ) -> Result<Ticket, Shuttle<Tx, Exchange>> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < TRIPS_MAX_COUNT as usize => {
                self.slots.push(Trip::default());
                self.slots.len() as u32 - 1
            }
            None => return Err(shuttle),
        };
        let trip = &mut self.slots[index as usize];
        let ticket = Ticket {
            index,
            generation: trip.generation,
        };
        shuttle.tx_ticket = ticket.to_u64();
        trip.berth = Some((link, shuttle.berth()));
        trip.worker_ticket = shuttle.worker_ticket;
        trip.gone = shuttle.client_gone();
        trip.id = shuttle.id.clone();
        let body_berth = shuttle.body_berth;
        trip.intake.begin(body_berth);
        let berth = usize::from(shuttle.berth().index());
        trip.home = Some(shuttle);
        self.note_berth(link, berth, index);
        if let Some(berth) = body_berth {
            self.note_berth(link, usize::from(berth.index), index);
        }
        Ok(ticket)
    }

    fn note_berth(&mut self, link: usize, berth: usize, index: u32) {
        if self.by_berth.len() <= link {
            self.by_berth.resize_with(link + 1, Vec::new);
        }
        let berths = &mut self.by_berth[link];
        if berths.len() <= berth {
            berths.resize(berth + 1, u32::MAX);
        }
        berths[berth] = index;
    }

    /// The request of a ticket. Absent when it is over.
    pub(crate) fn get(&mut self, ticket: Ticket) -> Option<&mut Trip> {
        let trip = self.slots.get_mut(ticket.index as usize)?;
        (trip.generation == ticket.generation && trip.berth.is_some()).then_some(trip)
    }

    /// Ends a request: its ticket means nothing from now on. Whoever still waits for it finds that
    /// out.
    pub(crate) fn end(&mut self, ticket: Ticket) {
        if let Some(trip) = self.get(ticket) {
            trip.wake_all();
            // Nothing of it is here any more: whatever the worker does, it is over.
            trip.answered = true;
            self.look_after(ticket);
            let trip = &mut self.slots[ticket.index as usize];
            self.left_files.append(&mut trip.files);
            trip.reset();
            self.free.push(ticket.index);
        }
    }

    /// A number for a place in a queue.
    pub(crate) fn next_waiter(&mut self) -> u64 {
        self.last_waiter += 1;
        self.last_waiter
    }

    /// Whether any request came by this link.
    pub(crate) fn any_of(&self, link: usize) -> bool {
        self.slots
            .iter()
            .any(|trip| trip.berth.is_some_and(|(from, _)| from == link))
    }

    /// Removes all temporary files, here and now: the thread ends.
    pub(super) fn remove_files(&mut self) {
        self.left_files.clear();
        self.slots.iter_mut().for_each(|trip| trip.files.clear());
    }

    /// All requests with their tickets.
    pub(super) fn all(&self) -> impl Iterator<Item = (Ticket, &Trip)> {
        let taken = |trip: &&Trip| trip.berth.is_some();
        (0..)
            .zip(&self.slots)
            .filter(move |(_, trip)| taken(trip))
            .map(|(index, trip)| {
                let generation = trip.generation;
                (Ticket { index, generation }, trip)
            })
    }

    /// How many requests there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The ticket of the request that came by this link and berth.
    pub(crate) fn find(&self, link: usize, berth: BerthId) -> Option<Ticket> {
        let index = *self.by_berth.get(link)?.get(usize::from(berth.index()))?;
        let trip = self.slots.get(index as usize)?;
        let is_same = trip.berth == Some((link, berth));
        is_same.then_some(Ticket {
            index,
            generation: trip.generation,
        })
    }

    /// The request whose body this shuttle carries. Absent when nobody reads it any more.
    pub(crate) fn of_body(
        &mut self,
        link: usize,
        shuttle: &Shuttle<Tx, Exchange>,
    ) -> Option<&mut Trip> {
        let berth = shuttle.berth();
        let name = BodyBerth {
            index: berth.index(),
            generation: berth.generation(),
        };
        let index = *self.by_berth.get(link)?.get(usize::from(name.index))?;
        let trip = self.slots.get_mut(index as usize)?;
        let is_from = trip.berth.is_some_and(|(from, _)| from == link);
        (is_from && trip.intake.is_of(name)).then_some(trip)
    }

    /// A worker has left, and all that it left behind has arrived: bodies that are not here will
    /// not come.
    pub(crate) fn lose_bodies(&mut self, link: usize) {
        let is_from = |trip: &&mut Trip| trip.berth.is_some_and(|(from, _)| from == link);
        for trip in self.slots.iter_mut().filter(is_from) {
            trip.intake.lose();
        }
    }
}
