//! Stackful fibers for one thread: run queue, timers, wait queues, cancel and join, without async.

mod clock;
mod config;
mod fiber;
pub mod limits;
mod panics;
mod reactor;
mod scheduler;
mod state;
mod stats;
mod switch;
pub mod sync;
mod timers;

pub use config::{Config, ConfigError};
pub use fiber::{FiberRef, JoinError, Wakeup};
pub use reactor::Reactor;
pub use scheduler::{
    AtCapacity, Budget, CannotPark, PreParkCheck, Turn, can_park, check_cancel, configure, current,
    now, park, park_uncancellable, set_pre_park_check, shielded, sleep, spawn, spawn_shared, stats,
    try_park, turn, yield_now,
};
pub use state::Status;
pub use stats::Stats;
