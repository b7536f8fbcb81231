//! A bounded channel between the fibers of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use super::WaitQueue;
use crate::fiber::{Record, Wakeup};
use crate::scheduler;

/// Why nothing was received.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum GetError {
    /// The deadline passed first.
    Timeout,
    /// The fiber is cancelled.
    Cancelled,
    /// The channel is closed and empty.
    Closed,
}

/// Why a value was not put. It comes back.
#[derive(Copy, Clone, Eq, PartialEq)]
pub enum PutError<T> {
    /// The deadline passed first.
    Timeout(T),
    /// The fiber is cancelled.
    Cancelled(T),
    /// The channel is closed.
    Closed(T),
}

/// Why a value was not put at once. It comes back.
#[derive(Copy, Clone, Eq, PartialEq)]
pub enum TryPutError<T> {
    /// There is no room and nobody waits for a value.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// A value whose putter is parked until there is room for it.
struct Pending<T> {
    ticket: u64,
    value: T,
    putter: Rc<Record>,
}

/// A value that was given to a getter, which has not run since.
struct Promised<T> {
    value: T,
    getter: Rc<Record>,
}

/// A bounded queue of values, first in, first out, between fibers of one thread. With capacity 0
/// each value is handed over: the putter waits until a getter takes it.
///
/// Values reach the getters in the order in which both asked; nobody overtakes. A value that was
/// given to a getter is taken by it even if it is cancelled at that moment: nothing is lost.
pub struct Channel<T> {
    capacity_count: usize,
    /// Values that are in, oldest first. While a getter waits there are none.
    held: RefCell<VecDeque<T>>,
    promised: RefCell<VecDeque<Promised<T>>>,
    /// In the order of asking. While there is room there are none.
    pending: RefCell<VecDeque<Pending<T>>>,
    tickets_total: Cell<u64>,
    getters: WaitQueue,
    is_closed: Cell<bool>,
}

impl<T> Channel<T> {
    /// With room for so many values that nobody has taken yet. Room is taken as it is needed.
    pub const fn new(capacity_count: usize) -> Self {
        Self {
            capacity_count,
            held: RefCell::new(VecDeque::new()),
            promised: RefCell::new(VecDeque::new()),
            pending: RefCell::new(VecDeque::new()),
            tickets_total: Cell::new(0),
            getters: WaitQueue::new(),
            is_closed: Cell::new(false),
        }
    }

    /// Puts a value, parking while there is no room.
    ///
    /// # Errors
    /// The value and the reason.
    ///
    /// # Panics
    /// As [`crate::park`], if it has to wait.
    pub fn put(&self, value: T, deadline: Option<Instant>) -> Result<(), PutError<T>> {
        let value = match self.try_put(value) {
            Ok(()) => return Ok(()),
            Err(TryPutError::Closed(value)) => return Err(PutError::Closed(value)),
            Err(TryPutError::Full(value)) => value,
        };
        let putter = scheduler::parkable().unwrap_or_else(|why| panic!("{why}"));
        let ticket = self.tickets_total.replace(self.tickets_total.get() + 1);
        let pending = Pending {
            ticket,
            value,
            putter: Rc::clone(&putter),
        };
        self.pending.borrow_mut().push_back(pending);
        loop {
            let why = scheduler::park_checked(&putter, deadline);
            let Some(at) = self.find_pending(ticket) else {
                return Ok(());
            };
            if why == Wakeup::Ready && !self.is_closed() {
                continue;
            }
            let pending = self.pending.borrow_mut().remove(at);
            let value = pending.expect("it was just found there").value;
            return Err(match why {
                Wakeup::Ready => PutError::Closed(value),
                Wakeup::Timeout => PutError::Timeout(value),
                Wakeup::Cancelled => PutError::Cancelled(value),
            });
        }
    }

    /// Puts a value if there is room or a getter waits. Does not block.
    ///
    /// # Errors
    /// The value and the reason.
    pub fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
        if self.is_closed.get() {
            return Err(TryPutError::Closed(value));
        }
        if let Some(getter) = self.getters.grant_one() {
            self.promised
                .borrow_mut()
                .push_back(Promised { value, getter });
            return Ok(());
        }
        if self.is_full() {
            return Err(TryPutError::Full(value));
        }
        self.held.borrow_mut().push_back(value);
        Ok(())
    }

    /// Takes the oldest value, parking while there is none.
    ///
    /// # Errors
    /// See [`GetError`].
    ///
    /// # Panics
    /// As [`crate::park`], if it has to wait.
    pub fn get(&self, deadline: Option<Instant>) -> Result<T, GetError> {
        if let Some(value) = self.try_get() {
            return Ok(value);
        }
        if self.is_closed.get() {
            return Err(GetError::Closed);
        }
        let getter = scheduler::parkable().unwrap_or_else(|why| panic!("{why}"));
        match self.getters.wait_for_grant(deadline) {
            Wakeup::Ready => self.take_promised(&getter).ok_or(GetError::Closed),
            Wakeup::Timeout => Err(GetError::Timeout),
            Wakeup::Cancelled => Err(GetError::Cancelled),
        }
    }

    /// Takes the oldest value that is not promised to a getter before. Does not block.
    pub fn try_get(&self) -> Option<T> {
        let value = self.held.borrow_mut().pop_front();
        match value {
            Some(value) => {
                self.admit_pending();
                Some(value)
            }
            None => self.pop_pending(),
        }
    }

    /// Refuses values from now on. Putters that wait get theirs back; values that are in can
    /// still be taken, getters that wait for more are told.
    pub fn close(&self) {
        if self.is_closed.replace(true) {
            return;
        }
        for pending in self.pending.borrow().iter() {
            scheduler::wake(&pending.putter);
        }
        self.getters.wake_all();
    }

    /// Drops the values that can be taken, those of waiting putters too; how many.
    pub fn clear(&self) -> usize {
        std::iter::from_fn(|| self.try_get()).count()
    }

    /// Values that are in and can be taken.
    pub fn count(&self) -> usize {
        self.held.borrow().len()
    }

    /// The capacity.
    pub fn capacity_count(&self) -> usize {
        self.capacity_count
    }

    /// Whether nothing can be taken.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Whether a value would have to wait, were there no getter.
    pub fn is_full(&self) -> bool {
        self.count() >= self.capacity_count
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Whether a fiber waits for a value.
    pub fn has_readers(&self) -> bool {
        !self.getters.is_empty()
    }

    /// Whether a fiber waits for room.
    pub fn has_writers(&self) -> bool {
        !self.pending.borrow().is_empty()
    }

    /// After a value left: the first waiting one comes in.
    fn admit_pending(&self) {
        if self.is_full() {
            return;
        }
        if let Some(value) = self.pop_pending() {
            self.held.borrow_mut().push_back(value);
        }
    }

    /// Takes the first waiting value; its putter goes on.
    fn pop_pending(&self) -> Option<T> {
        if self.is_closed() {
            return None;
        }
        let Pending { value, putter, .. } = self.pending.borrow_mut().pop_front()?;
        scheduler::wake(&putter);
        Some(value)
    }

    fn find_pending(&self, ticket: u64) -> Option<usize> {
        self.pending
            .borrow()
            .binary_search_by_key(&ticket, |pending| pending.ticket)
            .ok()
    }

    /// The value that this getter was woken for; none if it was woken by the close.
    fn take_promised(&self, getter: &Rc<Record>) -> Option<T> {
        let mut promised = self.promised.borrow_mut();
        let at = promised
            .iter()
            .position(|promised| Rc::ptr_eq(&promised.getter, getter))?;
        promised.remove(at).map(|promised| promised.value)
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({} of {})", self.count(), self.capacity_count)
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out",
            Self::Cancelled => "the fiber is cancelled",
            Self::Closed => "the channel is closed",
        })
    }
}

impl std::error::Error for GetError {}

impl<T> PutError<T> {
    /// The value that was not put.
    pub fn into_value(self) -> T {
        match self {
            Self::Timeout(value) | Self::Cancelled(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out",
            Self::Cancelled(_) => "the fiber is cancelled",
            Self::Closed(_) => "the channel is closed",
        })
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutError({self})")
    }
}

impl<T> std::error::Error for PutError<T> {}

impl<T> TryPutError<T> {
    /// The value that was not put.
    pub fn into_value(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the channel is full",
            Self::Closed(_) => "the channel is closed",
        })
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TryPutError({self})")
    }
}

impl<T> std::error::Error for TryPutError<T> {}
