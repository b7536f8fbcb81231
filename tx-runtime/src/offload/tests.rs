//! Blocking work with real threads, held and let go by channels, never by time.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{self, Sender};

use super::{Offload, OffloadConfig, OffloadError};
use crate::limits::{OFFLOAD_QUEUE_MAX_COUNT, OFFLOAD_THREADS_MAX_COUNT};
use crate::test_world::{Log, World, in_world};
use crate::{CannotPark, FiberRef, Reactor, Status};

fn pool(reactor: &Reactor, threads_count: u16, queue_count: u32) -> Rc<Offload> {
    let config = OffloadConfig {
        threads_count,
        queue_count,
    };
    Rc::new(Offload::new(config, reactor.doorbell()).unwrap())
}

/// Turns until the fibers are dead. Time stands still; only the reactor waits.
fn drive(world: &World, reactor: &mut Reactor, fibers: &[FiberRef]) {
    loop {
        world.turn();
        if fibers.iter().all(|fiber| fiber.status() == Status::Dead) {
            return;
        }
        let happened_count = reactor.wait(Some(Duration::from_secs(30))).unwrap();
        assert!(happened_count > 0, "the doorbell did not ring");
    }
}

/// A fiber whose work waits for a word on a channel and returns it.
fn asker(world: &World, pool: &Rc<Offload>, in_ms: Option<u64>) -> (FiberRef, Sender<u32>) {
    let (sender, receiver) = channel::bounded::<u32>(1);
    let (log, pool): (Log, _) = (world.log(), Rc::clone(pool));
    let deadline = in_ms.and_then(|ms| world.in_ms(ms));
    let fiber = world.spawn("asker", move || {
        match pool.run(move || receiver.recv().unwrap(), deadline) {
            Ok(word) => log.say(word),
            Err(error) => log.say(error),
        }
    });
    (fiber, sender)
}

#[test]
fn fibers_run_while_the_work_blocks() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 2, 8);
        let (first, first_word) = asker(world, &pool, None);
        let (second, second_word) = asker(world, &pool, None);
        world.turn();
        assert_eq!(pool.threads_count(), 2);
        let log = world.log();
        world.spawn("free", move || log.say("free"));
        world.turn();
        second_word.send(2).unwrap();
        drive(world, &mut reactor, &[second]);
        assert_eq!(world.said(), "free 2");
        first_word.send(1).unwrap();
        drive(world, &mut reactor, &[first]);
        assert_eq!(world.said(), "1");
    });
}

#[test]
fn threads_start_as_they_are_needed_and_no_more_than_configured() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 3, 8);
        assert_eq!(pool.threads_count(), 0);
        let (fiber, word) = asker(world, &pool, None);
        world.turn();
        assert_eq!(pool.threads_count(), 1);
        word.send(1).unwrap();
        drive(world, &mut reactor, &[fiber]);
        let askers: Vec<_> = (0..5).map(|_| asker(world, &pool, None)).collect();
        world.turn();
        assert_eq!(pool.threads_count(), 3);
        askers.iter().for_each(|(_, word)| word.send(1).unwrap());
        let fibers: Vec<_> = askers.into_iter().map(|(fiber, _)| fiber).collect();
        drive(world, &mut reactor, &fibers);
    });
}

#[test]
fn beyond_the_bound_fibers_wait_in_line() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 1, 2);
        let askers: Vec<_> = (0..5).map(|_| asker(world, &pool, None)).collect();
        world.turn();
        assert_eq!(pool.returns.waiting.borrow().len(), 2, "two are accepted");
        assert_eq!(pool.returns.room.free_count(), 0);
        for (number, (_, word)) in (1..).zip(&askers) {
            word.send(number).unwrap();
        }
        let fibers: Vec<_> = askers.into_iter().map(|(fiber, _)| fiber).collect();
        drive(world, &mut reactor, &fibers);
        assert_eq!(world.said(), "1 2 3 4 5");
        assert_eq!(pool.returns.room.free_count(), 2);
    });
}

#[test]
fn whoever_gives_up_goes_on_and_the_place_comes_back_when_the_work_is_done() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 1, 2);
        let (_, late_word) = asker(world, &pool, Some(5));
        let (cancelled, cancelled_word) = asker(world, &pool, None);
        let (in_line, _word) = asker(world, &pool, Some(5));
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "the fiber is cancelled timed out timed out");
        assert_eq!(in_line.status(), Status::Dead);
        assert!(pool.returns.waiting.borrow().is_empty());
        assert_eq!(pool.returns.room.free_count(), 0);
        late_word.send(1).unwrap();
        cancelled_word.send(2).unwrap();
        while pool.returns.room.free_count() < 2 {
            assert!(reactor.wait(Some(Duration::from_secs(30))).unwrap() > 0);
            world.turn();
        }
    });
}

#[test]
fn a_wake_up_from_elsewhere_does_not_end_the_wait() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 1, 1);
        let (fiber, word) = asker(world, &pool, None);
        world.turn();
        assert!(fiber.wake());
        world.turn();
        assert_eq!(
            (world.said().as_str(), fiber.status()),
            ("", Status::Parked)
        );
        word.send(7).unwrap();
        drive(world, &mut reactor, &[fiber]);
        assert_eq!(world.said(), "7");
    });
}

#[test]
fn work_that_panics_is_an_error_and_its_thread_lives_on() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 1, 1);
        for _ in 0..3 {
            let (log, own) = (world.log(), Rc::clone(&pool));
            let fiber = world.spawn("asker", move || {
                let outcome = own.run(|| panic!("on purpose"), None);
                log.say(outcome.map(|()| "fine").unwrap_err());
            });
            drive(world, &mut reactor, &[fiber]);
            assert_eq!(world.said(), "the work panicked: on purpose");
        }
        assert_eq!(pool.threads_count(), 1);
    });
}

#[test]
fn outside_a_fiber_it_is_refused() {
    in_world(|_| {
        let reactor = Reactor::new().unwrap();
        let outcome = pool(&reactor, 1, 1).run(|| (), None);
        assert!(matches!(
            outcome,
            Err(OffloadError::CannotPark(CannotPark::OutsideFiber))
        ));
    });
}

#[test]
fn threads_end_when_the_pool_is_dropped() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let pool = pool(&reactor, 2, 2);
        let bell = reactor.doorbell();
        let rings_before = Arc::strong_count(&bell);
        let own = Rc::clone(&pool);
        let fiber = world.spawn("asker", move || own.run(|| (), None).unwrap());
        drive(world, &mut reactor, &[fiber]);
        assert!(Arc::strong_count(&bell) > rings_before);
        drop(pool);
        // Each thread holds the doorbell until it ends.
        while Arc::strong_count(&bell) > rings_before - 1 {
            std::thread::yield_now();
        }
        world.turn();
    });
}

#[test]
fn bounds_of_a_pool_are_checked() {
    in_world(|_| {
        let reactor = Reactor::new().unwrap();
        let cases = [
            (1, 1, true),
            (0, 1, false),
            (1, 0, false),
            (OFFLOAD_THREADS_MAX_COUNT, 1, true),
            (OFFLOAD_THREADS_MAX_COUNT + 1, 1, false),
            (1, OFFLOAD_QUEUE_MAX_COUNT, true),
            (1, OFFLOAD_QUEUE_MAX_COUNT + 1, false),
        ];
        for (threads_count, queue_count, is_allowed) in cases {
            let config = OffloadConfig {
                threads_count,
                queue_count,
            };
            let outcome = Offload::new(config, reactor.doorbell());
            assert_eq!(outcome.is_ok(), is_allowed, "{config:?}");
        }
        assert!(Offload::new(OffloadConfig::default(), reactor.doorbell()).is_ok());
    });
}
