//! Others wait for a berth: streams whose clients do not read give theirs up.

use std::time::Instant;

use super::Conn;
use super::stream::{Place, Stream};
use crate::access::NOT_READ;
use crate::conn::Fate;
use crate::context::Cx;

impl Conn {
    /// Since when a client that has a berth here has read too little to keep it.
    pub(crate) fn too_slow_since(&self, cx: &Cx) -> Option<Instant> {
        let own = self.too_slow_with_all_since(cx);
        let streams = self.streams.iter();
        let streams = streams.filter_map(|(_, stream)| stream.too_slow_since(cx));
        own.into_iter().chain(streams).min()
    }

    /// The same, when it is the socket that is full.
    fn too_slow_with_all_since(&self, cx: &Cx) -> Option<Instant> {
        let due = self.pace.due(cx.pressed_rule())?;
        let is_late = self.pipe.borrow().socket.is_full && due <= cx.now;
        let has_berth = self.streams.iter().any(|(_, stream)| stream.is_here());
        (is_late && has_berth).then_some(due)
    }

    /// Gives up the streams that have read nothing for longest, `most` of them, or the connection,
    /// if that is what is not read. Counts them in `given`.
    pub(crate) fn give_berths(&mut self, most: usize, given: &mut usize, cx: &mut Cx) -> Fate {
        if self.too_slow_with_all_since(cx).is_some() {
            *given += self.streams.len();
            cx.stats.timeouts.one();
            self.blame_all(NOT_READ);
            return self.reset();
        }
        let streams = self.streams.iter();
        let slow = streams.filter_map(|(place, stream)| Some((stream.too_slow_since(cx)?, place)));
        let mut slow: Vec<_> = slow.collect();
        slow.sort_unstable();
        for (_, place) in slow.into_iter().take(most) {
            *given += 1;
            cx.stats.timeouts.one();
            self.budget.pay_reset();
            self.on_slow_reader(place, cx);
        }
        self.drive(cx)
    }
}

impl Stream {
    /// Whether it keeps a shuttle that is home.
    fn is_here(&self) -> bool {
        matches!(self.place, Place::Loaded(..) | Place::Pressed(..))
    }

    fn too_slow_since(&self, cx: &Cx) -> Option<Instant> {
        let due = self.pace.due(cx.pressed_rule())?;
        (self.is_here() && due <= cx.now).then_some(due)
    }
}
