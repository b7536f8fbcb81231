//! The Lua side of httpng: LuaJIT with fibers that may block anywhere, and the httpng, fiber, json, log and clock modules.
