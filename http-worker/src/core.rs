//! The loop: one bounded turn at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Receiver;
use http_proto::Exchange;
use mio::{Events, Poll};
use shuttle_core::{Sleep, WorkerShore};

use crate::accept::{Doors, WAKE};
use crate::clock::Clock;
use crate::control::Command;
use crate::limits::{COMMANDS_PER_TURN_COUNT, EVENTS_PER_TURN_COUNT};
use crate::stats::WorkerStats;

/// When the other shore is told of what was sent to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flush {
    /// When nothing more is to be read, or enough has gathered: for a thread of its own.
    Lazily,
    /// Before each wait and each return: the caller may be the other shore.
    EachTurn,
}

/// A running worker.
pub(crate) struct Core {
    poll: Poll,
    events: Events,
    doors: Doors,
    commands: Receiver<Command>,
    stats: Arc<WorkerStats>,
    shore: WorkerShore<Exchange>,
    clock: Clock,
    is_stopping: bool,
}

impl Core {
    pub(crate) fn new(
        poll: Poll,
        doors: Doors,
        commands: Receiver<Command>,
        stats: Arc<WorkerStats>,
        shore: WorkerShore<Exchange>,
        clock: Clock,
    ) -> Self {
        let events = Events::with_capacity(EVENTS_PER_TURN_COUNT);
        Self {
            poll,
            events,
            doors,
            commands,
            stats,
            shore,
            clock,
            is_stopping: false,
        }
    }

    pub(crate) fn stats(&self) -> Arc<WorkerStats> {
        Arc::clone(&self.stats)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.is_stopping && (self.shore.travelling() == 0 || self.shore.tx_has_left())
    }

    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.is_finished() {
            self.turn(None, Flush::Lazily)?;
        }
        Ok(())
    }

    pub(crate) fn turn(&mut self, timeout: Option<Duration>, _flush: Flush) -> io::Result<usize> {
        let timeout = match self.shore.prepare_sleep() {
            Sleep::MaySleep => timeout,
            Sleep::WorkArrived => Some(Duration::ZERO),
        };
        self.poll.poll(&mut self.events, timeout)?;
        self.shore.woke();
        let mut handled = 0;
        for event in &self.events {
            handled += usize::from(self.doors.on_event(event.token()) || event.token() == WAKE);
        }
        let _ = self.doors.accept(self.clock.now(), usize::MAX, drop);
        for command in self.commands.try_iter().take(COMMANDS_PER_TURN_COUNT) {
            self.is_stopping |= matches!(command, Command::Stop | Command::Drain { .. });
        }
        Ok(handled)
    }
}
