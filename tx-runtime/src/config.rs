//! What can be set, within the bounds of [`crate::limits`].

use std::fmt;

use crate::limits;

/// Bounds for the fibers of one thread.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Address space of one stack, its guard included.
    pub stack_bytes: usize,
    /// Most fibers alive at once.
    pub fibers_max_count: u32,
    /// Most idle stacks kept for the next fibers.
    pub pooled_stacks_count: u32,
    /// Time between two rounds in which memory of resting stacks is given back; 0 for never.
    pub trim_interval_ms: u32,
}

impl Config {
    pub(crate) const DEFAULT: Self = Self {
        stack_bytes: limits::STACK_DEFAULT_BYTES,
        fibers_max_count: limits::FIBERS_DEFAULT_COUNT,
        pooled_stacks_count: limits::POOLED_STACKS_DEFAULT_COUNT,
        trim_interval_ms: limits::TRIM_INTERVAL_DEFAULT_MS,
    };

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_bounds(
            "stack_bytes",
            self.stack_bytes,
            limits::STACK_MIN_BYTES,
            limits::STACK_MAX_BYTES,
        )?;
        let fibers_max_count = limits::FIBERS_MAX_COUNT as usize;
        check_bounds(
            "fibers_max_count",
            self.fibers_max_count as usize,
            1,
            fibers_max_count,
        )?;
        check_bounds(
            "pooled_stacks_count",
            self.pooled_stacks_count as usize,
            0,
            fibers_max_count,
        )
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why [`crate::configure`] refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ConfigError {
    /// A value is outside its bounds.
    OutOfBounds {
        /// The field of [`Config`].
        field: &'static str,
        /// What was asked.
        value: usize,
        /// The smallest allowed.
        min: usize,
        /// The largest allowed.
        max: usize,
    },
    /// Stacks of the old size exist on this thread.
    InUse,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds {
                field,
                value,
                min,
                max,
            } => {
                write!(f, "{field} is {value}, not between {min} and {max}")
            }
            Self::InUse => f.write_str("fibers of this thread exist already"),
        }
    }
}

impl std::error::Error for ConfigError {}

pub(crate) fn check_bounds(
    field: &'static str,
    value: usize,
    min: usize,
    max: usize,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfBounds {
        field,
        value,
        min,
        max,
    })
}
