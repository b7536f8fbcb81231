//! All tests of the crate. Models run under `--cfg loom` only, everything else without it.

#[cfg(loom)]
mod loom_close;
#[cfg(loom)]
mod loom_hail;
#[cfg(loom)]
mod loom_lifecycle;
#[cfg(loom)]
mod loom_pins;
#[cfg(loom)]
mod loom_shutdown;
#[cfg(loom)]
mod loom_sleep;
#[cfg(loom)]
mod loom_swap;
#[cfg(loom)]
mod loom_writers;
#[cfg(loom)]
mod pair;
#[cfg(not(loom))]
mod trip;
