//! httpng: a Lua application server.
