//! The stack switch. A [`Strand`] is a stack with a loop on it that runs one job after another;
//! [`suspend`] leaves it in the middle of a job and [`Strand::resume`] goes back in.
//!
//! All that is unsafe about switching is proven here, so that the scheduler is plain safe code:
//! `suspend` checks that it really runs on the strand that it is about to leave, and a strand
//! that is dropped in the middle of a job is leaked, never unwound.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;

use corosensei::stack::{DefaultStack, Stack};
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// What a resumed strand is told.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Order {
    /// Go on with the job, or run the next one.
    Go,
    /// Leave the loop. Given only between jobs.
    Quit,
}

/// Why a strand gave control back.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Pause {
    /// In the middle of a job that wants to be resumed soon.
    Yielded,
    /// In the middle of a job that waits for something.
    Parked,
    /// Between two jobs.
    JobEnded,
}

/// Why [`suspend`] refused.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum CannotSuspend {
    /// No strand runs on this thread.
    NoStrand,
    /// A strand runs, but this code is on another stack (somebody's own coroutine).
    ForeignStack,
}

/// The strand that runs on this thread.
#[derive(Copy, Clone)]
struct Active {
    yielder: *const Yielder<Order, Pause>,
    stack_low: usize,
    stack_high: usize,
}

impl Active {
    const NONE: Self = Self {
        yielder: ptr::null(),
        stack_low: 0,
        stack_high: 0,
    };
}

thread_local! {
    static ACTIVE: Cell<Active> = const { Cell::new(Active::NONE) };
}

/// A stack and the loop on it.
pub(crate) struct Strand {
    coroutine: ManuallyDrop<Coroutine<Order, Pause, (), DefaultStack>>,
    /// As it must be while this strand runs. The yielder is known after the first resume.
    active: Active,
    /// Whether a job is in the middle of its work on this stack.
    is_in_job: bool,
}

impl Strand {
    /// A strand that calls `run_job` each time it is resumed between jobs. `run_job` must not
    /// unwind.
    pub(crate) fn new(stack: DefaultStack, run_job: fn()) -> Self {
        let (stack_low, stack_high) = (stack.limit().get(), stack.base().get());
        let coroutine = Coroutine::with_stack(stack, move |yielder, order| {
            ACTIVE.set(Active {
                yielder,
                stack_low,
                stack_high,
            });
            job_loop(yielder, order, run_job);
        });
        Self {
            coroutine: ManuallyDrop::new(coroutine),
            active: Active {
                yielder: ptr::null(),
                stack_low,
                stack_high,
            },
            is_in_job: false,
        }
    }

    /// Runs the strand until it suspends itself or its job ends.
    pub(crate) fn resume(&mut self) -> Pause {
        self.is_in_job = true;
        let pause = self
            .enter(Order::Go)
            .expect("a strand leaves its loop only when told to quit");
        self.is_in_job = pause != Pause::JobEnded;
        pause
    }

    fn enter(&mut self, order: Order) -> Option<Pause> {
        let resumer = ACTIVE.replace(self.active);
        let result = self.coroutine.resume(order);
        self.active = ACTIVE.replace(resumer);
        match result {
            CoroutineResult::Yield(pause) => Some(pause),
            CoroutineResult::Return(()) => None,
        }
    }
}

impl Drop for Strand {
    fn drop(&mut self) {
        if self.is_in_job {
            // The frames on this stack may hold anything, and unwinding them from outside would
            // run code that believes it is still inside its job. They stay, and so does the stack.
            return;
        }
        if !self.coroutine.started() || self.enter(Order::Quit).is_none() {
            // SAFETY: nothing uses the coroutine after this, the last statement of the drop.
            unsafe { ManuallyDrop::drop(&mut self.coroutine) };
        }
    }
}

fn job_loop(yielder: &Yielder<Order, Pause>, mut order: Order, run_job: fn()) {
    while order == Order::Go {
        run_job();
        order = yielder.suspend(Pause::JobEnded);
    }
}

/// Whether [`suspend`] would work here.
#[inline]
pub(crate) fn can_suspend() -> Result<(), CannotSuspend> {
    let active = ACTIVE.get();
    if active.yielder.is_null() {
        return Err(CannotSuspend::NoStrand);
    }
    let here = ptr::from_ref(&active).addr();
    if here < active.stack_low || here >= active.stack_high {
        return Err(CannotSuspend::ForeignStack);
    }
    Ok(())
}

/// Leaves the running strand; returns when it is resumed.
#[inline]
pub(crate) fn suspend(pause: Pause) -> Result<(), CannotSuspend> {
    can_suspend()?;
    // SAFETY: the yielder is not null, so a strand of this thread is between `resume` and its
    // next suspension, and the yielder lives on that strand's stack for as long. This very frame
    // is on that stack too, so it is the strand that is left.
    unsafe { (*ACTIVE.get().yielder).suspend(pause) };
    Ok(())
}
