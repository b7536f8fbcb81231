//! Deaths by overflow and otherwise, each in a process of its own: this test binary again.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::rc::Rc;
use std::thread;

use super::{arm, fault, forgo_signal_stack};
use crate::fiber::{Job, Record};
use crate::limits::{LABEL_BYTES, STACK_MIN_BYTES};
use crate::stack::{Arena, Guard};
use crate::switch::Strand;
use crate::test_world::PLENTY;
use crate::{Wakeup, current, park, spawn, turn, yield_now};

const SCENARIO: &str = "TX_RUNTIME_TEST_SCENARIO";

/// Runs one scenario of [`child`] in another process.
fn die(scenario: &str) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["guard::tests::child", "--exact", "--nocapture"])
        .env(SCENARIO, scenario);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

#[test]
fn child() {
    match std::env::var(SCENARIO).as_deref() {
        Ok("fiber") => overflow_in_fiber("greedy"),
        Ok("among others") => overflow_among_others(),
        Ok("long name") => overflow_in_fiber(&"n".repeat(100)),
        Ok("renamed") => overflow_renamed(),
        Ok("protected") => overflow_on_protected_stack(),
        Ok("bare thread") => thread::spawn(|| {
            forgo_signal_stack();
            overflow_in_fiber("bare");
        })
        .join()
        .unwrap(),
        Ok("thread") => {
            overflow_in_fiber_later();
            let thread = thread::Builder::new().name("plain".to_owned());
            thread.spawn(|| recurse(0)).unwrap().join().unwrap();
        }
        Ok("elsewhere") => {
            spawn("innocent", fault).unwrap();
            turn(std::time::Instant::now(), PLENTY);
        }
        _ => {}
    }
}

/// Without end, and not to be turned into a loop.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if depth == u64::MAX {
        0
    } else {
        recurse(depth + 1) + frame[3]
    }
}

fn overflow_in_fiber(name: &str) {
    spawn(name, || {
        recurse(0);
    })
    .unwrap();
    turn(std::time::Instant::now(), PLENTY);
}

/// The handler is installed, and a fiber rests.
fn overflow_in_fiber_later() {
    spawn("resting", || assert_eq!(park(None), Wakeup::Ready)).unwrap();
    turn(std::time::Instant::now(), PLENTY);
}

fn overflow_among_others() {
    for number in 0..10 {
        let run = move || {
            assert_eq!(yield_now(), Wakeup::Ready);
            if number == 6 {
                recurse(0);
            }
        };
        spawn(&format!("number {number}"), run).unwrap();
    }
    turn(std::time::Instant::now(), PLENTY);
}

fn overflow_renamed() {
    spawn("before", || {
        current().unwrap().set_name("after");
        recurse(0);
    })
    .unwrap();
    turn(std::time::Instant::now(), PLENTY);
}

fn overflow_on_protected_stack() {
    arm();
    let arena = Arena::reserve(STACK_MIN_BYTES, 3).unwrap();
    arena.forgo_markers();
    let stack = arena.take().unwrap();
    let mut strand = Strand::new(stack, || {
        recurse(0);
    });
    let record = Rc::new(Record::new());
    record.renew(77, "protected", Job::Once(Box::new(|| {})));
    strand.assign(Some(record));
    assert_eq!(arena.guard(), Guard::Protection);
    strand.resume();
}

#[track_caller]
fn check_overflow(scenario: &str, sentence: &str) {
    let (output, text) = die(scenario);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    let sentence = format!("{sentence} has overflowed its stack; aborting\n");
    assert!(
        text.ends_with(&sentence),
        "{text:?} does not end with {sentence:?}"
    );
}

#[test]
fn the_report_names_the_fiber() {
    check_overflow("fiber", "fiber 1 (greedy)");
}

#[test]
fn the_report_names_the_right_one_of_many() {
    check_overflow("among others", "fiber 7 (number 6)");
}

#[test]
fn a_long_name_is_cut_in_the_report() {
    let name = "n".repeat(LABEL_BYTES);
    check_overflow("long name", &format!("fiber 1 ({name})"));
}

#[test]
fn a_new_name_is_reported() {
    check_overflow("renamed", "fiber 1 (after)");
}

#[test]
fn a_guard_by_protection_is_reported_too() {
    check_overflow("protected", "fiber 77 (protected)");
}

#[test]
fn a_thread_without_a_signal_stack_gets_one() {
    check_overflow("bare thread", "fiber 1 (bare)");
}

#[test]
fn the_overflow_of_a_thread_is_left_to_rust() {
    let (output, text) = die("thread");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(
        text.contains("thread 'plain'") && !text.contains("fiber"),
        "{text}"
    );
}

#[test]
fn a_fault_elsewhere_is_left_to_the_system() {
    let (output, text) = die("elsewhere");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(!text.contains("overflowed"), "{text}");
}
