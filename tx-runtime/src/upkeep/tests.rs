//! When steps are due, in virtual time.

use std::time::{Duration, Instant};

use super::Upkeep;
use crate::limits::{TRIM_STEP_MS, TRIMMED_PER_IDLE_STEP_COUNT, TRIMMED_PER_STEP_COUNT};

const INTERVAL: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(TRIM_STEP_MS as u64);

fn no_walk(_from: usize, _most: usize) -> Option<usize> {
    panic!("nothing is due");
}

#[test]
fn nothing_is_due_while_nothing_runs() {
    let upkeep = Upkeep::new();
    upkeep.step(Instant::now(), 0, INTERVAL, no_walk);
    assert_eq!(upkeep.due(), None);
}

#[test]
fn one_round_after_the_last_run_and_then_rest() {
    let start = Instant::now();
    let upkeep = Upkeep::new();
    upkeep.step(start, 5, INTERVAL, no_walk);
    assert_eq!(upkeep.due(), Some(start + INTERVAL));
    upkeep.step(start + INTERVAL / 2, 5, INTERVAL, no_walk);
    let mut now = start + INTERVAL;
    let mut steps = Vec::new();
    for rest in [Some(64), Some(128), None] {
        upkeep.step(now, 0, INTERVAL, |from, most| {
            steps.push((from, most));
            rest
        });
        if rest.is_some() {
            assert_eq!(upkeep.due(), Some(now + STEP));
            upkeep.step(now + STEP / 2, 0, INTERVAL, no_walk);
        }
        now += STEP;
    }
    let most = TRIMMED_PER_IDLE_STEP_COUNT;
    assert_eq!(steps, [(0, most), (64, most), (128, most)]);
    assert_eq!(upkeep.due(), None);
}

#[test]
fn a_busy_thread_takes_small_steps_round_after_round() {
    let start = Instant::now();
    let upkeep = Upkeep::new();
    upkeep.step(start, 1, INTERVAL, no_walk);
    let mut steps_count = 0;
    for tick in 0..40_000_u64 {
        let now = start + Duration::from_micros(100 * tick);
        upkeep.step(now, 1, INTERVAL, |from, most| {
            assert_eq!(most, TRIMMED_PER_STEP_COUNT);
            steps_count += 1;
            (from < 9).then_some(from + 1)
        });
    }
    // Four seconds: rest, and three rounds of ten steps begun, each with its second of rest.
    assert_eq!(steps_count, 30);
}

#[test]
fn an_interval_of_zero_is_never() {
    let upkeep = Upkeep::new();
    upkeep.step(Instant::now(), 5, Duration::ZERO, no_walk);
    assert_eq!(upkeep.due(), None);
}
