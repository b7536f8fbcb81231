//! The scheduler of one thread: who lives, who may run, who waits until when.
//!
//! No borrow of any part is held across a switch or a call into foreign code (a fiber's function,
//! a drop, a check).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::config::{Config, ConfigError};
use crate::fiber::{Ending, FiberRef, Job, Record, Wakeup};
use crate::limits::LOOKED_AT_PER_STEP_COUNT;
use crate::panics;
use crate::pool::{Idle, Pool};
use crate::refusal::{AtCapacity, CannotPark, Shortage};
use crate::state::{Event, Status};
use crate::stats::Stats;
use crate::switch::{self, CannotSuspend, Pause, Strand};
use crate::timers::Timers;
use crate::upkeep::Upkeep;

/// How much one [`crate::turn`] may do.
#[derive(Copy, Clone, Debug)]
pub struct Budget {
    /// Most switches into a fiber, and most deadlines fired.
    pub fibers: usize,
}

/// What one [`crate::turn`] did, and what the caller may do next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Switches into a fiber.
    pub ran: usize,
    /// Something can be done at once: do not sleep.
    pub runnable: bool,
    /// When to take the next turn if nothing happens before: the deadline of a park, or time to
    /// give memory of idle stacks back.
    pub next_deadline: Option<Instant>,
}

/// A question asked before each park: whether the embedder's own state allows a switch now.
pub type PreParkCheck = fn() -> Result<(), &'static str>;

/// Something that other threads finished and that fibers wait for, looked at in each turn.
pub(crate) trait Arrivals {
    /// Wakes whoever waited for what has arrived.
    fn collect(&self);
}

/// All fibers of one thread.
pub(crate) struct Scheduler {
    config: Cell<Config>,
    ready: RefCell<VecDeque<Rc<Record>>>,
    timers: RefCell<Timers<Rc<Record>>>,
    /// In no order; each record knows its index.
    living: RefCell<Vec<Rc<Record>>>,
    pool: Pool,
    arrivals: RefCell<Vec<Weak<dyn Arrivals>>>,
    /// More than one if a fiber runs another.
    running_count: Cell<usize>,
    upkeep: Upkeep,
    pre_park_check: Cell<Option<PreParkCheck>>,
    now: Cell<Option<Instant>>,
    spawned_total: Cell<u64>,
    switches_total: Cell<u64>,
    panics_total: Cell<u64>,
    trims_total: Cell<u64>,
}

thread_local! {
    /// The scheduler of this thread.
    pub(crate) static SCHEDULER: Scheduler = const { Scheduler::new() };
}

impl Scheduler {
    const fn new() -> Self {
        Self {
            config: Cell::new(Config::DEFAULT),
            ready: RefCell::new(VecDeque::new()),
            timers: RefCell::new(Timers::new()),
            living: RefCell::new(Vec::new()),
            pool: Pool::new(),
            arrivals: RefCell::new(Vec::new()),
            running_count: Cell::new(0),
            upkeep: Upkeep::new(),
            pre_park_check: Cell::new(None),
            now: Cell::new(None),
            spawned_total: Cell::new(0),
            switches_total: Cell::new(0),
            panics_total: Cell::new(0),
            trims_total: Cell::new(0),
        }
    }

    pub(crate) fn configure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        if self.pool.is_in_use() {
            return Err(ConfigError::InUse);
        }
        self.config.set(config);
        Ok(())
    }

    pub(crate) fn spawn(&self, name: &str, job: Job) -> Result<FiberRef, AtCapacity> {
        let config = self.config.get();
        let census = self.living.borrow().len();
        if census >= config.fibers_max_count as usize {
            return Err(AtCapacity(Shortage::Fibers {
                max_count: config.fibers_max_count,
            }));
        }
        let Idle { strand, record } = self.pool.take(config, run_job)?;
        let record = record.unwrap_or_else(|| Rc::new(Record::new()));
        record.renew(bump(&self.spawned_total), name, job);
        strand.assign(Some(Rc::clone(&record)));
        record.strand.set(Some(strand));
        record.census.set(census);
        self.living.borrow_mut().push(Rc::clone(&record));
        self.ready.borrow_mut().push_back(Rc::clone(&record));
        Ok(FiberRef(record))
    }

    pub(crate) fn turn(
        &self,
        now: Instant,
        budget: Budget,
        mut may_go_on: impl FnMut() -> bool,
    ) -> Turn {
        assert!(
            !switch::is_active(),
            "a fiber cannot take a turn of the scheduler"
        );
        self.now.set(Some(now));
        self.collect_arrivals();
        self.fire_timers(now, budget.fibers);
        let mut ran = 0;
        while ran < budget.fibers && self.run_next() {
            ran += 1;
            if !may_go_on() {
                break;
            }
        }
        let interval = Duration::from_millis(self.config.get().trim_interval_ms.into());
        self.upkeep
            .step(now, ran, interval, |from, most| self.trim_some(from, most));
        let next_park_end = self.timers.borrow().next_deadline();
        let is_late = next_park_end.is_some_and(|deadline| deadline <= now);
        Turn {
            ran,
            runnable: is_late || !self.ready.borrow().is_empty(),
            next_deadline: self.next_deadline(),
        }
    }

    fn collect_arrivals(&self) {
        for at in 0.. {
            let source = match self.arrivals.borrow().get(at) {
                Some(source) => source.upgrade(),
                None => return,
            };
            if let Some(source) = source {
                source.collect();
            }
        }
    }

    /// Has the source looked at in each turn, as long as somebody keeps it.
    pub(crate) fn expect_arrivals(&self, source: Weak<dyn Arrivals>) {
        let mut arrivals = self.arrivals.borrow_mut();
        arrivals.retain(|source| source.strong_count() > 0);
        arrivals.push(source);
    }

    /// When something is to be done next if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let next_park_end = self.timers.borrow().next_deadline();
        next_park_end.into_iter().chain(self.upkeep.due()).min()
    }

    fn fire_timers(&self, now: Instant, most: usize) {
        for _ in 0..most {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(fiber) = due else { return };
            self.make_ready(&fiber, Wakeup::Timeout);
        }
    }

    fn run_next(&self) -> bool {
        let next = self.ready.borrow_mut().pop_front();
        let Some(fiber) = next else { return false };
        self.run(fiber);
        true
    }

    /// Runs one runnable fiber before its turn, also from inside another fiber, which goes on as
    /// soon as that one gives way: switches nest, and the inner one returns first.
    pub(crate) fn run_now(&self, fiber: &Rc<Record>) -> bool {
        if std::thread::panicking() || fiber.status.get() != Status::Runnable {
            return false;
        }
        // One that was just made is the last.
        let place = self
            .ready
            .borrow()
            .iter()
            .rposition(|other| Rc::ptr_eq(other, fiber));
        let found = place.and_then(|place| self.ready.borrow_mut().remove(place));
        self.run(found.expect("a runnable fiber is in the run queue"));
        true
    }

    fn run(&self, fiber: Rc<Record>) {
        fiber.step(Event::Resume);
        let mut strand = fiber
            .strand
            .take()
            .expect("a fiber in the run queue has its stack");
        bump(&self.switches_total);
        self.running_count.update(|count| count + 1);
        let pause = strand.resume();
        self.running_count.update(|count| count - 1);
        match pause {
            Pause::Parked => fiber.strand.set(Some(strand)),
            Pause::Yielded => {
                fiber.strand.set(Some(strand));
                self.ready.borrow_mut().push_back(fiber);
            }
            Pause::JobEnded => self.bury(fiber, strand),
        }
    }

    /// Takes a fiber off the lists. Whoever waits for its end looks, its stack waits for another.
    fn bury(&self, fiber: Rc<Record>, strand: Box<Strand>) {
        fiber.step(Event::End);
        strand.assign(None);
        fiber.joiners.wake_all();
        self.strike_out(&fiber);
        let mut record = None;
        if Rc::strong_count(&fiber) == 1 {
            let cargo = fiber.slot.take();
            drop(cargo);
            record = Some(fiber);
        }
        self.pool.put(
            Idle { strand, record },
            self.config.get().pooled_stacks_count,
        );
    }

    fn strike_out(&self, fiber: &Record) {
        let at = fiber.census.get();
        let mut living = self.living.borrow_mut();
        living.swap_remove(at);
        if let Some(moved) = living.get(at) {
            moved.census.set(at);
        }
    }

    pub(crate) fn make_ready(&self, fiber: &Rc<Record>, verdict: Wakeup) -> bool {
        if fiber.status.get() != Status::Parked {
            return false;
        }
        fiber.step(Event::Wake);
        fiber.verdict.set(verdict);
        if fiber.timer.is_armed() {
            self.timers.borrow_mut().disarm(fiber);
        }
        self.ready.borrow_mut().push_back(Rc::clone(fiber));
        true
    }

    pub(crate) fn cancel(&self, fiber: &Rc<Record>) -> bool {
        if fiber.status.get() == Status::Dead || fiber.is_cancelled.replace(true) {
            return false;
        }
        if fiber.must_unwind() {
            self.make_ready(fiber, Wakeup::Cancelled);
        }
        true
    }

    /// The running fiber, if it may park here.
    #[inline]
    pub(crate) fn parkable(&self) -> Result<Rc<Record>, CannotPark> {
        let fiber = switch::suspendable().map_err(|why| match why {
            CannotSuspend::NoStrand => CannotPark::OutsideFiber,
            CannotSuspend::ForeignStack => CannotPark::ForeignStack,
        })?;
        if std::thread::panicking() {
            return Err(CannotPark::Panicking);
        }
        if let Some(check) = self.pre_park_check.get() {
            check().map_err(CannotPark::Refused)?;
        }
        Ok(fiber)
    }

    /// Parks a fiber that [`Self::parkable`] gave.
    #[inline]
    pub(crate) fn park(&self, fiber: &Rc<Record>, deadline: Option<Instant>) -> Wakeup {
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

    /// Sends a fiber that [`Self::parkable`] gave to the end of the run queue.
    pub(crate) fn give_way(&self, fiber: &Record) -> Wakeup {
        fiber.step(Event::Yield);
        switch::suspend(Pause::Yielded).expect("it was asked whether this can be suspended");
        if fiber.must_unwind() {
            Wakeup::Cancelled
        } else {
            Wakeup::Ready
        }
    }

    pub(crate) fn find(&self, id: u64) -> Option<FiberRef> {
        let living = self.living.borrow();
        living
            .iter()
            .find(|fiber| fiber.id.get() == id)
            .cloned()
            .map(FiberRef)
    }

    pub(crate) fn all(&self) -> Vec<FiberRef> {
        self.living.borrow().iter().cloned().map(FiberRef).collect()
    }

    pub(crate) fn now(&self) -> Option<Instant> {
        self.now.get()
    }

    pub(crate) fn set_pre_park_check(&self, check: PreParkCheck) {
        self.pre_park_check.set(Some(check));
    }

    /// Trims at most so many resting stacks, the living fibers' first, then the idle ones. Says
    /// where it stopped, or `None` at the end.
    fn trim_some(&self, from: usize, most: usize) -> Option<usize> {
        let living = self.living.borrow();
        let stacks_count = living.len() + self.pool.len();
        let mut trimmed_count = 0;
        let mut at = from;
        while at < stacks_count {
            if trimmed_count == most || at - from == LOOKED_AT_PER_STEP_COUNT {
                return Some(at);
            }
            let was_trimmed = match living.get(at) {
                Some(fiber) => trim_resting(fiber),
                None => self.pool.trim(at - living.len()),
            };
            trimmed_count += usize::from(was_trimmed);
            self.trims_total
                .set(self.trims_total.get() + u64::from(was_trimmed));
            at += 1;
        }
        None
    }

    pub(crate) fn stats(&self) -> Stats {
        let fibers_alive_count = self.living.borrow().len();
        let fibers_runnable_count = self.ready.borrow().len();
        let fibers_running_count = self.running_count.get();
        Stats {
            fibers_alive_count,
            fibers_runnable_count,
            fibers_parked_count: fibers_alive_count - fibers_runnable_count - fibers_running_count,
            timers_armed_count: self.timers.borrow().len(),
            stacks_pooled_count: self.pool.len(),
            spawned_total: self.spawned_total.get(),
            switches_total: self.switches_total.get(),
            panics_total: self.panics_total.get(),
            trims_total: self.trims_total.get(),
        }
    }
}

/// Suspended fibers are leaked: nobody can resume them any more, and their frames may hold
/// anything. Idle stacks leave in order.
impl Drop for Scheduler {
    fn drop(&mut self) {
        for fiber in self.living.take() {
            std::mem::forget(fiber);
        }
    }
}

fn trim_resting(fiber: &Record) -> bool {
    let mut strand = fiber.strand.take();
    let was_trimmed = strand.as_mut().is_some_and(|strand| strand.trim());
    fiber.strand.set(strand);
    was_trimmed
}

/// Counts one more, and says how many there are.
fn bump(total: &Cell<u64>) -> u64 {
    total.set(total.get() + 1);
    total.get()
}

/// Runs the job of the running fiber. Called on the fiber's stack; does not unwind.
fn run_job() {
    let fiber = switch::owner().expect("a strand is resumed for a fiber");
    let job = fiber.job.take().expect("a new fiber has a job");
    let outcome = catch_unwind(AssertUnwindSafe(|| match job {
        Job::Once(job) => job(),
        Job::Shared(job) => job(),
    }));
    if let Err(payload) = outcome {
        let message = panics::text(payload);
        SCHEDULER.with(|scheduler| bump(&scheduler.panics_total));
        let (id, name) = (fiber.id.get(), fiber.name.borrow().clone());
        // Somebody else's logger may panic too, and then there is nobody left to tell.
        let said = AssertUnwindSafe(|| log::error!("fiber {id} ({name}) panicked: {message}"));
        if let Err(payload) = catch_unwind(said) {
            panics::text(payload);
        }
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

#[cfg(test)]
mod tests;
