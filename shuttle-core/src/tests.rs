//! All tests of the crate. Models run under `--cfg loom` only, everything else without it.

#[cfg(not(loom))]
mod trip;
