//! The scheduler of one thread: who lives, who may run, who waits until when.
//!
//! One thread-local value, reached by the free functions of this crate. No borrow of any part is
//! held across a switch or a call into foreign code.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::config::Config;
use crate::fiber::{Ending, FiberRef, Job, Record, Wakeup};
use crate::panics;
use crate::state::{Event, Status};
use crate::stats::Stats;
use crate::switch::{self, CannotSuspend, Pause, Strand};
use crate::timers::Timers;

/// How much one [`turn`] may do.
#[derive(Copy, Clone, Debug)]
pub struct Budget {
    /// Most switches into a fiber.
    pub fibers: usize,
}

/// What one [`turn`] did, and what the caller may do next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Switches into a fiber.
    pub ran: usize,
    /// Some fiber can run at once: do not sleep.
    pub runnable: bool,
    /// When to call [`turn`] again if nothing happens before.
    pub next_deadline: Option<Instant>,
}

/// Why a fiber was not made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AtCapacity {
    text: String,
}

impl fmt::Display for AtCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for AtCapacity {}

/// Why parking is refused here.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum CannotPark {
    /// The code does not run in a fiber.
    OutsideFiber,
    /// The code runs in a fiber, but on a stack that is not the fiber's.
    ForeignStack,
    /// The fiber is unwinding from a panic.
    Panicking,
    /// The check of [`set_pre_park_check`] said no, for this reason.
    Refused(&'static str),
}

impl CannotPark {
    /// The reason as a short sentence without a full stop.
    pub fn text(&self) -> &'static str {
        match self {
            Self::OutsideFiber => "cannot park outside a fiber",
            Self::ForeignStack => "cannot park on a stack that is not the fiber's",
            Self::Panicking => "cannot park while a panic unwinds",
            Self::Refused(why) => why,
        }
    }
}

impl fmt::Display for CannotPark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for CannotPark {}

/// A question asked before each park: whether the embedder's own state allows a switch now.
pub type PreParkCheck = fn() -> Result<(), &'static str>;

/// An idle stack, and the record of its last fiber if nobody holds it any more.
struct Idle {
    strand: Box<Strand>,
    record: Option<Rc<Record>>,
}

struct Scheduler {
    config: Cell<Config>,
    ready: RefCell<VecDeque<Rc<Record>>>,
    running: RefCell<Option<Rc<Record>>>,
    timers: RefCell<Timers<Rc<Record>>>,
    living: RefCell<Vec<Rc<Record>>>,
    pool: RefCell<Vec<Idle>>,
    pre_park_check: Cell<Option<PreParkCheck>>,
    now: Cell<Option<Instant>>,
    spawned_total: Cell<u64>,
    switches_total: Cell<u64>,
}

thread_local! {
    static SCHEDULER: Scheduler = const { Scheduler::new() };
}

impl Scheduler {
    const fn new() -> Self {
        Self {
            config: Cell::new(Config::DEFAULT),
            ready: RefCell::new(VecDeque::new()),
            running: RefCell::new(None),
            timers: RefCell::new(Timers::new()),
            living: RefCell::new(Vec::new()),
            pool: RefCell::new(Vec::new()),
            pre_park_check: Cell::new(None),
            now: Cell::new(None),
            spawned_total: Cell::new(0),
            switches_total: Cell::new(0),
        }
    }

    fn spawn(&self, name: &str, job: Job) -> Result<FiberRef, AtCapacity> {
        let fibers_max_count = self.config.get().fibers_max_count;
        if self.living.borrow().len() >= fibers_max_count as usize {
            return Err(AtCapacity {
                text: format!("there are {fibers_max_count} fibers already"),
            });
        }
        let idle = self.pool.borrow_mut().pop();
        let Idle { strand, record } = match idle {
            Some(idle) => idle,
            None => Idle {
                strand: self.new_strand()?,
                record: None,
            },
        };
        let record = record.unwrap_or_else(|| Rc::new(Record::new()));
        let id = self.spawned_total.get() + 1;
        self.spawned_total.set(id);
        record.renew(id, name, job);
        record.strand.set(Some(strand));
        record.census.set(self.living.borrow().len());
        self.living.borrow_mut().push(Rc::clone(&record));
        self.ready.borrow_mut().push_back(Rc::clone(&record));
        Ok(FiberRef(record))
    }

    fn new_strand(&self) -> Result<Box<Strand>, AtCapacity> {
        let stack = corosensei::stack::DefaultStack::new(self.config.get().stack_bytes).map_err(
            |error| AtCapacity {
                text: format!("no memory for a stack: {error}"),
            },
        )?;
        Ok(Box::new(Strand::new(stack, run_job)))
    }

    fn turn(&self, now: Instant, budget: Budget) -> Turn {
        assert!(self.running.borrow().is_none(), "a fiber cannot run a turn");
        self.now.set(Some(now));
        self.fire_timers(now);
        let mut ran = 0;
        while ran < budget.fibers && self.run_next() {
            ran += 1;
        }
        Turn {
            ran,
            runnable: !self.ready.borrow().is_empty(),
            next_deadline: self.timers.borrow().next_deadline(),
        }
    }

    fn fire_timers(&self, now: Instant) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(fiber) = due else { return };
            self.make_ready(&fiber, Wakeup::Timeout);
        }
    }

    fn run_next(&self) -> bool {
        let next = self.ready.borrow_mut().pop_front();
        let Some(fiber) = next else { return false };
        fiber.step(Event::Resume);
        let mut strand = fiber
            .strand
            .take()
            .expect("a fiber in the run queue has its stack");
        *self.running.borrow_mut() = Some(Rc::clone(&fiber));
        self.switches_total.set(self.switches_total.get() + 1);
        let pause = strand.resume();
        *self.running.borrow_mut() = None;
        match pause {
            Pause::Parked => fiber.strand.set(Some(strand)),
            Pause::Yielded => {
                fiber.strand.set(Some(strand));
                self.ready.borrow_mut().push_back(fiber);
            }
            Pause::JobEnded => self.bury(fiber, strand),
        }
        true
    }

    /// Takes a fiber off the lists. The joiners look at its end, its stack waits for another.
    fn bury(&self, fiber: Rc<Record>, strand: Box<Strand>) {
        fiber.step(Event::End);
        fiber.joiners.wake_all();
        self.strike_out(&fiber);
        let record = if Rc::strong_count(&fiber) == 1 {
            let cargo = fiber.slot.borrow_mut().take();
            drop(cargo);
            Some(fiber)
        } else {
            None
        };
        let mut pool = self.pool.borrow_mut();
        if pool.len() < self.config.get().pooled_stacks_count as usize {
            pool.push(Idle { strand, record });
        }
    }

    fn strike_out(&self, fiber: &Record) {
        let at = fiber.census.get();
        let mut living = self.living.borrow_mut();
        living.swap_remove(at);
        if let Some(moved) = living.get(at) {
            moved.census.set(at);
        }
    }

    fn make_ready(&self, fiber: &Rc<Record>, verdict: Wakeup) -> bool {
        if fiber.status.get() != Status::Parked {
            return false;
        }
        fiber.step(Event::Wake);
        fiber.verdict.set(verdict);
        self.timers.borrow_mut().disarm(fiber);
        self.ready.borrow_mut().push_back(Rc::clone(fiber));
        true
    }

    fn cancel(&self, fiber: &Rc<Record>) -> bool {
        if fiber.status.get() == Status::Dead || fiber.is_cancelled.replace(true) {
            return false;
        }
        if fiber.must_unwind() {
            self.make_ready(fiber, Wakeup::Cancelled);
        }
        true
    }

    /// The running fiber, if it may park here.
    fn parkable(&self) -> Result<Rc<Record>, CannotPark> {
        switch::can_suspend().map_err(|why| match why {
            CannotSuspend::NoStrand => CannotPark::OutsideFiber,
            CannotSuspend::ForeignStack => CannotPark::ForeignStack,
        })?;
        if std::thread::panicking() {
            return Err(CannotPark::Panicking);
        }
        if let Some(check) = self.pre_park_check.get() {
            check().map_err(CannotPark::Refused)?;
        }
        let running = self.running.borrow();
        running.clone().ok_or(CannotPark::OutsideFiber)
    }

    fn park(&self, fiber: &Rc<Record>, deadline: Option<Instant>) -> Wakeup {
        if fiber.must_unwind() {
            return Wakeup::Cancelled;
        }
        fiber.step(Event::Park);
        if let Some(deadline) = deadline {
            self.timers.borrow_mut().arm(deadline, Rc::clone(fiber));
        }
        switch::suspend(Pause::Parked).expect("it was asked whether this can be suspended");
        fiber.verdict.get()
    }
}

/// Runs the job of the running fiber. Called on the fiber's stack.
fn run_job() {
    let fiber = SCHEDULER.with(|scheduler| scheduler.running.borrow().clone());
    let fiber = fiber.expect("a strand is resumed for a fiber");
    let job = fiber.job.take().expect("a new fiber has a job");
    let outcome = catch_unwind(AssertUnwindSafe(|| match job {
        Job::Once(job) => job(),
        Job::Shared(job) => job(),
    }));
    if let Err(payload) = outcome {
        let message = panics::text(payload);
        log::error!(
            "fiber {} ({}) panicked: {message}",
            fiber.id.get(),
            fiber.name.borrow()
        );
        *fiber.ending.borrow_mut() = Ending::Panicked(message);
    }
}

pub(crate) fn wake(fiber: &Rc<Record>) -> bool {
    SCHEDULER
        .try_with(|scheduler| scheduler.make_ready(fiber, Wakeup::Ready))
        .unwrap_or(false)
}

pub(crate) fn cancel(fiber: &Rc<Record>) -> bool {
    SCHEDULER
        .try_with(|scheduler| scheduler.cancel(fiber))
        .unwrap_or(false)
}

/// The running fiber, if it may park here.
pub(crate) fn parkable() -> Result<Rc<Record>, CannotPark> {
    SCHEDULER.with(Scheduler::parkable)
}

/// Parks a fiber that [`parkable`] gave.
pub(crate) fn park_checked(fiber: &Rc<Record>, deadline: Option<Instant>) -> Wakeup {
    SCHEDULER.with(|scheduler| scheduler.park(fiber, deadline))
}

/// Makes a fiber that runs `f`. It is runnable, not run at once. Works inside and outside fibers.
///
/// # Errors
/// [`AtCapacity`] if there are too many fibers or no memory for a stack.
pub fn spawn(name: &str, f: impl FnOnce() + 'static) -> Result<FiberRef, AtCapacity> {
    SCHEDULER.with(|scheduler| scheduler.spawn(name, Job::Once(Box::new(f))))
}

/// As [`spawn`], for a function that many fibers run: on a pooled stack nothing is allocated.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_shared(name: &str, f: &Rc<dyn Fn()>) -> Result<FiberRef, AtCapacity> {
    SCHEDULER.with(|scheduler| scheduler.spawn(name, Job::Shared(Rc::clone(f))))
}

/// The fiber that runs now, if any does.
pub fn current() -> Option<FiberRef> {
    SCHEDULER.with(|scheduler| scheduler.running.borrow().clone().map(FiberRef))
}

/// Whether [`park`] may be called here.
///
/// # Errors
/// The reason why not.
pub fn can_park() -> Result<(), CannotPark> {
    SCHEDULER.with(|scheduler| scheduler.parkable().map(|_| ()))
}

/// Suspends the running fiber until it is woken, cancelled, or the deadline has passed. A fiber
/// that is cancelled already gets [`Wakeup::Cancelled`] at once, every time.
///
/// # Errors
/// If parking is refused here; nothing happened then.
pub fn try_park(deadline: Option<Instant>) -> Result<Wakeup, CannotPark> {
    SCHEDULER.with(|scheduler| {
        let fiber = scheduler.parkable()?;
        Ok(scheduler.park(&fiber, deadline))
    })
}

/// As [`try_park`].
///
/// # Panics
/// If [`can_park`] is an error.
pub fn park(deadline: Option<Instant>) -> Wakeup {
    try_park(deadline).unwrap_or_else(|why| panic!("{why}"))
}

/// Parks even in a cancelled fiber: never [`Wakeup::Cancelled`].
///
/// # Panics
/// As [`park`].
pub fn park_uncancellable(deadline: Option<Instant>) -> Wakeup {
    shielded(|| park(deadline))
}

/// Runs `f` so that parks in it are not ended by cancellation, for a fiber that has to clean up.
/// The flag stays: the first park after it says so. Outside a fiber it just runs `f`.
pub fn shielded<R>(f: impl FnOnce() -> R) -> R {
    struct Shield(Option<FiberRef>);
    impl Drop for Shield {
        fn drop(&mut self) {
            if let Some(fiber) = &self.0 {
                fiber.0.shields_count.set(fiber.0.shields_count.get() - 1);
            }
        }
    }
    let shield = Shield(current());
    if let Some(fiber) = &shield.0 {
        fiber.0.shields_count.set(fiber.0.shields_count.get() + 1);
    }
    f()
}

/// Lets the other runnable fibers run first. [`Wakeup::Cancelled`] (after the others ran) if the
/// fiber is cancelled, else [`Wakeup::Ready`].
///
/// # Panics
/// As [`park`].
pub fn yield_now() -> Wakeup {
    SCHEDULER.with(|scheduler| {
        let fiber = scheduler.parkable().unwrap_or_else(|why| panic!("{why}"));
        fiber.step(Event::Yield);
        switch::suspend(Pause::Yielded).expect("it was asked whether this can be suspended");
        if fiber.must_unwind() {
            Wakeup::Cancelled
        } else {
            Wakeup::Ready
        }
    })
}

/// Parks for `time`: [`Wakeup::Timeout`] is the normal end. A time beyond what the clock can
/// count is for ever.
///
/// # Panics
/// As [`park`].
pub fn sleep(time: Duration) -> Wakeup {
    park(now().checked_add(time))
}

/// Whether the running fiber is cancelled and no shield is up: the question to ask in a long
/// computation. False outside a fiber.
pub fn check_cancel() -> bool {
    current().is_some_and(|fiber| fiber.0.must_unwind())
}

/// The time that the last [`turn`] was given; before the first, that of the clock.
pub fn now() -> Instant {
    SCHEDULER
        .with(|scheduler| scheduler.now.get())
        .unwrap_or_else(clock::read)
}

/// Runs fibers: first every deadline up to `now` fires, then runnable fibers run, each at most
/// until it gives way, at most `budget.fibers` switches. Does not block.
///
/// # Panics
/// Inside a fiber.
pub fn turn(now: Instant, budget: Budget) -> Turn {
    SCHEDULER.with(|scheduler| scheduler.turn(now, budget))
}

/// Has `check` asked before each park; its text is the reason of [`CannotPark::Refused`]. For
/// embedders whose own state forbids switching at times. One per thread; `None` removes it.
pub fn set_pre_park_check(check: Option<PreParkCheck>) {
    SCHEDULER.with(|scheduler| scheduler.pre_park_check.set(check));
}

/// Sets the bounds of this thread's fibers.
///
/// # Errors
/// If a value is out of its bounds, or fibers exist already.
pub fn configure(config: Config) -> Result<(), crate::config::ConfigError> {
    config.check()?;
    SCHEDULER.with(|scheduler| {
        if scheduler.spawned_total.get() > 0 {
            return Err(crate::config::ConfigError::InUse);
        }
        scheduler.config.set(config);
        Ok(())
    })
}

/// Counts of this thread at this moment.
pub fn stats() -> Stats {
    SCHEDULER.with(|scheduler| Stats {
        fibers_alive_count: scheduler.living.borrow().len(),
        fibers_runnable_count: scheduler.ready.borrow().len(),
        timers_armed_count: scheduler.timers.borrow().len(),
        stacks_pooled_count: scheduler.pool.borrow().len(),
        spawned_total: scheduler.spawned_total.get(),
        switches_total: scheduler.switches_total.get(),
    })
}

#[cfg(test)]
mod tests;
