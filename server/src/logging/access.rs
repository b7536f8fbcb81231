//! The access log: one line for each request, written by a thread of its own.
//!
//! Workers put records into a bounded queue and never wait; what does not fit is counted and
//! dropped. The thread formats them and writes whole lines, many with one call, when it has enough
//! of them, when nothing more waits, or after `ACCESS_FLUSH_MS`. A file is opened anew when the
//! process is told so, after all that came before went into the old one.

mod format;
mod hub;
mod stats;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::{Sender, TrySendError, bounded, unbounded};
use http_worker::{AccessLog, AccessRecord};

pub use self::format::Format;
pub use self::hub::Hub;
use self::hub::Known;
use self::stats::Stats;
use self::writer::{Destination, Writer};
use crate::limits::ACCESS_QUEUE_COUNT;

/// Where the log goes, and how its lines look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessOptions {
    /// A file, to which is appended; absent: standard output.
    pub file: Option<PathBuf>,
    /// How a line looks.
    pub format: Format,
}

/// An open log. Clones are the same one; each worker has its own. The thread behind it ends when
/// all are gone, after it has written everything.
#[derive(Clone, Debug)]
pub struct OpenLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    records: Sender<Box<AccessRecord>>,
    stats: Arc<Stats>,
}

impl OpenLog {
    /// Opens the log and starts its thread, and makes it known to `hub`.
    ///
    /// # Errors
    /// One line: the file that cannot be opened, or that there is no thread.
    pub fn open(options: &AccessOptions, hub: &Hub) -> Result<Self, String> {
        hub.with_new(|| Self::opened(options))
    }

    /// The same, but where the log is open already it is shared: for several Lua threads, whose
    /// lines would else meet in the middle of others.
    ///
    /// # Errors
    /// One line: the file that cannot be opened, or that there is no thread.
    pub fn open_shared(options: &AccessOptions, hub: &Hub) -> Result<Self, String> {
        hub.with_known(options, || Self::opened(options))
    }

    fn opened(options: &AccessOptions) -> Result<(Self, Known), String> {
        let destination = Destination::open(options.file.clone())
            .map_err(|error| format!("cannot open the access log {}: {error}", name(options)))?;
        let (records, queue) = bounded(ACCESS_QUEUE_COUNT);
        let (control, orders) = unbounded();
        let stats = Arc::new(Stats::default());
        let writer = Writer::new(destination, options.format, Arc::clone(&stats));
        let (tell_end, end) = bounded::<()>(0);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                writer.run(&queue, &orders);
                drop(tell_end);
            })
            .map_err(|error: io::Error| format!("cannot start the access log: {error}"))?;
        let shared = Arc::new(Shared { records, stats });
        let known = Known::new(control, end, options.clone(), Arc::downgrade(&shared));
        Ok((Self(shared), known))
    }

    /// Records that found the queue full, or could not be written.
    pub fn dropped(&self) -> u64 {
        self.0.stats.dropped()
    }
}

impl AccessLog for OpenLog {
    fn record(&mut self, record: Box<AccessRecord>) {
        match self.0.records.try_send(record) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.0.stats.drop_one(),
        }
    }
}

/// What people know it by.
fn name(options: &AccessOptions) -> String {
    match &options.file {
        Some(file) => file.display().to_string(),
        None => "on standard output".to_owned(),
    }
}

#[cfg(test)]
mod tests;
