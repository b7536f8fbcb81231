//! The way out: shuttles that came home to bytes, in the order of the requests, and what is said
//! to the other shore when the bytes are gone.

use std::io::IoSlice;

use http_proto::drawing::Mark;
use http_proto::h1::{RequestFacts, ResponseBody};
use http_proto::{Exchange, Leg, PeerError, Trailers};
use shuttle_core::{BerthId, Shuttle, Worker};

use super::Conn;
use super::ending::End;
use super::outbox::Slices;
use crate::access::{AccessRecord, CLIENT_LEFT};
use crate::cargo::{self, Cargo};
use crate::compress::{Press, Wish};
use crate::context::{Cx, Incoming};
use crate::limits::{COPY_BYTES, WRITE_SLICES_COUNT};
use crate::transport::Broken;

mod body;
mod compress;
mod failing;
mod files;

/// Where the answer to a request is.
pub(super) enum Place {
    /// On the other shore.
    Away,
    /// Here; not looked at yet.
    Home(Shuttle<Worker, Exchange>),
    /// Here: a request for a file, which is opened when its turn comes.
    File(Box<Incoming>),
    /// In the outbox. The shuttle stays until its cargo is gone; `None` when it was not needed
    /// for so long.
    Loaded(Option<Shuttle<Worker, Exchange>>),
    /// Still here: more was appended to it while its cargo went.
    More(Shuttle<Worker, Exchange>),
    /// It never travelled: the worker answers itself.
    Early(PeerError),
    /// All said.
    Done,
}

/// A request that is not answered to the end.
pub(super) struct Trip {
    /// `None`: it never travelled.
    berth: Option<BerthId>,
    ticket: u64,
    facts: RequestFacts,
    pub(super) is_safe: bool,
    pub(super) place: Place,
    /// How the body goes, after the head was encoded.
    pub(super) body: Option<ResponseBody>,
    /// What goes behind its body.
    trailers: Option<Box<Trailers>>,
    /// What is to be compressed of it; `None` when that was decided.
    wish: Option<Box<Wish>>,
    /// Compresses its body.
    pub(super) press: Option<Box<Press>>,
    /// The last byte of the response is in the outbox.
    pub(super) is_ended: bool,
    /// What to tell the witness when the cargo goes; `None` when that was told.
    sent_mark: Option<Mark>,
    /// What is told of it when it is over.
    pub(super) record: Option<Box<AccessRecord>>,
}

impl Trip {
    pub(super) fn away(berth: BerthId, ticket: u64, facts: RequestFacts, is_safe: bool) -> Self {
        let sent_mark = Some(Mark::ResponseToClient);
        let (berth, place) = (Some(berth), Place::Away);
        Self {
            berth,
            ticket,
            facts,
            is_safe,
            place,
            body: None,
            trailers: None,
            wish: None,
            press: None,
            is_ended: false,
            sent_mark,
            record: None,
        }
    }

    pub(super) fn early(error: PeerError, facts: RequestFacts) -> Self {
        Self::own(Place::Early(error), 0, facts)
    }

    /// One that the worker answers itself.
    fn own(place: Place, ticket: u64, facts: RequestFacts) -> Self {
        Self {
            berth: None,
            ticket,
            facts,
            is_safe: true,
            place,
            body: None,
            trailers: None,
            wish: None,
            press: None,
            is_ended: false,
            sent_mark: None,
            record: None,
        }
    }

    /// Whether it is this berth's return that it waits for.
    pub(super) fn waits_for(&self, berth: BerthId) -> bool {
        self.berth == Some(berth) && matches!(self.place, Place::Away)
    }

    pub(super) fn take_home(&mut self, shuttle: Shuttle<Worker, Exchange>) {
        self.place = Place::Home(shuttle);
    }

    /// The berth, while the trip is not over for the other shore.
    pub(super) fn berth(&self) -> Option<BerthId> {
        let is_over = matches!(self.place, Place::Loaded(None) | Place::Done);
        self.berth.filter(|_| !is_over)
    }

    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }

    pub(super) fn is_head(&self) -> bool {
        self.facts.is_head
    }

    /// Whether it is this request's, and its response is not complete.
    pub(super) fn is_open(&self, ticket: u64) -> bool {
        self.ticket == ticket && !self.is_ended
    }

    /// Whether it is this request's, and nothing of its response was begun.
    pub(super) fn is_fresh(&self, ticket: u64) -> bool {
        self.ticket == ticket && self.body.is_none() && !self.is_ended
    }

    /// The shuttle, if it is here and needed.
    pub(super) fn shuttle(&self) -> Option<&Shuttle<Worker, Exchange>> {
        match &self.place {
            Place::Home(shuttle) | Place::More(shuttle) | Place::Loaded(Some(shuttle)) => {
                Some(shuttle)
            }
            _ => None,
        }
    }

    /// The shuttle, if it is here and needed.
    pub(super) fn into_shuttle(self) -> Option<Shuttle<Worker, Exchange>> {
        match self.place {
            Place::Home(shuttle) | Place::More(shuttle) | Place::Loaded(Some(shuttle)) => {
                Some(shuttle)
            }
            _ => None,
        }
    }

    /// The shuttle, if its cargo waits for the client.
    pub(super) fn loaded(&self) -> Option<&Shuttle<Worker, Exchange>> {
        match &self.place {
            Place::Loaded(shuttle) => shuttle.as_ref(),
            _ => None,
        }
    }

    fn loaded_mut(&mut self) -> Option<&mut Shuttle<Worker, Exchange>> {
        match &mut self.place {
            Place::Loaded(shuttle) => shuttle.as_mut(),
            _ => None,
        }
    }

    /// Whether it holds a place in the order of loaded cargo.
    fn is_loaded(&self) -> bool {
        matches!(self.place, Place::Loaded(_))
    }

    /// Tells the witness, once, that the bytes of this leg are given to the socket: when the last
    /// of them is, or when the socket is full of them.
    fn tell_sent(&mut self, cx: &mut Cx) {
        if let Some(mark) = self.sent_mark.take() {
            cx.mark(mark, self.ticket);
        }
    }

    /// Its shuttle is with the other shore, and nothing of it is here.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.place, Place::Away)
    }

    /// Its answer, or the next part of it, is here to be encoded.
    pub(super) fn is_ready(&self) -> bool {
        matches!(
            self.place,
            Place::Home(_) | Place::More(_) | Place::Early(_) | Place::File(_)
        )
    }

    /// The next answer may be encoded behind this one.
    fn is_out_of_the_way(&self) -> bool {
        self.is_ended && matches!(self.place, Place::Loaded(_) | Place::Done)
    }
}

/// Whether the shuttle says something that the table of legs allows here.
pub(crate) fn makes_sense(shuttle: &Shuttle<Worker, Exchange>) -> bool {
    match shuttle.leg() {
        _ if shuttle.is_abandoned() => false,
        Leg::Write | Leg::Close => true,
        Leg::Answer => shuttle.lent_count() == 0,
        _ => false,
    }
}

impl Conn {
    /// Encodes answers that are here and whose turn it is. True: there were some.
    pub(super) fn answer(&mut self, cx: &mut Cx) -> bool {
        let mut moved = self.invite_body(cx);
        let out_of_the_way = self
            .trips
            .iter()
            .take_while(|trip| trip.is_out_of_the_way());
        let mut at = out_of_the_way.count();
        while self.end.is_none() && self.outbox.copied_bytes() <= cx.limits.buffered_output_bytes {
            let Some(trip) = self.trips.get_mut(at).filter(|trip| trip.is_ready()) else {
                break;
            };
            if trip.holds_request() && self.outbox.has_file() {
                // One open file at a time, however many are asked for.
                break;
            }
            if self.compress_left == 0 {
                break;
            }
            if matches!(trip.place, Place::More(_)) {
                match self.looks_left.checked_sub(1) {
                    Some(left) => self.looks_left = left,
                    None => break,
                }
            }
            if self.outbox.wants_buffer() {
                self.outbox.give_buffer(cx.buffer());
            }
            match std::mem::replace(&mut trip.place, Place::Done) {
                Place::Home(shuttle) if makes_sense(&shuttle) => {
                    self.encode(at, shuttle, Cargo::of_arrival, cx);
                }
                Place::Home(shuttle) => match self.turn_back(at, shuttle, cx) {
                    Ok(()) => continue,
                    Err(shuttle) => self.encode_failure(at, shuttle, cx),
                },
                Place::More(shuttle) if self.trips[at].has_rest() => {
                    self.press_step(at, shuttle, false, cx);
                }
                Place::More(shuttle) => self.encode(at, shuttle, Cargo::of_appended, cx),
                Place::Early(error) => self.encode_early(at, &error, cx),
                Place::File(incoming) => self.encode_file(at, incoming, cx),
                Place::Away | Place::Loaded(_) | Place::Done => unreachable!("it is ready"),
            }
            moved = true;
            if !self.trips[at].is_out_of_the_way() {
                break;
            }
            at += 1;
        }
        moved
    }

    /// Puts head, framing and cargo of one part into the outbox, with all that was appended to it
    /// by now.
    fn encode(
        &mut self,
        at: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        take_stock: impl Fn(&mut Shuttle<Worker, Exchange>) -> Cargo,
        cx: &mut Cx,
    ) {
        let is_leaving = cx.is_draining && self.is_last(at);
        let is_blocked = self.is_blocked_by_body(&self.trips[at]);
        let trip = &mut self.trips[at];
        let is_first = trip.body.is_none();
        mark_look(&shuttle, is_first, cx);
        let asked = matches!(shuttle.leg(), Leg::Answer | Leg::Close) || shuttle.last;
        // Nothing is appended after the close, so what is found after it was seen is all.
        let sees_close = !asked && shuttle.must_close();
        let cargo = take_stock(&mut shuttle);
        let took_close = sees_close && shuttle.accept_close();
        if took_close {
            cx.mark(Mark::SeeMustClose, trip.ticket);
        }
        trip.is_ended = asked || took_close;
        trip.sent_mark = Some(match shuttle.leg() {
            Leg::Close if cargo.len() == 0 => Mark::EndToClient,
            Leg::Close => Mark::BodyAndEndToClient,
            _ if took_close => Mark::BodyAndEndToClient,
            _ if is_first => Mark::ResponseToClient,
            _ => Mark::BodyToClient,
        });
        if trip.is_ended {
            trip.take_trailers(&mut shuttle);
        }
        let must_close = is_leaving || (trip.is_ended && is_blocked);
        if trip.is_pressed(&mut shuttle, cargo, cx) {
            return self.press_step(at, shuttle, must_close, cx);
        }
        let known_length = trip.is_whole().then_some(cargo.len() as u64);
        let mut body = self.begin_body(at, &mut shuttle, known_length, must_close, cx);
        let admitted = self.outbox.copy(|out| {
            let admitted = body.begin_part(cargo.len(), out);
            // Small ones are copied: cheaper than two more slices, and there may be many.
            let is_copied = admitted <= COPY_BYTES;
            if is_copied {
                let pieces = cargo.cut(admitted).pieces(&shuttle);
                pieces.for_each(|piece| out.extend_from_slice(piece));
                body.end_part(out);
            }
            if is_copied { 0 } else { admitted }
        });
        self.outbox.load(cargo.cut(admitted));
        let trip = &mut self.trips[at];
        trip.place = Place::Loaded(Some(shuttle));
        if admitted > 0 {
            self.outbox.copy(|out| body.end_part(out));
        }
        if trip.is_ended {
            self.finish(at, body);
        } else {
            trip.body = Some(body);
        }
    }

    /// No request is known behind this one.
    pub(super) fn is_last(&self, at: usize) -> bool {
        at + 1 == self.trips.len() && self.incoming.is_none()
    }

    /// Writes until the outbox is empty or the socket full. True: something has moved.
    pub(super) fn give_out(&mut self, cx: &mut Cx) -> Result<bool, Broken> {
        let mut moved = false;
        while !self.socket.is_full && !self.outbox.is_empty() {
            let wrote = match self.outbox.plain() {
                _ if self.outbox.is_file_first() => match self.give_file(cx)? {
                    Some(wrote) => wrote,
                    None => break,
                },
                Some([]) => Default::default(),
                Some(plain) if self.outbox.has_file() => {
                    self.transport.write_before_more(plain, &cx.stats)?
                }
                Some(plain) => self
                    .transport
                    .write(&mut [IoSlice::new(plain)], &cx.stats)?,
                None => {
                    let mut slices: Slices<'_> = [IoSlice::new(&[]); WRITE_SLICES_COUNT];
                    let loaded = self.trips.iter().filter(|trip| trip.is_loaded());
                    let shuttles = loaded.map(Trip::shuttle);
                    let count = self.outbox.slices(shuttles, &mut slices);
                    self.transport.write(&mut slices[..count], &cx.stats)?
                }
            };
            self.socket.is_full = wrote.is_blocked;
            self.pace_out.note(wrote.sent, cx.send_rule(), cx.now);
            moved = true;
            let loaded = self.trips.iter_mut().filter(|trip| trip.is_loaded());
            let shuttles = loaded.map(Trip::loaded_mut);
            for _ in 0..self.outbox.advance(wrote.taken, shuttles) {
                self.unload_first(cx);
            }
        }
        if !self.socket.is_full && self.transport.has_pending() {
            let wrote = self.transport.flush(&cx.stats)?;
            self.pace_out.note(wrote.sent, cx.send_rule(), cx.now);
            self.socket.is_full = wrote.is_blocked;
        }
        if self.socket.is_full {
            if let Some(trip) = self.trips.iter_mut().find(|trip| trip.is_loaded()) {
                trip.tell_sent(cx);
            }
            self.tell_progress(cx);
            self.spare_berths(cx);
        }
        self.drop_done(cx);
        Ok(moved)
    }

    /// The cargo of the first loaded trip is gone: says so to the other shore.
    fn unload_first(&mut self, cx: &mut Cx) {
        let Some(at) = self.trips.iter().position(Trip::is_loaded) else {
            debug_assert!(false, "as many loaded trips as cargo in the outbox");
            return;
        };
        let trip = &mut self.trips[at];
        let Place::Loaded(shuttle) = std::mem::replace(&mut trip.place, Place::Done) else {
            return;
        };
        let Some(mut shuttle) = shuttle else { return };
        if trip.goes_on_pressing(&mut shuttle, cx) {
            trip.place = Place::More(shuttle);
            return;
        }
        trip.tell_sent(cx);
        if shuttle.leg() == Leg::Answer {
            return cx.free(shuttle);
        }
        cargo::settle(&mut shuttle);
        if trip.is_ended {
            cx.close(shuttle);
        } else if self.socket.has_fin && !shuttle.must_close() {
            // More would be streamed to somebody who has probably left: that is over. A client
            // that has not is told by the reset that this is not all.
            shuttle.mark_client_gone();
            cx.close(shuttle);
            self.blame(at, CLIENT_LEFT);
            self.end_with(End::Reset);
        } else {
            self.go_on_with(at, shuttle, cx);
        }
    }

    /// The client is slow: answers that are wholly copied need not keep their berths meanwhile.
    fn spare_berths(&mut self, cx: &mut Cx) {
        for trip in &mut self.trips {
            let Place::Loaded(shuttle) = &mut trip.place else {
                continue;
            };
            let is_copied = |shuttle: &mut Shuttle<Worker, Exchange>| {
                shuttle.leg() == Leg::Answer && shuttle.part.len() <= COPY_BYTES
            };
            if let Some(shuttle) = shuttle.take_if(is_copied) {
                trip.tell_sent(cx);
                cx.free(shuttle);
            }
        }
    }

    /// Forgets the trips that are over.
    fn drop_done(&mut self, cx: &mut Cx) {
        let is_done = |trip: &Trip| matches!(trip.place, Place::Done);
        while self.trips.front().is_some_and(is_done) {
            let over = self.trips.pop_front();
            if let Some(trip) = over {
                self.tell(trip.record, trip.is_ended, cx);
            }
        }
    }
}

/// Tells the witness that a shuttle is looked at.
fn mark_look(shuttle: &Shuttle<Worker, Exchange>, is_first: bool, cx: &mut Cx) {
    match shuttle.leg() {
        _ if is_first => cx.mark(Mark::FormatResponse, shuttle.worker_ticket),
        Leg::Write => cx.mark(Mark::SendBody, shuttle.worker_ticket),
        _ => {}
    }
}
