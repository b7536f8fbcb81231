//! Work that blocks, for verbs: another thread does it while the fiber waits.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use shuttle_core::Doorbell;
use tx_runtime::{Offload, OffloadConfig, OffloadError};

use crate::raw::{Raise, Stack};
use crate::realm::{Realm, cancelled};

/// The pool of threads, made when it is first needed.
pub(crate) struct Blocking {
    doorbell: Arc<dyn Doorbell>,
    pool: OnceCell<Offload>,
    /// Fibers that wait for work of theirs.
    waiting: Cell<usize>,
}

impl Blocking {
    /// `doorbell` ends the sleep of this thread.
    pub(crate) fn new(doorbell: Arc<dyn Doorbell>) -> Self {
        Self {
            doorbell,
            pool: OnceCell::new(),
            waiting: Cell::new(0),
        }
    }

    /// How many fibers wait for work of theirs.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.get()
    }

    fn pool(&self) -> &Offload {
        self.pool.get_or_init(|| {
            let doorbell = Arc::clone(&self.doorbell);
            Offload::new(OffloadConfig::default(), doorbell).expect("the defaults are in bounds")
        })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OffloadError> {
        self.waiting.set(self.waiting.get() + 1);
        let done = self.pool().run(work, None);
        self.waiting.set(self.waiting.get() - 1);
        done
    }
}

impl Realm {
    /// Has `work` done by another thread while the running fiber waits for it on behalf of Lua code
    /// that runs on `stack`. What a cancelled fiber does not wait for is done all the same, and its
    /// result is dropped there.
    ///
    /// # Errors
    /// The Lua error to raise: blocking is refused here, the fiber is cancelled, there is no
    /// thread, or the work panicked.
    pub(crate) fn block<T: Send + 'static>(
        &self,
        stack: &Stack,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Raise> {
        if tx_runtime::check_cancel() {
            let _ = self.park(stack, None)?;
        }
        self.before_park(stack)?;
        let serving = self.stats.serving();
        let done = self.blocking.run(work);
        self.stats.resumed(&serving);
        done.map_err(|error| match error {
            OffloadError::Cancelled => cancelled(),
            other => Raise::text(other.to_string()),
        })
    }

    /// Has something given back by another thread, in a fiber that nobody waits for; here if there
    /// is none.
    pub(crate) fn discard(self: &std::rc::Rc<Self>, what: impl Send + 'static) {
        let realm = std::rc::Rc::clone(self);
        let give_back = move || {
            // It was dropped wherever it got to.
            let _ = realm.blocking.run(move || drop(what));
        };
        if let Err(full) = tx_runtime::spawn("discard", give_back) {
            log::debug!("something is given back at once: {full}");
        }
    }
}
