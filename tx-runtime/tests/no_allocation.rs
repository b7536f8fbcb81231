//! What must not allocate once everything has its size: parking, waking, yielding, waiting in
//! line, deadlines, and a fiber on a pooled stack.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tx_runtime::sync::{Channel, Semaphore, WaitQueue};
use tx_runtime::{
    Budget, Config, FiberRef, Wakeup, configure, park, spawn, spawn_shared, turn, yield_now,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; counting touches a constant-initialised
// thread-local without a destructor, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the trait's promise, passed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the trait's promise, passed on.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: the trait's promise, passed on.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread in `work`, after it ran a few times to warm up.
fn allocations_of(mut work: impl FnMut()) -> usize {
    for _ in 0..10 {
        work();
    }
    let before = ALLOCATIONS.get();
    for _ in 0..1_000 {
        work();
    }
    ALLOCATIONS.get() - before
}

fn run() {
    turn(Instant::now(), Budget { fibers: 1_000 });
}

/// Each in a thread of its own: the runtime is the thread's.
fn check(what: &str, scenario: fn() -> usize) {
    let counted = std::thread::spawn(move || {
        configure(Config {
            trim_interval_ms: 0,
            ..Config::default()
        })
        .unwrap();
        scenario()
    });
    assert_eq!(counted.join().unwrap(), 0, "{what} allocates");
}

fn until_cancelled(wait: impl Fn() -> Wakeup + 'static) -> FiberRef {
    let fiber = spawn("waiter", move || while wait() != Wakeup::Cancelled {}).unwrap();
    run();
    fiber
}

#[test]
fn park_and_wake() {
    check("park", || {
        let fiber = until_cancelled(|| park(None));
        allocations_of(|| {
            assert!(fiber.wake());
            run();
        })
    });
}

#[test]
fn park_with_a_deadline() {
    check("a deadline", || {
        let deadline = Instant::now() + Duration::from_secs(3600);
        let fiber = until_cancelled(move || park(Some(deadline)));
        allocations_of(|| {
            assert!(fiber.wake());
            run();
        })
    });
}

#[test]
fn yields() {
    check("yield", || {
        let fibers = [(); 10].map(|()| spawn("yields", || while yield_now() == Wakeup::Ready {}));
        assert!(fibers.iter().all(Result::is_ok));
        allocations_of(run)
    });
}

#[test]
fn waiting_in_line() {
    check("a wait queue", || {
        let queue = Rc::new(WaitQueue::new());
        let _fibers = [(); 10].map(|()| {
            let queue = Rc::clone(&queue);
            until_cancelled(move || queue.wait(None))
        });
        allocations_of(|| {
            assert_eq!(queue.wake_all(), 10);
            run();
        })
    });
}

#[test]
fn channels() {
    check("a channel", || {
        let channel = Rc::new(Channel::new(2));
        let own = Rc::clone(&channel);
        spawn("getter", move || while own.get(None).is_ok() {}).unwrap();
        let own = Rc::clone(&channel);
        let putter = move || while own.put(7, None).is_ok() && yield_now() == Wakeup::Ready {};
        spawn("putter", putter).unwrap();
        allocations_of(|| {
            let _ = channel.try_put(1);
            turn(Instant::now(), Budget { fibers: 10 });
        })
    });
}

#[test]
fn semaphores() {
    check("a semaphore", || {
        let semaphore = Rc::new(Semaphore::new(0));
        let own = Rc::clone(&semaphore);
        spawn("acquires", move || while own.acquire(None).is_ok() {}).unwrap();
        run();
        allocations_of(|| {
            semaphore.release();
            run();
        })
    });
}

#[test]
fn a_shared_function_on_a_pooled_stack() {
    check("spawn_shared", || {
        let work: Rc<dyn Fn()> = Rc::new(|| {});
        allocations_of(|| {
            spawn_shared("shared", &work).unwrap();
            run();
        })
    });
}

#[test]
fn a_closure_without_captures_on_a_pooled_stack() {
    check("spawn", || {
        allocations_of(|| {
            spawn("plain", || {}).unwrap();
            run();
        })
    });
}
