//! Calls as Lua makes them; each block is filled, and looked at when it is moved or freed.

use std::ffi::c_void;

use proptest::prelude::*;

use super::{Memory, allocate};
use crate::limits::{LUA_KEPT_BLOCK_MAX_BYTES, LUA_KEPT_MAX_BYTES};

/// A machine's memory, and the blocks that it has: address, size, and what they are filled with.
struct Machine {
    memory: Memory,
    blocks: Vec<(*mut c_void, usize, u8)>,
    next: u8,
}

impl Machine {
    fn new() -> Self {
        Self {
            memory: Memory::new(),
            blocks: Vec::new(),
            next: 0,
        }
    }

    fn call(&mut self, block: *mut c_void, old_size: usize, new_size: usize) -> *mut c_void {
        let memory: *mut Memory = &raw mut self.memory;
        // SAFETY: the memory is there and used by nobody else; the caller says what it got.
        unsafe { allocate(memory.cast(), block, old_size, new_size) }
    }

    fn make(&mut self, size: usize) -> usize {
        let block = self.call(std::ptr::null_mut(), 0, size);
        assert!(!block.is_null() && (block as usize).is_multiple_of(16));
        self.next = self.next.wrapping_add(1);
        self.blocks.push((block, size, self.next));
        self.fill(self.blocks.len() - 1);
        self.blocks.len() - 1
    }

    fn resize(&mut self, at: usize, size: usize) {
        let (block, old_size, byte) = self.blocks[at];
        let moved = self.call(block, old_size, size);
        self.blocks[at] = (moved, size, byte);
        self.look(at, old_size.min(size));
        self.fill(at);
    }

    fn free(&mut self, at: usize) {
        let (block, size, _) = self.blocks[at];
        self.look(at, size);
        self.blocks.swap_remove(at);
        assert!(self.call(block, size, 0).is_null());
    }

    fn fill(&self, at: usize) {
        let (block, size, byte) = self.blocks[at];
        // SAFETY: the block has this size.
        unsafe { std::ptr::write_bytes(block.cast::<u8>(), byte, size) };
    }

    fn look(&self, at: usize, len: usize) {
        let (block, _, byte) = self.blocks[at];
        // SAFETY: the block has at least this size and was filled.
        let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), len) };
        assert!(
            bytes.iter().all(|found| *found == byte),
            "nobody else writes into it"
        );
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        while !self.blocks.is_empty() {
            self.free(0);
        }
    }
}

#[test]
fn a_block_that_is_freed_is_the_next_of_its_size() {
    let mut machine = Machine::new();
    let first = machine.make(72);
    let address = machine.blocks[first].0;
    machine.free(first);
    assert_eq!(machine.memory.kept_bytes, 80);
    let other = machine.make(96);
    assert_ne!(machine.blocks[other].0, address, "another size");
    let again = machine.make(80);
    assert_eq!(machine.blocks[again].0, address);
    assert_eq!(machine.memory.kept_bytes, 0);
}

#[test]
fn what_may_wait_waits_and_no_more() {
    let mut machine = Machine::new();
    let most = LUA_KEPT_MAX_BYTES / LUA_KEPT_BLOCK_MAX_BYTES;
    for _ in 0..=most {
        machine.make(LUA_KEPT_BLOCK_MAX_BYTES);
    }
    for _ in 0..most {
        machine.free(0);
    }
    assert_eq!(machine.memory.kept_bytes, LUA_KEPT_MAX_BYTES);
    machine.free(0);
    assert_eq!(
        machine.memory.kept_bytes, LUA_KEPT_MAX_BYTES,
        "one too many"
    );
    machine.make(LUA_KEPT_BLOCK_MAX_BYTES);
    machine.free(0);
    assert_eq!(
        machine.memory.kept_bytes, LUA_KEPT_MAX_BYTES,
        "there was room again"
    );
}

#[test]
fn the_largest_block_that_is_kept_and_the_next() {
    let mut machine = Machine::new();
    machine.make(LUA_KEPT_BLOCK_MAX_BYTES);
    machine.free(0);
    assert_eq!(machine.memory.kept_bytes, LUA_KEPT_BLOCK_MAX_BYTES);
    machine.make(LUA_KEPT_BLOCK_MAX_BYTES + 1);
    machine.free(0);
    assert_eq!(machine.memory.kept_bytes, LUA_KEPT_BLOCK_MAX_BYTES);
}

#[test]
fn what_nobody_has_is_refused_and_the_old_block_stays() {
    let mut machine = Machine::new();
    machine.make(1 << 20);
    machine.make(40);
    for at in 0..2 {
        for size in [isize::MAX as usize, usize::MAX] {
            let (block, old_size, _) = machine.blocks[at];
            assert!(machine.call(block, old_size, size).is_null());
            machine.look(at, old_size);
        }
    }
    assert!(machine.call(std::ptr::null_mut(), 0, usize::MAX).is_null());
    assert!(machine.call(std::ptr::null_mut(), 0, 0).is_null());
}

proptest! {
    /// Whatever is made, moved and freed in whatever order, each block keeps what is in it.
    #[test]
    fn prop_blocks_never_share(
        steps in proptest::collection::vec((0_u8..4, any::<usize>(), 1_usize..3000), 1..200),
    ) {
        let mut machine = Machine::new();
        for (what, at, size) in steps {
            let count = machine.blocks.len();
            match what {
                0 | 1 => _ = machine.make(size),
                2 if count > 0 => machine.resize(at % count, size),
                _ if count > 0 => machine.free(at % count),
                _ => {}
            }
        }
    }
}
