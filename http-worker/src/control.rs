//! The control plane: rare commands, over their own channel, apart from what requests travel on.

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
    /// Listen here and nowhere else. Sockets of which somebody else holds a handle lose nothing by
    /// that; what waits in the others is reset by the kernel. If one of these cannot be watched,
    /// that is logged and everything stays as it is.
    ListenOnly(Vec<Listener>),
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
