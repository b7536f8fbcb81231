//! Everything that belongs to the TX thread: one value, found by the verbs that Lua calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blocking::Blocking;
use crate::config::HttpControl;
use crate::env::Stage;
use crate::fibers::Fibers;
use crate::host::HttpHost;
use crate::limits::CANCELLED_WAIT_MS;
use crate::raw::{Raise, Stack, Vm, may_park};
use crate::stats::EnvStats;

/// The machine, its fibers and the HTTP side of one TX thread.
pub(crate) struct Realm {
    pub(crate) vm: Vm,
    pub(crate) fibers: Fibers,
    pub(crate) http: HttpHost,
    pub(crate) blocking: Blocking,
    pub(crate) control: RefCell<Box<dyn HttpControl>>,
    pub(crate) stats: Arc<EnvStats>,
    pub(crate) stage: Cell<Stage>,
    /// Counts what may have shown a value of one fiber to another, see
    /// [`note_handoff`](Realm::note_handoff).
    pub(crate) handoffs: Cell<u64>,
    /// Where `fiber.clock()` counts from.
    pub(crate) origin: Instant,
}

thread_local! {
    static REALM: RefCell<Option<Rc<Realm>>> = const { RefCell::new(None) };
}

/// The realm of this thread.
///
/// # Panics
/// Outside of the life of an [`Env`](crate::Env): verbs exist only inside.
pub(crate) fn realm() -> Rc<Realm> {
    try_realm().expect("verbs run while their Env lives")
}

/// The realm of this thread, if there is one.
pub(crate) fn try_realm() -> Option<Rc<Realm>> {
    REALM.with_borrow(Clone::clone)
}

/// Makes `realm` the one of this thread; the former one is given back.
pub(crate) fn install(realm: Option<Rc<Realm>>) -> Option<Rc<Realm>> {
    REALM.replace(realm)
}

impl Realm {
    /// Suspends the running fiber for Lua code that runs on `stack`.
    ///
    /// # Errors
    /// The Lua error to raise: blocking is refused here, or the fiber is cancelled.
    pub(crate) fn park(
        &self,
        stack: &Stack,
        deadline: Option<Instant>,
    ) -> Result<tx_runtime::Wakeup, Raise> {
        self.before_park(stack)?;
        self.note_handoff();
        let serving = self.stats.serving();
        let wakeup = if tx_runtime::check_cancel() {
            // Whoever caught the error and waits again must not keep the others from running.
            let pause = Duration::from_millis(CANCELLED_WAIT_MS);
            let _ = tx_runtime::park_uncancellable(tx_runtime::now().checked_add(pause));
            tx_runtime::Wakeup::Cancelled
        } else {
            tx_runtime::park(deadline)
        };
        self.stats.resumed(&serving);
        match wakeup {
            tx_runtime::Wakeup::Cancelled => Err(cancelled()),
            other => Ok(other),
        }
    }

    /// As [`Realm::park`], to let other fibers run.
    pub(crate) fn yield_now(&self, stack: &Stack) -> Result<(), Raise> {
        self.before_park(stack)?;
        self.note_handoff();
        let serving = self.stats.serving();
        let wakeup = tx_runtime::yield_now();
        self.stats.resumed(&serving);
        match wakeup {
            tx_runtime::Wakeup::Cancelled => Err(cancelled()),
            _ => Ok(()),
        }
    }

    /// To be asked before each park: the error to raise if blocking is refused here.
    pub(crate) fn before_park(&self, stack: &Stack) -> Result<(), Raise> {
        may_park(&self.vm, stack)
            .map_err(|why| Raise::text(format!("this function cannot block here: {why}")))?;
        self.http.before_park();
        Ok(())
    }

    /// The running fiber has given way, made or woken another, or left something for one: what it
    /// has may be in other hands from now on.
    pub(crate) fn note_handoff(&self) {
        self.handoffs.set(self.handoffs.get() + 1);
    }

    /// How many fibers are alive, without those of the pool that have no request.
    pub(crate) fn fibers_count(&self) -> usize {
        let alive = tx_runtime::stats().fibers_alive_count;
        alive.saturating_sub(self.http.idle_count())
    }

    /// The moment `seconds` on the clock of `fiber.clock()`. Absent for what no clock reaches.
    pub(crate) fn moment(&self, seconds: f64) -> Option<Instant> {
        let since = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
        self.origin.checked_add(since)
    }
}

/// What a cancelled fiber finds at its park.
pub(crate) fn cancelled() -> Raise {
    Raise::plain("fiber is cancelled")
}
