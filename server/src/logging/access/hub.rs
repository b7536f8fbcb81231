//! All access logs of the process, for those who have an order for each of them: the thread of the
//! signals, and the end of the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError};

use super::writer::Control;
use super::{AccessOptions, OpenLog, Shared};

/// Knows the open logs. Clones are the same hub; any thread may have one.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Mutex<Vec<Known>>>);

/// One log.
#[derive(Debug)]
pub(super) struct Known {
    orders: Sender<Control>,
    /// Disconnected when its thread has ended.
    end: Receiver<()>,
    options: AccessOptions,
    log: Weak<Shared>,
}

impl Known {
    pub(super) fn new(
        orders: Sender<Control>,
        end: Receiver<()>,
        options: AccessOptions,
        log: Weak<Shared>,
    ) -> Self {
        Self {
            orders,
            end,
            options,
            log,
        }
    }

    fn is_file(&self) -> bool {
        self.options.file.is_some()
    }

    fn is_alive(&self) -> bool {
        !matches!(self.end.try_recv(), Err(TryRecvError::Disconnected))
    }
}

impl Hub {
    /// Knows the log that `open` opens.
    pub(super) fn with_new(
        &self,
        open: impl FnOnce() -> Result<(OpenLog, Known), String>,
    ) -> Result<OpenLog, String> {
        let new = open()?;
        Ok(add(&mut self.known(), new))
    }

    /// The log that is open as `options` want it, or the one that `open` opens.
    pub(super) fn with_known(
        &self,
        options: &AccessOptions,
        open: impl FnOnce() -> Result<(OpenLog, Known), String>,
    ) -> Result<OpenLog, String> {
        // Held all the time: two that ask at once get the same one.
        let mut all = self.known();
        let same = all.iter().filter(|known| known.options == *options);
        match same.filter_map(|known| known.log.upgrade()).next() {
            Some(shared) => Ok(OpenLog(shared)),
            None => Ok(add(&mut all, open()?)),
        }
    }

    /// Has every file opened anew, which its thread does when it comes to it. False: there is no
    /// file. Does not block.
    pub fn reopen(&self) -> bool {
        let known = self.known();
        let files = known.iter().filter(|log| log.is_file() && log.is_alive());
        // One that has just ended takes no orders.
        let told = files.filter(|log| log.orders.send(Control::Reopen).is_ok());
        told.count() > 0
    }

    /// Has everything written that was told so far, and waits for that, but not longer than `most`
    /// for each.
    pub fn finish(&self, most: Duration) {
        let known = std::mem::take(&mut *self.known());
        for log in &known {
            let _ = log.orders.send(Control::End);
        }
        for log in known {
            // Nothing is ever sent: it ends by an error, of one kind or the other.
            let _ = log.end.recv_timeout(most);
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(all: &mut Vec<Known>, (log, known): (OpenLog, Known)) -> OpenLog {
    all.retain(Known::is_alive);
    all.push(known);
    log
}
