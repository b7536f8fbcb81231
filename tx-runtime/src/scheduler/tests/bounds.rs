//! Limits at their bounds, and many fibers.

use crate::limits;
use crate::test_world::{QUIET, in_configured_world, in_world};
use crate::{Config, ConfigError, Wakeup, configure, park, spawn, stack_room, stats};

#[test]
fn as_many_fibers_as_configured_and_not_one_more() {
    let config = Config {
        fibers_max_count: 10,
        pooled_stacks_count: 3,
        ..QUIET
    };
    in_configured_world(config, |world| {
        let fibers: Vec<_> = (0..10)
            .map(|_| world.spawn("one of ten", || assert_eq!(park(None), Wakeup::Ready)))
            .collect();
        let refusal = spawn("eleventh", || unreachable!()).unwrap_err();
        assert_eq!(refusal.to_string(), "there are 10 fibers already");
        world.turn();
        fibers[0].wake();
        world.turn();
        world.spawn("in its place", || {});
        fibers.iter().for_each(|fiber| {
            fiber.wake();
        });
        world.turn();
        assert_eq!(stats().fibers_alive_count, 0);
        assert_eq!(stats().stacks_pooled_count, 3);
    });
}

#[test]
fn no_pool_at_all_works_too() {
    let config = Config {
        fibers_max_count: 1,
        pooled_stacks_count: 0,
        ..QUIET
    };
    in_configured_world(config, |world| {
        for _ in 0..10 {
            world.spawn("cold", || {});
            world.turn();
            assert_eq!(stats().stacks_pooled_count, 0);
        }
    });
}

#[test]
fn a_system_without_memory_for_stacks_is_an_error() {
    let config = Config {
        stack_bytes: limits::STACK_MAX_BYTES,
        fibers_max_count: limits::FIBERS_MAX_COUNT,
        ..QUIET
    };
    // More than some systems grant; then there are fewer stacks, but never none.
    in_configured_world(config, |world| {
        let fiber = world.spawn("modest", || {});
        world.turn();
        assert_eq!(fiber.join(None), Ok(()));
    });
}

#[test]
fn configurations_are_checked_at_their_bounds() {
    in_world(|_| {
        type Change = fn(&mut Config);
        let cases: [(Change, bool); 12] = [
            (|c| c.stack_bytes = limits::STACK_MIN_BYTES, true),
            (|c| c.stack_bytes = limits::STACK_MIN_BYTES - 1, false),
            (|c| c.stack_bytes = limits::STACK_MAX_BYTES, true),
            (|c| c.stack_bytes = limits::STACK_MAX_BYTES + 1, false),
            (|c| c.fibers_max_count = 1, true),
            (|c| c.fibers_max_count = 0, false),
            (|c| c.fibers_max_count = limits::FIBERS_MAX_COUNT, true),
            (|c| c.fibers_max_count = limits::FIBERS_MAX_COUNT + 1, false),
            (|c| c.pooled_stacks_count = 0, true),
            (|c| c.pooled_stacks_count = limits::FIBERS_MAX_COUNT, true),
            (
                |c| c.pooled_stacks_count = limits::FIBERS_MAX_COUNT + 1,
                false,
            ),
            (|c| c.trim_interval_ms = 0, true),
        ];
        for (case, (change, is_allowed)) in cases.into_iter().enumerate() {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(configure(config).is_ok(), is_allowed, "case {case}");
        }
        let error = configure(Config {
            stack_bytes: 1,
            ..Config::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "stack_bytes is 1, not between 196608 and 67108864"
        );
    });
}

#[test]
fn a_configuration_comes_before_the_first_fiber() {
    in_world(|world| {
        world.spawn("first", || {});
        assert_eq!(configure(Config::default()), Err(ConfigError::InUse));
    });
}

#[test]
fn a_name_is_cut_at_a_whole_character() {
    in_world(|world| {
        let exact = "x".repeat(limits::NAME_MAX_BYTES);
        assert_eq!(world.spawn(&exact, || {}).name(), exact);
        assert_eq!(world.spawn(&format!("{exact}y"), || {}).name(), exact);
        // The last character has two bytes, of which only one would fit.
        let long = "x".repeat(limits::NAME_MAX_BYTES - 1) + "ß";
        assert_eq!(world.spawn(&long, || {}).name(), exact[1..]);
        assert_eq!(world.spawn("", || {}).name(), "");
    });
}

#[test]
fn two_thousand_parked_fibers_go_on_where_they_were() {
    in_world(|world| {
        let fibers: Vec<_> = (0..2_000_u64)
            .map(|number| {
                let deadline = (number % 3 == 0).then(|| world.in_ms(number).unwrap());
                world.spawn("one of many", move || {
                    let own = [number; 16];
                    let why = park(deadline);
                    assert_eq!(own, [number; 16]);
                    let is_timed = deadline.is_some();
                    assert_eq!(
                        why,
                        if is_timed {
                            Wakeup::Timeout
                        } else {
                            Wakeup::Ready
                        }
                    );
                })
            })
            .collect();
        assert_eq!(world.turn().ran, 2_000);
        assert_eq!(stats().fibers_parked_count, 2_000);
        assert_eq!(stats().timers_armed_count, 667);
        world.pass_ms(2_000);
        for fiber in &fibers {
            fiber.wake();
        }
        world.turn();
        assert!(fibers.iter().all(|fiber| fiber.join(None) == Ok(())));
        assert_eq!(stats().fibers_alive_count, 0);
    });
}

/// Uses a stack to some depth, and adds something up so that it is not optimised away.
#[inline(never)]
fn dig(depth_bytes: usize) -> u64 {
    let frame = std::hint::black_box([1_u64; 128]);
    let deeper = if depth_bytes > 1024 {
        dig(depth_bytes - 1024)
    } else {
        0
    };
    frame.iter().sum::<u64>() + deeper
}

#[cfg(target_os = "linux")]
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_of_deep_calls_comes_back_while_the_fibers_rest() {
    let config = Config {
        stack_bytes: 1024 * 1024,
        trim_interval_ms: 1_000,
        ..QUIET
    };
    in_configured_world(config, |world| {
        let fibers: Vec<_> = (0..200_u64)
            .map(|number| {
                world.spawn("digger", move || {
                    let kept = [number; 64];
                    let dug = dig(300 * 1024);
                    assert_eq!(park(None), Wakeup::Ready);
                    assert_eq!((kept, dig(300 * 1024)), ([number; 64], dug));
                })
            })
            .collect();
        let done = world.turn();
        let deep_kib = resident_kib();
        assert_eq!(done.next_deadline, world.in_ms(1_000));
        let mut due = world.pass_ms(1_000).next_deadline;
        let mut trimmed_counts = vec![stats().trims_total];
        while due.is_some() {
            due = world.pass_ms(limits::TRIM_STEP_MS.into()).next_deadline;
            trimmed_counts.push(stats().trims_total);
        }
        // No more than the limit in each step, and everybody in the end.
        assert_eq!(limits::TRIMMED_PER_IDLE_STEP_COUNT, 64);
        assert_eq!(trimmed_counts, [64, 128, 192, 200]);
        // 200 times 300 KiB went in; other tests of this process come and go meanwhile.
        let back_kib = deep_kib.saturating_sub(resident_kib());
        assert!(back_kib > 30_000, "{back_kib} KiB came back");
        for fiber in &fibers {
            fiber.wake();
        }
        world.turn();
        assert!(fibers.iter().all(|fiber| fiber.join(None) == Ok(())));
    });
}

#[test]
fn a_step_of_upkeep_looks_at_a_bounded_number_of_stacks() {
    let config = Config {
        trim_interval_ms: 1_000,
        ..QUIET
    };
    in_configured_world(config, |world| {
        let looked_at_count = limits::LOOKED_AT_PER_STEP_COUNT;
        for _ in 0..looked_at_count + 1 {
            world.spawn("resting", || assert_eq!(park(None), Wakeup::Cancelled));
        }
        world.turn();
        // The first round trims all; then one fiber runs, and the second round finds little to do.
        let mut due = world.pass_ms(1_000).next_deadline;
        while due.is_some() {
            due = world.pass_ms(limits::TRIM_STEP_MS.into()).next_deadline;
        }
        assert_eq!(stats().trims_total, looked_at_count as u64 + 1);
        world.spawn("short", || {});
        world.turn();
        let step = world.pass_ms(1_000);
        assert_eq!(stats().trims_total, looked_at_count as u64 + 1);
        assert_eq!(step.next_deadline, world.in_ms(limits::TRIM_STEP_MS.into()));
        assert_eq!(
            world.pass_ms(limits::TRIM_STEP_MS.into()).next_deadline,
            None
        );
        assert_eq!(stats().trims_total, looked_at_count as u64 + 2);
    });
}

#[test]
fn a_fiber_knows_what_is_left_of_its_stack() {
    /// Room at the bottom of so many frames.
    #[inline(never)]
    fn below(frames: usize) -> usize {
        let frame = std::hint::black_box([frames; 128]);
        let left = match frames {
            0 => stack_room().unwrap().left,
            _ => below(frames - 1),
        };
        left + frame[0] - frames
    }
    in_world(|world| {
        assert_eq!(stack_room(), None);
        world.spawn("deep", || {
            let top = stack_room().unwrap();
            assert!(top.left < top.total && top.total < QUIET.stack_bytes);
            assert!(below(10) + 10 * size_of::<[usize; 128]>() <= top.left);
        });
        world.turn();
    });
}
