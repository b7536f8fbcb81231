//! Where the thread of the fibers sleeps: until its doorbell rings, a descriptor that a fiber
//! waits for is ready, or a time passes.
//!
//! What a descriptor is watched for is computed from who waits for it, each time that changes;
//! readiness is never remembered. With the edge-triggered interface below, asking anew also asks
//! what is true at this moment, so nothing is missed between looking and waiting.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use shuttle_core::Doorbell;

use crate::fiber::Wakeup;
use crate::limits::EVENTS_PER_WAIT_COUNT;
use crate::sync::WaitQueue;

/// No descriptor has this number.
const DOORBELL: Token = Token(usize::MAX);

thread_local! {
    /// The watch of this thread's reactor.
    static WATCH: RefCell<Weak<Watch>> = const { RefCell::new(Weak::new()) };
}

/// The place where a thread sleeps when none of its fibers can run. It belongs to the thread that
/// made it, one per thread; its doorbell goes anywhere.
///
/// In a loop of somebody else's: watch [`Reactor::as_raw_fd`] for reading, and call
/// [`Reactor::wait`] with a timeout of zero when it is ready.
pub struct Reactor {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
    watch: Rc<Watch>,
}

/// Rung by writing to an event counter that nobody reads: the edge alone ends the sleep.
struct Bell(Waker);

impl Doorbell for Bell {
    fn ring(&self) {
        if let Err(error) = self.0.wake() {
            log::error!("the doorbell of a fiber thread does not ring: {error}");
        }
    }
}

impl Reactor {
    /// The reactor of this thread. Fibers that wait for descriptors use the newest one.
    ///
    /// # Errors
    /// What the system says, mostly that no descriptors are left.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell(Waker::new(poll.registry(), DOORBELL)?));
        let registry = poll.registry().try_clone()?;
        let watch = Rc::new(Watch {
            registry,
            descriptors: RefCell::new(HashMap::new()),
        });
        WATCH.set(Rc::downgrade(&watch));
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_WAIT_COUNT),
            bell,
            watch,
        })
    }

    /// What other threads ring to end [`Self::wait`], the running one or the next.
    pub fn doorbell(&self) -> Arc<dyn Doorbell> {
        Arc::clone(&self.bell) as Arc<dyn Doorbell>
    }

    /// Blocks the thread until something happens or the time is over; `None` is for ever. Wakes
    /// the fibers whose descriptors are ready. Returns how many things happened: a ring or a
    /// descriptor, 0 after the time or a signal.
    ///
    /// # Errors
    /// What the system says. None is expected.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            outcome => outcome?,
        }
        let mut happened_count = 0;
        for event in &self.events {
            happened_count += 1;
            if event.token() != DOORBELL {
                self.watch.wake(event);
            }
        }
        Ok(happened_count)
    }
}

impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

impl std::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Reactor({} watched)",
            self.watch.descriptors.borrow().len()
        )
    }
}

/// Parks until the descriptor can be read: there are bytes, a connection, the end, or an error to
/// fetch. [`Wakeup::Ready`] is a reason to try, not a promise; the descriptor must not block.
///
/// Two system calls. Several fibers may wait for one descriptor; all are woken.
///
/// # Errors
/// If the thread has no [`Reactor`], or the system cannot watch this kind of descriptor.
///
/// # Panics
/// As [`crate::park`].
pub fn wait_readable(fd: impl AsFd, deadline: Option<Instant>) -> io::Result<Wakeup> {
    wait_for(fd, |descriptor| &descriptor.read, deadline)
}

/// As [`wait_readable`], for writing: there is room, a connection was made, or an error waits.
///
/// # Errors
/// As [`wait_readable`].
///
/// # Panics
/// As [`crate::park`].
pub fn wait_writable(fd: impl AsFd, deadline: Option<Instant>) -> io::Result<Wakeup> {
    wait_for(fd, |descriptor| &descriptor.write, deadline)
}

fn wait_for(
    fd: impl AsFd,
    side: fn(&Descriptor) -> &Side,
    deadline: Option<Instant>,
) -> io::Result<Wakeup> {
    crate::scheduler::parkable().unwrap_or_else(|why| panic!("{why}"));
    let watch = WATCH.with_borrow(Weak::upgrade);
    let watch = watch.ok_or_else(|| io::Error::other("this thread has no reactor"))?;
    let fd = fd.as_fd().as_raw_fd();
    let descriptor = watch.descriptor(fd);
    side(&descriptor).waiting_count.update(|count| count + 1);
    let woken = watch
        .update(fd, &descriptor)
        .map(|()| side(&descriptor).queue.wait(deadline));
    side(&descriptor).waiting_count.update(|count| count - 1);
    if watch.update(fd, &descriptor).is_err() {
        // The others ask again, and are told what is wrong.
        descriptor.wake_all();
    }
    woken
}

/// What a reactor watches for the fibers of its thread.
struct Watch {
    registry: Registry,
    descriptors: RefCell<HashMap<RawFd, Rc<Descriptor>>>,
}

/// A descriptor that somebody waits for.
#[derive(Default)]
struct Descriptor {
    read: Side,
    write: Side,
    is_registered: Cell<bool>,
}

/// Who waits for one kind of readiness.
#[derive(Default)]
struct Side {
    queue: WaitQueue,
    /// Fibers in the queue, on their way in, or on their way out.
    waiting_count: Cell<usize>,
}

impl Descriptor {
    fn interest(&self) -> Option<Interest> {
        let read = (self.read.waiting_count.get() > 0).then_some(Interest::READABLE);
        let write = (self.write.waiting_count.get() > 0).then_some(Interest::WRITABLE);
        match (read, write) {
            (Some(read), Some(write)) => Some(read | write),
            (read, write) => read.or(write),
        }
    }

    fn wake_all(&self) {
        self.read.queue.wake_all();
        self.write.queue.wake_all();
    }
}

impl Watch {
    fn descriptor(&self, fd: RawFd) -> Rc<Descriptor> {
        Rc::clone(self.descriptors.borrow_mut().entry(fd).or_default())
    }

    /// Has the system watch for what is waited for now.
    fn update(&self, fd: RawFd, descriptor: &Descriptor) -> io::Result<()> {
        let mut source = SourceFd(&fd);
        let Some(interest) = descriptor.interest() else {
            self.descriptors.borrow_mut().remove(&fd);
            if descriptor.is_registered.replace(false) {
                self.registry.deregister(&mut source)?;
            }
            return Ok(());
        };
        let token = Token(usize::try_from(fd).map_err(io::Error::other)?);
        if descriptor.is_registered.get() {
            return self.registry.reregister(&mut source, token, interest);
        }
        self.registry.register(&mut source, token, interest)?;
        descriptor.is_registered.set(true);
        Ok(())
    }

    fn wake(&self, event: &Event) {
        let fd = RawFd::try_from(event.token().0).expect("tokens are made of descriptors");
        let Some(descriptor) = self.descriptors.borrow().get(&fd).cloned() else {
            return;
        };
        // An error or a hang-up is for everybody: the next read or write will say what it is.
        let is_over = event.is_error() || event.is_read_closed() && event.is_write_closed();
        if is_over || event.is_readable() || event.is_read_closed() {
            descriptor.read.queue.wake_all();
        }
        if is_over || event.is_writable() || event.is_write_closed() {
            descriptor.write.queue.wake_all();
        }
    }
}

#[cfg(test)]
mod tests;
