//! A connection of either protocol, for the loop.

use std::time::Instant;

use http_proto::Exchange;
use mio::event::Event;
use shuttle_core::{Shuttle, Worker};

use crate::conn::{Conn, Fate};
use crate::context::Cx;
use crate::http2;
use crate::token::ConnToken;

/// A connection. All begin as one of HTTP/1.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the larger kind, which so needs no allocation of its own"
)]
pub(crate) enum Line {
    Http1(Conn),
    Http2(Box<http2::Conn>),
}

/// The same call for each protocol.
macro_rules! each {
    ($line:expr, $conn:ident => $call:expr) => {
        match $line {
            Line::Http1($conn) => $call,
            Line::Http2($conn) => $call,
        }
    };
}

impl Line {
    pub(crate) fn token(&self) -> ConnToken {
        each!(self, conn => conn.token())
    }

    /// Takes note of what the kernel says, and serves the connection.
    pub(crate) fn on_event(&mut self, event: &Event, cx: &mut Cx) -> Fate {
        each!(self, conn => conn.on_event(event, cx))
    }

    /// Takes a shuttle that came home for it, or for its stream in `place`.
    ///
    /// # Errors
    /// The shuttle, if no request here waits for it.
    pub(crate) fn take_home(
        &mut self,
        shuttle: Shuttle<Worker, Exchange>,
        place: usize,
    ) -> Result<(), Shuttle<Worker, Exchange>> {
        match self {
            Self::Http1(conn) => conn.take_home(shuttle),
            Self::Http2(conn) => conn.take_home(shuttle, place),
        }
    }

    /// True the first time until the next [`drive`](Self::drive): to list it only once.
    pub(crate) fn list(&mut self) -> bool {
        each!(self, conn => conn.list())
    }

    /// It was first in the queue for a berth, and one is free.
    pub(crate) fn on_turn(&mut self, cx: &mut Cx) -> Fate {
        each!(self, conn => conn.on_turn(cx))
    }

    /// The worker ends: looks for what is there already, and else is over when idle.
    pub(crate) fn on_drain(&mut self) {
        each!(self, conn => conn.on_drain());
    }

    /// Takes in, answers and gives out for as long as something moves.
    pub(crate) fn drive(&mut self, cx: &mut Cx) -> Fate {
        each!(self, conn => conn.drive(cx))
    }

    /// The timer has fired, perhaps for a deadline that has moved since.
    pub(crate) fn on_timer(&mut self, cx: &mut Cx) -> Fate {
        each!(self, conn => conn.on_timer(cx))
    }

    /// Since when it has nothing to do but wait for its client to ask for something.
    pub(crate) fn awaits_request_since(&self) -> Option<Instant> {
        each!(self, conn => conn.awaits_request_since())
    }

    /// Since when a client that has a berth has read too little to keep it while others wait.
    pub(crate) fn too_slow_since(&self, cx: &Cx) -> Option<Instant> {
        each!(self, conn => conn.too_slow_since(cx))
    }

    /// Gives up about so many berths whose clients are too slow, and counts them in `given`.
    pub(crate) fn give_berths(&mut self, most: usize, given: &mut usize, cx: &mut Cx) -> Fate {
        match self {
            Self::Http1(conn) => conn.give_berths(given, cx),
            Self::Http2(conn) => conn.give_berths(most, given, cx),
        }
    }

    /// Makes it one of HTTP/2, when that is what it turned out to be.
    pub(crate) fn turn(self, cx: &mut Cx) -> Self {
        match self {
            Self::Http1(conn) => Self::Http2(Box::new(http2::Conn::new(conn.into_http2(cx), cx))),
            turned @ Self::Http2(_) => turned,
        }
    }

    /// The last call; the socket closes with it. Gives back what was borrowed.
    pub(crate) fn farewell(self, cx: &mut Cx) {
        each!(self, conn => conn.farewell(cx));
    }

    /// Ends at once: the worker stops.
    pub(crate) fn stop(self, cx: &mut Cx) {
        each!(self, conn => conn.stop(cx));
    }
}
