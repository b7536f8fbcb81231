//! Cancellation in every state, and shields against it.

use crate::test_world::in_world;
use crate::{
    Status, Wakeup, check_cancel, current, park, park_uncancellable, shielded, stats, yield_now,
};

#[test]
fn before_the_start_the_first_park_tells() {
    in_world(|world| {
        let log = world.log();
        let fiber = world.spawn("unborn", move || {
            log.say("started");
            log.say(format!("{:?}", park(None)));
        });
        assert!(fiber.cancel() && fiber.is_cancelled());
        assert!(!fiber.cancel(), "it is cancelled already");
        world.turn();
        assert_eq!(world.said(), "started Cancelled");
    });
}

#[test]
fn while_parked_the_park_ends_and_its_timer_goes() {
    in_world(|world| {
        let deadline = world.in_ms(10);
        let fiber = world.spawn("parked", move || {
            assert_eq!(park(deadline), Wakeup::Cancelled)
        });
        world.turn();
        assert!(fiber.cancel());
        assert_eq!(stats().timers_armed_count, 0);
        world.turn();
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn while_runnable_the_wake_up_counts_and_the_next_park_tells() {
    in_world(|world| {
        let fiber = world.spawn("runnable", || {
            assert_eq!(park(None), Wakeup::Ready);
            assert!(check_cancel());
            assert_eq!(park(None), Wakeup::Cancelled);
        });
        world.turn();
        assert!(fiber.wake() && fiber.cancel());
        world.turn();
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn while_running_the_next_park_tells() {
    in_world(|world| {
        let fiber = world.spawn("suicidal", || {
            assert!(!check_cancel());
            assert!(current().unwrap().cancel());
            assert!(check_cancel());
            assert_eq!(park(None), Wakeup::Cancelled);
        });
        assert_eq!(world.turn().ran, 1, "a cancelled park does not switch");
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn when_dead_it_is_refused() {
    in_world(|world| {
        let fiber = world.spawn("dead", || {});
        world.turn();
        assert!(!fiber.cancel() && !fiber.is_cancelled());
        assert_eq!(fiber.status(), Status::Dead);
    });
}

#[test]
fn a_cancelled_fiber_that_yields_still_lets_the_others_run() {
    in_world(|world| {
        let log = world.log();
        let fiber = world.spawn("stubborn", move || {
            for _ in 0..2 {
                log.say(format!("{:?}", yield_now()));
            }
        });
        fiber.cancel();
        let log = world.log();
        world.spawn("other", move || log.say("other"));
        world.turn();
        assert_eq!(world.said(), "other Cancelled Cancelled");
    });
}

#[test]
fn r10_a_shielded_park_waits_on() {
    in_world(|world| {
        let log = world.log();
        let deadline = world.in_ms(10);
        let fiber = world.spawn("cleaner", move || {
            log.say(format!("{:?}", park_uncancellable(None)));
            log.say(format!("{:?}", park_uncancellable(deadline)));
            log.say(format!("{:?}", park(None)));
        });
        world.turn();
        assert!(fiber.cancel(), "flagged");
        world.turn();
        assert_eq!(
            (world.said().as_str(), fiber.status()),
            ("", Status::Parked)
        );
        assert!(fiber.wake());
        world.turn();
        assert_eq!(world.said(), "Ready");
        world.pass_ms(10);
        assert_eq!(world.said(), "Timeout Cancelled");
    });
}

#[test]
fn shields_nest_and_end() {
    in_world(|world| {
        let log = world.log();
        let fiber = world.spawn("nested", move || {
            current().unwrap().cancel();
            shielded(|| {
                shielded(|| log.say(check_cancel()));
                log.say(check_cancel());
            });
            log.say(check_cancel());
        });
        world.turn();
        assert_eq!(world.said(), "false false true");
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn a_shield_falls_when_its_function_panics() {
    in_world(|world| {
        let log = world.log();
        world.spawn("hurt", move || {
            current().unwrap().cancel();
            let caught = std::panic::catch_unwind(|| shielded(|| panic!("on purpose")));
            log.say(format!("{} {}", caught.is_err(), check_cancel()));
        });
        world.turn();
        assert_eq!(world.said(), "true true");
    });
}

#[test]
fn a_shield_belongs_to_its_fiber() {
    in_world(|world| {
        let shielded_one = world.spawn("shielded", || {
            assert_eq!(park_uncancellable(None), Wakeup::Ready);
        });
        let bare = world.spawn("bare", || assert_eq!(park(None), Wakeup::Cancelled));
        world.turn();
        shielded_one.cancel();
        bare.cancel();
        world.turn();
        assert_eq!(
            (shielded_one.status(), bare.status()),
            (Status::Parked, Status::Dead)
        );
        shielded_one.wake();
        world.turn();
        assert_eq!(shielded_one.join(None), Ok(()));
    });
}

#[test]
fn a_shield_outside_a_fiber_just_runs() {
    in_world(|_| assert_eq!(shielded(|| 7), 7));
}
