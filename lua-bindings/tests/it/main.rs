//! Tests of the crate from outside: handlers against a worker that is played, Lua files in fibers,
//! and a stress.
#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod beaten;
mod bodies;
mod capacity;
mod check;
mod closing;
mod config;
mod drawing;
mod endings;
mod files;
mod forms;
mod handlers;
mod lua_files;
mod options;
mod reload;
mod reporting;
mod requests;
mod sending;
mod storm;
mod stress;
mod threads;
mod uploads;
mod world;
