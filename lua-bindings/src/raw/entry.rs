//! How Lua enters Rust: one trampoline for every verb.

use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CStr, c_int};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_State};

use super::stack::Stack;
use crate::limits::VERB_STACK_SLOTS_COUNT;

/// What a verb gives back: how many values it left on top of the stack, or the error to raise.
pub(crate) type Outcome = Result<i32, Raise>;

/// A Lua error on its way out of a verb.
#[derive(Debug)]
pub(crate) enum Raise {
    /// A message that gets the place of the caller in front, much as `luaL_error` does.
    Text(Cow<'static, str>),
    /// A message that programs compare: raised as it is.
    Plain(Cow<'static, str>),
}

impl Raise {
    /// A message that gets the place of the caller in front.
    pub(crate) fn text(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(message.into())
    }

    /// A message that is raised as it is.
    pub(crate) fn plain(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Plain(message.into())
    }
}

/// A C function ready to be given to Lua.
#[derive(Clone, Copy)]
pub(crate) struct Verb(pub(super) ffi::lua_CFunction);

/// Makes a C function of a Rust function. `F` must be a plain function or a closure that captures
/// nothing.
pub(crate) const fn verb<F>(f: F) -> Verb
where
    F: Fn(&mut Stack) -> Outcome + Copy + 'static,
{
    const { assert!(size_of::<F>() == 0, "a verb captures nothing") };
    // The value has no size and no destructor (it is Copy): its type is all that matters.
    let _ = ManuallyDrop::new(f);
    Verb(c_function(entry::<F>))
}

/// A C function whose result fills its register.
pub(super) type WideFunction = unsafe extern "C-unwind" fn(*mut lua_State) -> isize;

/// Makes it one that Lua takes.
///
/// A C function returns `int`, and the calling conventions leave the upper half of the register
/// undefined then. LuaJIT's interpreter reads the whole register all the same
/// (`lea RA, [BASE+RD*8]` at `BC_FUNCC`), which C compilers happen to leave clean, and LLVM does
/// not when it takes the number out of a `Result`. So ours return the whole register.
pub(super) const fn c_function(f: WideFunction) -> ffi::lua_CFunction {
    // SAFETY: the two types differ in the width of the result alone, and who calls is LuaJIT's
    // interpreter, which takes it from the register as described above. Rust never calls it.
    unsafe { std::mem::transmute::<WideFunction, ffi::lua_CFunction>(f) }
}

/// Runs the verb `F` for Lua: catches panics inside, raises Lua errors outside of the catch.
///
/// # Safety
/// Only Lua calls it, with the state that it runs on.
pub(crate) unsafe extern "C-unwind" fn entry<F>(state: *mut lua_State) -> isize
where
    F: Fn(&mut Stack) -> Outcome + Copy + 'static,
{
    // SAFETY: Lua gives a valid state; nothing with a destructor is alive when an error is raised.
    unsafe {
        if ffi::lua_checkstack(state, VERB_STACK_SLOTS_COUNT) == 0 {
            return ffi::luaL_error(state, c"stack overflow".as_ptr()) as isize;
        }
        let count = run::<F>(state);
        if count >= 0 {
            count as isize
        } else {
            ffi::lua_error(state)
        }
    }
}

/// Calls the verb. A negative answer means that the error value is on top of the stack.
///
/// # Safety
/// `state` is valid and has room for [`VERB_STACK_SLOTS_COUNT`] more values.
unsafe fn run<F>(state: *mut lua_State) -> c_int
where
    F: Fn(&mut Stack) -> Outcome + Copy + 'static,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `F` is zero-sized (asserted in `verb`), so any well-aligned pointer is a value of
        // it.
        let f = unsafe { std::ptr::NonNull::<F>::dangling().as_ref() };
        // SAFETY: the caller promises a valid state.
        let mut stack = unsafe { Stack::new(state) };
        f(&mut stack)
    }));
    match outcome {
        Ok(Ok(count)) => count,
        Ok(Err(raise)) => {
            // SAFETY: as the caller promises; `raise` is consumed.
            unsafe { push_raise(state, raise) };
            -1
        }
        Err(panic) => {
            let text = format!("internal error: {}", panic_text(&*panic));
            log::error!("a function of the server panicked: {text}");
            // SAFETY: as the caller promises.
            unsafe { push_raise(state, Raise::text(text)) };
            -1
        }
    }
}

/// Leaves the error value on top of the stack.
///
/// # Safety
/// `state` is valid; the stack may hold anything.
unsafe fn push_raise(state: *mut lua_State, raise: Raise) {
    let (text, with_place) = match raise {
        Raise::Text(text) => (text, true),
        Raise::Plain(text) => (text, false),
    };
    // SAFETY: the room reserved at the entry is enough for two strings; the memory of `text`
    // outlives the copy.
    unsafe {
        if with_place {
            push_place(state);
        }
        ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
        if with_place {
            ffi::lua_concat(state, 2);
        }
    }
}

/// Leaves the place of the caller on top of the stack. The Lua halves of our modules are passed
/// over: whose mistake it was is found in the program.
///
/// # Safety
/// `state` is valid and has room for a value.
unsafe fn push_place(state: *mut lua_State) {
    let mut level = 1;
    loop {
        // SAFETY: as the caller promises; `luaL_where` leaves a string, an empty one beyond the
        // last level, so the loop ends and what is read is a string on the stack.
        let is_ours = unsafe {
            ffi::luaL_where(state, level);
            let place = CStr::from_ptr(ffi::lua_tostring(state, -1)).to_bytes();
            place.starts_with(b"[") && !place.starts_with(b"[string ")
        };
        if !is_ours {
            return;
        }
        // SAFETY: what was just pushed.
        unsafe { ffi::lua_pop(state, 1) };
        level += 1;
    }
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
