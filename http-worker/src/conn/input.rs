//! The way in: bytes to requests to shuttles.

use http_proto::content::ErrorForm;
use http_proto::drawing::Mark;
use http_proto::h1::{Event, Phase, encode_continue};
use http_proto::{BodyFault, Exchange, Leg, PeerError, PeerErrorKind};
use shuttle_core::{Shuttle, Worker};

use super::body::BodyTrip;
use super::opening::Opening;
use super::pace::Pace;
use super::trips::Trip;
use super::upload::{Upload, length_of};
use super::{Conn, Wait};
use crate::context::{Cx, Incoming};
use crate::limits::{BODY_STEP_BYTES, CHUNK_FORGIVEN_PER_SECOND_BYTES, KEEP_BYTES};
use crate::routes::files_for;
use crate::transport::Broken;

impl Conn {
    /// Whether bytes from the socket have a use now. When not, they stay in the kernel, and the
    /// client feels it.
    pub(super) fn wants_input(&self, cx: &Cx) -> bool {
        if self.linger_bytes.is_some() {
            return true;
        }
        !self.socket.is_over
            && self.end.is_none()
            && !self.standing.waits()
            && (self.is_inside() || self.may_begin(cx))
    }

    /// Whether another request may be begun.
    fn may_begin(&self, cx: &Cx) -> bool {
        self.engine.phase() != Phase::Done
            && !self.has_complete_request()
            && self.upload.is_none()
            && self.trips.len() < cx.pipeline_depth()
            && self.outbox.copied_bytes() <= cx.limits.buffered_output_bytes
            // RFC 9112 section 9.3.2: not beside one whose effect is not known yet.
            && self.trips.back().is_none_or(|trip| trip.is_safe && !trip.holds_request())
    }

    /// A request is whole, or as much of it as crosses at first, and waits for its turn or for a
    /// berth.
    pub(super) fn has_complete_request(&self) -> bool {
        self.incoming
            .as_ref()
            .is_some_and(|incoming| incoming.is_complete)
    }

    /// The client waits to be invited, behind answers that are not there yet.
    pub(super) fn owes_continue(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_some_and(|incoming| incoming.owes_continue)
    }

    /// Reads, at most once in a drive, and makes requests of what is there. True: it made a
    /// difference.
    pub(super) fn take_in(&mut self, may_read: &mut bool, cx: &mut Cx) -> Result<bool, Broken> {
        let mut moved = self.board(cx);
        self.judge_what_is_left();
        moved |= self.carry_body(cx);
        // The end of a body may be known without any further byte.
        if !self.input.is_empty() || self.upload_wants_input() {
            let input = std::mem::take(&mut self.input);
            let (consumed, progressed) = self.parse(&input, cx);
            self.keep(input, consumed);
            moved |= progressed;
        }
        if *may_read && self.socket.has_input && self.wants_input(cx) {
            *may_read = false;
            self.read(cx)?;
            moved = true;
        }
        if self.socket.is_over {
            moved |= self.on_end_of_input(cx);
        }
        Ok(moved)
    }

    fn read(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        // Taken out so that the context is free while the bytes are looked at.
        let mut buffers = std::mem::take(&mut cx.read);
        let result = self.transport.read(&mut buffers, &cx.stats).map(|input| {
            self.socket.has_input = !input.is_drained;
            // A FIN seen before a read that drained the socket is what is left in it.
            self.socket.is_over = input.is_over || (input.is_drained && self.socket.has_fin);
            if !input.bytes.is_empty() {
                self.forgive(cx);
                let rule = self.receive_rule(cx);
                self.pace_in.note(input.bytes.len(), rule, cx.now);
                self.on_bytes(input.bytes, cx);
            }
        });
        cx.read = buffers;
        result?;
        if self.socket.is_over {
            self.on_fin(cx);
        }
        Ok(())
    }

    /// Time pays for chunks that bring less than they cost.
    fn forgive(&mut self, cx: &Cx) {
        if self.engine.phase() != Phase::Body {
            return;
        }
        let seconds = cx.now.saturating_duration_since(self.forgiven_at).as_secs();
        if seconds > 0 {
            self.forgiven_at = cx.now;
            let bytes = seconds.saturating_mul(CHUNK_FORGIVEN_PER_SECOND_BYTES);
            self.engine.forgive(bytes);
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], cx: &mut Cx) {
        if !self.is_http1(bytes) {
            return self.input.extend_from_slice(bytes);
        }
        if self.input.is_empty() {
            let (consumed, _) = self.parse(bytes, cx);
            if consumed < bytes.len() {
                self.input = cx.buffer();
                self.input.extend_from_slice(&bytes[consumed..]);
            }
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(bytes);
            let (consumed, _) = self.parse(&input, cx);
            self.keep(input, consumed);
        }
    }

    /// Keeps what is not consumed.
    fn keep(&mut self, mut input: Vec<u8>, consumed: usize) {
        if consumed == input.len() {
            input.clear();
        } else {
            input.drain(..consumed);
        }
        self.input = input;
    }

    /// Makes requests of bytes. Says how many are consumed and whether anything came of them.
    fn parse(&mut self, bytes: &[u8], cx: &mut Cx) -> (usize, bool) {
        if self.limits_version != cx.limits_version {
            self.limits_version = cx.limits_version;
            self.engine.set_limits(cx.h1_limits());
        }
        let mut at = 0;
        let mut progressed = false;
        while self.opening == Opening::Http1
            && self.end.is_none()
            && (self.is_inside() || self.may_begin(cx))
        {
            if at == bytes.len() && self.engine.phase() == Phase::Idle {
                break;
            }
            let unread = &bytes[at..];
            if self.upload.is_some() {
                let (consumed, needs_more) = self.poll_upload(unread);
                at += consumed;
                progressed |= !needs_more || consumed > 0;
                if needs_more {
                    break;
                }
                continue;
            }
            let waited = self.standing.waits();
            if !self.finds_room(unread.len(), cx) {
                if !waited && cx.is_crowded() {
                    self.fail(PeerErrorKind::Overloaded.into(), cx);
                    progressed = true;
                }
                break;
            }
            let mut incoming = self.incoming.take().unwrap_or_else(|| cx.spare());
            let step = self
                .engine
                .poll(unread, &mut incoming.head, &mut incoming.trailers);
            at += step.consumed;
            let needs_more = step.event == Event::NeedMore;
            progressed |= !needs_more || step.consumed > 0;
            self.on_step(step.event, unread, incoming, cx);
            if needs_more {
                break;
            }
        }
        (at, progressed)
    }

    /// In the middle of a request that goes on.
    fn is_inside(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_some_and(|incoming| !incoming.is_complete) || self.upload_wants_input()
    }

    fn on_step(&mut self, event: Event, bytes: &[u8], mut incoming: Box<Incoming>, cx: &mut Cx) {
        match event {
            Event::NeedMore if self.engine.phase() != Phase::Body => {
                if self.engine.phase() == Phase::Head {
                    self.note_begin(cx);
                }
                return cx.discard(incoming);
            }
            Event::NeedMore => {}
            Event::Head(facts) => {
                self.is_fresh = false;
                self.note_progress(Wait::Head, cx.now);
                self.pace_in = Pace::default();
                if incoming.head.wants_https() && !self.transport.is_tls() {
                    self.incoming = Some(incoming);
                    return self.fail(PeerErrorKind::Misdirected.into(), cx);
                }
                incoming.facts = facts;
                incoming.ticket = cx.new_ticket();
                self.note_request(&mut incoming, cx);
                incoming.files = files_for(&cx.routes, &incoming.head);
                if incoming.files.is_none() {
                    cx.mark(Mark::RequestArrives, incoming.ticket);
                    incoming.wish = cx.wish(&incoming.head);
                    self.choose_site(&mut incoming, cx);
                    if incoming.streams {
                        self.incoming = Some(incoming);
                        self.board(cx);
                        return;
                    }
                }
                if self.engine.end_if_bodyless() {
                    return self.on_complete(incoming, cx);
                }
            }
            // No answer with a file depends on a body: it is given at once, and nobody knows then
            // whether the body will come.
            Event::ExpectContinue if incoming.files.is_some() => {
                self.engine.stop();
                incoming.facts.keep_alive = false;
                return self.on_complete(incoming, cx);
            }
            Event::ExpectContinue => incoming.owes_continue = true,
            Event::Body(_) if incoming.files.is_some() => {}
            Event::Body(range) => {
                cx.take_in_body(range.len());
                self.note_progress(Wait::Room, cx.now);
                append(&mut incoming.body, &bytes[range]);
            }
            Event::End => {
                self.leave_room(cx);
                return self.on_complete(incoming, cx);
            }
            Event::Error(error) => {
                self.note_bad_head(bytes, cx);
                self.incoming = Some(incoming);
                return self.fail(error, cx);
            }
        }
        self.incoming = Some(incoming);
    }

    /// All of a request is here.
    fn on_complete(&mut self, mut incoming: Box<Incoming>, cx: &mut Cx) {
        incoming.is_complete = true;
        self.note_complete(cx);
        self.incoming = Some(incoming);
        self.board(cx);
    }

    /// Puts the complete request on board of a shuttle and sends it, or queues for a berth. True:
    /// it was sent.
    fn board(&mut self, cx: &mut Cx) -> bool {
        if self.end.is_some() || self.is_waiting {
            return false;
        }
        let Some(incoming) = self.incoming.take_if(|incoming| incoming.is_complete) else {
            return false;
        };
        if incoming.files.is_some() {
            self.set_out(Trip::here(incoming), cx);
            return self.answer(cx);
        }
        // Beside a body that is being received nothing else is begun.
        let is_safe = is_safe(incoming.head.method()) && !incoming.streams;
        if !self.trips.is_empty() && !is_safe {
            self.incoming = Some(incoming);
            return false;
        }
        let Some((shuttle, second)) = cx.board(incoming.streams, self.has_turn) else {
            cx.wait_for_berth(self.token, incoming.streams);
            self.incoming = Some(incoming);
            self.is_waiting = true;
            return false;
        };
        self.has_turn = false;
        let length = length_of(&incoming.facts);
        let ticket = incoming.ticket;
        let body = second.map(|second| BodyTrip::new(second, ticket, length, (self.token, 0), cx));
        self.send(shuttle, body, incoming, is_safe, cx);
        true
    }

    fn send(
        &mut self,
        mut shuttle: Shuttle<Worker, Exchange>,
        body: Option<BodyTrip>,
        mut incoming: Box<Incoming>,
        is_safe: bool,
        cx: &mut Cx,
    ) {
        let ticket = incoming.ticket;
        cx.mark(Mark::AllocateShuttle, ticket);
        if body.is_some() {
            cx.mark(Mark::AllocateBodyShuttle, ticket);
        }
        if shuttle.leg() != Leg::Free {
            // It was laid to rest by its drop, with what was in it.
            shuttle.clear(KEEP_BYTES);
        }
        // Looked up once: a shuttle finds its cargo anew each time it is asked.
        let exchange: &mut Exchange = &mut shuttle;
        // Swapped, not copied: the buffers of both go on living, in each other's place.
        std::mem::swap(&mut exchange.request, &mut incoming.head);
        std::mem::swap(&mut exchange.body, &mut incoming.body);
        std::mem::swap(&mut exchange.trailers, &mut incoming.trailers);
        exchange.body_berth = body.as_ref().map(BodyTrip::name);
        exchange.worker_ticket = ticket;
        exchange.id = std::mem::take(&mut incoming.id);
        exchange.peer = Some(self.peer);
        exchange.local = self.local;
        exchange.https = self.transport.is_tls();
        exchange
            .advance(Leg::Request)
            .expect("a free exchange may take a request");
        cx.mark(Mark::PackRequest, ticket);
        let berth = shuttle.berth();
        let wish = incoming.wish.take();
        let trip = Trip::away(berth, ticket, incoming.facts, is_safe).with_wish(wish);
        self.set_out(trip, cx);
        match body {
            Some(body) => self.upload = Some(Box::new(Upload::new(body, incoming))),
            None => cx.reuse(incoming),
        }
        cx.note(&shuttle, self.token);
        cx.stats.requests.one();
        cx.mark(Mark::SendRequest, ticket);
        cx.shore.send(shuttle);
        cx.published(Mark::SendRequest, ticket);
        cx.mark(Mark::WorkerGoesOn, ticket);
        if self.socket.has_fin {
            cx.hail(berth, ticket);
        }
    }

    /// Answers `error` after what was asked before it, and reads no more.
    pub(super) fn fail(&mut self, error: PeerError, cx: &mut Cx) {
        self.engine.stop();
        self.leave_room(cx);
        if let Some(incoming) = self.incoming.take() {
            if incoming.ticket != 0 {
                self.form = ErrorForm::of(&incoming.head);
            }
            cx.discard(incoming);
        }
        cx.stats.parse_errors.one();
        let input = std::mem::take(&mut self.input);
        self.note_bad_head(&input, cx);
        self.input = input;
        self.set_out(Trip::early(error, self.engine.facts()), cx);
    }

    /// `100 Continue`, when it is asked for and nothing has to be said before it.
    pub(super) fn invite_body(&mut self, cx: &mut Cx) -> bool {
        if self.upload.is_some() {
            return self.invite_upload(cx);
        }
        if !self.trips.is_empty() || !self.owes_continue() || !self.finds_room_to_invite(cx) {
            return false;
        }
        if let Some(incoming) = &mut self.incoming {
            incoming.owes_continue = false;
        }
        self.outbox.copy(encode_continue);
        cx.stats.response(100);
        true
    }

    /// The client will send nothing more: a request that is not whole never will be.
    fn on_end_of_input(&mut self, cx: &mut Cx) -> bool {
        if (!self.may_begin(cx) && !self.is_inside()) || self.standing.waits() {
            // What is buffered was not looked at yet.
            return false;
        }
        match self.engine.end_of_input() {
            Err(_) if self.end.is_none() && self.upload.is_some() => {
                self.fail_upload(BodyFault::Closed);
                true
            }
            Err(error) if self.end.is_none() => {
                self.fail(error, cx);
                true
            }
            _ => false,
        }
    }
}

/// Grows a body by steps, not by doubling: a thousand that never end would take twice the memory
/// that is counted. Large blocks are moved by the system without copying.
fn append(body: &mut Vec<u8>, piece: &[u8]) {
    if body.capacity() - body.len() < piece.len() {
        body.reserve_exact(piece.len().max(BODY_STEP_BYTES));
    }
    body.extend_from_slice(piece);
}

/// Methods that change nothing (RFC 9110 section 9.2.1), so that several may be in progress.
fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
}
