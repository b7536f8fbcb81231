//! Who may park, and what a wake-up is.

use std::cell::Cell;
use std::rc::Rc;

use corosensei::Coroutine;

use crate::test_world::in_world;
use crate::{
    CannotPark, Status, Wakeup, can_park, current, park, set_pre_park_check, stats, try_park,
};

#[test]
fn outside_a_fiber_it_is_refused() {
    in_world(|_| {
        assert_eq!(can_park(), Err(CannotPark::OutsideFiber));
        assert_eq!(try_park(None), Err(CannotPark::OutsideFiber));
        assert_eq!(current(), None);
    });
}

#[test]
#[should_panic(expected = "cannot park outside a fiber")]
fn the_short_form_panics_where_it_is_refused() {
    in_world(|_| {
        let _ = park(None);
    });
}

#[test]
fn the_embedder_can_refuse() {
    in_world(|world| {
        thread_local! {
            static IS_FORBIDDEN: Cell<bool> = const { Cell::new(false) };
        }
        fn check() -> Result<(), &'static str> {
            if IS_FORBIDDEN.get() {
                Err("not in a finalizer")
            } else {
                Ok(())
            }
        }
        set_pre_park_check(check);
        let log = world.log();
        let fiber = world.spawn("checked", move || {
            IS_FORBIDDEN.set(true);
            log.say(try_park(None).unwrap_err());
            assert_eq!(current().unwrap().status(), Status::Running);
            IS_FORBIDDEN.set(false);
            log.say(format!("{:?}", try_park(None)));
        });
        world.turn();
        assert_eq!(world.said(), "not in a finalizer");
        assert!(fiber.wake());
        world.turn();
        assert_eq!(world.said(), "Ok(Ready)");
    });
}

#[test]
fn on_a_stack_of_somebody_else_it_is_refused() {
    in_world(|world| {
        let log = world.log();
        world.spawn("host", move || {
            let inner = log.clone();
            let mut foreign = Coroutine::<(), (), ()>::new(move |_, ()| {
                inner.say(try_park(None).unwrap_err());
                inner.say(current().unwrap().name());
            });
            foreign.resume(());
            log.say(format!("{:?}", can_park()));
        });
        world.turn();
        assert_eq!(
            world.said(),
            "cannot park on a stack that is not the fiber's host Ok(())"
        );
    });
}

#[test]
fn while_a_panic_unwinds_it_is_refused() {
    struct ParksInDrop(crate::test_world::Log);
    impl Drop for ParksInDrop {
        fn drop(&mut self) {
            self.0.say(try_park(None).unwrap_err());
        }
    }
    in_world(|world| {
        let guard = ParksInDrop(world.log());
        let fiber = world.spawn("falling", move || {
            let _guard = guard;
            panic!("on purpose");
        });
        world.turn();
        assert_eq!(world.said(), "cannot park while a panic unwinds");
        assert_eq!(fiber.status(), Status::Dead);
    });
}

#[test]
fn r5_a_parked_fiber_is_woken_exactly_once() {
    in_world(|world| {
        let log = world.log();
        let fiber = world.spawn("woken", move || {
            for _ in 0..2 {
                log.say(format!("{:?}", park(None)));
            }
        });
        world.turn();
        assert!(fiber.wake());
        assert!(!fiber.wake(), "it is runnable already");
        world.turn();
        assert_eq!(world.said(), "Ready");
        assert_eq!(fiber.status(), Status::Parked);
    });
}

#[test]
fn wake_ups_are_not_stored() {
    in_world(|world| {
        let fiber = world.spawn("deaf", || {
            assert!(!current().unwrap().wake(), "it runs");
            assert_eq!(park(None), Wakeup::Ready);
        });
        assert!(!fiber.wake(), "it has not started");
        world.turn();
        assert_eq!(fiber.status(), Status::Parked);
        assert!(fiber.wake());
        world.turn();
        assert!(!fiber.wake(), "it is dead");
    });
}

#[test]
fn a_park_that_ends_early_leaves_no_timer() {
    in_world(|world| {
        let deadline = world.in_ms(1_000_000);
        let fiber = world.spawn("early", move || while park(deadline) == Wakeup::Ready {});
        for _ in 0..100 {
            world.turn();
            assert_eq!(stats().timers_armed_count, 1);
            assert!(fiber.wake());
            assert_eq!(stats().timers_armed_count, 0);
        }
        world.turn();
        fiber.cancel();
        assert_eq!(world.turn().next_deadline, None);
    });
}

#[test]
fn whoever_comes_first_decides_why() {
    in_world(|world| {
        let deadline = world.in_ms(10);
        let reasons = Rc::new(Cell::new(None));
        let seen = Rc::clone(&reasons);
        let fiber = world.spawn("contested", move || seen.set(Some(park(deadline))));
        world.turn();
        assert!(fiber.wake());
        fiber.cancel();
        world.pass_ms(10);
        assert_eq!(reasons.get(), Some(Wakeup::Ready));
    });
}

#[test]
fn each_fiber_knows_itself() {
    in_world(|world| {
        let log = world.log();
        let fiber = world.spawn("first", move || {
            let own = current().unwrap();
            assert_eq!(own.status(), Status::Running);
            own.set_name("renamed");
            log.say(format!("{} {}", own.id(), own.name()));
        });
        let other = world.spawn("second", || {});
        assert!(fiber != other && fiber.id() != other.id());
        assert_eq!(fiber.status(), Status::Runnable);
        assert_eq!(crate::find(other.id()), Some(other.clone()));
        assert_eq!(crate::fibers().len(), 2);
        world.turn();
        assert_eq!(world.said(), format!("{} renamed", fiber.id()));
        assert_eq!(crate::find(other.id()), None);
        assert!(crate::fibers().is_empty());
    });
}
