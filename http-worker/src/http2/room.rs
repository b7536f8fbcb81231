//! Room in memory for the bodies of streams: while there is none a stream is not read, and its
//! client feels it by the window. What is in the window waits in the engine, so not many may wait.

use std::time::{Duration, Instant};

use super::Conn;
use super::stream::{Place, Stream};
use crate::bodies::Standing;
use crate::context::Cx;
use crate::limits::{BODIES_WAIT_MS, HTTP2_BODIES_WAITING_COUNT};

const BODIES_WAIT: Duration = Duration::from_millis(BODIES_WAIT_MS);

/// How a stream stands with room for its body.
#[derive(Debug, Default)]
pub(super) struct Room {
    standing: Standing,
    /// Until when it waits for it.
    until: Option<Instant>,
}

impl Room {
    /// Until when the stream waits for room, if it does.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

/// What a stream may do with the bytes that came for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum May {
    TakeIn,
    Wait,
    /// There are too many that wait.
    GiveUp,
}

impl Conn {
    /// Whether what came of a body may be taken in.
    pub(super) fn find_room(&mut self, place: usize, cx: &mut Cx) -> May {
        let stream = &mut self.streams[place];
        let Place::Arriving(incoming, body) = &mut stream.place else {
            return May::TakeIn;
        };
        let (has, wants) = (incoming.body.len(), body.flow_control().used_capacity());
        let is_too_long = (has + wants) as u64 > stream.body_max_bytes;
        if wants == 0 || is_too_long {
            return May::TakeIn;
        }
        let max = cx.limits.buffered_bodies_bytes;
        let room = &mut stream.room;
        let is_here = cx
            .bodies
            .ask(self.token, &mut room.standing, (has, wants), max);
        if is_here {
            if room.until.take().is_some() {
                stream.pace.run(true, cx.now);
            }
            return May::TakeIn;
        }
        if room.until.is_some() {
            return May::Wait;
        }
        if cx.is_crowded() || cx.bodies.waiting_count() > HTTP2_BODIES_WAITING_COUNT {
            return May::GiveUp;
        }
        room.until = Some(cx.now + BODIES_WAIT);
        stream.pace.run(false, cx.now);
        May::Wait
    }

    /// Has streams that wait for room ask again.
    pub(super) fn note_those_without_room(&self, cx: &Cx) {
        if cx.bodies.waiting_count() == 0 {
            return;
        }
        let streams = self.streams.iter();
        let waiting = streams.filter(|(_, stream)| stream.room.until.is_some());
        waiting.for_each(|(place, _)| self.ready.note(place));
    }
}

impl Stream {
    /// Nothing more of its body will be taken in.
    pub(super) fn leave_room(&mut self, cx: &mut Cx) {
        self.room.until = None;
        cx.bodies.leave(&mut self.room.standing);
    }
}
