//! What fibers of one thread wait on. Everything is first come, first served, built on park and
//! wake, and of no use across threads.

mod channel;
mod cond;
mod semaphore;
mod wait;

pub use channel::{Channel, GetError, PutError, TryPutError};
pub use cond::Cond;
pub use semaphore::{AcquireError, Semaphore};
pub(crate) use wait::Link;
pub use wait::WaitQueue;

#[cfg(test)]
mod tests;
