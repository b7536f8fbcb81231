//! May the running Lua function block? Asked before every park.
//!
//! A fiber may be suspended in the middle of any Lua function but not while the machine itself is
//! in a state that others would see: in a finalizer or a debug hook (LuaJIT keeps one flag for all
//! threads), inside a callback of `mlua` (it keeps its current state last in, first out), or on the
//! main state, which belongs to no fiber.

use std::ffi::c_int;

use mlua::ffi::{self, lua_Debug, lua_State};

use super::call::Vm;
use super::stack::Stack;

/// LuaJIT's `HOOK_ACTIVE`: set while a hook, a finalizer or a VM event handler runs.
const HOOK_ACTIVE: u8 = 0x10;

/// How far behind the main state the hook byte is looked for. LuaJIT allocates the main state and
/// its global state, JIT state and dispatch table (together above 4 KiB) as one block, so all of it
/// may be read.
const PROBE_SPAN_BYTES: usize = 1024;

/// Whether the verb that runs on `stack` may park now, or why not.
pub(crate) fn may_park(vm: &Vm, stack: &Stack) -> Result<(), &'static str> {
    if stack.state() == vm.main_state() {
        return Err("it is not called from a fiber");
    }
    if vm.in_callback() {
        return Err("it is called from inside a callback");
    }
    if vm.hook_active() {
        return Err("it is called from a finalizer or a debug hook");
    }
    tx_runtime::can_park().map_err(|_| "it is not called from a fiber")
}

/// Finds LuaJIT's hook mask by changing it and looking which byte follows. `None` when no single
/// byte does, which would mean another layout than the one this was written for; then hooks and
/// finalizers are not recognised.
///
/// # Safety
/// `main` is the main state of a LuaJIT machine in which nothing runs and no hook is set.
pub(super) unsafe fn find_hook_mask(main: *mut lua_State) -> Option<*const u8> {
    // SAFETY: it does nothing, so it is sound however it is called.
    unsafe extern "C-unwind" fn no_hook(_: *mut lua_State, _: *mut lua_Debug) {}
    let masks: [c_int; 5] = [
        0,
        ffi::LUA_MASKCOUNT,
        ffi::LUA_MASKLINE,
        ffi::LUA_MASKCALL | ffi::LUA_MASKRET,
        0,
    ];
    let mut follows = [true; PROBE_SPAN_BYTES];
    for mask in masks {
        let hook = if mask == 0 {
            None
        } else {
            Some(no_hook as ffi::lua_Hook)
        };
        // SAFETY: nothing runs, so no hook is ever called; the span lies in the block of the main
        // state.
        unsafe {
            ffi::lua_sethook(main, hook, mask, c_int::MAX);
            for (offset, follows) in follows.iter_mut().enumerate() {
                *follows &= c_int::from(*main.cast::<u8>().add(offset)) == mask;
            }
        }
    }
    let mut found = follows.iter().enumerate().filter(|(_, follows)| **follows);
    let (offset, _) = found.next()?;
    // SAFETY: within the span, as above.
    found
        .next()
        .is_none()
        .then(|| unsafe { main.cast::<u8>().add(offset).cast_const() })
}

/// Reads the flag.
///
/// # Safety
/// `mask` comes from [`find_hook_mask`] and its machine is alive.
pub(super) unsafe fn is_hook_active(mask: *const u8) -> bool {
    // SAFETY: as the caller promises; LuaJIT writes it on this thread only, but behind the
    // compiler's back.
    unsafe { mask.read_volatile() & HOOK_ACTIVE != 0 }
}

#[cfg(test)]
mod tests;
