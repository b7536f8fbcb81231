//! Slots, bounds and mappings of an arena.

use corosensei::stack::Stack;

use super::{Arena, FiberStack, Guard};
use crate::limits::{GUARD_BYTES, OPENED_AT_ONCE_COUNT, STACK_MIN_BYTES};

fn take_all(arena: &Arena) -> Vec<FiberStack> {
    std::iter::from_fn(|| arena.take().ok()).collect()
}

#[test]
fn exactly_as_many_stacks_as_asked_and_none_overlaps() {
    let count = OPENED_AT_ONCE_COUNT as usize + 3;
    let arena = Arena::reserve(STACK_MIN_BYTES, count).unwrap();
    let mut stacks = take_all(&arena);
    assert_eq!(stacks.len(), count);
    stacks.sort_by_key(Stack::limit);
    assert!(
        stacks
            .windows(2)
            .all(|pair| pair[0].base() <= pair[1].limit())
    );
    for stack in &stacks {
        assert_eq!(stack.base().get() - stack.limit().get(), STACK_MIN_BYTES);
        assert!(stack.guard_range().len() >= GUARD_BYTES);
        assert_eq!(stack.guard_range().start, stack.limit().get());
    }
}

#[test]
fn a_dropped_stack_is_handed_out_again() {
    let arena = Arena::reserve(STACK_MIN_BYTES, 2).unwrap();
    let (first, second) = (arena.take().unwrap(), arena.take().unwrap());
    let place = second.limit();
    assert!(arena.take().is_err());
    drop(second);
    assert_eq!(arena.take().unwrap().limit(), place);
    drop(first);
}

#[test]
fn less_than_asked_if_the_system_grants_less() {
    // 2^47 bytes are all that a process may address on most machines.
    let count = 1 << 20;
    let arena = Arena::reserve(1 << 28, count).unwrap();
    assert!(arena.0.slots_count < count);
    assert!(arena.take().is_ok());
}

#[test]
fn an_impossible_reservation_is_an_error() {
    assert!(Arena::reserve(1 << 46, 1 << 10).is_err());
}

#[test]
fn stacks_outlive_their_arena() {
    let arena = Arena::reserve(STACK_MIN_BYTES, 1).unwrap();
    let stack = arena.take().unwrap();
    drop(arena);
    assert!(stack.base() > stack.limit());
}

#[cfg(target_os = "linux")]
mod mappings {
    use std::fs;

    use super::*;

    /// Mappings of this process between two addresses.
    fn mappings_count(arena: &Arena) -> usize {
        let low = arena.0.low;
        let high = low + arena.0.slot_bytes * arena.0.slots_count;
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let starts = maps.lines().map(|line| {
            let start = line.split('-').next().unwrap();
            usize::from_str_radix(start, 16).unwrap()
        });
        starts.filter(|start| (low..high).contains(start)).count()
    }

    #[test]
    fn guards_by_marker_cost_no_mapping() {
        let arena = Arena::reserve(STACK_MIN_BYTES, 1000).unwrap();
        let stacks = take_all(&arena);
        if arena.guard() == Guard::Protection {
            // A kernel before 6.13. The other test covers it.
            return;
        }
        assert_eq!(stacks.len(), 1000);
        assert_eq!(mappings_count(&arena), 1);
    }

    #[test]
    fn guards_by_protection_cost_two() {
        let arena = Arena::reserve(STACK_MIN_BYTES, 100).unwrap();
        arena.forgo_markers();
        let stacks = take_all(&arena);
        assert_eq!(stacks.len(), 100);
        assert_eq!(mappings_count(&arena), 200);
    }

    #[test]
    fn only_what_is_used_is_opened() {
        let arena = Arena::reserve(STACK_MIN_BYTES, 1000).unwrap();
        let _stack = arena.take().unwrap();
        assert_eq!(arena.0.opened_count.get(), OPENED_AT_ONCE_COUNT as usize);
        // The open part and the closed rest.
        assert!(mappings_count(&arena) <= 3);
    }

    #[test]
    fn no_stack_gets_a_huge_page() {
        let arena = Arena::reserve(STACK_MIN_BYTES, 10).unwrap();
        let _stack = arena.take().unwrap();
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let own = smaps
            .split_once(&format!("{:08x}-", arena.0.low))
            .unwrap()
            .1;
        let flags = own
            .lines()
            .find(|line| line.starts_with("VmFlags:"))
            .unwrap();
        // "nh" is set also where the kernel has no huge pages to give.
        assert!(
            flags.contains(" nh") || !fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap()
        );
        // A system that forbids overcommitting does not grant it.
        let overcommit = fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
        assert!(flags.contains(" nr") || overcommit.trim() == "2", "{flags}");
    }
}
