//! What the models share: two landed shores, and waiting for the other side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Notify;
use loom::thread::{self, JoinHandle};

use crate::{Doorbell, NoBell, Shuttle, Sleep, Tx, TxShore, Worker, WorkerShore, link};

/// What a shuttle of a model means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Leg {
    #[default]
    Request,
    Answer,
    Write(u8),
    Continue,
    Close,
    Closed,
    Release,
}

/// Runs TX on its own thread and the worker on this one; a side waits by looking again and again.
///
/// Loom runs all threads of a model on one, so what it watches need not be `Send`.
pub(super) fn pair<T: Send + Default + 'static, R: 'static>(
    berths: u16,
    tx_side: impl FnOnce(TxShore<T>) -> R + 'static,
) -> (WorkerShore<T>, JoinHandle<R>) {
    let (worker, tx) = link(berths, Arc::new(NoBell), Arc::new(NoBell));
    let tx = thread::spawn(move || tx_side(tx.land()));
    (worker.land(), tx)
}

pub(super) fn at_tx<T>(shore: &mut TxShore<T>) -> Shuttle<Tx, T> {
    loop {
        match shore.recv() {
            Some(shuttle) => return shuttle,
            None => thread::yield_now(),
        }
    }
}

pub(super) fn at_worker<T>(shore: &mut WorkerShore<T>) -> Shuttle<Worker, T> {
    loop {
        match shore.recv() {
            Some(shuttle) => return shuttle,
            None => thread::yield_now(),
        }
    }
}

/// A doorbell that counts.
pub(super) struct Rope {
    notify: Notify,
    rung: AtomicUsize,
}

impl Rope {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            notify: Notify::new(),
            rung: AtomicUsize::new(0),
        })
    }

    pub(super) fn wait(&self) {
        self.notify.wait();
    }

    pub(super) fn rung(&self) -> usize {
        self.rung.load(Ordering::Relaxed)
    }
}

impl Doorbell for Rope {
    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        self.notify.notify();
    }
}

/// Sleeps until `look` finds something; the answer has how often it really slept.
pub(super) fn sleep_until<S, R>(
    shore: &mut S,
    rope: &Rope,
    prepare: fn(&mut S) -> Sleep,
    woke: fn(&mut S),
    mut look: impl FnMut(&mut S) -> Option<R>,
) -> (R, usize) {
    let mut slept = 0;
    loop {
        if let Some(found) = look(shore) {
            return (found, slept);
        }
        if prepare(shore) == Sleep::MaySleep {
            slept += 1;
            rope.wait();
            woke(shore);
        }
    }
}
