//! The machine, its threads, and protected calls.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use mlua::Lua;
use mlua::ffi::{self, lua_State};

use super::alloc::{Memory, allocate};
use super::entry::c_function;
use super::guard;
use super::stack::{Kind, Stack};
use crate::limits::VERB_STACK_SLOTS_COUNT;

/// Its address marks the tables that `on_error` makes.
static FAILURE_MARK: u8 = 0;

/// The Lua machine of this thread.
#[derive(Debug)]
pub(crate) struct Vm {
    /// What mlua knows of it. The machine itself is ours, and closed by `drop`.
    lua: ManuallyDrop<Lua>,
    main: *mut lua_State,
    /// What `main` lies in, and everything that it made.
    memory: NonNull<Memory>,
    hook_mask: Option<*const u8>,
}

impl Vm {
    /// A machine with all standard libraries, `ffi`, `jit` and `debug` included: its user is a
    /// programmer.
    pub(crate) fn new() -> Self {
        let memory = NonNull::from(Box::leak(Box::new(Memory::new())));
        // SAFETY: a new machine, on which nothing runs yet. Its memory is given back by `drop`, and
        // used by nobody else.
        let main = unsafe { ffi::lua_newstate(allocate, memory.as_ptr().cast()) };
        assert!(!main.is_null(), "there is memory for a Lua machine");
        // SAFETY: the machine is alive, and stays so until `drop` has let go of `lua`. What the
        // unsafe libraries allow is the programmer's own responsibility, as in any Lua.
        let lua = unsafe {
            ffi::luaL_openlibs(main);
            Lua::get_or_init_from_ptr(main).clone()
        };
        let lua = ManuallyDrop::new(lua);
        // SAFETY: the machine was just made: nothing runs.
        let hook_mask = unsafe { guard::find_hook_mask(main) };
        if hook_mask.is_none() {
            log::warn!(
                "this build of LuaJIT has an unknown layout: blocking in hooks is not refused"
            );
        }
        Self {
            lua,
            main,
            memory,
            hook_mask,
        }
    }

    pub(crate) fn main_state(&self) -> *mut lua_State {
        self.main
    }

    /// Whether a callback of `mlua` is on the stack: only then its current state is not the main
    /// one.
    pub(crate) fn in_callback(&self) -> bool {
        self.lua.exec_raw_lua(|raw| raw.state()) != self.main
    }

    /// Whether a hook or a finalizer runs.
    pub(crate) fn hook_active(&self) -> bool {
        // SAFETY: the mask was found in this machine, which is alive.
        self.hook_mask
            .is_some_and(|mask| unsafe { guard::is_hook_active(mask) })
    }

    /// Whether hooks and finalizers can be recognised at all.
    #[cfg(test)]
    pub(crate) fn knows_hooks(&self) -> bool {
        self.hook_mask.is_some()
    }

    /// Works on the main state's stack, which is left as it was found. Nothing there may call user
    /// Lua from a fiber.
    pub(crate) fn with_main<R>(&self, f: impl FnOnce(&mut Stack) -> R) -> R {
        // SAFETY: the main state lives as long as `lua`; the room is reserved.
        let (mut stack, top) = unsafe {
            assert!(ffi::lua_checkstack(self.main, VERB_STACK_SLOTS_COUNT) != 0);
            (Stack::new(self.main), ffi::lua_gettop(self.main))
        };
        let result = f(&mut stack);
        stack.set_top(top);
        result
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: none is used again; mlua's own part goes first, what it left in the machine with
        // that, and the memory, which `new` made, when nothing is in it.
        unsafe {
            ManuallyDrop::drop(&mut self.lua);
            ffi::lua_close(self.main);
            drop(Box::from_raw(self.memory.as_ptr()));
        }
    }
}

/// Whether a protected call came to its end.
#[derive(Debug)]
#[must_use]
pub(crate) enum Called {
    /// The results are on top of the stack.
    Done,
    /// The error value is on top of the stack.
    Failed(Failure),
}

/// A Lua error as people want to read it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// What `tostring` makes of the error value.
    pub(crate) message: String,
    /// The Lua traceback of the place where it was raised, or nothing if there was no memory or
    /// stack for it.
    pub(crate) traceback: String,
}

/// Compiles a chunk and leaves its function on top of the stack. `name` begins with `@` for files
/// and `=` for others.
pub(crate) fn load(stack: &mut Stack, name: &str, source: &[u8]) -> Result<(), String> {
    let name = std::ffi::CString::new(name).unwrap_or_default();
    // SAFETY: source and name outlive the call; loading reports errors by its result.
    let status = unsafe {
        ffi::luaL_loadbuffer(
            stack.state(),
            source.as_ptr().cast(),
            source.len(),
            name.as_ptr(),
        )
    };
    if status == ffi::LUA_OK {
        return Ok(());
    }
    let message = stack
        .lossy(-1)
        .unwrap_or_else(|| "unreadable Lua source".to_owned());
    stack.pop(1);
    Err(message)
}

/// Calls the function below its `args` arguments, protected. On success `results` values (or all,
/// if negative) replace them, on failure the error value does.
pub(crate) fn call(stack: &mut Stack, args: i32, results: i32) -> Called {
    let function = stack.at(-1 - args);
    let results = if results < 0 {
        ffi::LUA_MULTRET
    } else {
        results
    };
    // SAFETY: function and arguments are on the stack (`at` asserts it); the handler goes below
    // them. No Rust value with a destructor is between the call and the place where it ends.
    let status = unsafe {
        ffi::lua_pushcclosure(stack.state(), c_function(on_error), 0);
        ffi::lua_insert(stack.state(), function);
        let status = ffi::lua_pcall(stack.state(), args, results, function);
        ffi::lua_remove(stack.state(), function);
        status
    };
    if status == ffi::LUA_OK {
        Called::Done
    } else {
        Called::Failed(unpack_failure(stack))
    }
}

/// A Lua thread of our own, anchored in the registry. A plain handle: whoever owns it calls
/// [`Thread::discard`] once and uses no copy of it afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    state: *mut lua_State,
    anchor: i32,
}

impl Thread {
    /// A new thread. Position 1 of its stack holds the error handler, for [`Thread::call`].
    pub(crate) fn new(stack: &mut Stack) -> Self {
        assert!(stack.reserve(1));
        // SAFETY: the thread is on the stack until it is anchored; the new state has LUA_MINSTACK
        // slots.
        let state = unsafe { ffi::lua_newthread(stack.state()) };
        let anchor = stack.anchor();
        // SAFETY: as above.
        unsafe { ffi::lua_pushcclosure(state, c_function(on_error), 0) };
        Self { state, anchor }
    }

    /// Its stack. The caller works on one view at a time.
    pub(crate) fn stack(&self) -> Stack {
        // SAFETY: the thread is anchored as long as `self` exists.
        unsafe {
            assert!(ffi::lua_checkstack(self.state, VERB_STACK_SLOTS_COUNT) != 0);
            Stack::new(self.state)
        }
    }

    /// Calls the function below its `args` arguments, protected, as [`call`] does but without
    /// moving a handler.
    pub(crate) fn call(&self, args: i32, results: i32) -> Called {
        let results = if results < 0 {
            ffi::LUA_MULTRET
        } else {
            results
        };
        // SAFETY: position 1 holds the handler; the caller pushed function and arguments. Nothing
        // with a destructor is between here and the end of the call.
        let status = unsafe { ffi::lua_pcall(self.state, args, results, 1) };
        if status == ffi::LUA_OK {
            Called::Done
        } else {
            Called::Failed(unpack_failure(&mut self.stack()))
        }
    }

    /// Whether the thread is at rest with `count` values on its stack. A program can get hold of it
    /// by `coroutine.running` and resume it when it is at rest, which leaves it in any state.
    pub(crate) fn is_fit(&self, count: i32) -> bool {
        // SAFETY: the thread is anchored as long as it is owned.
        unsafe {
            ffi::lua_status(self.state) == ffi::LUA_OK && ffi::lua_gettop(self.state) == count
        }
    }

    /// Empties the stack for the next call.
    pub(crate) fn clear(&self) {
        self.stack().set_top(1);
    }

    /// Gives the thread to the collector. Nothing of it may be on the way: it never ran, or its
    /// call has ended.
    pub(crate) fn discard(self, stack: &mut Stack) {
        stack.release(self.anchor);
    }
}

/// Takes what `on_error` made from the top of the stack; leaves the error value there.
fn unpack_failure(stack: &mut Stack) -> Failure {
    let packed = stack.at(-1);
    let is_ours = stack.kind(packed) == Kind::Table && {
        stack.raw_item(packed, 4);
        let mark = stack.identity(-1);
        stack.pop(1);
        std::ptr::eq(mark.cast(), &FAILURE_MARK)
    };
    if !is_ours {
        // No memory or no stack to run the handler.
        let message = stack.lossy(packed);
        let message = message.unwrap_or_else(|| "an error without a message".to_owned());
        return Failure {
            message,
            traceback: String::new(),
        };
    }
    stack.raw_item(packed, 2);
    let message = stack.lossy(-1).unwrap_or_default();
    stack.raw_item(packed, 3);
    let traceback = stack.lossy(-1).unwrap_or_default();
    stack.raw_item(packed, 1);
    stack.replace(packed);
    stack.set_top(packed);
    Failure { message, traceback }
}

/// The message handler of every protected call: keeps the error value, its text and the traceback
/// together.
///
/// # Safety
/// Only Lua calls it, with the state in which the error was raised and one value on its stack.
unsafe extern "C-unwind" fn on_error(state: *mut lua_State) -> isize {
    // SAFETY: a message handler gets one value. What is called may raise (a `__tostring` of the
    // user, memory), which ends in the protected call; nothing here has a destructor.
    unsafe {
        ffi::lua_settop(state, 1);
        if ffi::lua_checkstack(state, ffi::LUA_TRACEBACK_STACK + 6) == 0 {
            return 1;
        }
        ffi::lua_createtable(state, 4, 0);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawseti(state, 2, 1);
        ffi::luaL_tolstring(state, 1, std::ptr::null_mut());
        ffi::lua_rawseti(state, 2, 2);
        ffi::luaL_traceback(state, state, std::ptr::null(), 1);
        ffi::lua_rawseti(state, 2, 3);
        ffi::lua_pushlightuserdata(state, (&raw const FAILURE_MARK).cast::<c_void>().cast_mut());
        ffi::lua_rawseti(state, 2, 4);
        ffi::lua_settop(state, 2);
        1
    }
}
