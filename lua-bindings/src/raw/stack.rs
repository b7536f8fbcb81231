//! A typed view of one Lua stack: raw access only, so that nothing of the user runs by it.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use mlua::ffi::{self, lua_State};

use super::entry::Verb;

/// A position on the stack: `1` is the first argument, `-1` the value on top.
pub(crate) type Slot = i32;

/// The type of a Lua value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is no such argument.
    None,
    Nil,
    Boolean,
    Number,
    String,
    Table,
    Function,
    /// A full or light userdata.
    Userdata,
    Thread,
    /// A value of LuaJIT's FFI. `box.NULL` and `json.NULL` are such.
    Cdata,
}

impl Kind {
    /// How Lua names the type in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Userdata => "userdata",
            Self::Thread => "thread",
            Self::Cdata => "cdata",
        }
    }
}

/// One Lua stack, seen by the verb that runs on it.
///
/// What is borrowed from it (strings) stays on the stack while it is borrowed: everything that
/// moves or removes values wants `&mut self`. Reading past the top gives nothing (`Kind::None`), as
/// Lua does it.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(super) state: *mut lua_State,
    _not_send: PhantomData<*mut ()>,
}

impl Stack {
    /// # Safety
    /// `state` is a live Lua state of this thread and stays alive as long as the value; room for
    /// pushes is reserved.
    pub(super) unsafe fn new(state: *mut lua_State) -> Self {
        Self {
            state,
            _not_send: PhantomData,
        }
    }

    /// The C pointer, for comparisons and for this folder.
    pub(crate) fn state(&self) -> *mut lua_State {
        self.state
    }

    /// How many values there are.
    pub(crate) fn top(&self) -> Slot {
        // SAFETY: the state is alive (see `new`); so in all functions of this block.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// An absolute position.
    ///
    /// # Panics
    /// When a negative position reaches below the first value.
    pub(crate) fn at(&self, slot: Slot) -> c_int {
        if slot > 0 {
            return slot;
        }
        let absolute = self.top() + 1 + slot;
        assert!(
            slot < 0 && absolute > 0,
            "no value at {slot} on the Lua stack"
        );
        absolute
    }

    /// Cuts or fills the stack (with nil) to `count` values.
    pub(crate) fn set_top(&mut self, count: Slot) {
        assert!(count >= 0);
        // SAFETY: see `top`; callers only grow within the reserved room.
        unsafe { ffi::lua_settop(self.state, count) }
    }

    /// Drops the `count` uppermost values.
    pub(crate) fn pop(&mut self, count: i32) {
        let left = self.top() - count;
        self.set_top(left);
    }

    /// Makes room for `count` more values. False: the stack has its maximal size.
    #[must_use]
    pub(crate) fn reserve(&mut self, count: i32) -> bool {
        // SAFETY: see `top`; lua_checkstack reports failure and does not raise.
        unsafe { ffi::lua_checkstack(self.state, count) != 0 }
    }

    /// The type of a value.
    pub(crate) fn kind(&self, slot: Slot) -> Kind {
        // SAFETY: see `top`.
        match unsafe { ffi::lua_type(self.state, slot) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TTHREAD => Kind::Thread,
            ffi::LUA_TUSERDATA | ffi::LUA_TLIGHTUSERDATA => Kind::Userdata,
            ffi::LUA_TCDATA => Kind::Cdata,
            _ => Kind::None,
        }
    }

    /// Whether Lua takes the value for true.
    pub(crate) fn truth(&self, slot: Slot) -> bool {
        // SAFETY: see `top`.
        unsafe { ffi::lua_toboolean(self.state, slot) != 0 }
    }

    /// The bytes of a string. A number is not a string here: see [`Stack::stringify`].
    pub(crate) fn bytes(&self, slot: Slot) -> Option<&[u8]> {
        if self.kind(slot) != Kind::String {
            return None;
        }
        // SAFETY: the value is a string (just asked).
        Some(unsafe { self.string_at(slot) })
    }

    /// The bytes of what is known to be a string.
    ///
    /// # Safety
    /// The value at `slot` is a string.
    pub(super) unsafe fn string_at(&self, slot: Slot) -> &[u8] {
        let mut len = 0;
        // SAFETY: the value is a string (asked of the caller), so nothing is converted or
        // allocated; the slice borrows the stack, on which the string stays, and Lua never moves a
        // string.
        unsafe {
            let start = ffi::lua_tolstring(self.state, slot, &mut len);
            std::slice::from_raw_parts(start.cast(), len)
        }
    }

    /// A string as text, for messages and names: what is not UTF-8 is replaced.
    pub(crate) fn lossy(&self, slot: Slot) -> Option<String> {
        self.bytes(slot)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Turns a number into its string, in place. True when the value now is a string.
    pub(crate) fn stringify(&mut self, slot: Slot) -> bool {
        match self.kind(slot) {
            Kind::String => true,
            Kind::Number => {
                // SAFETY: see `top`; the conversion is in place.
                unsafe { ffi::lua_tolstring(self.state, slot, std::ptr::null_mut()) };
                true
            }
            _ => false,
        }
    }

    /// A number, or a string that reads as one.
    pub(crate) fn number(&self, slot: Slot) -> Option<f64> {
        // SAFETY: see `top`.
        unsafe {
            (ffi::lua_isnumber(self.state, slot) != 0).then(|| ffi::lua_tonumber(self.state, slot))
        }
    }

    /// A pointer that tells tables, functions, threads and userdata apart.
    pub(crate) fn identity(&self, slot: Slot) -> *const c_void {
        // SAFETY: see `top`.
        unsafe { ffi::lua_topointer(self.state, slot) }
    }

    /// Whether the value is a userdata of address zero.
    pub(crate) fn is_null(&self, slot: Slot) -> bool {
        // SAFETY: see `top`.
        self.kind(slot) == Kind::Userdata
            && unsafe { ffi::lua_touserdata(self.state, slot) }.is_null()
    }

    pub(crate) fn push_nil(&mut self) {
        // SAFETY: see `top`; the entry reserved room for what a verb pushes, loops reserve for
        // themselves.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    pub(crate) fn push_bool(&mut self, value: bool) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) }
    }

    pub(crate) fn push_number(&mut self, value: f64) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushnumber(self.state, value) }
    }

    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        // SAFETY: as in `push_nil`; Lua copies the bytes.
        unsafe {
            ffi::lua_pushlstring(self.state, value.as_ptr().cast(), value.len());
        }
    }

    pub(crate) fn push_str(&mut self, value: &str) {
        self.push_bytes(value.as_bytes());
    }

    /// A light userdata of address zero: what `NULL` of the FFI compares with.
    pub(crate) fn push_null(&mut self) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) }
    }

    /// A copy of another value.
    pub(crate) fn push_copy(&mut self, slot: Slot) {
        let slot = self.at(slot);
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushvalue(self.state, slot) }
    }

    /// The value of an upvalue of the running verb.
    pub(crate) fn push_upvalue(&mut self, number: i32) {
        // SAFETY: as in `push_nil`; a missing upvalue reads as nil.
        unsafe { ffi::lua_pushvalue(self.state, ffi::lua_upvalueindex(number)) }
    }

    /// A function of ours, with the `upvalues` uppermost values taken into it.
    pub(crate) fn push_verb(&mut self, verb: Verb, upvalues: i32) {
        assert!(self.top() >= upvalues);
        // SAFETY: as in `push_nil`; the upvalues are there.
        unsafe { ffi::lua_pushcclosure(self.state, verb.0, upvalues) }
    }

    /// Moves the value on top to `slot`, shifting the others up.
    pub(crate) fn insert(&mut self, slot: Slot) {
        let slot = self.at(slot);
        // SAFETY: see `top`.
        unsafe { ffi::lua_insert(self.state, slot) }
    }

    /// Replaces the value at `slot` by the one on top.
    pub(crate) fn replace(&mut self, slot: Slot) {
        let slot = self.at(slot);
        // SAFETY: see `top`.
        unsafe { ffi::lua_replace(self.state, slot) }
    }

    /// Takes the value at `slot` out.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let slot = self.at(slot);
        // SAFETY: see `top`.
        unsafe { ffi::lua_remove(self.state, slot) }
    }

    /// Replaces the verb below the `upvalues` uppermost values by a closure of the same verb over
    /// them. False, and nothing changes: that value is no C function.
    #[must_use]
    pub(crate) fn rebind(&mut self, upvalues: i32) -> bool {
        let slot = self.at(-1 - upvalues);
        // SAFETY: see `top`; a C function that is bound anew gets exactly these upvalues.
        unsafe {
            let Some(function) = ffi::lua_tocfunction(self.state, slot) else {
                return false;
            };
            ffi::lua_pushcclosure(self.state, function, upvalues);
            ffi::lua_replace(self.state, slot);
        }
        true
    }

    /// Moves the `count` uppermost values to another stack of the same machine.
    pub(crate) fn move_to(&mut self, other: &mut Self, count: i32) {
        assert!(self.top() >= count && other.reserve(count));
        // SAFETY: both states belong to one machine and have the values and the room.
        unsafe { ffi::lua_xmove(self.state, other.state, count) }
    }
}
