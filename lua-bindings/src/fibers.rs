//! Fibers as Lua sees them: numbers that stand for a Lua thread on a fiber of the runtime.
//!
//! A fiber that Lua made has its own Lua thread, called with one `lua_pcall` on the fiber's stack.
//! A fiber of the HTTP side runs many handlers one after another; each handler that asks gets a
//! number of its own, which dies with it, so that a kept fiber object never reaches the next
//! request.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tx_runtime::FiberRef;

use crate::limits::SPARE_THREADS_MAX_COUNT;
use crate::raw::{Called, Failure, Stack, Thread};
use crate::realm::realm;

/// How a Lua function ended that somebody may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// This many results are on top of its thread's stack.
    Returned(i32),
    /// The error value is.
    Raised,
}

/// One fiber that Lua knows by its number.
#[derive(Debug)]
pub(crate) struct LuaFiber {
    pub(crate) id: u64,
    pub(crate) fiber: FiberRef,
    /// Absent for handlers, whose thread belongs to the HTTP side, and after the results were
    /// taken.
    thread: Cell<Option<Thread>>,
    pub(crate) is_joinable: Cell<bool>,
    pub(crate) ending: Cell<Option<Ending>>,
    joiners: RefCell<Vec<FiberRef>>,
}

/// What the runtime's fiber carries for us in its slot.
struct Badge(Rc<LuaFiber>);

/// All fibers that Lua knows.
#[derive(Debug, Default)]
pub(crate) struct Fibers {
    by_id: RefCell<BTreeMap<u64, Rc<LuaFiber>>>,
    spare: RefCell<Vec<Thread>>,
    last_id: Cell<u64>,
}

impl Fibers {
    /// Makes a fiber that calls the function below the `args` uppermost values of `stack`; all are
    /// taken.
    ///
    /// # Errors
    /// There are too many fibers.
    pub(crate) fn spawn(
        &self,
        stack: &mut Stack,
        name: &str,
        args: i32,
    ) -> Result<Rc<LuaFiber>, String> {
        let thread = self.take_thread(stack);
        stack.move_to(&mut thread.stack(), args + 1);
        let fiber = match tx_runtime::spawn(name, run_current) {
            Ok(fiber) => fiber,
            Err(full) => {
                thread.clear();
                self.keep_spare(thread, stack);
                return Err(full.to_string());
            }
        };
        let lua_fiber = self.register(&fiber, Some(thread));
        Ok(lua_fiber)
    }

    fn take_thread(&self, stack: &mut Stack) -> Thread {
        loop {
            let Some(spare) = self.spare.borrow_mut().pop() else {
                return Thread::new(stack);
            };
            if spare.is_fit(1) {
                return spare;
            }
            spare.discard(stack);
        }
    }

    fn register(&self, fiber: &FiberRef, thread: Option<Thread>) -> Rc<LuaFiber> {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let lua_fiber = Rc::new(LuaFiber {
            id,
            fiber: fiber.clone(),
            thread: Cell::new(thread),
            is_joinable: Cell::new(false),
            ending: Cell::new(None),
            joiners: RefCell::new(Vec::new()),
        });
        *fiber.slot().borrow_mut() = Some(Box::new(Badge(Rc::clone(&lua_fiber))));
        self.by_id.borrow_mut().insert(id, Rc::clone(&lua_fiber));
        lua_fiber
    }

    /// The running fiber; a handler gets its number now if it has none. Absent outside of fibers.
    pub(crate) fn current(&self) -> Option<Rc<LuaFiber>> {
        let fiber = tx_runtime::current()?;
        let known = badge_of(&fiber);
        Some(known.unwrap_or_else(|| self.register(&fiber, None)))
    }

    /// The fiber of this number, if it lives or waits to be joined.
    pub(crate) fn find(&self, id: u64) -> Option<Rc<LuaFiber>> {
        self.by_id.borrow().get(&id).cloned()
    }

    /// The numbers of all.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.by_id.borrow().keys().copied().collect()
    }

    /// The handler that ran on the current fiber is over: its number means nobody from now on.
    /// False if it had none.
    pub(crate) fn retire_handler(&self, fiber: &FiberRef, name: &str) -> bool {
        let Some(lua_fiber) = badge_of(fiber) else {
            return false;
        };
        fiber.slot().borrow_mut().take();
        fiber.set_name(name);
        self.finish(&lua_fiber, Ending::Returned(0));
        self.forget(&lua_fiber);
        true
    }

    fn finish(&self, lua_fiber: &LuaFiber, ending: Ending) {
        lua_fiber.ending.set(Some(ending));
        for joiner in lua_fiber.joiners.take() {
            joiner.wake();
        }
    }

    fn forget(&self, lua_fiber: &LuaFiber) {
        self.by_id.borrow_mut().remove(&lua_fiber.id);
    }

    fn keep_spare(&self, thread: Thread, stack: &mut Stack) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_THREADS_MAX_COUNT {
            spare.push(thread);
        } else {
            thread.discard(stack);
        }
    }

    /// Moves what a fiber ended with to `stack` and forgets the fiber. The number of values, and
    /// whether it returned.
    pub(crate) fn take_ending(&self, lua_fiber: &LuaFiber, stack: &mut Stack) -> (bool, i32) {
        let ending = lua_fiber.ending.get().unwrap_or(Ending::Returned(0));
        self.forget(lua_fiber);
        let Some(thread) = lua_fiber.thread.take() else {
            return (true, 0);
        };
        match ending {
            Ending::Returned(count) if stack.reserve(count) => {
                thread.stack().move_to(stack, count);
                thread.clear();
                self.keep_spare(thread, stack);
                (true, count)
            }
            Ending::Returned(_) => {
                thread.discard(stack);
                (true, 0)
            }
            Ending::Raised => {
                thread.stack().move_to(stack, 1);
                thread.discard(stack);
                (false, 1)
            }
        }
    }

    /// Registers the running fiber to be woken at the end of another.
    pub(crate) fn add_joiner(&self, lua_fiber: &LuaFiber, joiner: FiberRef) {
        let mut joiners = lua_fiber.joiners.borrow_mut();
        if !joiners.contains(&joiner) {
            joiners.push(joiner);
        }
    }
}

fn badge_of(fiber: &FiberRef) -> Option<Rc<LuaFiber>> {
    let slot = fiber.slot().borrow();
    slot.as_ref()?
        .downcast_ref::<Badge>()
        .map(|badge| Rc::clone(&badge.0))
}

/// What every fiber runs that Lua made.
fn run_current() {
    let realm = realm();
    let fiber = tx_runtime::current().expect("this runs in a fiber");
    let lua_fiber = badge_of(&fiber).expect("the badge was put on before the first run");
    realm.stats.runs(&fiber);
    let thread = lua_fiber
        .thread
        .get()
        .expect("the thread stays until the end");
    let args = thread.stack().top() - 2;
    let called = thread.call(args, -1);
    // The slot would keep fiber and badge alive in a circle.
    fiber.slot().borrow_mut().take();
    let ending = match called {
        Called::Done => Ending::Returned(thread.stack().top() - 1),
        Called::Failed(failure) => {
            if !lua_fiber.is_joinable.get() {
                report(&lua_fiber, &failure);
            }
            Ending::Raised
        }
    };
    realm.fibers.finish(&lua_fiber, ending);
    if !lua_fiber.is_joinable.get() {
        drop_ending(&lua_fiber, ending);
    }
}

/// Nobody will ask how it ended.
pub(crate) fn drop_ending(lua_fiber: &LuaFiber, ending: Ending) {
    let realm = realm();
    realm.fibers.forget(lua_fiber);
    let Some(thread) = lua_fiber.thread.take() else {
        return;
    };
    realm.vm.with_main(|stack| match ending {
        Ending::Returned(_) => {
            thread.clear();
            realm.fibers.keep_spare(thread, stack);
        }
        Ending::Raised => thread.discard(stack),
    });
}

fn report(lua_fiber: &LuaFiber, failure: &Failure) {
    if lua_fiber.fiber.is_cancelled() && failure.message == "fiber is cancelled" {
        return;
    }
    let name = lua_fiber.fiber.name();
    log::error!(
        "fiber {} \"{name}\" ended with an error: {}\n{}",
        lua_fiber.id,
        failure.message,
        failure.traceback
    );
}
