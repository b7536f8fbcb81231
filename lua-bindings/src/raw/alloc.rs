//! The memory of a Lua machine.
//!
//! Each request makes a few small tables and strings and drops them again, and the collector frees
//! them one by one: to the system's allocator, which serves every thread and every size, that is a
//! fifth of what a small request costs in Lua. Lua says the size of what it frees, so a block that
//! is free can wait here, in a list of its size, for the next one who wants it. Everything else,
//! and what is more than may wait, goes to and comes from the program's allocator.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use crate::limits::{LUA_KEPT_BLOCK_MAX_BYTES, LUA_KEPT_MAX_BYTES};

/// Sizes are rounded up to this, and blocks aligned to it: what C asks of an allocator.
const STEP_BYTES: usize = 16;

/// How many sizes are kept.
const SIZES_COUNT: usize = LUA_KEPT_BLOCK_MAX_BYTES / STEP_BYTES;

/// A block that nobody uses, and the next one of its size.
struct Free {
    next: Option<NonNull<Self>>,
}

/// Where one machine has its memory from.
pub(super) struct Memory {
    /// The first block of each size.
    kept: [Option<NonNull<Free>>; SIZES_COUNT],
    /// Bytes of all of them.
    kept_bytes: usize,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("kept_bytes", &self.kept_bytes)
            .finish()
    }
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            kept: [None; SIZES_COUNT],
            kept_bytes: 0,
        }
    }

    fn take(&mut self, size: usize) -> *mut c_void {
        let Some(kept) = place_of(size).and_then(|place| self.kept.get_mut(place)) else {
            // SAFETY: nobody asks for no bytes (see `allocate`).
            return unsafe { fresh(size) };
        };
        match *kept {
            Some(free) => {
                // SAFETY: what is in the list is a block of this size that was given back, and
                // `give` has written this into it.
                *kept = unsafe { free.as_ref() }.next;
                self.kept_bytes -= rounded(size);
                free.as_ptr().cast()
            }
            // SAFETY: as above.
            None => unsafe { fresh(size) },
        }
    }

    /// # Safety
    /// `block` was taken here, with this size, and is not used any more.
    unsafe fn give(&mut self, block: NonNull<c_void>, size: usize) {
        let place = place_of(size);
        match place.and_then(|place| self.kept.get_mut(place)) {
            Some(kept) if self.kept_bytes <= LUA_KEPT_MAX_BYTES - LUA_KEPT_BLOCK_MAX_BYTES => {
                let free = block.cast::<Free>();
                // SAFETY: the block has at least `STEP_BYTES`, is aligned to them, and is ours.
                unsafe { free.write(Free { next: *kept }) };
                *kept = Some(free);
                self.kept_bytes += rounded(size);
            }
            // SAFETY: it came from there with this layout (asked of the caller).
            _ => unsafe { dealloc(block.as_ptr().cast(), layout_of(size)) },
        }
    }

    /// # Safety
    /// As for [`give`](Self::give); neither size is zero.
    unsafe fn resize(&mut self, block: NonNull<c_void>, from: usize, to: usize) -> *mut c_void {
        if rounded(from) == rounded(to) {
            return block.as_ptr();
        }
        let are_large = place_of(from).is_none() && place_of(to).is_none();
        if are_large && rounded(to) <= isize::MAX as usize - STEP_BYTES {
            // SAFETY: it came from there with this layout; the new size is one that a layout may
            // have (just asked). The system moves large blocks without copying.
            return unsafe { realloc(block.as_ptr().cast(), layout_of(from), rounded(to)).cast() };
        }
        let moved = self.take(to);
        if !moved.is_null() {
            // SAFETY: both blocks have as many bytes, and the new one is another one.
            unsafe {
                ptr::copy_nonoverlapping(block.as_ptr().cast::<u8>(), moved.cast(), from.min(to));
                self.give(block, from);
            }
        }
        moved
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for (place, kept) in self.kept.iter_mut().enumerate() {
            let layout = layout_of((place + 1) * STEP_BYTES);
            while let Some(free) = *kept {
                // SAFETY: as in `take`; the block has this size and is in no other list.
                unsafe {
                    *kept = free.as_ref().next;
                    dealloc(free.as_ptr().cast(), layout);
                }
            }
        }
    }
}

/// Where blocks of this size are kept. Absent: they are not.
fn place_of(size: usize) -> Option<usize> {
    let place = size.wrapping_sub(1) / STEP_BYTES;
    (place < SIZES_COUNT).then_some(place)
}

/// What is really asked for. Sizes that no block can have become one that none has either.
fn rounded(size: usize) -> usize {
    size.checked_next_multiple_of(STEP_BYTES)
        .unwrap_or(usize::MAX)
}

/// The layout of a block that was given out.
fn layout_of(size: usize) -> Layout {
    Layout::from_size_align(rounded(size), STEP_BYTES).expect("a block of this size was given out")
}

/// Null: there is no memory.
///
/// # Safety
/// `size` is not zero.
unsafe fn fresh(size: usize) -> *mut c_void {
    match Layout::from_size_align(rounded(size), STEP_BYTES) {
        // SAFETY: the size is not zero (asked of the caller).
        Ok(layout) => unsafe { alloc(layout).cast() },
        Err(_) => ptr::null_mut(),
    }
}

/// A `lua_Alloc`.
///
/// # Safety
/// `memory` is a [`Memory`] that nobody else uses; `block` is null, or came from here with
/// `old_size` bytes. Lua keeps to that.
pub(super) unsafe extern "C" fn allocate(
    memory: *mut c_void,
    block: *mut c_void,
    old_size: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: asked of the caller.
    let memory = unsafe { &mut *memory.cast::<Memory>() };
    match (NonNull::new(block), new_size) {
        (None, 0) => ptr::null_mut(),
        (None, size) => memory.take(size),
        (Some(block), 0) => {
            // SAFETY: asked of the caller.
            unsafe { memory.give(block, old_size) };
            ptr::null_mut()
        }
        // SAFETY: asked of the caller; what was given out is not empty.
        (Some(block), size) => unsafe { memory.resize(block, old_size, size) },
    }
}

#[cfg(test)]
mod tests;
