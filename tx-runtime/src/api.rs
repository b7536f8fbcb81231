//! The free functions: the runtime of the thread that calls them. None blocks the thread.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::config::{Config, ConfigError};
use crate::fiber::{FiberRef, Job, Wakeup};
use crate::refusal::{AtCapacity, CannotPark};
use crate::scheduler::{Budget, PreParkCheck, SCHEDULER, Scheduler, Turn};
use crate::stats::Stats;
use crate::switch;

/// Sets the bounds of this thread's fibers, before the first of them.
///
/// # Errors
/// If a value is out of its bounds, or stacks exist already.
pub fn configure(config: Config) -> Result<(), ConfigError> {
    SCHEDULER.with(|scheduler| scheduler.configure(config))
}

/// Makes a fiber that runs `f`. It becomes runnable and runs in a turn, not at once. Inside and
/// outside fibers. A fiber whose handle is dropped lives on.
///
/// If `f` panics, the fiber is dead, the message is logged with its name and told by
/// [`FiberRef::join`]; the other fibers go on.
///
/// # Errors
/// If there are too many fibers, or no memory for a stack.
pub fn spawn(name: &str, f: impl FnOnce() + 'static) -> Result<FiberRef, AtCapacity> {
    SCHEDULER.with(|scheduler| scheduler.spawn(name, Job::Once(Box::new(f))))
}

/// As [`spawn`], for a function that many fibers run: with an idle stack and a short name,
/// nothing is allocated.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_shared(name: &str, f: &Rc<dyn Fn()>) -> Result<FiberRef, AtCapacity> {
    SCHEDULER.with(|scheduler| scheduler.spawn(name, Job::Shared(Rc::clone(f))))
}

/// The fiber that runs now, if any does.
pub fn current() -> Option<FiberRef> {
    switch::owner().map(FiberRef)
}

/// The fiber with this id, if it lives. Looks at every fiber: not for hot paths.
pub fn find(id: u64) -> Option<FiberRef> {
    SCHEDULER.with(|scheduler| scheduler.find(id))
}

/// Bytes of the running fiber's stack that are not in use, and all that it has, its guard not
/// counted. Absent outside of fibers, and on a stack of somebody else within one.
///
/// For code that calls itself through C or by callbacks, to stop before the stack ends: what
/// happens then is an abort.
pub fn stack_room() -> Option<StackRoom> {
    switch::room().map(|(left, total)| StackRoom { left, total })
}

/// What [`stack_room`] found, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StackRoom {
    /// Not in use below the caller.
    pub left: usize,
    /// Used and unused together.
    pub total: usize,
}

/// All fibers that live, in no order.
pub fn fibers() -> Vec<FiberRef> {
    SCHEDULER.with(Scheduler::all)
}

/// Whether [`park`] may be called here.
///
/// # Errors
/// The reason why not.
pub fn can_park() -> Result<(), CannotPark> {
    SCHEDULER.with(|scheduler| scheduler.parkable().map(drop))
}

/// Suspends the running fiber until it is woken, cancelled, or its deadline has passed.
///
/// A fiber that is cancelled already gets [`Wakeup::Cancelled`] at once, every time: it is meant
/// to unwind. To wait while cleaning up, see [`shielded`].
///
/// # Errors
/// If parking is refused here. Nothing happened then.
#[inline]
pub fn try_park(deadline: Option<Instant>) -> Result<Wakeup, CannotPark> {
    SCHEDULER.with(|scheduler| {
        let fiber = scheduler.parkable()?;
        Ok(scheduler.park(&fiber, deadline))
    })
}

/// As [`try_park`], for code that knows where it runs.
///
/// # Panics
/// If [`can_park`] is an error.
#[inline]
pub fn park(deadline: Option<Instant>) -> Wakeup {
    try_park(deadline).unwrap_or_else(|why| panic!("{why}"))
}

/// Parks even if the fiber is cancelled, now or meanwhile: [`Wakeup::Ready`] or
/// [`Wakeup::Timeout`], never [`Wakeup::Cancelled`].
///
/// # Panics
/// As [`park`].
pub fn park_uncancellable(deadline: Option<Instant>) -> Wakeup {
    shielded(|| park(deadline))
}

/// Runs `f`, in which no park of this fiber is ended by cancellation, also those inside a
/// channel or another wait: for a fiber that has to clean up. The flag stays, and the first park
/// after `f` tells. Outside a fiber it just runs `f`.
pub fn shielded<R>(f: impl FnOnce() -> R) -> R {
    let _shield = Shield::raise(current());
    f()
}

/// Lowered also when `f` panics.
struct Shield(Option<FiberRef>);

impl Shield {
    fn raise(fiber: Option<FiberRef>) -> Self {
        if let Some(fiber) = &fiber {
            fiber.0.shields_count.set(fiber.0.shields_count.get() + 1);
        }
        Self(fiber)
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        if let Some(fiber) = &self.0 {
            fiber.0.shields_count.set(fiber.0.shields_count.get() - 1);
        }
    }
}

/// Goes to the end of the run queue, so that every runnable fiber runs before this one goes on.
/// [`Wakeup::Cancelled`] if the fiber is cancelled, but after the others ran; else
/// [`Wakeup::Ready`].
///
/// # Panics
/// As [`park`].
pub fn yield_now() -> Wakeup {
    SCHEDULER.with(|scheduler| {
        let fiber = scheduler.parkable().unwrap_or_else(|why| panic!("{why}"));
        scheduler.give_way(&fiber)
    })
}

/// Parks for `time` from [`now`]: [`Wakeup::Timeout`] is the ordinary end. A time that the clock
/// cannot count is for ever.
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

/// The time that the current or last [`turn`] was given; before the first, that of the clock.
pub fn now() -> Instant {
    SCHEDULER.with(Scheduler::now).unwrap_or_else(clock::read)
}

/// Takes one turn: what other threads finished is collected, deadlines up to `now` fire, then
/// runnable fibers run in the order in which they became so, each until it gives way by itself.
/// The budget bounds both; what is left is told by [`Turn::runnable`]. `now` may not go back.
///
/// # Panics
/// Inside a fiber.
pub fn turn(now: Instant, budget: Budget) -> Turn {
    turn_while(now, budget, || true)
}

/// As [`turn`], but stops early when `may_go_on`, asked after each switch, says no: for a bound
/// by time, with a clock of the caller's.
///
/// # Panics
/// As [`turn`].
pub fn turn_while(now: Instant, budget: Budget, may_go_on: impl FnMut() -> bool) -> Turn {
    SCHEDULER.with(|scheduler| scheduler.turn(now, budget, may_go_on))
}

/// Has `check` asked before each park; its text is the reason in [`CannotPark::Refused`]. For
/// embedders whose own state forbids switching at times. One per thread, the last one counts. It
/// must not park.
pub fn set_pre_park_check(check: PreParkCheck) {
    SCHEDULER.with(|scheduler| scheduler.set_pre_park_check(check));
}

/// When the next [`turn`] has something to do if nothing happens before: the deadline of a park, or
/// upkeep. As the last turn said, but for what happened since.
pub fn next_deadline() -> Option<Instant> {
    SCHEDULER.with(Scheduler::next_deadline)
}

/// Counts of this thread at this moment.
pub fn stats() -> Stats {
    SCHEDULER.with(Scheduler::stats)
}
