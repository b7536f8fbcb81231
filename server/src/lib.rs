//! httpng: a Lua application server.
//!
//! This crate is the composition root: the only place that sees both shores. It reads the command
//! line, makes worker threads and the links to them, runs the loop of the Lua thread, or of each of
//! several, and ends the whole in good order.

#![forbid(unsafe_code)]

pub mod args;
pub mod bells;
pub mod clock;
pub mod demo;
pub mod drawing;
pub mod exit;
pub mod limits;
pub mod logging;
pub mod ports;
pub mod signals;
pub mod sockets;
pub mod supervisor;
pub mod team;
pub mod tx;
pub mod watchdog;
