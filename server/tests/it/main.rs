//! End to end: the real binary, real sockets, small Lua programs.
//!
//! No test sleeps: whatever must have happened is waited for on a condition with a bounded
//! deadline, and a handler is held where a test wants it by a condition that another request
//! signals.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod access;
mod allowance;
mod attacks;
mod cli;
mod client;
mod client2;
mod closing;
mod cmodules;
mod compat;
mod compress;
mod conformance;
mod conformance2;
mod cycles;
mod demo;
mod docs;
mod drawing;
mod errors;
mod files;
mod floods;
mod forms;
#[path = "../../../conformance/frames.rs"]
mod frames;
mod graceful;
mod handlers;
mod harness;
mod hostile;
mod leavers;
mod listeners;
mod program;
mod restarts;
mod sending;
mod several;
mod streaming;
mod threads;
mod trailers;
mod uploads;
mod wire;
