//! What is told of the requests of a connection.

use http_proto::Exchange;

use super::Conn;
use super::ending::End;
use super::trips::{Place, Trip};
use crate::access::{AccessRecord, CLIENT_LEFT};
use crate::cargo::Cargo;
use crate::context::{Cx, Incoming};

/// Why a request that waits behind the last answer gets none.
const TOO_LATE: &str = "the connection ended before its turn";

/// Why an answer was not sent to its end, when that was our doing.
const CUT: &str = "the answer was cut off";

impl Trip {
    /// The first part of an answer is here and about to be sent.
    pub(super) fn name_answer(&mut self, exchange: &mut Exchange, cx: &Cx) {
        if let Some(record) = &mut self.record {
            record.note_answer(exchange, cx.now);
            cx.reports.name_in(&mut exchange.response, &record.id);
        }
    }

    /// An answer of ours is about to be sent.
    pub(super) fn note_own_answer(&mut self, status: u16, cx: &Cx) {
        if let Some(record) = &mut self.record {
            record.note_own_answer(status, cx.now);
        }
    }
}

impl Conn {
    /// Some of a head came, and the rest did not yet.
    pub(super) fn note_begin(&mut self, cx: &Cx) {
        self.begun.get_or_insert(cx.now);
    }

    /// A head is there: gives its request a name, and begins its record.
    pub(super) fn note_request(&mut self, incoming: &mut Incoming, cx: &Cx) {
        incoming.id = cx.reports.id_of(&incoming.head, incoming.ticket);
        let begun = self.begun.take().unwrap_or(cx.now);
        let from = (self.peer, self.transport.is_tls());
        self.record = cx.reports.begin(&incoming.id, from, begun, cx.now);
        if let Some(record) = &mut self.record {
            record.set_head(&incoming.head);
        }
    }

    /// A head that will not be understood: this much of it is here.
    pub(super) fn note_bad_head(&mut self, input: &[u8], cx: &mut Cx) {
        if self.record.is_some() || !cx.reports.reporting.is_on() {
            return;
        }
        let ticket = cx.new_ticket();
        let id = cx.reports.new_id(ticket);
        let begun = self.begun.take().unwrap_or(cx.now);
        let from = (self.peer, self.transport.is_tls());
        self.record = cx.reports.begin(&id, from, begun, cx.now);
        if let Some(record) = &mut self.record {
            record.set_line(input);
        }
    }

    /// The request that is being received is here as a whole.
    pub(super) fn note_complete(&mut self, cx: &Cx) {
        if let Some(record) = &mut self.record {
            record.note_complete(cx.now);
        }
    }

    /// The request that was received goes on as a trip.
    pub(super) fn set_out(&mut self, mut trip: Trip, cx: &mut Cx) {
        self.gear_up(cx);
        trip.record = self.record.take();
        self.trips.push_back(trip);
    }

    /// The head of an answer is in the outbox.
    pub(super) fn note_head(&mut self, at: usize) {
        if let Some(record) = &mut self.trips[at].record {
            record.note_body_start(self.outbox.put_bytes());
        }
    }

    /// An answer of ours is in the outbox, at its end a body of so many bytes, but for HEAD.
    pub(super) fn note_own_body(&mut self, at: usize, len: usize) {
        let trip = &mut self.trips[at];
        let len = if trip.is_head() { 0 } else { len };
        if let Some(record) = &mut trip.record {
            record.note_own_body(self.outbox.put_bytes(), len);
        }
    }

    /// All of an answer is in the outbox, and its shuttle is not needed: what is told of it waits
    /// until it is gone.
    pub(super) fn mark_end(&mut self, at: usize) {
        let trip = &mut self.trips[at];
        if trip.record.is_some() {
            trip.place = Place::Loaded(None);
            self.outbox.load(Cargo::default());
        }
    }

    /// All of an answer is in the outbox.
    pub(super) fn note_end(&mut self, at: usize) {
        if let Some(record) = &mut self.trips[at].record {
            record.note_end(self.outbox.put_bytes());
        }
    }

    /// What went wrong with a request.
    pub(super) fn blame(&mut self, at: usize, why: &'static str) {
        if let Some(record) = &mut self.trips[at].record {
            record.blame(Some(why));
        }
    }

    /// What went wrong with all requests that are not over.
    pub(super) fn blame_all(&mut self, why: &'static str) {
        let records = self.trips.iter_mut().map(|trip| &mut trip.record);
        for record in records.chain([&mut self.record]).flatten() {
            record.blame(Some(why));
        }
    }

    /// A request is over. `is_whole`: its answer is.
    pub(super) fn tell(&self, record: Option<Box<AccessRecord>>, is_whole: bool, cx: &mut Cx) {
        let Some(mut record) = record else { return };
        if !is_whole {
            record.blame(Some(match self.end {
                Some(End::Reset) => CUT,
                Some(_) => TOO_LATE,
                None => CLIENT_LEFT,
            }));
        }
        record.close_at(self.outbox.went_bytes());
        cx.reports.tell(Some(record), cx.now);
    }
}
