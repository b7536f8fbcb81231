//! Streams whose responses are compressed: what came of one step is given to the engine, and the
//! next follows when that is gone.

use h2::Reason;
use http_proto::Exchange;
use shuttle_core::{Shuttle, Worker};

use super::Conn;
use super::answer::Source;
use super::stream::{Place, Reply, Stream};
use crate::access::NOT_FINISHED;
use crate::cargo::Cargo;
use crate::compress::{self, Loaded};
use crate::context::Cx;
use crate::limits::COMPRESS_TURN_BYTES;

/// What came of a step.
pub(super) struct Made {
    bytes: Vec<u8>,
    passed: usize,
}

impl Made {
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

impl Source for Made {
    fn left(&self) -> u64 {
        (self.bytes.len() - self.passed) as u64
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let from = self.passed;
        self.passed += count;
        Some(self.bytes[from..self.passed].to_vec())
    }
}

impl Stream {
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
            is_last: self.is_last,
            is_head: self.is_head,
        };
        compress::is_pressed(&mut self.wish, &mut self.press, loaded, cx)
    }
}

impl Conn {
    /// A new turn: so much may be compressed again.
    pub(super) fn take_breath(&mut self) {
        self.compress_left = COMPRESS_TURN_BYTES;
        for place in self.put_off.drain(..) {
            self.ready.note(place);
        }
    }

    /// Whether a stream may have something to be compressed, and others are to have their turn.
    pub(super) fn is_breathless(&self, place: usize) -> bool {
        let stream = &self.streams[place];
        self.compress_left == 0 && (stream.wish.is_some() || stream.press.is_some())
    }

    /// The stream goes on in the next turn.
    pub(super) fn put_off(&mut self, place: usize, cx: &mut Cx) {
        self.put_off.push(place);
        self.go_on_later(cx);
    }

    /// Compresses the next step of what is loaded, and gives to the engine what came of it, behind
    /// the head if that was not said.
    pub(super) fn press_step(
        &mut self,
        place: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) {
        let stream = &mut self.streams[place];
        let Some(press) = &mut stream.press else {
            debug_assert!(false, "its body is compressed");
            return cx.orphan(shuttle);
        };
        let mut bytes = cx.buffer();
        let stepped = press.step(&shuttle, &mut bytes);
        stream.is_last = press.is_over();
        let is_whole = press.is_sound();
        let Ok(eaten) = stepped else {
            return self.cut_pressed(place, shuttle, cx);
        };
        self.compress_left = self.compress_left.saturating_sub(eaten);
        if matches!(stream.reply, Reply::Unsaid(_)) {
            stream.name_answer(&mut shuttle, cx);
            let is_whole = is_whole && stream.is_whole() && !stream.is_head;
            let known_length = is_whole.then_some(bytes.len());
            self.begin(place, &shuttle, known_length, cx);
        }
        self.give_pressed(place, shuttle, bytes, cx);
    }

    /// TX has closed a response of which everything else is with the engine.
    pub(super) fn press_end(
        &mut self,
        place: usize,
        shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) {
        let stream = &mut self.streams[place];
        let mut bytes = cx.buffer();
        stream.is_last = true;
        let press = stream.press.as_mut();
        let finished = press.map(|press| press.finish(&mut bytes));
        match finished {
            Some(Ok(())) => self.give_pressed(place, shuttle, bytes, cx),
            Some(Err(_)) | None => self.cut_pressed(place, shuttle, cx),
        }
    }

    fn give_pressed(
        &mut self,
        place: usize,
        shuttle: Shuttle<Worker, Exchange>,
        mut bytes: Vec<u8>,
        cx: &mut Cx,
    ) {
        let stream = &mut self.streams[place];
        let admitted = match &mut stream.reply {
            Reply::Begun(_, body) => body.admit(bytes.len()),
            Reply::Unsaid(_) | Reply::Ended => 0,
        };
        bytes.truncate(admitted);
        stream.place = Place::Pressed(shuttle, Made { bytes, passed: 0 });
        self.feed(place, cx);
    }

    /// What came of a step is with the engine. Gives the shuttle back when all of its cargo is.
    pub(super) fn go_on_pressing(
        &mut self,
        place: usize,
        mut shuttle: Shuttle<Worker, Exchange>,
        cx: &mut Cx,
    ) -> Option<Shuttle<Worker, Exchange>> {
        let stream = &mut self.streams[place];
        let Some(press) = &mut stream.press else {
            return Some(shuttle);
        };
        if press.unload(&mut shuttle) {
            cx.shore.tell_progress(&shuttle);
        }
        if !press.has_rest() {
            return Some(shuttle);
        }
        stream.place = Place::More(shuttle);
        self.ready.note(place);
        None
    }

    /// The encoder failed: only a reset says that the rest will not come.
    fn cut_pressed(&mut self, place: usize, shuttle: Shuttle<Worker, Exchange>, cx: &mut Cx) {
        log::error!("a response cannot be compressed to its end");
        let stream = &mut self.streams[place];
        stream.blame(NOT_FINISHED);
        stream.reset(Reason::INTERNAL_ERROR);
        stream.place = Place::Done;
        stream.berth = None;
        cx.orphan(shuttle);
    }
}
