//! Tables, globals and the registry of a [`Stack`]: raw access, checked to be a table.

use std::ffi::c_int;

use mlua::ffi;

use super::stack::{Kind, Slot, Stack};

impl Stack {
    /// Length of a string, or border of a table, without metamethods.
    pub(crate) fn raw_len(&self, slot: Slot) -> usize {
        // SAFETY: see `Stack::top`.
        unsafe { ffi::lua_objlen(self.state, slot) }
    }

    /// A new table with room for `items` array slots and `fields` others.
    pub(crate) fn push_table(&mut self, items: usize, fields: usize) {
        let bound = |count: usize| c_int::try_from(count.min(1 << 20)).unwrap_or(0);
        // SAFETY: as in `Stack::push_nil`.
        unsafe { ffi::lua_createtable(self.state, bound(items), bound(fields)) }
    }

    /// Pushes a new table with `number` at index 0 and the metatable at `meta`: one step, because
    /// each request takes it twice.
    pub(crate) fn push_handle(&mut self, number: f64, meta: Slot) {
        let meta = self.table_at(meta);
        // SAFETY: as in `Stack::push_nil`; what is indexed is the table that was just made, and the
        // metatable is a table (asserted).
        unsafe {
            ffi::lua_createtable(self.state, 1, 0);
            ffi::lua_pushnumber(self.state, number);
            ffi::lua_rawseti(self.state, -2, 0);
            ffi::lua_pushvalue(self.state, meta);
            ffi::lua_setmetatable(self.state, -2);
        }
    }

    /// Pushes `table[key]` for each of the keys at these positions, without metamethods.
    pub(crate) fn raw_get_all(&mut self, table: Slot, keys: &[Slot]) {
        let table = self.table_at(table);
        for key in keys {
            let key = self.at(*key);
            // SAFETY: as in `Stack::push_nil`; the value is a table (asserted).
            unsafe {
                ffi::lua_pushvalue(self.state, key);
                ffi::lua_rawget(self.state, table);
            }
        }
    }

    /// Pushes `table[name]` without metamethods; the type of what was pushed.
    pub(crate) fn raw_field(&mut self, table: Slot, name: &str) -> Kind {
        let table = self.table_at(table);
        self.push_str(name);
        // SAFETY: the value is a table (asserted).
        unsafe { ffi::lua_rawget(self.state, table) };
        self.kind(-1)
    }

    /// Pushes `table[index]` without metamethods; the type of what was pushed.
    pub(crate) fn raw_item(&mut self, table: Slot, index: usize) -> Kind {
        let table = self.table_at(table);
        // SAFETY: the value is a table (asserted).
        unsafe { ffi::lua_rawgeti(self.state, table, index as ffi::lua_Integer) };
        self.kind(-1)
    }

    /// The number at `table[index]`; absent if the value is no table or holds something else there.
    pub(crate) fn peek_item(&self, table: Slot, index: usize) -> Option<f64> {
        if self.kind(table) != Kind::Table {
            return None;
        }
        let table = self.at(table);
        // SAFETY: the value is a table; what is pushed is taken again, so nothing that is borrowed
        // moves.
        unsafe {
            ffi::lua_rawgeti(self.state, table, index as ffi::lua_Integer);
            let is_number = ffi::lua_type(self.state, -1) == ffi::LUA_TNUMBER;
            let number = ffi::lua_tonumber(self.state, -1);
            ffi::lua_settop(self.state, -2);
            is_number.then_some(number)
        }
    }

    /// The number at `table[name]`; absent if something else is there.
    pub(crate) fn number_field(&mut self, table: Slot, name: &str) -> Option<f64> {
        let kind = self.raw_field(table, name);
        let number = (kind == Kind::Number).then(|| self.number(-1)).flatten();
        self.pop(1);
        number
    }

    /// The string at `table[name]`; absent if something else is there.
    pub(crate) fn text_field(&mut self, table: Slot, name: &str) -> Option<String> {
        let _ = self.raw_field(table, name);
        let text = self.lossy(-1);
        self.pop(1);
        text
    }

    /// Replaces the key on top by `table[key]`, without metamethods.
    pub(crate) fn raw_get(&mut self, table: Slot) -> Kind {
        let table = self.table_at(table);
        // SAFETY: the value is a table (asserted) and the key is on top.
        unsafe { ffi::lua_rawget(self.state, table) };
        self.kind(-1)
    }

    /// `table[name] =` the value on top, which is taken.
    pub(crate) fn set_field(&mut self, table: Slot, name: &str) {
        let table = self.table_at(table);
        self.push_str(name);
        self.insert(-2);
        // SAFETY: the value is a table (asserted), the key is a string.
        unsafe { ffi::lua_rawset(self.state, table) }
    }

    /// `table[index] =` the value on top, which is taken.
    pub(crate) fn set_item(&mut self, table: Slot, index: usize) {
        let table = self.table_at(table);
        // SAFETY: the value is a table (asserted).
        unsafe { ffi::lua_rawseti(self.state, table, index as ffi::lua_Integer) }
    }

    /// `table[key] = value` with both on top; they are taken.
    ///
    /// # Panics
    /// When the key is nil or not a number: Lua would raise.
    pub(crate) fn set_pair(&mut self, table: Slot) {
        let table = self.table_at(table);
        let fits = match self.kind(-2) {
            Kind::None | Kind::Nil => false,
            Kind::Number => self.number(-2).is_some_and(|n| !n.is_nan()),
            _ => true,
        };
        assert!(fits, "a table key is neither nil nor NaN");
        // SAFETY: the value is a table and the key is one that cannot raise (both asserted).
        unsafe { ffi::lua_rawset(self.state, table) }
    }

    /// Steps through a table: takes the key on top, pushes the next key and value. False at the end
    /// (nothing is pushed). The table must not change meanwhile, and the key must not be converted
    /// in place.
    pub(crate) fn next(&mut self, table: Slot) -> bool {
        let table = self.table_at(table);
        // SAFETY: the value is a table (asserted); the key is what the last step pushed.
        unsafe { ffi::lua_next(self.state, table) != 0 }
    }

    /// Goes through the table at `table`, which must not change meanwhile. One view of a table for
    /// the loop that every response takes: it asks each type once.
    #[inline]
    pub(crate) fn pairs(&mut self, table: Slot) -> Pairs<'_> {
        let table = self.table_at(table);
        let top = self.top();
        self.push_nil();
        Pairs {
            stack: self,
            table,
            top,
        }
    }

    /// Pushes the metatable. False: there is none, nothing is pushed.
    pub(crate) fn push_metatable(&mut self, slot: Slot) -> bool {
        let slot = self.at(slot);
        // SAFETY: see `Stack::top`.
        unsafe { ffi::lua_getmetatable(self.state, slot) != 0 }
    }

    /// Takes the table on top as metatable of the table at `slot`.
    pub(crate) fn set_metatable(&mut self, slot: Slot) {
        let table = self.table_at(slot);
        assert_eq!(self.kind(-1), Kind::Table);
        // SAFETY: both values are tables (asserted).
        unsafe {
            ffi::lua_setmetatable(self.state, table);
        }
    }

    /// Pushes a global, without metamethods.
    pub(crate) fn push_global(&mut self, name: &str) -> Kind {
        self.push_str(name);
        // SAFETY: the globals are a table; the key is on top.
        unsafe { ffi::lua_rawget(self.state, ffi::LUA_GLOBALSINDEX) };
        self.kind(-1)
    }

    /// Takes the value on top as a global.
    pub(crate) fn set_global(&mut self, name: &str) {
        self.push_str(name);
        self.insert(-2);
        // SAFETY: the globals are a table, the key is a string.
        unsafe { ffi::lua_rawset(self.state, ffi::LUA_GLOBALSINDEX) }
    }

    /// Pushes `registry[index]`.
    pub(crate) fn push_anchored(&mut self, index: i32) -> Kind {
        // SAFETY: the registry is a table.
        unsafe {
            ffi::lua_rawgeti(self.state, ffi::LUA_REGISTRYINDEX, index.into());
        }
        self.kind(-1)
    }

    /// Keeps the value on top in the registry and takes it; the index for [`Stack::push_anchored`].
    pub(crate) fn anchor(&mut self) -> i32 {
        // SAFETY: the registry is a table.
        unsafe { ffi::luaL_ref(self.state, ffi::LUA_REGISTRYINDEX) }
    }

    /// Lets go of an anchored value.
    pub(crate) fn release(&mut self, index: i32) {
        // SAFETY: the registry is a table; giving back what is not taken is ignored by callers'
        // discipline.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, index) }
    }

    fn table_at(&self, slot: Slot) -> c_int {
        let slot = self.at(slot);
        // SAFETY: see `Stack::top`.
        let kind = unsafe { ffi::lua_type(self.state, slot) };
        assert!(
            kind == ffi::LUA_TTABLE,
            "the Lua value at {slot} is not a table"
        );
        slot
    }
}

/// A key and its value, as [`Pairs`] finds them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pair<'a> {
    /// Two strings.
    Strings(&'a [u8], &'a [u8]),
    /// Others: the key and the value are at these positions, and stay there.
    Others(Slot, Slot),
}

/// The way through a table.
#[derive(Debug)]
pub(crate) struct Pairs<'a> {
    stack: &'a mut Stack,
    /// Its position, absolute.
    table: c_int,
    /// What was on the stack before: key and value lie above.
    top: Slot,
}

impl Pairs<'_> {
    /// The next pair.
    // Once for each field of every response: a call of its own was 1 % of a small one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Pair<'_>> {
        let (key, value) = (self.top + 1, self.top + 2);
        let state = self.stack.state;
        // SAFETY: see `Stack::top`. What is at `table` is one (`Stack::pairs` asked), for nothing
        // below the key is written while this lives. The key on top is what the last step pushed,
        // and was converted by nobody.
        unsafe {
            ffi::lua_settop(state, key);
            if ffi::lua_next(state, self.table) == 0 {
                return None;
            }
            let are_strings = ffi::lua_type(state, value) == ffi::LUA_TSTRING
                && ffi::lua_type(state, key) == ffi::LUA_TSTRING;
            Some(if are_strings {
                Pair::Strings(self.stack.string_at(key), self.stack.string_at(value))
            } else {
                Pair::Others(key, value)
            })
        }
    }

    /// Works with what [`Pair::Others`] found. `f` leaves everything below the value as it is, and
    /// the key too.
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&mut Stack) -> R) -> R {
        let result = f(self.stack);
        assert_eq!(
            self.stack.kind(self.table),
            Kind::Table,
            "the table stays where it is"
        );
        result
    }
}

impl Drop for Pairs<'_> {
    fn drop(&mut self) {
        self.stack.set_top(self.top);
    }
}
