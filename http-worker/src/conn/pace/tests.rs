//! Tests of [`Pace`](super::Pace).

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Pace, Rule};

const RULE: Rule = Rule {
    grace: Duration::from_secs(10),
    rate: 100,
};

/// Runs a script of `wait SECONDS`, `move BYTES`, `rest SECONDS` and says how much time is left
/// after each line, or that the client was cut.
fn check(rule: Rule, script: &str, expected: &str) {
    let mut now = Instant::now();
    let mut pace = Pace::default();
    pace.run(true, now);
    let mut seen = Vec::new();
    for line in script.split(", ") {
        let (verb, number) = line.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        match verb {
            "wait" => now += Duration::from_secs(number),
            "rest" => {
                pace.run(false, now);
                assert_eq!(pace.due(rule), None, "it rests");
                now += Duration::from_secs(number);
                pace.run(true, now);
            }
            _ => pace.note(usize::try_from(number).unwrap(), rule, now),
        }
        let due = pace.due(rule).unwrap();
        seen.push(match due.checked_duration_since(now) {
            Some(left) if !left.is_zero() => left.as_secs().to_string(),
            _ => "cut".to_owned(),
        });
    }
    assert_eq!(seen.join(" "), expected, "{script}");
}

#[test]
fn silence_is_as_long_as_the_grace() {
    check(RULE, "wait 9, wait 1", "1 cut");
}

#[test]
fn a_byte_buys_what_it_is_worth() {
    check(RULE, "wait 9, move 1, move 99, wait 2", "1 1 2 cut");
    check(RULE, "wait 9, move 200, wait 3", "1 3 cut");
}

#[test]
fn nobody_saves_up_more_than_the_grace() {
    check(
        RULE,
        "move 1000000, wait 4, move 1000000, wait 10",
        "10 6 10 cut",
    );
}

#[test]
fn the_clock_rests_and_forgets_nothing() {
    check(RULE, "wait 8, rest 100, wait 1, wait 1", "2 2 1 cut");
}

#[test]
fn without_a_rate_any_byte_will_do() {
    let rule = Rule { rate: 0, ..RULE };
    check(
        rule,
        "wait 9, move 1, wait 9, move 1, wait 10",
        "1 10 1 10 cut",
    );
}

proptest! {
    /// Who is not cut has moved at least the rate, but for the grace.
    #[test]
    fn who_stays_is_as_fast_as_the_rule_says(
        moves in proptest::collection::vec((0..12_u64, 0..900_usize), 1..60),
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::default();
        pace.run(true, now);
        let mut moved = 0;
        for (seconds, bytes) in moves {
            now += Duration::from_secs(seconds);
            if pace.due(RULE).unwrap() <= now {
                return Ok(());
            }
            pace.note(bytes, RULE, now);
            moved += bytes as u64;
            let lasted = now - start;
            prop_assert!(moved >= RULE.rate * lasted.saturating_sub(RULE.grace).as_secs());
        }
    }
}
