//! Script in, report out; and a random comparison with a sorted list.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Wheel;
use crate::limits::{TIMER_SLOTS_COUNT, TIMER_TICK_MS};

/// Runs `arm I MS`, `disarm I` and `at MS` lines; answers each `at` with what was due.
fn check(script: &str, expected: &str) {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    let mut out = Vec::new();
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| words[i].parse::<u64>().unwrap();
        let time = |ms| start + Duration::from_millis(ms);
        match words[0] {
            "arm" => wheel.arm(number(1) as u32, time(number(2))),
            "disarm" => wheel.disarm(number(1) as u32),
            _ => {
                let mut due = Vec::new();
                while let Some(index) = wheel.pop_due(time(number(1))) {
                    due.push(index.to_string());
                }
                due.sort();
                out.push(due.join(","));
            }
        }
    }
    assert_eq!(out.join("|"), expected, "script:\n{script}");
}

#[test]
fn a_timer_is_never_early_and_at_most_one_tick_late() {
    let tick = TIMER_TICK_MS;
    check(
        &format!("arm 1 {}\nat {}\nat {}", tick + 1, tick + 1, 2 * tick),
        "|1",
    );
    check(&format!("arm 1 {tick}\nat {}\nat {tick}", tick - 1), "|1");
}

#[test]
fn moving_earlier_moves_and_moving_later_stays() {
    check("arm 1 1000\narm 1 128\nat 128\nat 2000", "1|");
    check("arm 1 128\narm 1 1000\nat 128\nat 2000", "1|");
}

/// R33.
#[test]
fn a_removed_timer_is_not_reported_and_its_neighbours_are() {
    check(
        "arm 1 128\narm 2 128\narm 3 128\ndisarm 2\ndisarm 2\nat 128",
        "1,3",
    );
    check("disarm 7\nat 1", "");
}

#[test]
fn a_timer_in_the_past_is_reported_at_once() {
    check("at 5000\narm 4 10\nat 5064", "|4");
}

#[test]
fn beyond_the_horizon_it_asks_on_the_way() {
    let horizon = TIMER_TICK_MS * TIMER_SLOTS_COUNT as u64;
    check(&format!("arm 1 {}\nat {}", horizon * 10, horizon), "1");
}

#[test]
fn the_next_time_to_look_is_that_of_the_first() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    assert_eq!(wheel.next_due(), None);
    wheel.arm(3, start + Duration::from_millis(640));
    wheel.arm(5, start + Duration::from_millis(320));
    assert_eq!(wheel.next_due(), Some(start + Duration::from_millis(320)));
}

proptest! {
    #[test]
    fn as_a_sorted_list_would(
        ops in prop::collection::vec((0u32..20, 0u64..40_000, 0u8..4), 1..200),
    ) {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut now = 0;
        for (index, ms, kind) in ops {
            match kind {
                0 => {
                    let at = now + ms;
                    wheel.arm(index, start + Duration::from_millis(at));
                    let kept = model.entry(index).or_insert(at);
                    *kept = at.min(*kept);
                }
                1 => {
                    wheel.disarm(index);
                    model.remove(&index);
                }
                _ => {
                    now += ms / 8;
                    while let Some(index) = wheel.pop_due(start + Duration::from_millis(now)) {
                        let at = model.remove(&index).expect("only what was armed is reported");
                        prop_assert!(at <= now, "{index} due at {at} was reported at {now}");
                    }
                    let late = model.values().filter(|at| **at + TIMER_TICK_MS <= now).count();
                    prop_assert_eq!(late, 0, "late by a tick or more");
                }
            }
        }
    }
}
