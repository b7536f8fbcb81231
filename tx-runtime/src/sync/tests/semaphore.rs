//! Permits: never more than there are, never lost, in the order of asking.

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use crate::sync::{AcquireError, Semaphore};
use crate::test_world::{World, in_world};
use crate::{FiberRef, yield_now};

fn asker(world: &World, semaphore: &Rc<Semaphore>, name: &'static str) -> FiberRef {
    let (log, semaphore) = (world.log(), Rc::clone(semaphore));
    world.spawn(name, move || {
        log.say(format!("{name}:{:?}", semaphore.acquire(None)))
    })
}

#[test]
fn a_released_permit_goes_to_the_first_in_line_and_nobody_overtakes() {
    in_world(|world| {
        let semaphore = Rc::new(Semaphore::new(1));
        for name in ["a", "b", "c"] {
            asker(world, &semaphore, name);
        }
        world.turn();
        assert_eq!(world.said(), "a:Ok(())");
        semaphore.release();
        assert!(!semaphore.try_acquire(), "it is b's already");
        world.turn();
        assert_eq!(world.said(), "b:Ok(())");
        semaphore.release();
        world.turn();
        semaphore.release();
        assert_eq!(
            (world.said().as_str(), semaphore.free_count()),
            ("c:Ok(())", 1)
        );
    });
}

#[test]
fn a_wake_up_from_elsewhere_gives_no_permit_and_costs_no_place() {
    in_world(|world| {
        let semaphore = Rc::new(Semaphore::new(0));
        let [a, _] = ["a", "b"].map(|name| asker(world, &semaphore, name));
        world.turn();
        assert!(a.wake());
        world.turn();
        assert_eq!(world.said(), "");
        semaphore.release();
        world.turn();
        assert_eq!(world.said(), "a:Ok(())");
    });
}

#[test]
fn a_permit_survives_the_cancellation_of_its_receiver() {
    in_world(|world| {
        let semaphore = Rc::new(Semaphore::new(0));
        let a = asker(world, &semaphore, "a");
        world.turn();
        semaphore.release();
        a.cancel();
        world.turn();
        assert_eq!(world.said(), "a:Ok(())");
    });
}

#[test]
fn a_deadline_and_a_cancellation_end_the_wait() {
    in_world(|world| {
        let semaphore = Rc::new(Semaphore::new(0));
        let cancelled = asker(world, &semaphore, "a");
        let (own, log, deadline) = (Rc::clone(&semaphore), world.log(), world.in_ms(5));
        world.spawn("late", move || {
            let error = own.acquire(deadline).unwrap_err();
            assert_eq!(error, AcquireError::Timeout);
            log.say(error);
        });
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "a:Err(Cancelled) timed out");
        semaphore.release();
        assert_eq!(semaphore.free_count(), 1);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn holders_never_exceed_the_permits(
        permits in 1..4_usize,
        plans in prop::collection::vec((0..4_u8, 0..6_u64, any::<bool>()), 1..30),
    ) {
        in_world(move |world| {
            let semaphore = Rc::new(Semaphore::new(permits));
            let held_count = Rc::new(Cell::new(0));
            let mut doomed = Vec::new();
            for (yields, in_ms, is_doomed) in plans {
                let (own, held) = (Rc::clone(&semaphore), Rc::clone(&held_count));
                let deadline = world.in_ms(in_ms);
                let fiber = world.spawn("holder", move || {
                    if own.acquire(deadline).is_err() {
                        return;
                    }
                    held.set(held.get() + 1);
                    assert!(held.get() <= permits);
                    for _ in 0..yields {
                        let _ = yield_now();
                    }
                    held.set(held.get() - 1);
                    own.release();
                });
                if is_doomed {
                    doomed.push(fiber);
                }
            }
            for step in 0..8 {
                if let Some(fiber) = doomed.get(step) {
                    fiber.cancel();
                }
                world.pass_ms(1);
            }
            assert_eq!((held_count.get(), semaphore.free_count()), (0, permits));
            assert_eq!(crate::stats().panics_total, 0);
        });
    }
}
