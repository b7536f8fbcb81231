//! Every way in which a stream, or the connection, ends.

use std::time::{Duration, Instant};

use h2::Reason;
use http_proto::Leg;
use http_proto::drawing::Mark;
use slab::Slab;

use super::ready::Ready;
use super::stream::{Place, Reply};
use super::{Conn, Engine, PARTING};
use crate::access::{CLIENT_LEFT, NOT_READ, STOPPED};
use crate::conn::Fate;
use crate::context::Cx;
use crate::limits::LINGER_BYTES;
use crate::transport::Broken;

/// Our direction is closed; what comes is thrown away for a while, because a socket closed with
/// unread bytes in it sends a reset, which can destroy what was said last.
pub(super) struct Parting {
    /// How many more bytes are thrown away.
    left: usize,
}

impl Conn {
    /// The stream's client has left it: tells the other shore at once, and lets go of everything.
    pub(super) fn lose(&mut self, place: usize, cx: &mut Cx) {
        let stream = &mut self.streams[place];
        stream.blame(CLIENT_LEFT);
        stream.reply = Reply::Ended;
        stream.drop_upload(cx);
        stream.leave_room(cx);
        let ticket = stream.ticket;
        match std::mem::replace(&mut stream.place, Place::Done) {
            Place::Arriving(incoming, _) | Place::Waiting(incoming, _) | Place::Asked(incoming) => {
                cx.discard(incoming);
            }
            Place::Away => {
                if let Some(berth) = stream.berth {
                    cx.stats.client_gone.one();
                    cx.mark(Mark::ClientLeaves, ticket);
                    cx.hail(berth, ticket);
                    cx.disown(berth);
                }
            }
            Place::Home(shuttle)
            | Place::More(shuttle)
            | Place::Loaded(shuttle, _)
            | Place::Pressed(shuttle, _) => {
                cx.stats.client_gone.one();
                cx.mark(Mark::ClientLeaves, ticket);
                if shuttle.leg() != Leg::Answer {
                    cx.mark(Mark::MarkClientGone, ticket);
                    shuttle.mark_client_gone();
                }
                cx.orphan(shuttle);
            }
            Place::File(_) | Place::Done => {}
        }
    }

    fn lose_all(&mut self, cx: &mut Cx) {
        for place in 0..self.streams.capacity() {
            if self.streams.contains(place) {
                self.lose(place, cx);
            }
        }
        self.tell_all(cx);
        self.streams.clear();
        self.waiting.clear();
        self.feeding.clear();
        self.asked.clear();
    }

    /// The engine will do nothing more: the client has closed, or one of us has said GOAWAY.
    pub(super) fn on_engine_end(&mut self, error: Option<&h2::Error>, cx: &mut Cx) {
        if let Some(e) = error {
            log::debug!("HTTP/2 with {} ended: {e}", self.peer);
            self.pipe.borrow_mut().amend_goaway();
        }
        self.engine = Engine::Closed;
        self.lose_all(cx);
        // It may linger for some time, and needs nothing of this any more.
        (self.streams, self.ready) = (Slab::new(), Ready::new());
        self.pipe.borrow_mut().drop_input();
    }

    /// The client sent what is malformed and what the engine does not refuse. Whoever does that may
    /// do it on other streams as well, so it costs the connection (RFC 9113 section 5.4.2 allows
    /// it).
    pub(super) fn refuse_malformed(&mut self, cx: &mut Cx) {
        if !self.pipe.borrow_mut().take_malformed() {
            return;
        }
        cx.stats.parse_errors.one();
        if let Engine::Open(engine) = &mut self.engine {
            engine.abrupt_shutdown(Reason::PROTOCOL_ERROR);
        }
        self.poll_engine(cx);
    }

    /// The client has kept us busy for nothing for too long.
    pub(super) fn refuse_to_go_on(&mut self, cx: &Cx) {
        log::info!("{} sent too many frames that bring nothing", self.peer);
        cx.stats.parse_errors.one();
        if let Engine::Open(engine) = &mut self.engine {
            engine.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
    }

    /// Asks the client to begin no more streams; those that are there go on.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.say_that_we_leave();
        }
    }

    /// Says so, if the engine can; otherwise it is said when it can.
    pub(super) fn say_that_we_leave(&mut self) {
        if let Engine::Open(engine) = &mut self.engine {
            engine.graceful_shutdown();
        }
    }

    /// The worker ends: the client is told, and looked at once more.
    pub(crate) fn on_drain(&mut self) {
        self.pipe.borrow_mut().socket.has_input = true;
        self.leave();
    }

    /// Ends the connection if nothing is left to be done on it.
    pub(super) fn end_if_due(&mut self, cx: &Cx) -> Fate {
        let mut pipe = self.pipe.borrow_mut();
        let is_closed = matches!(self.engine, Engine::Closed) && pipe.is_flushed();
        if self.parting.is_none() && !is_closed {
            return Fate::Stays;
        }
        if pipe.socket.is_over {
            pipe.transport.say_goodbye();
            // If the socket does not take even this, nobody reads it.
            let _ = pipe.transport.flush(&cx.stats);
            return Fate::Over;
        }
        drop(pipe);
        if self.parting.is_some() {
            return Fate::Stays;
        }
        self.begin_parting(cx)
    }

    fn begin_parting(&mut self, cx: &Cx) -> Fate {
        let pipe = &mut *self.pipe.borrow_mut();
        pipe.transport.say_goodbye();
        let flushed = pipe.transport.flush(&cx.stats);
        let shut = pipe.transport.stream.shutdown(std::net::Shutdown::Write);
        if flushed.is_err() || shut.is_err() {
            return Fate::Over;
        }
        pipe.socket.is_full = false;
        self.parting = Some(Parting { left: LINGER_BYTES });
        self.since = cx.now;
        Fate::Stays
    }

    /// Reads and throws away, once.
    pub(super) fn linger(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        let pipe = &mut *self.pipe.borrow_mut();
        let Some(parting) = &mut self.parting else {
            return Ok(());
        };
        if !pipe.socket.has_input {
            return Ok(());
        }
        let raw = pipe.transport.read_raw(&mut cx.read, &cx.stats)?;
        let left = parting.left.checked_sub(raw.count);
        pipe.socket.has_input = !raw.is_drained;
        pipe.socket.is_over = raw.is_over || left.is_none();
        parting.left = left.unwrap_or(0);
        Ok(())
    }

    /// The socket, or TLS on it, is of no use any more.
    pub(super) fn on_broken(&mut self, broken: &Broken, cx: &mut Cx) -> Fate {
        match broken {
            Broken::Socket => {
                log::debug!("{} reset its connection", self.peer);
                Fate::Over
            }
            Broken::Tls(e) => {
                log::debug!("TLS with {} failed: {e}", self.peer);
                cx.stats.tls_errors.one();
                self.on_engine_end(None, cx);
                // Says why, in an alert, if there is one.
                self.begin_parting(cx)
            }
        }
    }

    /// Until when it may stay as it is.
    fn deadline(&self, cx: &Cx) -> Option<Instant> {
        let limits = &cx.limits;
        if self.parting.is_some() {
            return Some(self.since + limits.linger_timeout);
        }
        if self.pipe.borrow().socket.is_full {
            return self.pace.due(cx.send_rule());
        }
        let is_leaving = cx.is_draining || self.is_leaving;
        match self.engine {
            Engine::Closed => Some(self.since + limits.linger_timeout),
            _ if self.streams.is_empty() && is_leaving => Some(self.since + PARTING),
            Engine::Opening(_) => Some(self.since + limits.header_timeout),
            Engine::Open(_) if self.streams.is_empty() => Some(self.since + limits.idle_timeout),
            Engine::Open(_) => {
                let first = self.first_deadline_of_streams(cx);
                first.into_iter().chain(self.life.due(cx)).min()
            }
        }
    }

    fn first_deadline_of_streams(&self, cx: &Cx) -> Option<Instant> {
        let streams = self.streams.iter();
        let deadlines = streams.filter_map(|(_, stream)| stream.deadline(cx));
        deadlines.min()
    }

    /// Sets the timer for that.
    pub(super) fn set_deadline(&self, cx: &mut Cx) {
        if let Some(deadline) = self.deadline(cx) {
            cx.wheel.arm(self.token.timer(), deadline);
        }
    }

    /// The timer has fired, perhaps for a deadline that has moved since.
    pub(crate) fn on_timer(&mut self, cx: &mut Cx) -> Fate {
        match self.deadline(cx) {
            None => Fate::Stays,
            Some(deadline) if cx.now < deadline => {
                cx.wheel.arm(self.token.timer(), deadline);
                Fate::Stays
            }
            Some(_) => self.on_timeout(cx),
        }
    }

    /// It has waited long enough.
    fn on_timeout(&mut self, cx: &mut Cx) -> Fate {
        if self.parting.is_some() {
            return Fate::Over;
        }
        if self.pipe.borrow().socket.is_full {
            cx.stats.timeouts.one();
            self.blame_all(NOT_READ);
            return self.reset();
        }
        match &mut self.engine {
            Engine::Closed => return Fate::Over,
            Engine::Opening(_) => {
                cx.stats.timeouts.one();
                return Fate::Over;
            }
            Engine::Open(engine) if self.streams.is_empty() => {
                if self.is_leaving {
                    // It was told and has nothing under way: no need to wait for its word.
                    engine.abrupt_shutdown(Reason::NO_ERROR);
                } else {
                    cx.stats.timeouts.one();
                    self.since = cx.now;
                    self.leave();
                }
            }
            Engine::Open(_) => {
                if !self.look_for_life(cx) {
                    log::debug!("{} is silent and does not answer: taken as gone", self.peer);
                    cx.stats.timeouts.one();
                    return self.reset();
                }
                self.time_out_streams(cx);
            }
        }
        self.drive(cx)
    }

    fn time_out_streams(&mut self, cx: &mut Cx) {
        let now = cx.now;
        let is_past = |deadline: Option<Instant>| deadline.is_some_and(|at| now >= at);
        let streams = self.streams.iter();
        let late = streams.filter(|(_, stream)| is_past(stream.deadline(cx)));
        let late: Vec<usize> = late.map(|(place, _)| place).collect();
        for place in late {
            cx.stats.timeouts.one();
            let stream = &mut self.streams[place];
            if is_past(stream.body_deadline(cx)) {
                stream.silence();
                self.ready.note(place);
            } else if matches!(stream.place, Place::Arriving(..)) {
                self.on_slow_body(place, cx);
            } else {
                self.on_slow_reader(place, cx);
            }
        }
    }

    /// Ends it so that the client sees an error.
    pub(super) fn reset(&self) -> Fate {
        // Without it the client would see a proper end. If it fails the socket is dead anyway.
        let pipe = self.pipe.borrow();
        let socket = socket2::SockRef::from(&pipe.transport.stream);
        let _ = socket.set_linger(Some(Duration::ZERO));
        Fate::Over
    }

    /// The last call; the socket closes with it. Gives back what was borrowed.
    pub(crate) fn farewell(mut self, cx: &mut Cx) {
        self.lose_all(cx);
        for buffer in self.pipe.borrow_mut().give_up_buffers() {
            cx.recycle(buffer);
        }
        self.let_go_of_weight(cx);
        cx.wheel.disarm(self.token.timer());
    }

    /// Ends at once: the worker stops.
    pub(crate) fn stop(mut self, cx: &mut Cx) {
        self.blame_all(STOPPED);
        let _ = self.reset();
        self.farewell(cx);
    }
}
