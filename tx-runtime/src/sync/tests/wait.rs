//! Wait queues and conditions.

use std::rc::Rc;

use crate::FiberRef;
use crate::sync::{Cond, WaitQueue};
use crate::test_world::{World, in_world};

/// Fibers that wait once each and say how it ended.
fn waiters<const N: usize>(
    world: &World,
    queue: &Rc<WaitQueue>,
    names: [&'static str; N],
) -> [FiberRef; N] {
    names.map(|name| waiter(world, queue, name, None))
}

fn waiter(
    world: &World,
    queue: &Rc<WaitQueue>,
    name: &'static str,
    in_ms: Option<u64>,
) -> FiberRef {
    let (log, queue) = (world.log(), Rc::clone(queue));
    let deadline = in_ms.and_then(|ms| world.in_ms(ms));
    world.spawn(name, move || {
        log.say(format!("{name}:{:?}", queue.wait(deadline)))
    })
}

#[test]
fn first_come_first_served() {
    in_world(|world| {
        let queue = Rc::new(WaitQueue::new());
        waiters(world, &queue, ["a", "b", "c"]);
        world.turn();
        assert_eq!(queue.len(), 3);
        assert!(queue.wake_one());
        world.turn();
        assert_eq!(world.said(), "a:Ready");
        assert_eq!(queue.wake_all(), 2);
        world.turn();
        assert_eq!(world.said(), "b:Ready c:Ready");
        assert!(!queue.wake_one() && queue.is_empty());
    });
}

#[test]
fn r5_whoever_leaves_early_leaves_no_trace() {
    in_world(|world| {
        // First, middle and last of the line leave, by each way out.
        for leaver in 0..3 {
            for way in ["timeout", "cancel", "wake"] {
                let queue = Rc::new(WaitQueue::new());
                let deadline = |at| (at == leaver && way == "timeout").then_some(5);
                let fibers = [("a", 0), ("b", 1), ("c", 2)]
                    .map(|(name, at)| waiter(world, &queue, name, deadline(at)));
                world.turn();
                match way {
                    "timeout" => {}
                    "cancel" => assert!(fibers[leaver].cancel()),
                    _ => assert!(fibers[leaver].wake()),
                }
                world.pass_ms(5);
                assert_eq!(queue.len(), 2, "{way} of {leaver}");
                world.said();
                assert_eq!(queue.wake_all(), 2);
                world.turn();
                let rest: Vec<_> = (0..3).filter(|at| *at != leaver).collect();
                let rest = rest
                    .iter()
                    .map(|at| format!("{}:Ready", ["a", "b", "c"][*at]));
                assert_eq!(world.said(), rest.collect::<Vec<_>>().join(" "));
                assert!(queue.is_empty());
            }
        }
    });
}

#[test]
fn a_wake_up_is_not_spent_on_one_that_timed_out() {
    in_world(|world| {
        let queue = Rc::new(WaitQueue::new());
        waiter(world, &queue, "late", Some(5));
        waiters(world, &queue, ["patient"]);
        world.turn();
        // Runs after the timeout fired, before the late one has run again.
        let (waking, deadline) = (Rc::clone(&queue), world.in_ms(5));
        world.spawn("waker", move || {
            let _ = crate::park(deadline);
            waking.wake_one();
        });
        world.turn();
        world.pass_ms(5);
        assert_eq!(world.said(), "late:Timeout patient:Ready");
    });
}

#[test]
fn nor_on_one_that_was_cancelled() {
    in_world(|world| {
        let queue = Rc::new(WaitQueue::new());
        let [first, _] = waiters(world, &queue, ["first", "second"]);
        world.turn();
        assert!(first.cancel() && queue.wake_one());
        world.turn();
        assert_eq!(world.said(), "first:Cancelled second:Ready");
    });
}

#[test]
fn one_that_was_woken_from_elsewhere_takes_what_comes_before_it_runs() {
    in_world(|world| {
        let queue = Rc::new(WaitQueue::new());
        let [first, _] = waiters(world, &queue, ["first", "second"]);
        world.turn();
        assert!(first.wake() && queue.wake_one());
        world.turn();
        assert_eq!(world.said(), "first:Ready");
        assert_eq!(queue.len(), 1);
        queue.wake_all();
        world.turn();
    });
}

#[test]
fn a_cancelled_fiber_does_not_wait() {
    in_world(|world| {
        let queue = Rc::new(WaitQueue::new());
        let [fiber] = waiters(world, &queue, ["a"]);
        fiber.cancel();
        assert_eq!(world.turn().ran, 1);
        assert_eq!(world.said(), "a:Cancelled");
        assert!(queue.is_empty());
    });
}

#[test]
fn a_condition_signals_one_and_broadcasts_to_all() {
    in_world(|world| {
        let cond = Rc::new(Cond::new());
        assert!(!cond.signal(), "nobody waits, and it is not stored");
        let deadline = world.in_ms(5);
        for (name, deadline) in [("a", None), ("b", None), ("c", None), ("d", deadline)] {
            let (log, cond) = (world.log(), Rc::clone(&cond));
            world.spawn(name, move || {
                log.say(format!("{name}:{:?}", cond.wait(deadline)))
            });
        }
        world.turn();
        assert!(cond.has_waiters() && cond.signal());
        world.pass_ms(5);
        assert_eq!(world.said(), "a:Ready d:Timeout");
        assert_eq!(cond.broadcast(), 2);
        world.turn();
        assert_eq!(world.said(), "b:Ready c:Ready");
        assert!(!cond.has_waiters());
    });
}
