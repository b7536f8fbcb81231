//! The proof of the drawing: recordings of real requests, in the notation of
//! `docs/stage2-unlucky.txt`.
//!
//! Both shores tell a [`Witness`](http_proto::drawing::Witness) what they do, step by step. Here
//! are two of them: [`Recorder`] watches one request and can hold each shore at gates, so that a
//! given order happens; [`DrawFile`] writes every request to a file.

mod file;
mod gates;
mod recorder;

pub use file::DrawFile;
pub use gates::{Gate, Shore, gates, shore_of};
pub use recorder::Recorder;
