//! One fiber as the scheduler sees it, and [`FiberRef`], the handle that everybody else holds.

use std::any::Any;
use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use crate::api;
use crate::guard::Label;
use crate::limits::NAME_MAX_BYTES;
use crate::refusal::CannotPark;
use crate::scheduler::{self, SCHEDULER};
use crate::state::{self, Event, Status};
use crate::switch::Strand;
use crate::sync::{Link, WaitQueue};
use crate::timers::{Place, Sleeper};

/// Why a park ended.
#[must_use = "a cancelled fiber must unwind, and a timeout is not what was waited for"]
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum Wakeup {
    /// Somebody woke the fiber. That is a reason to look again, not a promise: whoever waits for
    /// a condition checks it in a loop.
    Ready,
    /// The deadline passed first.
    Timeout,
    /// The fiber is cancelled.
    Cancelled,
}

/// What a fiber runs.
pub(crate) enum Job {
    Once(Box<dyn FnOnce()>),
    Shared(Rc<dyn Fn()>),
}

/// How a fiber ended.
pub(crate) enum Ending {
    Returned,
    Panicked(String),
}

/// Everything about one fiber. Shared by its handles and by the places where it waits.
pub(crate) struct Record {
    pub(crate) id: Cell<u64>,
    pub(crate) status: Cell<Status>,
    /// What the next return from a park says.
    pub(crate) verdict: Cell<Wakeup>,
    pub(crate) is_cancelled: Cell<bool>,
    /// How many shields against cancellation are up.
    pub(crate) shields_count: Cell<u32>,
    pub(crate) is_joinable: Cell<bool>,
    /// Index in the scheduler's list of the living.
    pub(crate) census: Cell<usize>,
    pub(crate) job: Cell<Option<Job>>,
    /// Its stack; absent while it runs and after its end.
    pub(crate) strand: Cell<Option<Box<Strand>>>,
    pub(crate) timer: Place,
    /// Its place in the wait queue where it is parked.
    pub(crate) link: Link,
    pub(crate) joiners: WaitQueue,
    pub(crate) ending: RefCell<Ending>,
    pub(crate) name: RefCell<String>,
    /// A copy of id and name for the report of an overflowed stack.
    pub(crate) label: Label,
    pub(crate) slot: RefCell<Option<Box<dyn Any>>>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            id: Cell::new(0),
            status: Cell::new(Status::Runnable),
            verdict: Cell::new(Wakeup::Ready),
            is_cancelled: Cell::new(false),
            shields_count: Cell::new(0),
            is_joinable: Cell::new(true),
            census: Cell::new(usize::MAX),
            job: Cell::new(None),
            strand: Cell::new(None),
            timer: Place::nowhere(),
            link: Link::new(),
            joiners: WaitQueue::new(),
            ending: RefCell::new(Ending::Returned),
            name: RefCell::new(String::new()),
            label: Label::new(),
            slot: RefCell::new(None),
        }
    }

    /// Makes a record that nobody else holds a new fiber.
    pub(crate) fn renew(&self, id: u64, name: &str, job: Job) {
        self.id.set(id);
        self.status.set(Status::Runnable);
        self.verdict.set(Wakeup::Ready);
        self.is_cancelled.set(false);
        self.shields_count.set(0);
        self.is_joinable.set(true);
        self.job.set(Some(job));
        *self.ending.borrow_mut() = Ending::Returned;
        self.rename(name);
    }

    pub(crate) fn rename(&self, name: &str) {
        let mut own = self.name.borrow_mut();
        own.clear();
        own.push_str(cut(name, NAME_MAX_BYTES));
        self.label.set(self.id.get(), name);
    }

    /// Moves along the table.
    ///
    /// # Panics
    /// If the table has no such move: the scheduler itself is wrong then.
    pub(crate) fn step(&self, event: Event) {
        match state::advance(self.status.get(), event) {
            Ok(to) => self.status.set(to),
            Err(illegal) => panic!("fiber {}: {illegal:?}", self.id.get()),
        }
    }

    /// Whether a park must end at once.
    pub(crate) fn must_unwind(&self) -> bool {
        self.is_cancelled.get() && self.shields_count.get() == 0
    }
}

/// The longest beginning of `text` that has at most so many bytes and whole characters.
fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Sleeper for Rc<Record> {
    fn place(&self) -> &Place {
        &self.timer
    }
}

/// Why [`FiberRef::join`] has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JoinError {
    /// The fiber lives on; the deadline passed.
    Timeout,
    /// The *waiting* fiber was cancelled.
    Cancelled,
    /// The fiber panicked with this message.
    Panicked(String),
    /// A fiber cannot wait for its own end.
    Itself,
    /// [`FiberRef::set_joinable`] forbade it.
    NotJoinable,
    /// The caller cannot park, and the fiber is not dead yet.
    CannotPark(CannotPark),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timed out"),
            Self::Cancelled => f.write_str("the waiting fiber is cancelled"),
            Self::Panicked(message) => write!(f, "the fiber panicked: {message}"),
            Self::Itself => f.write_str("a fiber cannot join itself"),
            Self::NotJoinable => f.write_str("the fiber is not joinable"),
            Self::CannotPark(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for JoinError {}

/// A handle to a fiber. Cheap to clone; two are equal if they mean the same fiber. It keeps the
/// fiber's record alive, not the fiber: dropping handles never stops anything. `!Send`: a fiber
/// belongs to its thread.
#[derive(Clone)]
pub struct FiberRef(pub(crate) Rc<Record>);

impl FiberRef {
    /// Ends the fiber's park with [`Wakeup::Ready`]. False, and nothing happens, if it is not
    /// parked: wake-ups are not stored. Does not block and does not switch; the fiber runs in a
    /// later step of the turn.
    pub fn wake(&self) -> bool {
        scheduler::wake(&self.0)
    }

    /// Runs a runnable fiber now, before its turn, until it parks, yields or ends; then the caller
    /// goes on. The caller may be a fiber, and does not park by it: nobody else runs in between.
    /// False, and nothing happens, if the fiber is not runnable, or a panic unwinds.
    pub fn run_now(&self) -> bool {
        SCHEDULER.with(|scheduler| scheduler.run_now(&self.0))
    }

    /// Flags the fiber as cancelled and ends its park, now or when it next parks, with
    /// [`Wakeup::Cancelled`]. False if it is dead or was cancelled before. A fiber that has not
    /// started yet still starts, and learns of it at its first park.
    pub fn cancel(&self) -> bool {
        scheduler::cancel(&self.0)
    }

    /// Its number: never used twice on this thread, and below 2^53 for 280 years of a million
    /// fibers per second.
    pub fn id(&self) -> u64 {
        self.0.id.get()
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.0.name.borrow().clone()
    }

    /// Its name, without a copy. `f` must not rename it.
    pub fn with_name<R>(&self, f: impl FnOnce(&str) -> R) -> R {
        f(&self.0.name.borrow())
    }

    /// Gives it another name, cut to [`NAME_MAX_BYTES`].
    pub fn set_name(&self, name: &str) {
        self.0.rename(name);
    }

    /// Where it is in its life.
    pub fn status(&self) -> Status {
        self.0.status.get()
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.get()
    }

    /// A place for whatever the embedder wants to keep with the fiber. Emptied when the fiber is
    /// dead and the last handle is gone; the value is dropped where that happens, mostly outside
    /// fibers, and must not park.
    pub fn slot(&self) -> &RefCell<Option<Box<dyn Any>>> {
        &self.0.slot
    }

    /// Allows or forbids [`Self::join`]. Allowed at first.
    pub fn set_joinable(&self, is_joinable: bool) {
        self.0.is_joinable.set(is_joinable);
    }

    /// Whether [`Self::join`] is allowed.
    pub fn is_joinable(&self) -> bool {
        self.0.is_joinable.get()
    }

    /// Parks until the fiber is dead. At once if it is dead already, also outside a fiber.
    ///
    /// # Errors
    /// See [`JoinError`]. After a timeout or a cancellation of the caller the fiber lives on.
    pub fn join(&self, deadline: Option<Instant>) -> Result<(), JoinError> {
        if !self.is_joinable() {
            return Err(JoinError::NotJoinable);
        }
        while self.status() != Status::Dead {
            api::can_park().map_err(JoinError::CannotPark)?;
            if api::current().as_ref() == Some(self) {
                return Err(JoinError::Itself);
            }
            match self.0.joiners.wait(deadline) {
                Wakeup::Ready => {}
                Wakeup::Timeout => return Err(JoinError::Timeout),
                Wakeup::Cancelled => return Err(JoinError::Cancelled),
            }
        }
        match &*self.ending() {
            Ending::Returned => Ok(()),
            Ending::Panicked(message) => Err(JoinError::Panicked(message.clone())),
        }
    }

    fn ending(&self) -> Ref<'_, Ending> {
        self.0.ending.borrow()
    }
}

impl PartialEq for FiberRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FiberRef {}

impl fmt::Debug for FiberRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FiberRef({} {:?} {:?})",
            self.id(),
            self.name(),
            self.status()
        )
    }
}
