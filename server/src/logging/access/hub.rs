//! All access logs of the process, for those who have an order for each of them: the thread of the
//! signals, and the end of the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError};

use super::writer::Control;

/// Knows the open logs. Clones are the same hub; any thread may have one.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Mutex<Vec<Known>>>);

/// One log.
#[derive(Debug)]
struct Known {
    orders: Sender<Control>,
    /// Disconnected when its thread has ended.
    end: Receiver<()>,
    is_file: bool,
}

impl Known {
    fn is_alive(&self) -> bool {
        !matches!(self.end.try_recv(), Err(TryRecvError::Disconnected))
    }
}

impl Hub {
    /// A log is open.
    pub(super) fn add(&self, orders: Sender<Control>, end: Receiver<()>, is_file: bool) {
        let known = Known {
            orders,
            end,
            is_file,
        };
        let mut all = self.known();
        all.retain(Known::is_alive);
        all.push(known);
    }

    /// Has every file opened anew, which its thread does when it comes to it. False: there is no
    /// file. Does not block.
    pub fn reopen(&self) -> bool {
        let known = self.known();
        let files = known.iter().filter(|log| log.is_file && log.is_alive());
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
