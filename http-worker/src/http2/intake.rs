//! The way in: streams to requests to shuttles.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use http_proto::drawing::Mark;
use http_proto::{Exchange, Leg, PeerError, PeerErrorKind};
use shuttle_core::{Shuttle, Worker};

use super::stream::{Lot, Place, Reply, Stream};
use super::{Conn, fields};
use crate::context::{Cx, Incoming};
use crate::limits::KEEP_BYTES;

/// What one look at a body gave.
enum Piece {
    Bytes(Bytes),
    Trailers(HeaderMap),
    End,
    /// Nothing yet.
    None,
    /// The stream, or the connection, is lost.
    Gone,
}

fn next_piece(body: &mut RecvStream, waker: &mut Context<'_>) -> Piece {
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
        let (parts, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let mut incoming = cx.spare();
        let limits = cx.h1_limits();
        let head = &mut incoming.head;
        let read = fields::read_head(&parts, self.https, has_body, &limits, head);
        let mut stream = Stream {
            berth: None,
            ticket: cx.new_ticket(),
            is_head: parts.method == http::Method::HEAD,
            place: Place::Done,
            reply: Reply::Unsaid(respond),
            is_last: false,
            is_listed: false,
            since: cx.now,
            sent_mark: Some(Mark::ResponseToClient),
        };
        incoming.ticket = stream.ticket;
        incoming.trailers.clear();
        cx.mark(Mark::RequestArrives, stream.ticket);
        let error = read.as_ref().err().copied();
        if let Ok(facts) = read {
            incoming.owes_continue = facts.expects_continue;
            incoming.facts = facts;
            stream.place = Place::Arriving(incoming, body);
        } else {
            cx.discard(incoming);
        }
        let place = self.streams.insert(stream);
        match error {
            Some(error) => self.refuse(place, &error, cx),
            None => self.receive(place, cx),
        }
        self.drop_if_done(place, cx);
    }

    /// Takes in what is there of a body; the whole request is sent on.
    pub(super) fn receive(&mut self, place: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let mut waker = Context::from_waker(&waker);
        loop {
            let stream = &mut self.streams[place];
            let Place::Arriving(incoming, body) = &mut stream.place else {
                return;
            };
            match next_piece(body, &mut waker) {
                Piece::Bytes(bytes) => {
                    stream.since = cx.now;
                    if let Err(kind) = take_in(&bytes, incoming, body, cx) {
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
    fn invite_body(&mut self, place: usize, cx: &Cx) {
        if let Reply::Unsaid(respond) = &mut self.streams[place].reply
            && respond.send_informational(fields::invitation()).is_ok()
        {
            cx.stats.response(100);
        }
    }

    /// The request is whole.
    fn complete(&mut self, place: usize, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        if let Place::Arriving(incoming, _) = std::mem::replace(&mut stream.place, Place::Done) {
            stream.place = Place::Waiting(incoming);
            self.waiting.push_back((place, stream.ticket));
        }
        self.board_waiting(cx);
        if matches!(self.streams[place].place, Place::Waiting(_)) {
            self.look_after(place, cx);
        }
    }

    /// Sends on whole requests for which there is a berth, and queues for the others.
    pub(super) fn board_waiting(&mut self, cx: &mut Cx) {
        while let Some(&(place, ticket)) = self.waiting.front() {
            let stream = self.streams.get(place);
            let is_there = stream.is_some_and(|stream| {
                stream.ticket == ticket && matches!(stream.place, Place::Waiting(_))
            });
            if is_there {
                if self.is_waiting {
                    return;
                }
                let Some(shuttle) = cx.board(self.has_turn) else {
                    self.is_waiting = true;
                    cx.waiting.push_back(self.token);
                    cx.stats.waits_for_berth.one();
                    return;
                };
                self.has_turn = false;
                self.send(place, shuttle, cx);
            }
            self.waiting.pop_front();
        }
    }

    fn send(&mut self, place: usize, mut shuttle: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        let Place::Waiting(mut incoming) = std::mem::replace(&mut stream.place, Place::Away) else {
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
        shuttle.worker_ticket = ticket;
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
        let head = fields::refusal(error, &cx.encoder);
        if let Reply::Unsaid(respond) = &mut stream.reply {
            let sent = respond.send_response(head, stream.is_head);
            if let (Ok(mut send), false) = (sent, stream.is_head) {
                // Fails when the stream is lost, and then nobody reads it.
                let _ = send.send_data(Bytes::from_static(error.reason.as_bytes()), true);
            }
        }
        stream.reply = Reply::Ended;
        // The engine tells a client that is still sending to stop (RFC 9113 section 8.1).
        if let Place::Arriving(incoming, _) = std::mem::replace(&mut stream.place, Place::Done) {
            cx.discard(incoming);
        }
    }

    /// The client was too slow with the body.
    pub(super) fn on_slow_body(&mut self, place: usize, cx: &mut Cx) {
        self.refuse(place, &PeerErrorKind::Timeout.into(), cx);
        self.drop_if_done(place, cx);
    }

    /// Resets a stream whose client does not read.
    pub(super) fn on_slow_reader(&mut self, place: usize, cx: &mut Cx) {
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
    cx: &mut Cx,
) -> Result<(), PeerErrorKind> {
    // Nobody waits to be invited any more: RFC 9110 section 10.1.1.
    incoming.owes_continue = false;
    let len = incoming.body.len() as u64 + bytes.len() as u64;
    if len > cx.limits.body_bytes {
        return Err(PeerErrorKind::BodyTooLarge);
    }
    if !cx.take_in_body(bytes.len()) {
        return Err(PeerErrorKind::Overloaded);
    }
    incoming.body.extend_from_slice(bytes);
    // Fails only for more than was received.
    let _ = body.flow_control().release_capacity(bytes.len());
    Ok(())
}
