//! Why the runtime says no.

use std::fmt;

/// Why a fiber was not made. The environment's fault: too much is going on at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AtCapacity(pub(crate) Shortage);

/// What there is not enough of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Shortage {
    Fibers { max_count: u32 },
    Memory { error: String },
}

impl fmt::Display for AtCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shortage::Fibers { max_count } => write!(f, "there are {max_count} fibers already"),
            Shortage::Memory { error } => write!(f, "no memory for the stack of a fiber: {error}"),
        }
    }
}

impl std::error::Error for AtCapacity {}

/// Why parking is refused here. The caller's fault, and nothing has happened.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum CannotPark {
    /// The code does not run in a fiber.
    OutsideFiber,
    /// The code runs in a fiber, but on a stack that is not the fiber's: inside a coroutine of
    /// another library, or a signal handler.
    ForeignStack,
    /// The fiber is unwinding from a panic: a `Drop` may not park.
    Panicking,
    /// The check of [`crate::set_pre_park_check`] said no, for this reason.
    Refused(&'static str),
}

impl CannotPark {
    /// The reason, as a sentence without a full stop.
    pub const fn text(&self) -> &'static str {
        match self {
            Self::OutsideFiber => "cannot park outside a fiber",
            Self::ForeignStack => "cannot park on a stack that is not the fiber's",
            Self::Panicking => "cannot park while a panic unwinds",
            Self::Refused(why) => why,
        }
    }
}

impl fmt::Display for CannotPark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for CannotPark {}
