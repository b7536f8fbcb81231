//! Whether the client is still there: one that says nothing while it waits for an answer is asked,
//! and one that does not answer is taken as gone.
//!
//! A long poll is silent for minutes, and so is a client whose machine has lost its power: nothing
//! comes that would tell the two apart. PING does (RFC 9113 section 6.7). Whatever comes from the
//! client is a sign of life, not only the acknowledgement, which may stand behind a large body.
//! It moves no other deadline: without streams a connection has its idle timeout and no more.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};

use super::{Conn, Engine};
use crate::context::Cx;
use crate::limits::HTTP2_PING_ANSWER_MS;

const PING_ANSWER: Duration = Duration::from_millis(HTTP2_PING_ANSWER_MS);

/// What was heard of the client, and whether it was asked.
pub(super) struct Life {
    /// When something came from it last.
    heard: Instant,
    /// When it was asked, if nothing has come since.
    asked: Option<Instant>,
    /// Made when it is asked for the first time.
    pings: Option<PingPong>,
}

impl Life {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            asked: None,
            pings: None,
        }
    }

    /// Something came from the client.
    pub(super) fn note(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// When it is to be asked, or given up. Never, if it is not to be asked.
    pub(super) fn due(&self, cx: &Cx) -> Option<Instant> {
        let after = cx.limits.ping_after;
        match self.asked {
            _ if after.is_zero() => None,
            Some(asked) => Some(asked + PING_ANSWER),
            None => Some(self.heard + after),
        }
    }

    /// Whether it was asked and did not answer in time.
    fn is_over(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| asked + PING_ANSWER <= now)
    }
}

impl Conn {
    /// Asks a client that has been silent for long enough. False: it was asked, and is gone.
    pub(super) fn look_for_life(&mut self, cx: &Cx) -> bool {
        if self.pipe.borrow().socket.has_input {
            // It has spoken, and was not listened to yet.
            self.life.note(cx.now);
        }
        if self.life.due(cx).is_none_or(|due| cx.now < due) {
            return true;
        }
        if self.life.is_over(cx.now) {
            return false;
        }
        self.ask_for_life(cx.now);
        true
    }

    fn ask_for_life(&mut self, now: Instant) {
        self.life.asked = Some(now);
        let Engine::Open(engine) = &mut self.engine else {
            return;
        };
        if self.life.pings.is_none() {
            self.life.pings = engine.ping_pong();
        }
        if let Some(pings) = &mut self.life.pings {
            // Takes note of the last answer; before that the engine sends no other.
            let _ = pings.poll_pong(&mut Context::from_waker(Waker::noop()));
            // Fails while it owes an answer. Then it was asked already.
            let _ = pings.send_ping(Ping::opaque());
        }
    }
}
