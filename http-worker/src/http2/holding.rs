//! What a connection holds in memory, and which has to go when all together hold too much.
//!
//! The engine keeps what a stream takes for as long as its connection lives, to use it again; and
//! streams for which there is no berth wait in it, with their heads and what came of their bodies.
//! It does not tell, so it is reckoned: by the most streams and frames of DATA there were at a
//! time, and by the DATA that came for streams which nobody has asked for yet. What is read of a
//! body counts among bodies.

use h2::Reason;

use super::{Conn, Engine};
use crate::context::Cx;
use crate::limits::{
    HTTP2_FRAME_HELD_BYTES, HTTP2_FRAMES_USUAL_COUNT, HTTP2_HELD_SHARE_BYTES,
    HTTP2_RESETS_KEPT_COUNT, HTTP2_STREAM_BYTES,
};

impl Conn {
    /// Notes what it holds. When all of its kind hold too much, one that has more than its share
    /// gives up its buffers, and if that is not enough the connection: at once when it brings more
    /// than can be served, or rests, else when what is under way has ended. Those that rest go
    /// first, when half of the bound is reached, and lose nothing.
    pub(super) fn hold(&mut self, cx: &mut Cx) {
        self.weigh(cx);
        if self.weight <= HTTP2_HELD_SHARE_BYTES || !cx.are_engines_heavy(self.rests()) {
            return;
        }
        for buffer in self.pipe.borrow_mut().give_up_buffers() {
            cx.recycle(buffer);
        }
        self.weigh(cx);
        if self.weight <= HTTP2_HELD_SHARE_BYTES {
            return;
        }
        if !cx.are_engines_heavy(false) {
            self.leave_later(cx);
        } else if self.brings_too_much() {
            log::info!("{} brings more than there is room for", self.peer);
            cx.stats.parse_errors.one();
            self.end_at_once(Reason::ENHANCE_YOUR_CALM, cx);
        } else if self.rests() {
            self.end_at_once(Reason::NO_ERROR, cx);
        } else {
            self.leave_later(cx);
        }
    }

    /// Requests that cannot be served yet, or bodies in crumbs.
    fn brings_too_much(&self) -> bool {
        let pipe = self.pipe.borrow();
        pipe.backlog().0 > 0 || pipe.most_frames_count() > HTTP2_FRAMES_USUAL_COUNT
    }

    fn rests(&self) -> bool {
        self.streams.is_empty()
    }

    fn leave_later(&mut self, cx: &mut Cx) {
        if !self.is_leaving {
            self.leave();
            self.go_on_later(cx);
        }
    }

    /// So that what it holds is free before another connection is served.
    fn end_at_once(&mut self, reason: Reason, cx: &mut Cx) {
        if let Engine::Open(engine) = &mut self.engine {
            engine.abrupt_shutdown(reason);
            self.poll_engine(cx);
            self.weigh(cx);
            self.go_on_later(cx);
        }
    }

    /// A stream begins: notes how many there are by now, those behind it included.
    pub(super) fn note_most_streams(&mut self) {
        let (backlog, _) = self.pipe.borrow().backlog();
        self.most_streams = self.most_streams.max(self.streams.len() + backlog);
    }

    fn weigh(&mut self, cx: &mut Cx) {
        self.note_most_streams();
        let pipe = self.pipe.borrow();
        let (_, bytes) = pipe.backlog();
        // Those that are refused at once, or were reset, are in the backlog and not in the engine.
        let most = cx.limits.streams_count * 2 + HTTP2_RESETS_KEPT_COUNT;
        let engine = match self.engine {
            Engine::Opening(_) | Engine::Open(_) => {
                self.most_streams.min(most) * HTTP2_STREAM_BYTES
                    + pipe.most_frames_count() * HTTP2_FRAME_HELD_BYTES
                    + bytes
            }
            Engine::Closed => 0,
        };
        let weight = engine + pipe.held_bytes();
        cx.weigh_engine(std::mem::replace(&mut self.weight, weight), weight);
    }

    /// Takes what it holds off the sum: the connection is over.
    pub(super) fn let_go_of_weight(&mut self, cx: &mut Cx) {
        cx.weigh_engine(std::mem::take(&mut self.weight), 0);
    }
}
