//! The scheduler in virtual time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Budget, FiberRef, Turn, Wakeup, current, park, sleep, spawn, turn, yield_now};

const PLENTY: Budget = Budget { fibers: 1000 };

#[test]
fn fibers_take_turns() {
    let log = Rc::new(RefCell::new(Vec::new()));
    for name in ["a", "b"] {
        let log = Rc::clone(&log);
        let run = move || {
            for round in 0..2 {
                log.borrow_mut().push(format!("{name}{round}"));
                assert_eq!(yield_now(), Wakeup::Ready);
            }
        };
        let _: FiberRef = spawn(name, run).unwrap();
    }
    let done = turn(Instant::now(), PLENTY);
    assert_eq!(
        done,
        Turn {
            ran: 6,
            runnable: false,
            next_deadline: None
        }
    );
    assert_eq!(*log.borrow(), ["a0", "b0", "a1", "b1"]);
}

#[test]
fn parks_end_by_wake_timeout_and_cancel() {
    let start = Instant::now();
    let log = Rc::new(RefCell::new(Vec::new()));
    let parker = |deadline| {
        let log = Rc::clone(&log);
        move || {
            let why = park(deadline);
            log.borrow_mut().push((current().unwrap().name(), why));
        }
    };
    let woken = spawn("woken", parker(None)).unwrap();
    let late = spawn("late", parker(Some(start + Duration::from_secs(1)))).unwrap();
    let cancelled = spawn("cancelled", parker(None)).unwrap();
    assert!(!woken.wake());
    let done = turn(start, PLENTY);
    assert_eq!(done.next_deadline, Some(start + Duration::from_secs(1)));
    assert!(woken.wake() && !woken.wake() && cancelled.cancel() && !cancelled.cancel());
    let _ = turn(start + Duration::from_secs(1), PLENTY);
    let expected = [
        ("woken".to_owned(), Wakeup::Ready),
        ("cancelled".to_owned(), Wakeup::Cancelled),
        ("late".to_owned(), Wakeup::Timeout),
    ];
    assert_eq!(*log.borrow(), expected);
    assert_eq!(late.join(None), Ok(()));
}

#[test]
fn a_sleep_lasts_until_its_time() {
    let start = Instant::now();
    let fiber = spawn("sleeper", || {
        assert_eq!(sleep(Duration::from_secs(5)), Wakeup::Timeout)
    });
    let fiber = fiber.unwrap();
    let done = turn(start, PLENTY);
    let wake_at = done.next_deadline.unwrap();
    assert_eq!(wake_at, start + Duration::from_secs(5));
    assert_eq!(turn(wake_at - Duration::from_nanos(1), PLENTY).ran, 0);
    assert_eq!(turn(wake_at, PLENTY).ran, 1);
    assert_eq!(fiber.join(None), Ok(()));
}
