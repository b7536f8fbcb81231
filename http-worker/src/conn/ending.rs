//! Every way in which a connection ends.

use std::time::{Duration, Instant};

use http_proto::drawing::Mark;
use http_proto::h1::Phase;
use http_proto::{BodyFault, PeerErrorKind};

use super::{Conn, Fate, PARTING, Wait};
use crate::access::{NOT_READ, STOPPED};
use crate::context::Cx;
use crate::limits::LINGER_BYTES;
use crate::transport::Broken;

/// How a connection ends when everything is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Both have said that it ends.
    Close,
    /// The client does not know yet and may be sending. A socket closed with unread bytes in it
    /// sends a reset, which can destroy the answer before the client has read it (RFC 9112
    /// section 9.6): so only our direction is closed, and what comes is thrown away for a while.
    Linger,
    /// The response cannot be completed: the client must not take it for whole.
    Reset,
}

impl Conn {
    /// Decides how it ends; the first decision counts, unless the later one is a reset.
    pub(super) fn end_with(&mut self, end: End) {
        if self.end.is_none() || end == End::Reset {
            self.end = Some(end);
        }
        self.engine.stop();
    }

    /// Ends the connection if nothing is left to be done on it.
    pub(super) fn end_if_due(&mut self, cx: &mut Cx) -> Fate {
        if self.linger_bytes.is_some() {
            return if self.socket.is_over {
                Fate::Over
            } else {
                Fate::Stays
            };
        }
        let has_output = !self.outbox.is_empty() || self.transport.has_pending();
        if has_output || (self.end.is_none() && !self.trips.is_empty()) {
            return Fate::Stays;
        }
        self.relax(cx);
        let Some(end) = self.end.or_else(|| self.end_of_idle(cx)) else {
            return Fate::Stays;
        };
        match end {
            End::Close if !self.socket.has_input => self.hang_up(cx),
            End::Close | End::Linger if self.socket.is_over => self.hang_up(cx),
            End::Close | End::Linger => self.begin_linger(cx),
            End::Reset => self.reset(),
        }
    }

    /// Nothing is in progress: whether that is the end.
    fn end_of_idle(&self, cx: &Cx) -> Option<End> {
        let is_idle = self.incoming.is_none() && self.engine.phase() == Phase::Idle;
        let is_done = self.socket.is_over && self.input.is_empty() && self.incoming.is_none();
        let has_rested = self.wait() == self.wait && cx.now >= self.since + PARTING;
        let is_drained = cx.is_draining && is_idle && !self.socket.has_input && has_rested;
        let is_new = self.transport.is_handshaking();
        (is_done || (is_drained && !is_new)).then_some(End::Close)
    }

    fn hang_up(&mut self, cx: &Cx) -> Fate {
        self.transport.say_goodbye();
        // If the socket does not take even this, nobody reads it.
        let _ = self.transport.flush(&cx.stats);
        Fate::Over
    }

    fn begin_linger(&mut self, cx: &mut Cx) -> Fate {
        self.let_go_of_trips(cx);
        self.leave_room(cx);
        self.transport.say_goodbye();
        let flushed = self.transport.flush(&cx.stats);
        let shut = self.transport.stream.shutdown(std::net::Shutdown::Write);
        if flushed.is_err() || shut.is_err() {
            return Fate::Over;
        }
        cx.recycle(std::mem::take(&mut self.input));
        self.linger_bytes = Some(LINGER_BYTES);
        self.socket.is_full = false;
        Fate::Stays
    }

    /// Reads and throws away, once.
    pub(super) fn linger(&mut self, cx: &mut Cx) -> Result<(), Broken> {
        if !self.socket.has_input {
            return Ok(());
        }
        let raw = self.transport.read_raw(&mut cx.read, &cx.stats)?;
        let left = self.linger_bytes.unwrap_or(0).checked_sub(raw.count);
        self.socket.has_input = !raw.is_drained;
        self.socket.is_over = raw.is_over || left.is_none();
        self.linger_bytes = left.or(Some(0));
        Ok(())
    }

    /// Ends it so that the client sees an error.
    pub(super) fn reset(&self) -> Fate {
        // Without it the client would see a proper end. If it fails the socket is dead anyway.
        let socket = socket2::SockRef::from(&self.transport.stream);
        let _ = socket.set_linger(Some(Duration::ZERO));
        Fate::Over
    }

    /// The client's direction has ended. It may have left, so its trips are hailed; it may also
    /// only have finished asking, so what comes back is still sent.
    pub(super) fn on_fin(&mut self, cx: &mut Cx) {
        if !std::mem::replace(&mut self.socket.has_fin, true) {
            self.hail(cx);
        }
    }

    /// Tells the other shore that the client of all trips here has left. A shuttle that is here
    /// says it itself when it goes, unless that takes long.
    fn hail(&self, cx: &mut Cx) {
        let mut is_counted = false;
        for trip in &self.trips {
            let Some(berth) = trip.berth() else { continue };
            if !std::mem::replace(&mut is_counted, true) {
                cx.stats.client_gone.one();
            }
            cx.mark(Mark::ClientLeaves, trip.ticket());
            match trip.shuttle() {
                Some(shuttle) if !self.socket.is_full => {
                    cx.mark(Mark::MarkClientGone, trip.ticket());
                    shuttle.mark_client_gone();
                }
                _ => cx.hail(berth, trip.ticket()),
            }
        }
    }

    /// The client has reset the connection.
    pub(super) fn on_reset(&self) -> Fate {
        log::debug!("{} reset its connection", self.peer);
        Fate::Over
    }

    /// The socket, or TLS on it, is of no use any more.
    pub(super) fn on_broken(&mut self, broken: &Broken, cx: &mut Cx) -> Fate {
        match broken {
            Broken::Socket => self.on_reset(),
            Broken::Tls(e) => {
                log::debug!("TLS with {} failed: {e}", self.peer);
                cx.stats.tls_errors.one();
                // Says why, in an alert, if there is one.
                self.end = Some(End::Linger);
                self.begin_linger(cx)
            }
        }
    }

    /// It has waited long enough.
    pub(super) fn on_timeout(&mut self, cx: &mut Cx) -> Fate {
        cx.stats.timeouts.one();
        match self.wait {
            Wait::Body if self.upload.is_some() => {
                self.fail_upload(BodyFault::Silent);
                self.drive(cx)
            }
            Wait::Head | Wait::Body if self.engine.phase() != Phase::Idle => {
                self.fail(PeerErrorKind::Timeout.into(), cx);
                self.drive(cx)
            }
            Wait::Room => {
                self.fail(PeerErrorKind::Overloaded.into(), cx);
                self.drive(cx)
            }
            Wait::Reader => {
                self.blame_all(NOT_READ);
                self.reset()
            }
            Wait::Handshake | Wait::Head | Wait::Body | Wait::Idle | Wait::Linger => Fate::Over,
            Wait::Trip => Fate::Stays,
        }
    }

    /// Since when a client that has a berth has read too little to keep it while others wait.
    pub(crate) fn too_slow_since(&self, cx: &Cx) -> Option<Instant> {
        let due = self.pace_out.due(cx.pressed_rule())?;
        (self.wait == Wait::Reader && due <= cx.now).then_some(due)
    }

    /// Its client has to give up what berths it has. Counts them in `given`.
    pub(crate) fn give_berths(&mut self, given: &mut usize, cx: &mut Cx) -> Fate {
        *given += self.trips.len();
        self.on_timeout(cx)
    }

    /// Nobody waits for the trips any more: tells the other shore, and sends home the shuttles
    /// that are here.
    fn let_go_of_trips(&mut self, cx: &mut Cx) {
        self.socket.is_full = false;
        if !std::mem::replace(&mut self.socket.has_fin, true) {
            self.hail(cx);
        }
        self.drop_upload(cx);
        for mut trip in std::mem::take(&mut self.trips) {
            self.tell(trip.record.take(), false, cx);
            if let Some(berth) = trip.berth() {
                cx.disown(berth);
            }
            if let Some(shuttle) = trip.into_shuttle() {
                cx.orphan(shuttle);
            }
        }
    }

    /// The last call; the socket closes with it. Gives back what was borrowed.
    pub(crate) fn farewell(mut self, cx: &mut Cx) {
        self.let_go_of_trips(cx);
        self.leave_room(cx);
        if let Some(incoming) = self.incoming.take() {
            cx.discard(incoming);
        }
        let record = self.record.take();
        self.tell(record, false, cx);
        cx.recycle(std::mem::take(&mut self.input));
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
