//! How fibers end, who is told, and what is left.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::test_world::{PLENTY, in_world};
use crate::{
    CannotPark, JoinError, Status, Wakeup, can_park, current, park, spawn, spawn_shared, stats,
    turn,
};

#[test]
fn a_panic_ends_its_fiber_only() {
    in_world(|world| {
        let bad = world.spawn("bad", || panic!("number {}", 7));
        let odd = world.spawn("odd", || std::panic::panic_any(7));
        let good = world.spawn("good", || {});
        assert_eq!(world.turn().ran, 3);
        assert_eq!(
            bad.join(None),
            Err(JoinError::Panicked("number 7".to_owned()))
        );
        let nameless = "a panic without a message".to_owned();
        assert_eq!(odd.join(None), Err(JoinError::Panicked(nameless)));
        assert_eq!(good.join(None), Ok(()));
        assert_eq!(stats().panics_total, 2);
    });
}

#[test]
fn a_panic_that_panics_when_it_is_dropped_is_no_worse() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    in_world(|world| {
        let fiber = world.spawn("bomb", || std::panic::panic_any(Bomb));
        world.turn();
        assert!(matches!(fiber.join(None), Err(JoinError::Panicked(_))));
    });
}

#[test]
fn the_stack_of_a_panicked_fiber_is_used_again() {
    in_world(|world| {
        for _ in 0..10 {
            world.spawn("bad", || panic!("on purpose"));
            world.turn();
        }
        assert_eq!(stats().stacks_pooled_count, 1);
    });
}

#[test]
fn everybody_who_joins_is_told_in_order() {
    in_world(|world| {
        let target = world.spawn("target", || assert_eq!(park(None), Wakeup::Ready));
        for name in ["a", "b", "c"] {
            let (log, target) = (world.log(), target.clone());
            world.spawn(name, move || {
                assert_eq!(target.join(None), Ok(()));
                log.say(name);
            });
        }
        world.turn();
        assert_eq!(world.said(), "");
        target.wake();
        world.turn();
        assert_eq!(world.said(), "a b c");
    });
}

#[test]
fn a_join_ends_by_its_deadline_or_cancellation_and_the_target_lives_on() {
    in_world(|world| {
        let target = world.spawn("target", || while park(None) == Wakeup::Ready {});
        let deadline = world.in_ms(5);
        let [late, cancelled] = [deadline, None].map(|deadline| {
            let (log, target) = (world.log(), target.clone());
            world.spawn("joiner", move || {
                log.say(target.join(deadline).unwrap_err())
            })
        });
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "the waiting fiber is cancelled timed out");
        assert_eq!(late.status(), Status::Dead);
        assert_eq!(target.status(), Status::Parked);
        target.cancel();
        world.turn();
        assert_eq!(target.join(None), Ok(()));
    });
}

#[test]
fn a_wake_up_from_elsewhere_does_not_end_a_join() {
    in_world(|world| {
        let target = world.spawn("target", || assert_eq!(park(None), Wakeup::Ready));
        let (log, joined) = (world.log(), target.clone());
        let joiner = world.spawn("joiner", move || {
            log.say(format!("{:?}", joined.join(None)))
        });
        world.turn();
        assert!(joiner.wake());
        world.turn();
        assert_eq!(
            (world.said().as_str(), joiner.status()),
            ("", Status::Parked)
        );
        target.wake();
        world.turn();
        assert_eq!(world.said(), "Ok(())");
    });
}

#[test]
fn joins_that_make_no_sense_are_errors() {
    in_world(|world| {
        let log = world.log();
        let own = world.spawn("own", move || {
            log.say(current().unwrap().join(None).unwrap_err())
        });
        let outside = own.join(None);
        assert_eq!(
            outside,
            Err(JoinError::CannotPark(CannotPark::OutsideFiber))
        );
        world.turn();
        assert_eq!(world.said(), "a fiber cannot join itself");
        assert!(own.is_joinable());
        own.set_joinable(false);
        assert_eq!(own.join(None), Err(JoinError::NotJoinable));
    });
}

#[test]
fn a_handle_means_its_fiber_also_after_its_end() {
    in_world(|world| {
        let old = world.spawn("old", || {});
        world.turn();
        let new = world.spawn("new", || assert_eq!(park(None), Wakeup::Ready));
        world.turn();
        assert!(old != new && old.id() != new.id());
        assert_eq!((old.name().as_str(), old.status()), ("old", Status::Dead));
        assert!(!old.wake() && !old.cancel());
        assert_eq!(new.status(), Status::Parked);
    });
}

#[test]
fn the_slot_is_emptied_outside_fibers_when_nobody_can_look_any_more() {
    struct Cargo(crate::test_world::Log);
    impl Drop for Cargo {
        fn drop(&mut self) {
            self.0.say(can_park().unwrap_err());
        }
    }
    in_world(|world| {
        let kept = world.spawn("kept", || {});
        *kept.slot().borrow_mut() = Some(Box::new(Cargo(world.log())));
        world.turn();
        assert_eq!(world.said(), "");
        drop(kept);
        assert_eq!(world.said(), "cannot park outside a fiber");
        let forgotten = world.spawn("forgotten", || {});
        *forgotten.slot().borrow_mut() = Some(Box::new(Cargo(world.log())));
        drop(forgotten);
        world.turn();
        assert_eq!(world.said(), "cannot park outside a fiber");
        let next = world.spawn("next", || {});
        assert!(next.slot().borrow().is_none());
    });
}

#[test]
fn a_shared_function_runs_in_many_fibers() {
    in_world(|world| {
        let ran_count = Rc::new(Cell::new(0));
        let counter = Rc::clone(&ran_count);
        let work: Rc<dyn Fn()> = Rc::new(move || counter.set(counter.get() + 1));
        for _ in 0..5 {
            spawn_shared("shared", &work).unwrap();
        }
        world.turn();
        assert_eq!(ran_count.get(), 5);
        assert_eq!(Rc::strong_count(&work), 1);
    });
}

/// Tells its thread-safe flag that it was dropped.
struct Flag(Arc<Mutex<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = true;
    }
}

#[test]
fn at_the_end_of_its_thread_a_suspended_fiber_is_leaked_and_never_unwound() {
    let suspended = Arc::new(Mutex::new(false));
    let unborn = Arc::new(Mutex::new(false));
    let (on_stack, in_closure) = (Flag(Arc::clone(&suspended)), Flag(Arc::clone(&unborn)));
    let body = move || {
        let work = move || {
            let flag = on_stack;
            let _ = park(None);
            drop(flag);
        };
        spawn("suspended", work).unwrap();
        spawn("idle", || {}).unwrap();
        turn(std::time::Instant::now(), PLENTY);
        spawn("unborn", move || drop(in_closure)).unwrap();
    };
    thread::spawn(body).join().unwrap();
    assert!(!*suspended.lock().unwrap() && !*unborn.lock().unwrap());
}

#[test]
fn handles_are_harmless_after_the_end_of_the_runtime() {
    /// Which of two thread-locals goes first is the platform's choice. No order may crash.
    struct Parting(crate::FiberRef);
    impl Drop for Parting {
        fn drop(&mut self) {
            self.0.wake();
            self.0.cancel();
        }
    }
    thread_local! {
        static BEFORE: RefCell<Option<Parting>> = const { RefCell::new(None) };
        static AFTER: RefCell<Option<Parting>> = const { RefCell::new(None) };
    }
    let body = || {
        BEFORE.with_borrow(|_| ());
        let fiber = spawn("kept", || assert_eq!(park(None), Wakeup::Ready)).unwrap();
        turn(std::time::Instant::now(), PLENTY);
        BEFORE.set(Some(Parting(fiber.clone())));
        AFTER.set(Some(Parting(fiber)));
    };
    thread::spawn(body).join().unwrap();
}
