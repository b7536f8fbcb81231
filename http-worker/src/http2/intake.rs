//! The way in: streams to requests to shuttles.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use http_proto::content::ErrorForm;
use http_proto::drawing::Mark;
use http_proto::h1::{self, RequestBody, RequestFacts};
use http_proto::limits::STREAMED_BODY_MAX_BYTES;
use http_proto::{Leg, PeerError, PeerErrorKind};

use super::room::{May, Room};
use super::stream::{Lot, Place, Reply, Stream};
use super::upload::Upload;
use super::{Conn, fields};
use crate::access::NOT_READ;
use crate::conn::{BodyTrip, Pace, length_of};
use crate::context::{Boarded, Cx, Incoming};
use crate::limits::KEEP_BYTES;
use crate::routes::files_for;

/// What one look at a body gave.
pub(super) enum Piece {
    Bytes(Bytes),
    Trailers(HeaderMap),
    End,
    /// Nothing yet.
    None,
    /// The stream, or the connection, is lost.
    Gone,
}

/// Looks for more of a body.
pub(super) fn next_piece(body: &mut RecvStream, waker: &mut Context<'_>) -> Piece {
    match body.poll_data(waker) {
        Poll::Pending => Piece::None,
        Poll::Ready(Some(Ok(bytes))) => Piece::Bytes(bytes),
        Poll::Ready(Some(Err(_))) => Piece::Gone,
        Poll::Ready(None) => match body.poll_trailers(waker) {
            Poll::Pending => Piece::None,
            Poll::Ready(Ok(Some(map))) => Piece::Trailers(map),
            Poll::Ready(Ok(None)) => Piece::End,
            Poll::Ready(Err(_)) => Piece::Gone,
        },
    }
}

impl Conn {
    /// A stream begins.
    pub(super) fn on_request(
        &mut self,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        cx: &mut Cx,
    ) {
        self.note_most_streams();
        let stream = respond.stream_id().as_u32();
        self.pipe.borrow_mut().note_asked(Some(stream));
        let (parts, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let mut incoming = cx.spare();
        let limits = h1::Limits {
            // How long it may be depends on where it goes.
            body_max_bytes: u64::MAX,
            ..cx.h1_limits()
        };
        let head = &mut incoming.head;
        let read = fields::read_head(&parts, self.https, has_body, &limits, head);
        let read = read.and_then(|facts| choose_site(facts, &mut incoming, cx));
        let mut stream = Stream {
            berth: None,
            ticket: cx.new_ticket(),
            is_head: parts.method == http::Method::HEAD,
            place: Place::Done,
            upload: None,
            body_max_bytes: read.unwrap_or(0),
            reply: Reply::Unsaid(respond),
            wish: incoming.wish.take(),
            press: None,
            trailers: None,
            is_last: false,
            priority: fields::priority(&parts.headers),
            is_listed: false,
            pace: Pace::default(),
            sent_mark: Some(Mark::ResponseToClient),
            room: Room::default(),
            record: None,
            form: ErrorForm::Text,
        };
        incoming.ticket = stream.ticket;
        stream.record = self.begin_record(&mut incoming, stream.ticket, cx);
        incoming.trailers.clear();
        cx.mark(Mark::RequestArrives, stream.ticket);
        match read {
            Ok(_) => {
                stream.pace.run(true, cx.now);
                stream.place = Place::Arriving(incoming, body);
            }
            Err(_) => {
                stream.form = ErrorForm::of(&incoming.head);
                cx.discard(incoming);
            }
        }
        let place = self.streams.insert(stream);
        match read {
            Err(error) => self.refuse(place, &error, cx),
            Ok(_) if self.is_for_files(place) => self.turn_to_file(place, cx),
            // It crosses at once.
            Ok(_) if self.streams[place].streams_body() => self.complete(place, cx),
            Ok(_) => self.receive(place, cx),
        }
        self.drop_if_done(place, cx);
    }

    fn is_for_files(&self, place: usize) -> bool {
        let place = &self.streams[place].place;
        matches!(place, Place::Arriving(incoming, _) if incoming.files.is_some())
    }

    /// No file depends on a body: what there is of it the client is told to keep.
    fn turn_to_file(&mut self, place: usize, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        if let Place::Arriving(incoming, _) = std::mem::replace(&mut stream.place, Place::Done) {
            self.ask_for_file(place, incoming, cx);
        }
        self.look_after_if_there(place, cx);
    }

    fn look_after_if_there(&mut self, place: usize, cx: &mut Cx) {
        if self.streams.contains(place) {
            self.look_after(place, cx);
        }
    }

    /// Takes in what is there of a body; the whole request is sent on.
    pub(super) fn receive(&mut self, place: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let mut waker = Context::from_waker(&waker);
        loop {
            match self.find_room(place, cx) {
                May::TakeIn => {}
                May::Wait => return self.look_after(place, cx),
                May::GiveUp => return self.refuse(place, &PeerErrorKind::Overloaded.into(), cx),
            }
            let stream = &mut self.streams[place];
            let Place::Arriving(incoming, body) = &mut stream.place else {
                return;
            };
            match next_piece(body, &mut waker) {
                Piece::Bytes(bytes) => {
                    stream.pace.note(bytes.len(), cx.receive_rule(), cx.now);
                    let max = stream.body_max_bytes;
                    if let Err(kind) = take_in(&bytes, incoming, body, max, cx) {
                        return self.refuse(place, &kind.into(), cx);
                    }
                }
                Piece::Trailers(map) => {
                    if let Err(error) = fields::read_trailers(&map, &mut incoming.trailers) {
                        return self.refuse(place, &error, cx);
                    }
                    return self.complete(place, cx);
                }
                Piece::End => return self.complete(place, cx),
                Piece::None => {
                    if std::mem::take(&mut incoming.owes_continue) {
                        self.invite_body(place, cx);
                    }
                    return;
                }
                Piece::Gone => return self.lose(place, cx),
            }
        }
    }

    /// `100 Continue`.
    pub(super) fn invite_body(&mut self, place: usize, cx: &Cx) {
        if let Reply::Unsaid(respond) = &mut self.streams[place].reply
            && respond.send_informational(fields::invitation()).is_ok()
        {
            cx.stats.response(100);
        }
    }

    /// The request is whole, or may cross before its body.
    fn complete(&mut self, place: usize, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        stream.leave_room(cx);
        if let Place::Arriving(incoming, body) = std::mem::replace(&mut stream.place, Place::Done) {
            let body = incoming.streams.then_some(body);
            if let Some(record) = &mut stream.record {
                record.note_complete(cx.now);
            }
            stream.pace = Pace::default();
            stream.place = Place::Waiting(incoming, body);
            self.waiting.push_back((place, stream.ticket));
        }
        self.board_waiting(cx);
        if matches!(self.streams[place].place, Place::Waiting(..)) {
            self.look_after(place, cx);
        }
    }

    /// Sends on whole requests for which there is a berth, and queues for the others.
    pub(super) fn board_waiting(&mut self, cx: &mut Cx) {
        while let Some(&(place, ticket)) = self.waiting.front() {
            let stream = self.streams.get(place);
            let stream = stream.filter(|stream| stream.ticket == ticket);
            if let Some(Place::Waiting(incoming, _)) = stream.map(|stream| &stream.place) {
                // When berths are scarce each connection has one at a time.
                if self.is_waiting || (cx.is_scarce() && self.travels()) {
                    return;
                }
                let Some(boarded) = cx.board(incoming.streams, self.has_turn) else {
                    self.is_waiting = true;
                    return cx.wait_for_berth(self.token, incoming.streams);
                };
                self.has_turn = false;
                self.send(place, boarded, cx);
            }
            self.waiting.pop_front();
        }
    }

    fn travels(&self) -> bool {
        self.streams.iter().any(|(_, stream)| stream.travels())
    }

    fn send(&mut self, place: usize, (mut shuttle, second): Boarded, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        let taken = std::mem::replace(&mut stream.place, Place::Away);
        let Place::Waiting(mut incoming, body) = taken else {
            unreachable!("the caller has looked");
        };
        let ticket = stream.ticket;
        cx.mark(Mark::AllocateShuttle, ticket);
        if shuttle.leg() != Leg::Free {
            // It was laid to rest by its drop, with what was in it.
            shuttle.clear(KEEP_BYTES);
        }
        // Swapped, not copied: the buffers of both go on living, in each other's place.
        std::mem::swap(&mut shuttle.request, &mut incoming.head);
        std::mem::swap(&mut shuttle.body, &mut incoming.body);
        std::mem::swap(&mut shuttle.trailers, &mut incoming.trailers);
        stream.upload = second.zip(body).map(|(second, from)| {
            let owner = (self.token, place);
            let mut body = BodyTrip::new(second, ticket, length_of(&incoming.facts), owner, cx);
            if incoming.facts.expects_continue {
                body.hold_back();
            }
            Upload::new(body, from, stream.body_max_bytes)
        });
        shuttle.body_berth = stream.upload.as_ref().map(|upload| upload.body.name());
        shuttle.worker_ticket = ticket;
        shuttle.id = std::mem::take(&mut incoming.id);
        shuttle.peer = Some(self.peer);
        shuttle.local = self.local;
        shuttle.https = self.https;
        shuttle
            .advance(Leg::Request)
            .expect("a free exchange may take a request");
        cx.mark(Mark::PackRequest, ticket);
        stream.berth = Some(shuttle.berth());
        cx.reuse(incoming);
        cx.note_at(&shuttle, self.token, place);
        cx.stats.requests.one();
        cx.mark(Mark::SendRequest, ticket);
        cx.shore.send(shuttle);
        cx.published(Mark::SendRequest, ticket);
        cx.mark(Mark::WorkerGoesOn, ticket);
        self.look_after(place, cx);
        self.carry_body(place, cx);
    }

    /// Looks whether the stream is still there, and asks to be told when it is not.
    pub(super) fn look_after(&mut self, place: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let lot = self.streams[place].lot(&mut Context::from_waker(&waker));
        if lot == Lot::Gone {
            self.lose(place, cx);
        }
    }

    /// Answers `error` itself; nothing more of the request is read.
    pub(super) fn refuse(&mut self, place: usize, error: &PeerError, cx: &mut Cx) {
        cx.stats.parse_errors.one();
        cx.stats.response(error.status);
        let stream = &mut self.streams[place];
        let form = match &stream.place {
            Place::Arriving(incoming, _) => ErrorForm::of(&incoming.head),
            _ => stream.form,
        };
        let body = stream.page(error.status, error.reason, form, cx);
        let mut head = fields::refusal(error, form, body.len(), &cx.encoder, &mut cx.texts);
        stream.note_own_answer(&mut head, body.len(), error.reason, cx);
        if let Reply::Unsaid(respond) = &mut stream.reply {
            let sent = respond.send_response(head, stream.is_head);
            if let (Ok(mut send), false) = (sent, stream.is_head) {
                // Fails when the stream is lost, and then nobody reads it.
                let _ = send.send_data(body.into(), true);
            }
        }
        stream.reply = Reply::Ended;
        stream.leave_room(cx);
        // The engine tells a client that is still sending to stop (RFC 9113 section 8.1).
        if let Place::Arriving(incoming, _) = std::mem::replace(&mut stream.place, Place::Done) {
            cx.discard(incoming);
        }
    }

    /// The client was too slow with the body, or there was no room for it in time.
    pub(super) fn on_slow_body(&mut self, place: usize, cx: &mut Cx) {
        let kind = match self.streams[place].room.until() {
            Some(_) => PeerErrorKind::Overloaded,
            None => PeerErrorKind::Timeout,
        };
        self.refuse(place, &kind.into(), cx);
        self.drop_if_done(place, cx);
    }

    /// Resets a stream whose client does not read.
    pub(super) fn on_slow_reader(&mut self, place: usize, cx: &mut Cx) {
        self.streams[place].blame(NOT_READ);
        self.streams[place].reset(Reason::CANCEL);
        self.lose(place, cx);
        self.drop_if_done(place, cx);
    }
}

/// Takes in a piece of a body, if there is room for it, and gives its part of the windows back.
fn take_in(
    bytes: &Bytes,
    incoming: &mut Incoming,
    body: &mut RecvStream,
    max_bytes: u64,
    cx: &mut Cx,
) -> Result<(), PeerErrorKind> {
    // Nobody waits to be invited any more: RFC 9110 section 10.1.1.
    incoming.owes_continue = false;
    let len = incoming.body.len() as u64 + bytes.len() as u64;
    if len > max_bytes {
        return Err(PeerErrorKind::BodyTooLarge);
    }
    cx.take_in_body(bytes.len());
    incoming.body.extend_from_slice(bytes);
    // Fails only for more than was received.
    let _ = body.flow_control().release_capacity(bytes.len());
    Ok(())
}

/// Finds out whether the request crosses at once, before its body, and how long the body may be.
///
/// # Errors
/// It is longer by its own word.
fn choose_site(facts: RequestFacts, incoming: &mut Incoming, cx: &Cx) -> Result<u64, PeerError> {
    incoming.facts = facts;
    incoming.owes_continue = facts.expects_continue;
    incoming.files = files_for(&cx.routes, &incoming.head);
    if incoming.files.is_some() {
        return Ok(0);
    }
    incoming.wish = cx.wish(&incoming.head);
    if facts.body == RequestBody::None {
        return Ok(0);
    }
    let app = cx.app(incoming.head.path());
    // One berth would be taken by the request, and none be left for its body.
    let streams = app.streams_body && cx.shore.berths() > 1;
    let any_length = streams.then_some(STREAMED_BODY_MAX_BYTES);
    let max = app.body_max_bytes.or(any_length);
    let max = max.unwrap_or(cx.limits.body_bytes);
    let max = if streams {
        max
    } else {
        max.min(cx.limits.buffered_bodies_bytes as u64)
    };
    if length_of(&facts).is_some_and(|length| length > max) {
        return Err(PeerErrorKind::BodyTooLarge.into());
    }
    incoming.streams = streams;
    Ok(max)
}
