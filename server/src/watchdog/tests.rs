//! Incidents in virtual time.

use std::time::{Duration, Instant};

use super::{Busy, Incident};

/// Looks once a second at `seen` (turn, fiber; `-` is idle) with a patience of two seconds and
/// shows when something is said.
fn check(seen: &str, expected: &str) {
    let start = Instant::now();
    let mut incident = Incident::new(Duration::from_secs(2));
    let mut said = String::new();
    for (second, look) in seen.split(' ').enumerate() {
        let busy = look.split_once('.').map(|(turn, fiber)| Busy {
            since: start + Duration::from_secs(turn.parse().unwrap()),
            fiber: fiber.parse().unwrap(),
        });
        let now = start + Duration::from_secs(second as u64);
        if let Some(lasted) = incident.observe(now, busy) {
            said.push_str(&format!("@{second}:{}s ", lasted.as_secs()));
        }
    }
    assert_eq!(said.trim_end(), expected, "{seen}");
}

#[test]
fn one_report_for_one_incident() {
    check("- 1.7 1.7 1.7 1.7 1.7 1.7", "@3:2s");
}

#[test]
fn a_thread_that_sleeps_or_changes_fibers_is_well() {
    check("- - - - -", "");
    check("1.7 2.7 3.7 4.7 5.7", "");
    check("1.7 1.8 1.9 1.7 1.8", "");
    check("1.7 1.7 - 1.7 1.7", "");
}

#[test]
fn the_next_incident_is_reported_again() {
    check("1.7 1.7 1.7 - 5.7 5.7 5.7", "@2:2s @6:2s");
    check("1.7 1.7 1.7 1.8 1.8 1.8", "@2:2s @5:2s");
}
