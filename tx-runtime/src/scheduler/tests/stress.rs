//! A thousand fibers that park at random places of deep and nested work, compared with the same
//! work done without fibers.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::sync::Semaphore;
use crate::test_world::{QUIET, in_configured_world};
use crate::{Config, current, park, sleep, stats, yield_now};

const FIBERS: u64 = 1_000;

/// A sequence that looks random and is the same each time (splitmix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Calls itself, catches panics of its own, sorts with a comparator that may wait. `wait` is
/// where a fiber switches.
fn work(dice: &mut Dice, depth: u64, wait: &mut dyn FnMut(u64)) -> u64 {
    let frame = [dice.roll(1_000), depth, dice.roll(1_000)];
    wait(dice.roll(5));
    let below = if depth == 0 {
        0
    } else {
        branch(dice, depth - 1, wait)
    };
    let mut numbers: Vec<u64> = (0..8).map(|_| dice.roll(100)).collect();
    numbers.sort_by(|a, b| {
        wait(a ^ b);
        a.cmp(b)
    });
    let sorted = numbers
        .iter()
        .fold(0_u64, |sum, number| sum.wrapping_mul(101) + number);
    frame
        .iter()
        .sum::<u64>()
        .wrapping_add(sorted)
        .wrapping_add(below)
}

fn branch(dice: &mut Dice, depth: u64, wait: &mut dyn FnMut(u64)) -> u64 {
    match dice.roll(4) {
        0 => {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let value = work(dice, depth, wait);
                // Without the hook's message on standard error.
                resume_unwind(Box::new(value));
            }));
            let value = caught.err().and_then(|value| value.downcast::<u64>().ok());
            value.map_or(0, |value| value.wrapping_mul(3))
        }
        1 => work(dice, depth / 2, wait).wrapping_add(work(dice, depth / 2, wait)),
        _ => work(dice, depth, wait),
    }
}

#[test]
fn work_that_is_interrupted_anywhere_comes_to_the_same_result() {
    let config = Config {
        trim_interval_ms: 5,
        ..QUIET
    };
    in_configured_world(config, |world| {
        let results = Rc::new(RefCell::new(vec![None; FIBERS as usize]));
        let lock = Rc::new(Semaphore::new(3));
        for number in 0..FIBERS {
            let (results, lock) = (Rc::clone(&results), Rc::clone(&lock));
            world.spawn("worker", move || {
                let result = work(&mut Dice(number), 8, &mut |place| {
                    wait_somehow(place, &lock)
                });
                results.borrow_mut()[number as usize] = Some(result);
            });
        }
        while stats().fibers_alive_count > 0 {
            for fiber in crate::fibers().into_iter().step_by(7) {
                fiber.wake();
            }
            world.pass_ms(1);
        }
        assert_eq!(stats().panics_total, 0);
        assert!(stats().switches_total > 20 * FIBERS && stats().trims_total > 0);
        assert_eq!(lock.free_count(), 3);
        for number in 0..FIBERS {
            let expected = work(&mut Dice(number), 8, &mut |_| {});
            assert_eq!(results.borrow()[number as usize], Some(expected));
        }
    });
}

/// One of the ways to give way, or none.
fn wait_somehow(place: u64, lock: &Semaphore) {
    let fiber = current().expect("work runs in a fiber");
    match (place + fiber.id()) % 16 {
        0 => assert!(yield_now() != crate::Wakeup::Timeout),
        1 => drop(format!("{:?}", sleep(Duration::from_millis(place % 3)))),
        2 => drop(format!(
            "{:?}",
            park(crate::now().checked_add(Duration::from_millis(2)))
        )),
        3 => {
            lock.acquire(None).expect("nobody cancels here");
            let _ = yield_now();
            lock.release();
        }
        _ => {}
    }
}
