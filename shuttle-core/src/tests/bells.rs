//! When a doorbell rings, and when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::TX_RING_AFTER_COUNT;
use crate::{Doorbell, Sleep, ThreadBell, TxShore, WorkerShore, link};

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    /// How often it rang since the last look.
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Doorbell for Count {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    worker: WorkerShore<u8>,
    tx: TxShore<u8>,
    at_worker: Arc<Count>,
    at_tx: Arc<Count>,
}

fn world() -> World {
    let (at_tx, at_worker) = (Arc::<Count>::default(), Arc::<Count>::default());
    let (worker, tx) = link(32, at_tx.clone(), at_worker.clone());
    World {
        worker: worker.land(),
        tx: tx.land(),
        at_worker,
        at_tx,
    }
}

impl World {
    fn send(&mut self) {
        let shuttle = self.worker.board().unwrap();
        self.worker.send(shuttle);
    }

    fn answer(&mut self) {
        let shuttle = self.tx.recv().unwrap();
        self.tx.send(shuttle);
    }
}

#[test]
fn only_a_sleeper_is_rung_and_once_per_batch_r19() {
    let mut world = world();
    world.send();
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 0, "TX is awake");
    world.answer();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    world.send();
    world.send();
    assert_eq!(world.at_tx.take(), 0, "not before the flush");
    assert_eq!(world.worker.unflushed(), 2);
    world.worker.flush();
    assert_eq!((world.at_tx.take(), world.worker.unflushed()), (1, 0));
    world.send();
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 0, "it was rung for this sleep");
}

#[test]
fn nothing_new_rings_nobody() {
    let mut world = world();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 0);
}

#[test]
fn who_woke_by_itself_is_not_rung() {
    let mut world = world();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    world.tx.woke();
    world.send();
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 0);
}

#[test]
fn the_second_look_finds_what_was_published_r4() {
    let mut world = world();
    world.send();
    assert_eq!(world.tx.prepare_sleep(), Sleep::WorkArrived);
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 0, "it stayed awake");
    world.answer();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    assert_eq!(world.worker.prepare_sleep(), Sleep::WorkArrived);
}

#[test]
fn tx_rings_by_itself_after_eight() {
    let mut world = world();
    assert_eq!(world.worker.prepare_sleep(), Sleep::MaySleep);
    (0..TX_RING_AFTER_COUNT).for_each(|_| world.send());
    for _ in 1..TX_RING_AFTER_COUNT {
        world.answer();
    }
    assert_eq!(world.at_worker.take(), 0);
    world.answer();
    assert_eq!(world.at_worker.take(), 1);
}

#[test]
fn who_goes_to_sleep_flushes_first() {
    let mut world = world();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    world.send();
    assert_eq!(world.worker.prepare_sleep(), Sleep::MaySleep);
    assert_eq!(world.at_tx.take(), 1);
    world.answer();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    assert_eq!(world.at_worker.take(), 1);
}

#[test]
fn a_hail_alone_wakes_tx_r4() {
    let mut world = world();
    world.send();
    let shuttle = world.tx.recv().unwrap();
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
    world.worker.hail_client_gone(shuttle.berth());
    world.worker.flush();
    assert_eq!(world.at_tx.take(), 1);
    assert_eq!(world.tx.prepare_sleep(), Sleep::WorkArrived);
    assert_eq!(world.tx.hailed(), Some(shuttle.berth()));
    assert_eq!(world.tx.prepare_sleep(), Sleep::MaySleep);
}

#[test]
fn a_dropped_handle_rings_at_once() {
    let mut world = world();
    world.send();
    assert_eq!(world.worker.prepare_sleep(), Sleep::MaySleep);
    drop(world.tx.recv().unwrap());
    assert_eq!(world.at_worker.take(), 1);
}

#[test]
fn leaving_rings_once_and_keeps_nobody_awake() {
    let world = world();
    let mut worker = world.worker;
    assert_eq!(worker.prepare_sleep(), Sleep::MaySleep);
    drop(world.tx);
    assert_eq!(world.at_worker.take(), 1);
    assert_eq!(
        worker.prepare_sleep(),
        Sleep::WorkArrived,
        "not noticed yet"
    );
    assert_eq!(worker.prepare_sleep(), Sleep::MaySleep, "told once");
    assert!(worker.tx_has_left());
}

#[test]
fn a_thread_bell_remembers_one_ring() {
    let bell = Arc::new(ThreadBell::new());
    bell.ring();
    bell.ring();
    bell.wait();
    let ringer = std::thread::spawn({
        let bell = Arc::clone(&bell);
        move || bell.ring()
    });
    bell.wait();
    ringer.join().unwrap();
}
