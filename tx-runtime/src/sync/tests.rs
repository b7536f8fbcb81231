//! What waits in line, in virtual time.

mod channel;
mod semaphore;
mod wait;
