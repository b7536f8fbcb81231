//! Parks many fibers and says what they cost in memory and mappings.
//!
//! ```text
//! cargo run --release -p tx-runtime --example many_fibers [HOW_MANY]
//! ```
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::time::Instant;

use tx_runtime::{Budget, Config, Wakeup, configure, park, spawn, stats, turn};

const DEFAULT_COUNT: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(DEFAULT_COUNT), |text| text.parse())?;
    configure(Config {
        fibers_max_count: count,
        ..Config::default()
    })?;
    let budget = Budget {
        fibers: count as usize,
    };
    let before = Usage::now();

    let start = Instant::now();
    let mut fibers = Vec::with_capacity(count as usize);
    for _ in 0..count {
        fibers.push(spawn(
            "parked",
            || while park(None) != Wakeup::Cancelled {},
        )?);
    }
    turn(Instant::now(), budget);
    report("spawned and parked", count, start);
    Usage::now().print_since(&before, count);

    let start = Instant::now();
    for fiber in &fibers {
        fiber.wake();
    }
    turn(Instant::now(), budget);
    report("woken and parked again", count, start);

    let start = Instant::now();
    for fiber in fibers.drain(..) {
        fiber.cancel();
    }
    turn(Instant::now(), budget);
    report("cancelled and ended", count, start);
    println!(
        "alive: {}, stacks kept: {}",
        stats().fibers_alive_count,
        stats().stacks_pooled_count
    );
    Usage::now().print_since(&before, count);
    Ok(())
}

fn report(what: &str, count: u32, start: Instant) {
    let each_ns = start.elapsed().as_nanos() / u128::from(count.max(1));
    println!("{count} {what}: {each_ns} ns each");
}

/// What the system says about this process. Zeroes where it has no `/proc`.
struct Usage {
    resident_kib: usize,
    mappings_count: usize,
}

impl Usage {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.split_whitespace().next());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self {
            resident_kib: resident.and_then(|text| text.parse().ok()).unwrap_or(0),
            mappings_count: maps.lines().count(),
        }
    }

    fn print_since(&self, before: &Self, count: u32) {
        let more_kib = self.resident_kib.saturating_sub(before.resident_kib);
        println!(
            "  {} MiB more resident ({} bytes per fiber), {} mappings more",
            more_kib / 1024,
            more_kib * 1024 / count.max(1) as usize,
            self.mappings_count.saturating_sub(before.mappings_count),
        );
    }
}
