//! HTTP/1's part of a body that crosses in pieces: where its bytes come from, what becomes of those
//! that nobody wants, and of the connection afterwards.

use http_proto::h1::{Event, RequestBody, RequestFacts, encode_continue};
use http_proto::limits::STREAMED_BODY_MAX_BYTES;
use http_proto::{BodyFault, PeerErrorKind};

use super::Conn;
use super::body::BodyTrip;
use super::ending::End;
use super::trips::Trip;
use crate::context::{Cx, Incoming};
use crate::limits::BODY_REST_BYTES;

/// The body that this connection receives.
pub(super) struct Upload {
    pub(super) body: BodyTrip,
    /// What the engine fills: the trailers.
    scratch: Box<Incoming>,
    /// How many more bytes are thrown away.
    spare_bytes: usize,
}

impl Upload {
    pub(super) fn new(body: BodyTrip, scratch: Box<Incoming>) -> Self {
        Self {
            body,
            scratch,
            spare_bytes: BODY_REST_BYTES,
        }
    }

    /// Whether bytes have a use now, be it that they get the connection to its next request.
    fn wants_input(&self) -> bool {
        let is_open = !self.body.is_complete() && !self.body.has_failed();
        is_open && (self.body.has_room() || self.body.is_unwanted())
    }

    /// Whether it is the client that it waits for.
    fn waits_for_client(&self) -> bool {
        self.wants_input() && !self.body.awaits_invitation()
    }
}

/// How long a body will be, if that was said.
pub(crate) fn length_of(facts: &RequestFacts) -> Option<u64> {
    match facts.body {
        RequestBody::Length(length) => Some(length),
        RequestBody::None | RequestBody::Chunked => None,
    }
}

impl Conn {
    /// A head is there: finds out whether its request crosses at once, before its body, and how
    /// long the body may be.
    pub(super) fn choose_site(&mut self, incoming: &mut Incoming, cx: &Cx) {
        let facts = incoming.facts;
        if facts.body == RequestBody::None {
            return;
        }
        let app = cx.app(incoming.head.path());
        // One berth would be taken by the request, and none be left for its body.
        let streams = app.streams_body && cx.shore.berths() > 1;
        let usual = if streams {
            STREAMED_BODY_MAX_BYTES
        } else {
            cx.limits.body_bytes
        };
        let mut max = app.body_max_bytes.unwrap_or(usual);
        if !streams {
            // What is more than all bodies may be would wait for ever.
            max = max.min(cx.limits.buffered_bodies_bytes as u64);
        }
        self.engine.set_body_max(max);
        // What is too long by its own word is refused by the engine, and nobody need hear of it.
        incoming.streams = streams && length_of(&facts).is_none_or(|length| length <= max);
        incoming.is_complete = incoming.streams;
    }

    /// Whether the body that is received has use for bytes now.
    pub(super) fn upload_wants_input(&self) -> bool {
        self.upload.as_deref().is_some_and(Upload::wants_input)
    }

    /// Whether the body that is received waits for its client, and for nobody else.
    pub(super) fn upload_waits_for_client(&self) -> bool {
        self.upload.as_deref().is_some_and(Upload::waits_for_client)
    }

    /// Looks for more of the body. How many bytes are consumed, and whether others are needed.
    pub(super) fn poll_upload(&mut self, bytes: &[u8]) -> (usize, bool) {
        let Some(upload) = &mut self.upload else {
            return (0, true);
        };
        let Incoming { head, trailers, .. } = &mut *upload.scratch;
        let step = self.engine.poll(bytes, head, trailers);
        match step.event {
            Event::NeedMore => return (step.consumed, true),
            Event::Head(_) => debug_assert!(false, "a head in the middle of a body"),
            Event::ExpectContinue => upload.body.hold_back(),
            Event::Body(range) => self.take_piece(&bytes[range]),
            Event::End => upload.body.end(trailers),
            Event::Error(error) if error.kind == PeerErrorKind::BodyTooLarge => {
                self.fail_upload(BodyFault::TooLarge);
            }
            Event::Error(_) => self.fail_upload(BodyFault::Malformed),
        }
        (step.consumed, false)
    }

    fn take_piece(&mut self, bytes: &[u8]) {
        let Some(upload) = &mut self.upload else {
            return;
        };
        upload.body.take_in(bytes);
        if !upload.body.is_unwanted() {
            return;
        }
        match upload.spare_bytes.checked_sub(bytes.len()) {
            Some(left) => upload.spare_bytes = left,
            None => self.fail_upload(BodyFault::Closed),
        }
    }

    /// The rest of the body will not come, or is not waited for: no request can follow it.
    pub(super) fn fail_upload(&mut self, fault: BodyFault) {
        if let Some(upload) = &mut self.upload {
            upload.body.fail(fault);
        }
        self.engine.stop();
    }

    /// Sees to the shuttle of the body. True: it made a difference.
    pub(super) fn carry_body(&mut self, cx: &mut Cx) -> bool {
        let Some(upload) = &mut self.upload else {
            return false;
        };
        let ticket = upload.body.ticket();
        let is_served = self.trips.iter().any(|trip| trip.is_open(ticket));
        let moved = if is_served {
            upload.body.advance(cx)
        } else {
            // The response is complete, so the request is over.
            upload.body.let_go(cx)
        };
        if upload.body.is_complete() && upload.body.is_unwanted() {
            self.drop_upload(cx);
        } else if upload.body.has_failed() && !is_served && self.end.is_none() {
            self.end_with(End::Linger);
        }
        moved
    }

    /// Has nothing more to do with the body.
    pub(super) fn drop_upload(&mut self, cx: &mut Cx) {
        if let Some(mut upload) = self.upload.take() {
            upload.body.let_go(cx);
            cx.reuse(upload.scratch);
        }
    }

    /// `100 Continue` for a body that is wanted, unless an answer was begun: who sent that needs no
    /// invitation, and the client would take it for the answer to its next request.
    pub(super) fn invite_upload(&mut self, cx: &Cx) -> bool {
        let Some(upload) = &mut self.upload else {
            return false;
        };
        let ticket = upload.body.ticket();
        if !upload.body.take_invitation() {
            return false;
        }
        let is_next = self.trips.front().is_some_and(|trip| trip.is_fresh(ticket));
        if is_next {
            self.outbox.copy(encode_continue);
            cx.stats.response(100);
        }
        is_next
    }

    /// Whether the body of this trip has not been received as a whole.
    pub(super) fn has_unread_body(&self, trip: &Trip) -> bool {
        let upload = self.upload.as_ref();
        upload.is_some_and(|upload| {
            upload.body.ticket() == trip.ticket() && !upload.body.is_complete()
        })
    }

    /// Whether the connection cannot be used again after this trip, if it ends now: there is more
    /// of its body than is thrown away, or nobody knows whether it will come (RFC 9110 section
    /// 10.1.1: who was not invited may send it or not).
    pub(super) fn is_blocked_by_body(&self, trip: &Trip) -> bool {
        let Some(upload) = self.upload.as_ref().filter(|_| self.has_unread_body(trip)) else {
            return false;
        };
        let rest = upload.body.rest_bytes().unwrap_or(0);
        upload.body.has_failed()
            || upload.body.awaits_invitation()
            || rest > upload.spare_bytes as u64
    }
}
