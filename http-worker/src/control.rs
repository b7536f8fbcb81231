//! The control plane: rare commands, over their own channel, apart from what requests travel on.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use mio::Waker;
use shuttle_core::Doorbell;

use crate::limits::Limits;
use crate::listener::Listener;
use crate::routes::Routes;

/// An order to a worker. They are obeyed in the order given; each may come at any time and be
/// repeated. After [`Stop`](Self::Stop) the others have no effect.
#[derive(Debug)]
pub enum Command {
    /// Listen here too.
    Listen(Listener),
    /// Listen here and nowhere else. If one of these sockets cannot be watched, that is logged and
    /// everything stays as it is.
    ListenOnly(Listening),
    /// Keep these bounds from now on.
    Limits(Box<Limits>),
    /// Requests whose head arrives from now on are served by these.
    Routes(Arc<Routes>),
    /// Stop accepting, close idle connections, answer what is in progress with
    /// `Connection: close`, then end. What is left after `deadline_ms` is reset; `None` waits for
    /// ever. A second drain may shorten or lengthen the time left.
    Drain {
        /// Milliseconds from now.
        deadline_ms: Option<u64>,
    },
    /// Reset all connections now, take the shuttles home and end.
    Stop,
}

/// Where a worker is to listen, and how it parts with its former sockets.
#[derive(Debug, Default)]
pub struct Listening {
    /// All of it.
    pub listeners: Vec<Listener>,
    /// Nobody will listen at these addresses any more. Sockets there are closed a moment later,
    /// when everybody is in who waits at them. Others are closed at once: if nobody else holds a
    /// handle of one, the kernel resets who waits there.
    pub given_up: Vec<SocketAddr>,
    /// Given back when all of it is done.
    pub receipt: Receipt,
}

impl From<Vec<Listener>> for Listening {
    /// Sockets that change hands, with nothing given up.
    fn from(listeners: Vec<Listener>) -> Self {
        Self {
            listeners,
            ..Self::default()
        }
    }
}

/// Knows whether commands were obeyed to the end: each that wants it known carries a [`Receipt`].
#[derive(Debug, Default)]
pub struct Receipts(Arc<()>);

impl Receipts {
    /// One for a command.
    #[must_use]
    pub fn issue(&self) -> Receipt {
        Receipt(Arc::clone(&self.0))
    }

    /// Whether some command was not yet obeyed. A worker that has ended obeys none, and holds
    /// none up.
    pub fn are_out(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Goes with a command and is dropped when that was obeyed. `Default` is for whom nobody waits.
#[derive(Clone, Debug, Default)]
pub struct Receipt(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// Wakes a worker out of its poll. Rung for shuttles by the other shore, and for commands.
pub(crate) struct WorkerBell(Waker);

impl WorkerBell {
    pub(crate) fn new(waker: Waker) -> Self {
        Self(waker)
    }
}

impl Doorbell for WorkerBell {
    fn ring(&self) {
        // It can only fail when the eventfd is gone, that is, with the worker: nobody to wake.
        if let Err(e) = self.0.wake() {
            log::debug!("a worker could not be woken: {e}");
        }
    }
}

/// The commanding end; any thread may hold one.
#[derive(Clone)]
pub(crate) struct Commander {
    to: Sender<Command>,
    bell: Arc<WorkerBell>,
}

impl Commander {
    /// A pair of ends.
    pub(crate) fn new(bell: Arc<WorkerBell>) -> (Self, Receiver<Command>) {
        let (to, from) = unbounded();
        (Self { to, bell }, from)
    }

    /// Sends a command and wakes the worker. A worker that has ended ignores it.
    pub(crate) fn send(&self, command: Command) {
        if self.to.send(command).is_ok() {
            self.bell.ring();
        }
    }
}
