//! Cells that carry work between two threads, one owner at a time: a ferry with berths, rings,
//! doorbells and pins.

mod bell;
mod hail;
mod lent;
pub mod limits;
mod link;
mod quay;
mod ring;
mod shore;
mod shuttle;
mod slot;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use bell::{Doorbell, NoBell, Sleep, ThreadBell};
pub use link::{TxEnd, WorkerEnd, link};
pub use shore::{TxShore, WorkerShore};
pub use shuttle::{BerthId, Shuttle, Side, Tx, Worker};
pub use state::MustClose;
