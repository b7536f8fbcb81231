//! Fibers that give way anywhere compute what fibers that never do compute.

use lua_bindings::{MainStatus, Stage};

use crate::world::{World, logged};

const FIBERS: usize = 200;
const ROUNDS: usize = 12;

/// The checksum of a run and the number of switches into fibers, on a thread of its own.
fn run(parks: bool, jitted: bool) -> (String, u64) {
    let test = std::thread::spawn(move || {
        let mut world = World::new(Stage::Three);
        let source = include_str!("stress.lua");
        let program = format!(
            "local f = loadstring([====[{source}]====], '=stress')\n\
             f({parks}, {jitted}, {FIBERS}, {ROUNDS})\n\
             require('log').info('%d', stress_result)"
        );
        world.run(&program);
        let status = world.finish();
        let lines = logged();
        assert_eq!(status, MainStatus::Finished, "{lines:?}");
        (
            lines.into_iter().next_back().unwrap(),
            tx_runtime::stats().switches_total,
        )
    });
    test.join().unwrap()
}

#[test]
fn parks_anywhere_change_no_result() {
    let (plain, few) = run(false, false);
    for (parks, jitted) in [(false, true), (true, false), (true, true)] {
        let (result, switches) = run(parks, jitted);
        assert_eq!(plain, result, "parks: {parks}, jitted: {jitted}");
        assert!(!parks || switches > few + 10_000, "{switches} switches");
    }
}
