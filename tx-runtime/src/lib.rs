//! Stackful fibers for one thread: run queue, timers, wait queues, cancel and join, without async.

mod api;
mod clock;
mod config;
mod fiber;
mod guard;
pub mod limits;
mod offload;
mod panics;
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
    can_park, check_cancel, configure, current, fibers, find, next_deadline, now, park,
    park_uncancellable, set_pre_park_check, shielded, sleep, spawn, spawn_shared, stats, try_park,
    turn, turn_while, yield_now,
};
pub use config::{Config, ConfigError};
pub use fiber::{FiberRef, JoinError, Wakeup};
pub use offload::{Offload, OffloadConfig, OffloadError};
pub use reactor::{Reactor, wait_readable, wait_writable};
pub use refusal::{AtCapacity, CannotPark};
pub use scheduler::{Budget, PreParkCheck, Turn};
pub use state::Status;
pub use stats::Stats;
