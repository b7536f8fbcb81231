//! Stackful fibers for one thread: run queue, timers, wait queues, cancel and join, without async.
//!
//! A fiber is a function with a stack of its own. It may wait anywhere, in the middle of a loop,
//! a callback or a C function that called back, by [`park`]ing: the stack is left as it is, and
//! another fiber goes on. Switching is cooperative and stays on one thread, so between two parks
//! nothing changes under a fiber's hands, and nothing needs a lock.
//!
//! The runtime is the thread's: the functions here speak to that of the thread that calls them.
//! It has no loop of its own. Whoever embeds it calls [`turn`] with the present time, and sleeps
//! until the time that the turn names, in a [`Reactor`] or elsewhere.
//!
//! ```
//! use std::rc::Rc;
//! use std::time::{Duration, Instant};
//! use tx_runtime::sync::Channel;
//! use tx_runtime::{Budget, Reactor, sleep, spawn, stats, turn};
//!
//! let mut reactor = Reactor::new()?;
//! let channel = Rc::new(Channel::new(1));
//!
//! let sender = Rc::clone(&channel);
//! spawn("sender", move || {
//!     for number in 1..=3 {
//!         let _ = sleep(Duration::from_millis(10));
//!         sender.put(number, None).expect("nobody closes the channel before");
//!     }
//!     sender.close();
//! })?;
//! let receiver = spawn("receiver", move || {
//!     let mut sum = 0;
//!     while let Ok(number) = channel.get(None) {
//!         sum += number;
//!     }
//!     assert_eq!(sum, 6);
//! })?;
//!
//! while stats().fibers_alive_count > 0 {
//!     let done = turn(Instant::now(), Budget { fibers: 100 });
//!     if !done.runnable && stats().fibers_alive_count > 0 {
//!         let until = done.next_deadline;
//!         reactor.wait(until.map(|until| until.saturating_duration_since(Instant::now())))?;
//!     }
//! }
//! receiver.join(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules
//!
//! - **Wake-ups are not stored.** [`FiberRef::wake`] ends a park that has begun, and nothing else.
//!   Whoever waits for a condition checks it in a loop around the park. No wake-up can fall
//!   between the check and the park, because nobody else runs there.
//! - **Cancellation is a request.** A cancelled fiber gets [`Wakeup::Cancelled`] from its park and
//!   from every later one, at once, until it has unwound and returned. What must wait while it
//!   cleans up does so in [`shielded`] or [`park_uncancellable`].
//! - **A suspended fiber is never dropped.** Its frames may hold anything, so nothing but itself
//!   unwinds them. When a thread ends, its suspended fibers are leaked.
//! - **Nothing parks in a `Drop`**, and nothing keeps a borrow of a `RefCell` that others use
//!   across a park.
//! - **A panic ends one fiber.** It is logged, and [`FiberRef::join`] tells.
//! - **A stack that is too small ends the process**, with the fiber's name on standard error: see
//!   [`Config::stack_bytes`]. Stacks are address space first and memory only as far as used, so
//!   there is no reason to make them small.
//!
//! # What there is
//!
//! [`sync`] has what fibers wait on. [`Reactor`] is where the thread sleeps; [`wait_readable`] and
//! [`wait_writable`] wait for descriptors. [`Offload`] has blocking work done by other threads.
//! [`limits`] has every bound, and [`stats`] counts.
//!
//! Linux is where this is tested. macOS has all the calls that it needs; there, guards cost two
//! mappings per stack, and memory is given back when the system asks. Windows is not supported.

mod api;
mod clock;
mod config;
mod fiber;
mod guard;
pub mod limits;
mod offload;
mod panics;
mod pool;
mod reactor;
mod refusal;
mod scheduler;
mod stack;
mod state;
mod stats;
mod switch;
pub mod sync;
#[cfg(test)]
mod test_world;
mod timers;
mod upkeep;

pub use api::{
    StackRoom, can_park, check_cancel, configure, current, fibers, find, next_deadline, now, park,
    park_uncancellable, set_pre_park_check, shielded, sleep, spawn, spawn_shared, stack_room,
    stats, try_park, turn, turn_while, yield_now,
};
pub use config::{Config, ConfigError};
pub use fiber::{FiberRef, JoinError, Wakeup};
pub use offload::{Offload, OffloadConfig, OffloadError};
pub use reactor::{Reactor, wait_readable, wait_writable};
pub use refusal::{AtCapacity, CannotPark};
pub use scheduler::{Budget, PreParkCheck, Turn};
pub use state::Status;
pub use stats::Stats;

/// Has the example of the README compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
