//! The stack switch. A [`Strand`] is a stack with a loop on it that runs one job after another;
//! [`suspend`] leaves it in the middle of a job and [`Strand::resume`] goes back in.
//!
//! All that is unsafe about switching is proven here, so that the scheduler is plain safe code:
//! `suspend` checks that it really runs on the strand that it is about to leave, and a strand
//! that is dropped in the middle of a job is leaked, never unwound.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr;
use std::rc::Rc;

use corosensei::stack::Stack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::fiber::Record;
use crate::guard::Label;
use crate::limits::TRIM_KEEP_BYTES;
use crate::stack::{self, FiberStack};

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

/// What a strand shows to the code that runs on it.
struct Face {
    /// Null before the first resume.
    yielder: Cell<*const Yielder<Order, Pause>>,
    guard: Range<usize>,
    stack_high: usize,
    /// An address in the frame that suspended last. What lies deeper than a few words below it
    /// holds nothing while the strand rests.
    resting: Cell<usize>,
    owner: RefCell<Option<Rc<Record>>>,
    /// The owner's label, for the signal handler, which may not borrow.
    label: Cell<*const Label>,
}

impl Face {
    fn holds(&self, address: usize) -> bool {
        self.guard.end <= address && address < self.stack_high
    }
}

thread_local! {
    /// The face of the strand that runs on this thread; null if none does.
    static ACTIVE: Cell<*const Face> = const { Cell::new(ptr::null()) };
}

/// The face of the running strand.
#[inline]
fn active() -> Option<&'static Face> {
    // SAFETY: the pointer is null or was set by `Strand::enter` on this thread, which holds the
    // face until the strand has given control back. The lifetime is longer than that, but no
    // caller in this module keeps the reference across a switch.
    unsafe { ACTIVE.get().as_ref() }
}

/// A stack and the loop on it.
pub(crate) struct Strand {
    coroutine: ManuallyDrop<Coroutine<Order, Pause, (), FiberStack>>,
    face: Rc<Face>,
    /// Whether a job is in the middle of its work on this stack.
    is_in_job: bool,
    /// Whether it ran since it was last trimmed.
    is_untrimmed: bool,
}

impl Strand {
    /// A strand that calls `run_job` each time it is resumed between jobs. `run_job` must not
    /// unwind.
    pub(crate) fn new(stack: FiberStack, run_job: fn()) -> Self {
        let face = Rc::new(Face {
            yielder: Cell::new(ptr::null()),
            guard: stack.guard_range(),
            stack_high: stack.base().get(),
            resting: Cell::new(stack.base().get()),
            owner: RefCell::new(None),
            label: Cell::new(ptr::null()),
        });
        let coroutine = Coroutine::with_stack(stack, move |yielder, order| {
            active()
                .expect("this is what `enter` entered")
                .yielder
                .set(yielder);
            job_loop(order, run_job);
        });
        let coroutine = ManuallyDrop::new(coroutine);
        Self {
            coroutine,
            face,
            is_in_job: false,
            is_untrimmed: false,
        }
    }

    /// Says whose jobs run on it from now on, or that nobody's do.
    pub(crate) fn assign(&self, owner: Option<Rc<Record>>) {
        let label = owner
            .as_ref()
            .map_or(ptr::null(), |owner| ptr::from_ref(&owner.label));
        self.face.label.set(label);
        self.face.owner.replace(owner);
    }

    /// Runs the strand until it suspends itself or its job ends.
    pub(crate) fn resume(&mut self) -> Pause {
        self.is_in_job = true;
        self.is_untrimmed = true;
        let pause = self
            .enter(Order::Go)
            .expect("a strand leaves its loop only when told to quit");
        self.is_in_job = pause != Pause::JobEnded;
        pause
    }

    fn enter(&mut self, order: Order) -> Option<Pause> {
        let _resumer = Resumer(ACTIVE.replace(Rc::as_ptr(&self.face)));
        match self.coroutine.resume(order) {
            CoroutineResult::Yield(pause) => Some(pause),
            CoroutineResult::Return(()) => None,
        }
    }

    /// Gives back the memory that deep calls left below the resting frames. One system call if
    /// the strand ran since the last time, and that is what is returned; else nothing.
    pub(crate) fn trim(&mut self) -> bool {
        if !std::mem::take(&mut self.is_untrimmed) {
            return false;
        }
        let high = self.face.resting.get().saturating_sub(TRIM_KEEP_BYTES);
        // SAFETY: the strand is suspended (it is borrowed mutably, and a running one is held by
        // its `resume`). Below the frame of `leave` there are only the few words that the
        // switch itself saves, and TRIM_KEEP_BYTES are left for them. A stack grows down, so
        // whatever is used there later is written first.
        unsafe { stack::discard(self.face.guard.end, high) };
        true
    }
}

/// Who was active before a strand was entered, and is again when it has given control back, by
/// whichever way.
struct Resumer(*const Face);

impl Drop for Resumer {
    fn drop(&mut self) {
        ACTIVE.set(self.0);
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

fn job_loop(mut order: Order, run_job: fn()) {
    while order == Order::Go {
        run_job();
        order = leave(Pause::JobEnded).expect("the loop runs on its own strand");
    }
}

/// If the address is in the guard of the running strand: the label of the strand's owner. May be
/// called in a signal handler.
pub(crate) fn owner_of_guard(address: usize) -> Option<*const Label> {
    let face = active()?;
    let label = face.label.get();
    (face.guard.contains(&address) && !label.is_null()).then_some(label)
}

/// Whether a strand runs on this thread.
pub(crate) fn is_active() -> bool {
    !ACTIVE.get().is_null()
}

/// The owner of the running strand.
#[inline]
pub(crate) fn owner() -> Option<Rc<Record>> {
    active()?.owner.borrow().clone()
}

/// The owner of the running strand, if [`suspend`] would work here.
#[inline]
pub(crate) fn suspendable() -> Result<Rc<Record>, CannotSuspend> {
    let face = suspendable_face()?;
    face.owner.borrow().clone().ok_or(CannotSuspend::NoStrand)
}

/// Leaves the running strand in the middle of its job; returns when it is resumed.
#[inline]
pub(crate) fn suspend(pause: Pause) -> Result<(), CannotSuspend> {
    // A strand is told to quit only between jobs.
    leave(pause).map(|_order| ())
}

#[inline]
fn suspendable_face() -> Result<&'static Face, CannotSuspend> {
    let face = active().ok_or(CannotSuspend::NoStrand)?;
    if !face.holds(here()) {
        return Err(CannotSuspend::ForeignStack);
    }
    Ok(face)
}

/// How much of the running strand's stack is left below the caller, and how much there is in all.
pub(crate) fn room() -> Option<(usize, usize)> {
    let face = suspendable_face().ok()?;
    let total = face.stack_high - face.guard.end;
    Some((here().saturating_sub(face.guard.end), total))
}

/// An address in the caller's frame, or near it.
#[inline]
fn here() -> usize {
    let mark = 0_u8;
    std::hint::black_box(ptr::from_ref(&mark)).addr()
}

#[inline]
fn leave(pause: Pause) -> Result<Order, CannotSuspend> {
    let face = suspendable_face()?;
    face.resting.set(here());
    let yielder = face.yielder.get();
    // SAFETY: a strand of this thread is between `resume` and its next suspension, and it has
    // set the yielder, which lives on that strand's stack for as long, before anything else. This
    // very frame is on that stack too, so it is the strand that is left.
    Ok(unsafe { (*yielder).suspend(pause) })
}
