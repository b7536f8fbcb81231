//! Answers whose bodies are compressed: a step at a time goes into the outbox, and the next when
//! that has gone.

use http_proto::Exchange;
use http_proto::h1::ResponseBody;
use shuttle_core::{Shuttle, Worker};

use super::super::ending::End;
use super::{Conn, Place, Trip};
use crate::access::{NOT_FINISHED, TOO_SHORT};
use crate::cargo::Cargo;
use crate::compress::{self, Loaded, Press, Wish};
use crate::context::Cx;

impl Trip {
    /// One whose response may have to be compressed.
    pub(in super::super) fn with_wish(mut self, wish: Option<Box<Wish>>) -> Self {
        self.wish = wish;
        self
    }

    /// Some of what is loaded was not compressed yet.
    pub(super) fn has_rest(&self) -> bool {
        self.press.as_ref().is_some_and(|press| press.has_rest())
    }

    /// See [`compress::is_pressed`].
    pub(super) fn is_pressed(
        &mut self,
        shuttle: &mut Shuttle<Worker, Exchange>,
        cargo: Cargo,
        cx: &Cx,
    ) -> bool {
        let loaded = Loaded {
            head: &mut shuttle.response,
            cargo,
            is_last: self.is_ended,
            is_head: self.facts.is_head,
        };
        compress::is_pressed(&mut self.wish, &mut self.press, loaded, cx)
    }

    /// The output of one step is gone: whether there is another, of the same cargo.
    pub(super) fn goes_on_pressing(
        &mut self,
        shuttle: &mut Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) -> bool {
        let Some(press) = &mut self.press else {
            return false;
        };
        if press.unload(shuttle) {
            cx.shore.tell_progress(shuttle);
        }
        press.has_rest()
    }
}

impl Conn {
    /// Compresses the next step of what is loaded, and puts what came of it into the outbox,
    /// behind the head if that was not said.
    pub(super) fn press_step(
        &mut self,
        at: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        must_close: bool,
        cx: &mut Cx,
    ) {
        let trip = &mut self.trips[at];
        let Some(mut press) = trip.press.take() else {
            debug_assert!(false, "its body is compressed");
            return cx.orphan(shuttle);
        };
        let mut made = cx.buffer();
        let stepped = press.step(&shuttle, &mut made);
        let eaten = *stepped.as_ref().unwrap_or(&0);
        self.compress_left = self.compress_left.saturating_sub(eaten);
        let is_over = press.is_over();
        let is_whole = is_over && press.missing() == 0 && !trip.facts.is_head;
        trip.is_ended = is_over;
        let known_length = (is_whole && trip.is_whole()).then_some(made.len() as u64);
        let mut body = self.begin_body(at, &mut shuttle, known_length, must_close, cx);
        self.put_pressed(&mut body, &made);
        cx.recycle(made);
        // A mark: what was eaten is sent when all before it has gone.
        self.outbox.load(Cargo::default());
        self.trips[at].place = Place::Loaded(Some(shuttle));
        if stepped.is_err() {
            self.trips[at].is_ended = true;
            self.cut_pressed(at);
        } else if is_over {
            self.end_pressed(at, body, &press);
        } else {
            let trip = &mut self.trips[at];
            trip.body = Some(body);
            trip.press = Some(press);
        }
    }

    /// Ends a body of which everything else is with the client.
    pub(in super::super) fn finish_pressed(
        &mut self,
        at: usize,
        mut body: ResponseBody,
        mut press: Box<Press>,
        cx: &mut Cx,
    ) {
        let mut made = cx.buffer();
        match press.finish(&mut made) {
            Ok(()) => {
                self.put_pressed(&mut body, &made);
                self.end_pressed(at, body, &press);
            }
            Err(_) => self.cut_pressed(at),
        }
        cx.recycle(made);
    }

    fn put_pressed(&mut self, body: &mut ResponseBody, made: &[u8]) {
        self.outbox.copy(|out| {
            let admitted = body.begin_part(made.len(), out);
            out.extend_from_slice(&made[..admitted]);
            body.end_part(out);
        });
    }

    /// Ends the response; one that lacks declared bytes by the end of the connection, before the
    /// end of the body is told.
    fn end_pressed(&mut self, at: usize, body: ResponseBody, press: &Press) {
        if press.missing() == 0 {
            return self.finish(at, body);
        }
        log::warn!("a response lacks {} of its declared bytes", press.missing());
        self.note_end(at);
        self.blame(at, TOO_SHORT);
        self.end_with(End::Linger);
    }

    /// The encoder failed: only a cut says that the rest will not come.
    fn cut_pressed(&mut self, at: usize) {
        log::error!("a response cannot be compressed to its end");
        self.note_end(at);
        self.blame(at, NOT_FINISHED);
        self.end_with(End::Reset);
    }
}
