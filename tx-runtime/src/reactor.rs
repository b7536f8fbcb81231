//! Where a thread sleeps: until its doorbell rings or a time passes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use shuttle_core::Doorbell;

const DOORBELL: Token = Token(usize::MAX);

/// The place where the thread of the fibers sleeps when none can run.
pub struct Reactor {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
}

struct Bell(Waker);

impl Doorbell for Bell {
    fn ring(&self) {
        if let Err(error) = self.0.wake() {
            log::error!("a doorbell does not ring: {error}");
        }
    }
}

impl Reactor {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), DOORBELL)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            bell: Arc::new(Bell(waker)),
        })
    }

    /// What other threads ring to end [`Self::wait`].
    pub fn doorbell(&self) -> Arc<dyn Doorbell> {
        Arc::clone(&self.bell) as Arc<dyn Doorbell>
    }

    /// Sleeps until something happens or the time is over. Blocks the thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
            Ok(()) => Ok(self.events.iter().count()),
        }
    }
}
