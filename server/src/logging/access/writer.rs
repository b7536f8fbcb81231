//! The thread of an access log: records to lines, lines to a file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, select};
use http_worker::AccessRecord;
use rustix::fs::OFlags;

use super::format::{Format, Scribe};
use super::stats::Stats;
use crate::clock;
use crate::limits::{ACCESS_BUFFER_BYTES, ACCESS_FLUSH_MS, ACCESS_IDLE_MS, ACCESS_REPORT_MS};

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Control {
    /// Opens its file anew.
    Reopen,
    /// Writes what it has and ends.
    End,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Destination {
    Stdout,
    File { path: PathBuf, file: File },
}

impl Destination {
    /// Opens a file to append to, or standard output. Never waits: a pipe that nobody reads is
    /// refused.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout);
        };
        let file = open(&path)?;
        Ok(Self::File { path, file })
    }

    /// Opens the file by its name again.
    ///
    /// # Errors
    /// The system's. The old one stays.
    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { path, file } = self {
            *file = open(path)?;
        }
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.write_all(bytes),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = File::options();
    let file = options
        .append(true)
        .create(true)
        .custom_flags(nonblock)
        .open(path)?;
    // It was only for the opening: a write may wait, that is what the thread is for.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    Ok(file)
}

/// The state of the thread.
pub(super) struct Writer {
    destination: Destination,
    scribe: Scribe,
    stats: Arc<Stats>,
    /// Whole lines, not written yet, and how many.
    lines: Vec<u8>,
    count: u64,
    /// How many lost ones were spoken of, and when that may be done again.
    reported: u64,
    next_report: Option<Instant>,
    has_failed: bool,
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    GoesOn,
    Ends,
}

impl Writer {
    pub(super) fn new(destination: Destination, format: Format, stats: Arc<Stats>) -> Self {
        Self {
            destination,
            scribe: Scribe::new(format),
            stats,
            lines: Vec::with_capacity(ACCESS_BUFFER_BYTES),
            count: 0,
            reported: 0,
            next_report: None,
            has_failed: false,
        }
    }

    /// Writes until all who could send records are gone, or it is told to end.
    pub(super) fn run(mut self, queue: &Receiver<Box<AccessRecord>>, orders: &Receiver<Control>) {
        while self.wait(queue, orders) == Then::GoesOn {
            while let Some(order) = self.gather(queue, orders) {
                if order == Then::Ends {
                    return self.end(queue);
                }
            }
        }
        self.end(queue);
    }

    /// Nothing is to be done: sleeps until something is.
    fn wait(&mut self, queue: &Receiver<Box<AccessRecord>>, orders: &Receiver<Control>) -> Then {
        let has_news = self.stats.dropped() != self.reported;
        let pause = if has_news {
            ACCESS_REPORT_MS
        } else {
            ACCESS_IDLE_MS
        };
        select! {
            recv(orders) -> order => self.obey(order.ok(), queue),
            recv(queue) -> record => match record {
                Ok(record) => {
                    self.push(&record);
                    Then::GoesOn
                }
                Err(_) => Then::Ends,
            },
            default(Duration::from_millis(pause)) => {
                self.report();
                Then::GoesOn
            }
        }
    }

    /// Lets records gather for a moment, so that nobody has to wake this thread for each, and then
    /// writes them. Absent: there were none any more.
    fn gather(
        &mut self,
        queue: &Receiver<Box<AccessRecord>>,
        orders: &Receiver<Control>,
    ) -> Option<Then> {
        if self.lines.is_empty() && queue.is_empty() {
            return None;
        }
        match orders.recv_timeout(Duration::from_millis(ACCESS_FLUSH_MS)) {
            Ok(order) => return Some(self.obey(Some(order), queue)),
            Err(RecvTimeoutError::Disconnected) => return Some(Then::Ends),
            Err(RecvTimeoutError::Timeout) => {}
        }
        self.write_waiting(queue);
        self.report();
        Some(Then::GoesOn)
    }

    fn obey(&mut self, order: Option<Control>, queue: &Receiver<Box<AccessRecord>>) -> Then {
        let Some(Control::Reopen) = order else {
            return Then::Ends;
        };
        // What was told before belongs into the old file.
        self.write_waiting(queue);
        match self.destination.reopen() {
            Ok(()) => log::info!("the access log was opened anew"),
            Err(error) => {
                log::error!("the access log cannot be opened anew, the old one stays: {error}");
            }
        }
        Then::GoesOn
    }

    fn end(mut self, queue: &Receiver<Box<AccessRecord>>) {
        self.write_waiting(queue);
        self.next_report = None;
        self.report();
    }

    /// Writes everything that waits now, and not what comes meanwhile.
    fn write_waiting(&mut self, queue: &Receiver<Box<AccessRecord>>) {
        for _ in 0..queue.len() {
            let Ok(record) = queue.try_recv() else { break };
            self.push(&record);
        }
        self.flush();
    }

    fn push(&mut self, record: &AccessRecord) {
        self.scribe.line(record, &mut self.lines);
        self.count += 1;
        if self.lines.len() >= ACCESS_BUFFER_BYTES {
            self.flush();
        }
    }

    /// Writes the lines that are ready.
    fn flush(&mut self) {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return;
        }
        let result = self.destination.write_all(&self.lines);
        self.lines.clear();
        match result {
            Ok(()) => self.has_failed = false,
            Err(error) => {
                self.stats.drop_many(count);
                if !std::mem::replace(&mut self.has_failed, true) {
                    log::error!("the access log cannot be written: {error}");
                }
            }
        }
    }

    /// Speaks of lost records, now and then.
    fn report(&mut self) {
        let (dropped, now) = (self.stats.dropped(), clock::now());
        if dropped == self.reported || self.next_report.is_some_and(|at| now < at) {
            return;
        }
        log::warn!(
            "the access log lost {} lines: they came faster than they could be written",
            dropped - self.reported
        );
        self.reported = dropped;
        self.next_report = Some(now + Duration::from_millis(ACCESS_REPORT_MS));
    }
}
