//! What the runtime's own work costs, in nanoseconds per operation: the best of several rounds.
//!
//! ```text
//! cargo run --release -p tx-runtime --example switch_cost
//! ```
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people"
)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tx_runtime::sync::{Channel, WaitQueue};
use tx_runtime::{Budget, FiberRef, Wakeup, park, spawn, spawn_shared, turn, yield_now};

const ROUNDS: usize = 7;
const PER_ROUND: usize = 200_000;

fn main() {
    report("yield: one switch out and one in", yields(1));
    report("the same, round 1,000 fibers", yields(1_000));
    report("park, wake, switch back", park_and_wake(None));
    report(
        "the same with a deadline an hour away",
        park_and_wake(Some(Duration::from_secs(3600))),
    );
    report(
        "the same with 10,000 other deadlines armed",
        with_many_timers(),
    );
    report("wait queue: wait, wake_one, switch back", wait_queue());
    report("channel: get, put, switch back", channel());
    report("spawn on a pooled stack, run, end", spawned());
    report("the same with a shared function", spawned_shared());
    report("spawn on a new stack, park", cold());
}

fn report(what: &str, nanoseconds: f64) {
    println!("{nanoseconds:>9.1} ns  {what}");
}

/// The best round, per operation.
fn best(mut round: impl FnMut() -> usize) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let operations = round();
        best = best.min(start.elapsed().as_nanos() as f64 / operations as f64);
    }
    best
}

fn run(fibers: usize) -> usize {
    turn(Instant::now(), Budget { fibers }).ran
}

fn finish(fibers: &[FiberRef]) {
    for fiber in fibers {
        fiber.cancel();
    }
    while run(usize::MAX) > 0 {}
}

fn yields(fibers_count: usize) -> f64 {
    let work = || while yield_now() != Wakeup::Cancelled {};
    let fibers: Vec<_> = (0..fibers_count)
        .map(|_| spawn("yields", work).unwrap())
        .collect();
    let result = best(|| run(PER_ROUND));
    finish(&fibers);
    result
}

fn park_and_wake(time: Option<Duration>) -> f64 {
    let deadline = time.map(|time| Instant::now() + time);
    let fiber = spawn(
        "parks",
        move || while park(deadline) != Wakeup::Cancelled {},
    )
    .unwrap();
    run(1);
    let result = best(|| {
        let now = Instant::now();
        for _ in 0..PER_ROUND / 16 {
            // Sixteen, so that the turn's own cost is not what is measured.
            let budget = Budget { fibers: 1 };
            for _ in 0..16 {
                fiber.wake();
                turn(now, budget);
            }
        }
        PER_ROUND
    });
    finish(&[fiber]);
    result
}

fn with_many_timers() -> f64 {
    let start = Instant::now();
    let sleepers: Vec<_> = (0..10_000)
        .map(|order| {
            let deadline = start + Duration::from_secs(1_000 + order * 7919 % 10_007);
            spawn(
                "sleeps",
                move || while park(Some(deadline)) == Wakeup::Ready {},
            )
            .unwrap()
        })
        .collect();
    run(usize::MAX);
    let result = park_and_wake(Some(Duration::from_secs(3600)));
    finish(&sleepers);
    result
}

fn wait_queue() -> f64 {
    let queue = Rc::new(WaitQueue::new());
    let waiter = Rc::clone(&queue);
    let work = move || while waiter.wait(None) != Wakeup::Cancelled {};
    let fiber = spawn("waits", work).unwrap();
    run(1);
    let waker = {
        let queue = Rc::clone(&queue);
        spawn("wakes", move || {
            while yield_now() != Wakeup::Cancelled {
                queue.wake_one();
            }
        })
        .unwrap()
    };
    let result = best(|| run(PER_ROUND) / 2);
    finish(&[fiber, waker]);
    result
}

fn channel() -> f64 {
    let channel = Rc::new(Channel::new(16));
    let sum = Rc::new(Cell::new(0_u64));
    let getter = {
        let (channel, sum) = (Rc::clone(&channel), Rc::clone(&sum));
        spawn("gets", move || {
            while let Ok(value) = channel.get(None) {
                sum.set(sum.get() + value);
            }
        })
        .unwrap()
    };
    run(1);
    let result = best(|| {
        for _ in 0..PER_ROUND {
            channel.try_put(1).unwrap();
            run(1);
        }
        PER_ROUND
    });
    finish(&[getter]);
    result
}

fn spawned() -> f64 {
    let ran = Rc::new(Cell::new(0));
    best(|| {
        for _ in 0..PER_ROUND {
            let ran = Rc::clone(&ran);
            spawn("short", move || ran.set(ran.get() + 1)).unwrap();
            run(1);
        }
        PER_ROUND
    })
}

fn spawned_shared() -> f64 {
    let ran = Cell::new(0);
    let work: Rc<dyn Fn()> = Rc::new(move || ran.set(ran.get() + 1));
    best(|| {
        for _ in 0..PER_ROUND {
            spawn_shared("short", &work).unwrap();
            run(1);
        }
        PER_ROUND
    })
}

fn cold() -> f64 {
    let fibers = Rc::new(RefCell::new(Vec::new()));
    let result = best(|| {
        let new = 1_000;
        for _ in 0..new {
            let fiber = spawn("cold", || while park(None) != Wakeup::Cancelled {}).unwrap();
            fibers.borrow_mut().push(fiber);
        }
        run(new)
    });
    finish(&fibers.take());
    result
}
