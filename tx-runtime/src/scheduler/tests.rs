//! The scheduler in virtual time.

mod bounds;
mod cancel;
mod ending;
mod model;
mod parking;
mod stress;

use crate::test_world::in_world;
use crate::{Budget, Turn, Wakeup, current, now, park, sleep, stats, turn, turn_while, yield_now};

#[test]
fn a_fiber_that_is_run_now_does_not_wait_for_its_turn() {
    in_world(|world| {
        for name in ["a", "b"] {
            let log = world.log();
            world.spawn(name, move || {
                log.say(format!("{name}0"));
                let inner = log.clone();
                let made = crate::spawn("inner", move || {
                    inner.say(format!("{name}1"));
                    assert_eq!(yield_now(), Wakeup::Ready);
                    inner.say(format!("{name}3"));
                });
                let made = made.expect("there is room");
                assert!(made.run_now());
                log.say(format!("{name}2"));
            });
        }
        world.turn();
        assert_eq!(world.said(), "a0 a1 a2 b0 b1 b2 a3 b3");
    });
}

#[test]
fn fibers_take_turns() {
    in_world(|world| {
        for name in ["a", "b"] {
            let log = world.log();
            world.spawn(name, move || {
                for round in 0..2 {
                    log.say(format!("{name}{round}"));
                    assert_eq!(yield_now(), Wakeup::Ready);
                }
            });
        }
        assert_eq!(
            world.turn(),
            Turn {
                ran: 6,
                runnable: false,
                next_deadline: None
            }
        );
        assert_eq!(world.said(), "a0 b0 a1 b1");
    });
}

#[test]
fn a_spawned_fiber_does_not_run_at_once() {
    in_world(|world| {
        let log = world.log();
        world.spawn("parent", move || {
            let child_log = log.clone();
            crate::spawn("child", move || child_log.say("child")).unwrap();
            log.say("parent");
        });
        assert_eq!(world.said(), "");
        world.turn();
        assert_eq!(world.said(), "parent child");
    });
}

#[test]
fn parks_end_by_wake_timeout_and_cancel() {
    in_world(|world| {
        let [woken, cancelled, late] = [
            ("woken", None),
            ("cancelled", None),
            ("late", world.in_ms(1000)),
        ]
        .map(|(name, deadline)| {
            let log = world.log();
            world.spawn(name, move || {
                let why = park(deadline);
                log.say(format!("{}:{why:?}", current().unwrap().name()));
            })
        });
        assert_eq!(world.turn().next_deadline, world.in_ms(1000));
        assert!(woken.wake() && cancelled.cancel());
        world.turn();
        assert_eq!(world.said(), "woken:Ready cancelled:Cancelled");
        assert_eq!(world.pass_ms(999).ran, 0);
        assert_eq!(
            world.pass_ms(1),
            Turn {
                ran: 1,
                runnable: false,
                next_deadline: None
            }
        );
        assert_eq!(world.said(), "late:Timeout");
        assert_eq!(late.join(None), Ok(()));
    });
}

#[test]
fn a_sleep_lasts_until_its_time() {
    in_world(|world| {
        let (log, start) = (world.log(), world.now());
        world.spawn("sleeper", move || {
            assert_eq!(sleep(std::time::Duration::from_secs(5)), Wakeup::Timeout);
            log.say((now() - start).as_millis());
        });
        world.turn();
        world.pass_ms(4999);
        assert_eq!(world.said(), "");
        world.pass_ms(1);
        assert_eq!(world.said(), "5000");
    });
}

#[test]
fn an_endless_sleep_has_no_deadline() {
    in_world(|world| {
        let fiber = world.spawn("endless", || {
            assert_eq!(sleep(std::time::Duration::MAX), Wakeup::Ready);
        });
        assert_eq!(world.turn().next_deadline, None);
        assert!(fiber.wake());
        world.turn();
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn equal_deadlines_fire_in_the_order_of_parking() {
    in_world(|world| {
        let deadline = world.in_ms(10);
        for name in ["a", "b", "c", "d", "e"] {
            let log = world.log();
            world.spawn(name, move || {
                assert_eq!(park(deadline), Wakeup::Timeout);
                log.say(name);
            });
        }
        world.turn();
        world.pass_ms(10);
        assert_eq!(world.said(), "a b c d e");
    });
}

#[test]
fn a_deadline_that_has_passed_still_lets_the_others_run() {
    in_world(|world| {
        let (log, deadline) = (world.log(), Some(world.now()));
        world.spawn("hurried", move || {
            assert_eq!(park(deadline), Wakeup::Timeout);
            log.say("hurried");
        });
        let log = world.log();
        world.spawn("other", move || log.say("other"));
        let first = world.turn();
        assert!(first.runnable && first.next_deadline == deadline);
        world.turn();
        assert_eq!(world.said(), "other hurried");
    });
}

#[test]
fn a_turn_stays_within_its_budget_and_goes_on_where_it_stopped() {
    in_world(|world| {
        for name in ["a", "b", "c", "d", "e"] {
            let log = world.log();
            world.spawn(name, move || log.say(name));
        }
        let budget = Budget { fibers: 2 };
        for (said, runnable) in [("a b", true), ("c d", true), ("e", false)] {
            let done = turn(world.now(), budget);
            assert_eq!((world.said().as_str(), done.runnable), (said, runnable));
        }
    });
}

#[test]
fn one_that_always_yields_does_not_starve_the_others() {
    in_world(|world| {
        world.spawn("hog", || while yield_now() != Wakeup::Cancelled {});
        let log = world.log();
        world.spawn("modest", move || log.say("ran"));
        let done = turn(world.now(), Budget { fibers: 100 });
        assert_eq!((done.ran, done.runnable), (100, true));
        assert_eq!(world.said(), "ran");
    });
}

#[test]
fn deadlines_are_within_the_budget_too() {
    in_world(|world| {
        let deadline = world.in_ms(1);
        for _ in 0..10 {
            world.spawn("late", move || assert_eq!(park(deadline), Wakeup::Timeout));
        }
        world.turn();
        let due = deadline.unwrap();
        for runnable in [true, true, false] {
            let done = turn(due, Budget { fibers: 4 });
            assert_eq!(done.runnable, runnable);
        }
        assert_eq!(stats().fibers_alive_count, 0);
    });
}

#[test]
fn a_turn_ends_early_when_the_caller_says_so() {
    in_world(|world| {
        for _ in 0..10 {
            world.spawn("short", || {});
        }
        let mut left_count = 3;
        let done = turn_while(world.now(), Budget { fibers: 100 }, || {
            left_count -= 1;
            left_count > 0
        });
        assert_eq!((done.ran, done.runnable), (3, true));
    });
}

#[test]
fn ping_pong_stays_within_one_turn() {
    in_world(|world| {
        let ping = world.spawn("ping", || {
            for _ in 0..10 {
                assert_eq!(park(None), Wakeup::Ready);
            }
        });
        world.spawn("pong", move || {
            for _ in 0..10 {
                assert!(ping.wake());
                assert_eq!(yield_now(), Wakeup::Ready);
            }
        });
        assert_eq!(world.turn().ran, 22);
    });
}

#[test]
fn a_fiber_cannot_take_a_turn() {
    in_world(|world| {
        let time = world.now();
        let fiber = world.spawn("greedy", move || {
            turn(time, Budget { fibers: 1 });
        });
        world.turn();
        let message = "a fiber cannot take a turn of the scheduler".to_owned();
        assert_eq!(fiber.join(None), Err(crate::JoinError::Panicked(message)));
    });
}
