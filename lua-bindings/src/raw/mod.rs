//! The only door to the C interface of Lua.
//!
//! Everything `unsafe` about Lua is in this folder and in `pins.rs`; the rest of the crate speaks
//! to a [`Stack`]. Two laws make that possible.
//!
//! * **A Lua error never crosses a Rust destructor or a `catch_unwind`.** A verb (a Rust function
//!   that Lua calls) returns [`Raise`], and [`entry`](entry::entry) raises it after everything of
//!   the verb is gone. Inside verbs only raw access is offered, so no metamethod runs, and what is
//!   left to fail is memory.
//! * **A Rust panic never crosses Lua.** [`entry`](entry::entry) catches it and raises a Lua error.

mod alloc;
mod call;
mod entry;
mod guard;
mod posix;
mod stack;
mod table;

pub(crate) use call::{Called, Failure, Thread, Vm, call, load};
pub(crate) use entry::{Outcome, Raise, Verb, verb};
pub(crate) use guard::may_park;
pub(crate) use posix::clock_gettime;
pub(crate) use stack::{Kind, Slot, Stack};
pub(crate) use table::Pair;
