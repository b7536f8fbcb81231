//! Tests of the crate from outside: handlers against a worker that is played, Lua files in fibers,
//! and a stress.

mod check;
mod handlers;
mod world;
