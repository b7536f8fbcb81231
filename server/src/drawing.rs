//! The proof of the drawing: recordings of real requests, in the notation of
//! `docs/stage2-unlucky.txt`.
//!
//! Both shores tell a [`Witness`] what they do, step by step. Here
//! are two of them: [`Recorder`] watches one request and can hold each shore at gates, so that a
//! given order happens; [`DrawFile`] writes every request to a file.

mod file;
mod gates;
mod play;
mod recorder;

use std::sync::Arc;

use http_proto::drawing::Witness;
use shuttle_core::Doorbell;

pub use file::DrawFile;
pub use gates::{Gate, Shore, gates, shore_of};
pub use play::play;
pub use recorder::Recorder;

/// Something that watches both shores.
pub trait Watch: Send + Sync {
    /// The witness of one shore; a shore may get several in turn.
    fn witness(&self, shore: Shore) -> Box<dyn Witness>;

    /// Is told the bell of each shore, in case it holds one and has to wake the other.
    fn add_bell(&self, _bell: Arc<dyn Doorbell>) {}
}
