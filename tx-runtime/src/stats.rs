//! Counters.

/// A snapshot of one thread's fibers.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Fibers that are not dead.
    pub fibers_alive_count: usize,
    /// Fibers in the run queue.
    pub fibers_runnable_count: usize,
    /// Fibers that wait.
    pub fibers_parked_count: usize,
    /// Parked fibers with a deadline.
    pub timers_armed_count: usize,
    /// Idle stacks waiting for a fiber.
    pub stacks_pooled_count: usize,
    /// Fibers ever made.
    pub spawned_total: u64,
    /// Switches into a fiber ever made.
    pub switches_total: u64,
    /// Fibers that ended by a panic.
    pub panics_total: u64,
    /// Resting stacks whose unused memory was given back.
    pub trims_total: u64,
}
