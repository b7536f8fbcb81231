//! How a worker ends: drained, stopped, or both, in any order and as often as commanded.

use std::time::{Duration, Instant};

use super::Core;
use crate::limits::BACKLOG_COUNT;
use crate::line::Line;

/// Where a worker is between its beginning and its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// It accepts and serves.
    Serving,
    /// It answers what is in progress, until then at the longest.
    Draining { until: Option<Instant> },
    /// It has no connections any more and takes its shuttles home.
    Stopped,
}

impl Stage {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Draining { until } => until,
            Self::Serving | Self::Stopped => None,
        }
    }
}

impl Core {
    /// Whether nothing is left to do, ever: no connection, and no shuttle that could still come
    /// home.
    pub(crate) fn is_finished(&self) -> bool {
        let shore = &self.cx.shore;
        self.stage == Stage::Stopped && (shore.travelling() == 0 || self.is_alone())
    }

    /// The last connection of a drain has ended; what follows is the stop.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. }) && self.conns.is_empty()
    }

    /// The other shore has left, and what it sent or never received was taken home.
    fn is_alone(&self) -> bool {
        self.is_all_taken && self.cx.shore.tx_has_left()
    }

    /// Accepts no more and ends each connection when it is idle.
    pub(super) fn drain(&mut self, deadline_ms: Option<u64>) {
        let until = deadline_ms.map(|ms| self.cx.now + Duration::from_millis(ms));
        match self.stage {
            Stage::Stopped => return,
            Stage::Draining { .. } => {}
            Stage::Serving => self.begin_drain(),
        }
        self.stage = Stage::Draining { until };
    }

    fn begin_drain(&mut self) {
        self.cx.is_draining = true;
        // Who is in the backlog was let in by the kernel: closing the door would reset them.
        for _ in 0..BACKLOG_COUNT {
            self.doors.look_again();
            if self.accept() == 0 {
                break;
            }
        }
        self.doors.close(&self.cx.registry);
        for (_, conn) in &mut self.conns {
            conn.on_drain();
            if conn.list() {
                self.cx.again.push_back(conn.token());
            }
        }
    }

    /// Resets every connection.
    pub(super) fn stop(&mut self) {
        self.doors.close(&self.cx.registry);
        self.cx.is_draining = true;
        for conn in self.conns.drain() {
            Line::stop(conn, &mut self.cx);
        }
        self.cx.again.clear();
        self.cx.waiting.clear();
        self.stage = Stage::Stopped;
    }

    /// Takes the next step when the last one is done.
    pub(super) fn advance_ending(&mut self) {
        match self.stage {
            _ if self.is_drained() => self.stop(),
            Stage::Draining { until: Some(until) } if self.cx.now >= until => self.stop(),
            _ => {}
        }
    }
}
