//! The way out: shuttles that came home to frames, as far as the client's windows admit, and what
//! is said to the other shore when a cargo is given away.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_proto::content::ErrorForm;
use http_proto::drawing::Mark;
use http_proto::h2::ResponseBody;
use http_proto::{Exchange, Leg};
use shuttle_core::{Shuttle, Worker};

use super::stream::{Lot, Place, Reply};
use super::{Conn, fields};
use crate::access::{CHANGED, CLIENT_LEFT, NOT_ANSWERED, NOT_FINISHED, TOO_SHORT};
use crate::cargo::{self, Cargo};
use crate::conn::makes_sense;
use crate::context::Cx;
use crate::limits::{HTTP2_OUTPUT_BYTES, HTTP2_SHARE_BYTES};

/// What the client is told when the application gave no answer.
const NO_ANSWER: &str = "Internal error";

/// What one try to give cargo to the engine led to.
enum Gave {
    /// All of it.
    All,
    /// Some or nothing: the client has to open its windows.
    Blocked,
    /// Some: others are to have their share first.
    Share,
    /// It cannot be had any more.
    Broken,
}

impl Conn {
    /// An answer, or a part of one, is here: gives its head to the engine, and its cargo as far
    /// as there is room.
    pub(super) fn answer(&mut self, place: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let stream = &mut self.streams[place];
        if stream.lot(&mut Context::from_waker(&waker)) == Lot::Gone {
            return self.lose(place, cx);
        }
        match std::mem::replace(&mut stream.place, Place::Done) {
            Place::Home(shuttle) if makes_sense(&shuttle) => {
                self.load(place, shuttle, Cargo::of_arrival, cx);
            }
            Place::Home(shuttle) => {
                if let Err(shuttle) = self.turn_back(place, shuttle, cx) {
                    self.fail(place, shuttle, cx);
                }
            }
            Place::More(shuttle) if stream.has_rest() => self.press_step(place, shuttle, cx),
            Place::More(shuttle) => self.load(place, shuttle, Cargo::of_appended, cx),
            other => stream.place = other,
        }
    }

    fn load(
        &mut self,
        place: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        take_stock: impl Fn(&mut Shuttle<Worker, Exchange>) -> Cargo,
        cx: &mut Cx,
    ) {
        let stream = &mut self.streams[place];
        let is_first = matches!(stream.reply, Reply::Unsaid(_));
        match shuttle.leg() {
            _ if is_first => cx.mark(Mark::FormatResponse, stream.ticket),
            Leg::Write => cx.mark(Mark::SendBody, stream.ticket),
            _ => {}
        }
        let asked = matches!(shuttle.leg(), Leg::Answer | Leg::Close) || shuttle.last;
        // Nothing is appended after the close, so what is found after it was seen is all.
        let sees_close = !asked && shuttle.must_close();
        let cargo = take_stock(&mut shuttle);
        let took_close = sees_close && shuttle.accept_close();
        if took_close {
            cx.mark(Mark::SeeMustClose, stream.ticket);
        }
        stream.is_last = asked || took_close;
        if stream.is_last {
            stream.trailers = shuttle.response_trailers.take();
        }
        stream.sent_mark = Some(match shuttle.leg() {
            Leg::Close if cargo.len() == 0 => Mark::EndToClient,
            Leg::Close => Mark::BodyAndEndToClient,
            _ if took_close => Mark::BodyAndEndToClient,
            _ if is_first => Mark::ResponseToClient,
            _ => Mark::BodyToClient,
        });
        if stream.is_pressed(&mut shuttle, cargo, cx) {
            return self.press_step(place, shuttle, cx);
        }
        if is_first {
            stream.name_answer(&mut shuttle, cx);
            let known_length = stream.is_whole().then_some(cargo.len());
            self.begin(place, &shuttle, known_length, cx);
        }
        let stream = &mut self.streams[place];
        let admitted = match &mut stream.reply {
            Reply::Begun(_, body) => body.admit(cargo.len()),
            Reply::Unsaid(_) | Reply::Ended => 0,
        };
        stream.place = Place::Loaded(shuttle, cargo.cut(admitted));
        self.feed(place, cx);
    }

    /// Says the head. A response that has no body ends the stream with it. `known_length`: of the
    /// body, when all of it is there.
    pub(super) fn begin(
        &mut self,
        place: usize,
        shuttle: &Shuttle<Worker, Exchange>,
        known_length: Option<usize>,
        cx: &mut Cx,
    ) {
        let stream = &mut self.streams[place];
        let length = known_length.map(|length| length as u64);
        let body = ResponseBody::new(&shuttle.response, stream.is_head, length);
        let head = fields::response(&shuttle.response, &body, &cx.encoder, &mut cx.texts);
        let is_empty = body.is_full() || (known_length == Some(0) && body.missing() == 0);
        cx.stats.response(shuttle.response.status());
        let Reply::Unsaid(respond) = &mut stream.reply else {
            return;
        };
        stream.reply = match respond.send_response(head, is_empty) {
            Ok(send) if !is_empty => Reply::Begun(send, body),
            Ok(_) => Reply::Ended,
            Err(e) => {
                // The stream is lost, which its next look tells.
                log::debug!("a response cannot be begun: {e}");
                Reply::Ended
            }
        };
        if shuttle.response.wants_close() {
            self.leave();
        }
    }

    /// Gives of cargo that is new here, unless something more urgent waits to be given.
    pub(super) fn feed(&mut self, place: usize, cx: &mut Cx) {
        let waits = self.feeding.go_before(self.streams[place].priority);
        self.give_share(place, if waits { 0 } else { HTTP2_SHARE_BYTES }, cx);
    }

    /// Goes on to give when the client's windows or the engine's buffer admit it: behind those
    /// that wait for their turn.
    pub(super) fn feed_on(&mut self, place: usize, cx: &mut Cx) {
        let waits = self
            .feeding
            .go_before_all_like(self.streams[place].priority);
        self.give_share(place, if waits { 0 } else { HTTP2_SHARE_BYTES }, cx);
    }

    /// Gives cargo to the engine as far as the client's windows, this connection's share of memory
    /// and `share` admit.
    fn give_share(&mut self, place: usize, share: usize, cx: &mut Cx) {
        let waker = self.ready.waker(place);
        let mut waker = Context::from_waker(&waker);
        let stream = &mut self.streams[place];
        if stream.lot(&mut waker) == Lot::Gone {
            return self.lose(place, cx);
        }
        let is_whole = stream.is_whole();
        let Reply::Begun(send, body) = &mut stream.reply else {
            return self.unload(place, cx);
        };
        let room = HTTP2_OUTPUT_BYTES.saturating_sub(self.handed);
        let share = room.min(share);
        // A body that has its declared length is over, whether or not that was said.
        let ends = body.is_full() || (is_whole && body.missing() == 0);
        let ends = ends && stream.press.as_ref().is_none_or(|press| press.is_sound());
        let (gave, given) = match &mut stream.place {
            Place::Loaded(shuttle, cargo) => {
                let given = give(&mut Brought(shuttle, cargo), send, ends, share, &mut waker);
                if given.1 > 0 && !matches!(given.0, Gave::All) {
                    cx.shore.tell_progress(shuttle);
                }
                given
            }
            Place::Pressed(_, made) => give(made, send, ends, share, &mut waker),
            Place::File(load) => give(load, send, ends, share, &mut waker),
            _ => return,
        };
        if given > 0 {
            stream.pace.note(given, cx.send_rule(), cx.now);
            if let Some(record) = &mut stream.record {
                record.add_bytes(given as u64);
            }
            self.handed += given;
            self.budget.earn_bytes(given);
        }
        stream.pace.run(matches!(gave, Gave::Blocked), cx.now);
        match gave {
            Gave::All => {
                if ends && given > 0 {
                    stream.reply = Reply::Ended;
                }
                self.unload(place, cx);
            }
            Gave::Share if !std::mem::replace(&mut stream.is_listed, true) => {
                self.feeding.put(place, stream.priority, given > 0);
            }
            Gave::Share | Gave::Blocked => {}
            Gave::Broken => {
                log::warn!("a file has become shorter while it was sent: its client is cut off");
                stream.blame(CHANGED);
                stream.reset(Reason::INTERNAL_ERROR);
                stream.place = Place::Done;
            }
        }
    }

    /// Feeds the streams that have more to give than their share was, in turns. True: something
    /// was given.
    pub(super) fn feed_all(&mut self, cx: &mut Cx) -> bool {
        let mut moved = false;
        for _ in 0..self.feeding.len() {
            if self.handed >= HTTP2_OUTPUT_BYTES {
                break;
            }
            let Some(place) = self.feeding.next() else {
                break;
            };
            if let Some(stream) = self.streams.get_mut(place) {
                stream.is_listed = false;
                self.give_share(place, HTTP2_SHARE_BYTES, cx);
                self.drop_if_done(place, cx);
                moved = true;
            }
        }
        moved
    }

    /// The cargo is with the engine: says so to the other shore.
    fn unload(&mut self, place: usize, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        let mut shuttle = match std::mem::replace(&mut stream.place, Place::Done) {
            Place::Loaded(shuttle, _) => shuttle,
            Place::Pressed(shuttle, made) => {
                cx.recycle(made.into_buffer());
                match self.go_on_pressing(place, shuttle, cx) {
                    Some(shuttle) => shuttle,
                    None => return,
                }
            }
            Place::File(_) => return self.finish(place),
            other => {
                stream.place = other;
                return;
            }
        };
        let stream = &mut self.streams[place];
        if let Some(mark) = stream.sent_mark.take() {
            cx.mark(mark, stream.ticket);
        }
        if shuttle.leg() == Leg::Answer {
            self.finish(place);
            return cx.free(shuttle);
        }
        cargo::settle(&mut shuttle);
        if stream.is_last {
            self.finish(place);
            cx.close(shuttle);
        } else {
            self.go_on_with(place, shuttle, cx);
        }
    }

    /// What was loaded has gone. Sends what was appended meanwhile, or ends the response if TX
    /// asked for that, or gives the shuttle back for more.
    fn go_on_with(&mut self, place: usize, mut kept: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        let ticket = kept.worker_ticket;
        // Each round but the last found that TX had just done something: there are two at most
        // before one of the first two ways out.
        loop {
            if kept.find_chunks() > 0 {
                cx.shore.tell_progress(&kept);
                self.streams[place].place = Place::More(kept);
                return self.ready.note(place);
            }
            if kept.must_close() {
                if kept.accept_close() {
                    cx.mark(Mark::SeeMustClose, ticket);
                    return self.end_response(place, kept, cx);
                }
                continue;
            }
            if let Err(e) = kept.advance(Leg::Continue) {
                log::error!("{kept:?}: {e}");
            }
            self.streams[place].place = Place::Away;
            cx.mark(Mark::SendContinue, ticket);
            match cx.shore.send_continue(kept) {
                Ok(()) => return cx.published(Mark::SendContinue, ticket),
                Err(shuttle) => kept = shuttle,
            }
            self.streams[place].place = Place::Done;
            if let Err(e) = kept.advance(Leg::Write) {
                log::error!("{kept:?}: {e}");
            }
        }
    }

    /// Ends a response of which everything else is with the engine.
    fn end_response(&mut self, place: usize, kept: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        if self.streams[place].press.is_some() {
            return self.press_end(place, kept, cx);
        }
        self.finish(place);
        cx.close(kept);
    }

    /// Ends the stream. A response that lacks declared bytes is reset: the client must not take it
    /// for whole.
    fn finish(&mut self, place: usize) {
        let stream = &mut self.streams[place];
        self.budget.earn_answer();
        let pressed = stream.press.as_ref().map_or(0, |press| press.missing());
        if matches!(&stream.reply, Reply::Begun(_, body) if body.missing() + pressed > 0) {
            stream.blame(TOO_SHORT);
        }
        if let Reply::Begun(send, body) = &mut stream.reply {
            let missing = body.missing() + pressed;
            if missing > 0 {
                log::warn!("a response lacks {missing} of its declared bytes");
                send.send_reset(Reason::INTERNAL_ERROR);
            } else {
                // Fails when the stream is lost, and then nobody waits for its end.
                let _ = match stream.trailers.take() {
                    Some(trailers) => send.send_trailers(fields::trailers(&trailers)),
                    None => send.send_data(Bytes::new(), true),
                };
            }
        }
        stream.reply = Reply::Ended;
    }

    /// The other shore gave the request back without an answer, or broke the protocol.
    fn fail(&mut self, place: usize, shuttle: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        let is_mute = shuttle.leg() == Leg::Release && shuttle.client_gone();
        cx.disown(shuttle.berth());
        if shuttle.leg() != Leg::Release {
            let leg = shuttle.leg();
            log::error!("{shuttle:?} was abandoned or sent home with {leg:?}");
        }
        let stream = &mut self.streams[place];
        stream.berth = None;
        let form = ErrorForm::of(&shuttle.request);
        let page = stream.page(500, NO_ANSWER, form, cx);
        let mut head = fields::page(500, form, page.len(), &cx.encoder, &mut cx.texts);
        if !is_mute && matches!(stream.reply, Reply::Unsaid(_)) {
            stream.note_own_answer(&mut head, page.len(), NOT_ANSWERED, cx);
        }
        match &mut stream.reply {
            Reply::Unsaid(respond) if !is_mute => {
                cx.stats.response(500);
                let sent = respond.send_response(head, stream.is_head);
                if let (Ok(mut send), false) = (sent, stream.is_head) {
                    let _ = send.send_data(page.into(), true);
                }
                stream.reply = Reply::Ended;
            }
            // A part is with the client, or nobody is believed to wait: only a reset says that
            // nothing will come.
            _ => {
                stream.blame(if is_mute { CLIENT_LEFT } else { NOT_FINISHED });
                stream.reset(Reason::INTERNAL_ERROR);
            }
        }
        cx.orphan(shuttle);
    }
}

/// Where bytes of an answer come from.
pub(super) trait Source {
    /// How many there are still.
    fn left(&self) -> u64;

    /// A copy of the next `count`, which are not more than there are; `None` if they cannot be had.
    fn take(&mut self, count: usize) -> Option<Vec<u8>>;
}

/// The cargo of a shuttle.
struct Brought<'a>(&'a mut Shuttle<Worker, Exchange>, &'a mut Cargo);

impl Source for Brought<'_> {
    fn left(&self) -> u64 {
        self.1.len() as u64
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let Self(shuttle, cargo) = self;
        let mut copy = Vec::with_capacity(count);
        let pieces = cargo.cut(count).pieces(shuttle);
        pieces.for_each(|piece| copy.extend_from_slice(piece));
        cargo.advance(shuttle, count);
        Some(copy)
    }
}

/// Gives at most `share` bytes, and with the last of all the end if `ends`. Says how many.
fn give(
    source: &mut impl Source,
    send: &mut SendStream<Bytes>,
    ends: bool,
    share: usize,
    waker: &mut Context<'_>,
) -> (Gave, usize) {
    let mut given = 0;
    while source.left() > 0 {
        let wanted = usize::try_from(source.left()).unwrap_or(usize::MAX);
        let wanted = wanted.min(share - given);
        if wanted == 0 {
            return (Gave::Share, given);
        }
        send.reserve_capacity(wanted);
        let room = send.capacity().min(wanted);
        if room == 0 {
            // Told only when it grows, so it is asked for after it was found to be nothing.
            match send.poll_capacity(waker) {
                Poll::Ready(Some(Ok(_))) => continue,
                _ => return (Gave::Blocked, given),
            }
        }
        let Some(bytes) = source.take(room) else {
            return (Gave::Broken, given);
        };
        given += room;
        if send
            .send_data(bytes.into(), ends && source.left() == 0)
            .is_err()
        {
            // The stream is lost; its next look tells.
            return (Gave::Blocked, given);
        }
    }
    (Gave::All, given)
}
