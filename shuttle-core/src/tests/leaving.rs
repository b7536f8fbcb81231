//! Ends and shores that are dropped with shuttles anywhere. R22, R25-R32 with real threads are
//! models; here is what each side is told.

use super::shores;
use crate::{NoBell, link};

#[test]
fn an_end_that_never_landed_has_left_r25_r37() {
    let (worker, tx) = link::<u8>(1, std::sync::Arc::new(NoBell), std::sync::Arc::new(NoBell));
    drop(worker);
    let mut tx = tx.land();
    assert!(tx.worker_has_left());
    assert!(tx.recv().is_none());
}

#[test]
fn what_a_left_tx_never_received_comes_back_r30() {
    let (mut worker, mut tx) = shores::<u8>(3);
    for number in 0..3 {
        let mut shuttle = worker.board().unwrap();
        *shuttle = number;
        worker.send(shuttle);
    }
    let held = tx.recv().unwrap();
    assert!(!worker.tx_has_left());
    drop(tx);
    assert!(worker.tx_has_left());
    for number in 1..3 {
        let shuttle = worker.recv().unwrap();
        assert!(*shuttle == number && shuttle.is_abandoned());
        worker.release(shuttle);
    }
    assert!(worker.recv().is_none());
    drop(held);
    let shuttle = worker.recv().unwrap();
    assert!(*shuttle == 0 && shuttle.is_abandoned());
    worker.send(shuttle);
    assert_eq!(
        worker.travelling(),
        0,
        "an abandoned one that finds nobody is freed"
    );
}

#[test]
fn bytes_lent_by_a_left_tx_are_forgotten() {
    let (mut worker, mut tx) = shores::<u8>(2);
    for _ in 0..2 {
        let shuttle = worker.board().unwrap();
        worker.send(shuttle);
        let mut shuttle = tx.recv().unwrap();
        shuttle.lend_static(b"bytes");
        tx.send(shuttle);
    }
    drop(tx);
    let shuttle = worker.recv().unwrap();
    assert_eq!(shuttle.lent_count(), 1, "it is read as if TX were there");
    worker.send(shuttle);
    drop(worker.recv().unwrap());
    assert_eq!(worker.travelling(), 1, "dropped with nobody to tell: freed");
    let shuttle = worker.recv().unwrap();
    assert_eq!(shuttle.lent_count(), 0);
    worker.release(shuttle);
    assert_eq!(worker.travelling(), 0);
}

#[test]
fn what_a_left_worker_never_received_comes_back_to_unpin_r12_r28() {
    let (mut worker, mut tx) = shores::<u8>(2);
    for _ in 0..2 {
        let shuttle = worker.board().unwrap();
        worker.send(shuttle);
    }
    let mut shuttle = tx.recv().unwrap();
    shuttle.lend_static(b"bytes");
    tx.send(shuttle);
    drop(worker);
    assert!(
        !tx.recv().unwrap().is_abandoned(),
        "the worker sent this before it left"
    );
    let mut shuttle = tx.recv().unwrap();
    assert!(shuttle.is_abandoned());
    assert_eq!(shuttle.unpin(), 1);
    tx.send(shuttle);
    assert!(
        tx.recv().is_none(),
        "both are at rest: the other was dropped above"
    );
}

#[test]
fn a_handle_outlives_its_shore_r32() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let shuttle = tx.recv().unwrap();
    drop(tx);
    drop(worker);
    assert_eq!(*shuttle, 0);
    drop(shuttle);
}

#[test]
fn a_worker_handle_outlives_its_shore_and_still_reaches_tx() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let shuttle = tx.recv().unwrap();
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    drop(worker);
    drop(shuttle);
    assert!(tx.recv().unwrap().is_abandoned());
}
