//! Model 7: the two sides start, drain and leave in any order. Loom also fails a model that leaks
//! the memory of a link.

use std::sync::Arc;

use loom::thread;

use super::pair::{Rope, at_tx, at_worker, pair, sleep_until};
use crate::{NoBell, TxShore, WorkerShore, link};

const LENT: &[u8] = b"lent";

fn prepare(shore: &mut WorkerShore<u8>) -> crate::Sleep {
    shore.prepare_sleep()
}

/// TX leaves before it landed; the worker sent to it, or did not yet, and sleeps.
#[test]
fn loom_shutdown_tx_leaves_unlanded_r25_r30() {
    loom::model(|| {
        let rope = Rope::new();
        let (worker, tx) = link::<u8>(1, Arc::new(NoBell), rope.clone());
        let tx = thread::spawn(move || drop(tx));
        let mut shore = worker.land();
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        let (shuttle, _) = sleep_until(&mut shore, &rope, prepare, WorkerShore::woke, |shore| {
            shore.recv()
        });
        assert!(shuttle.is_abandoned() && shore.tx_has_left());
        shore.release(shuttle);
        assert_eq!(shore.travelling(), 0);
        tx.join().unwrap();
    });
}

/// TX leaves while it may or may not have received, and answered, the shuttle.
#[test]
fn loom_shutdown_tx_leaves_at_any_time_r26_r30() {
    loom::model(|| {
        let (mut shore, tx) = pair(2, |mut shore: TxShore<u8>| {
            if let Some(mut shuttle) = shore.recv() {
                *shuttle += 1;
                shore.send(shuttle);
            }
        });
        for _ in 0..2 {
            let mut shuttle = shore.board().unwrap();
            *shuttle = 1;
            shore.send(shuttle);
        }
        for _ in 0..2 {
            let shuttle = at_worker(&mut shore);
            assert_eq!(*shuttle == 1, shuttle.is_abandoned());
            shore.release(shuttle);
        }
        assert!(shore.recv().is_none());
        tx.join().unwrap();
    });
}

/// The worker leaves while TX sends to it with lent bytes: TX gets the shuttle back to unpin it.
#[test]
fn loom_shutdown_worker_leaves_r22_r28() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<u8>| {
            let mut shuttle = at_tx(&mut shore);
            let id = shuttle.berth();
            shuttle.lend_static(LENT);
            shore.send(shuttle);
            let mut shuttle = at_tx(&mut shore);
            assert!(shuttle.is_abandoned());
            assert_eq!(shuttle.unpin(), 1);
            shore.send(shuttle);
            while !shore.worker_has_left() {
                thread::yield_now();
            }
            assert!(
                shore
                    .recv()
                    .map(drop)
                    .is_none_or(|()| shore.recv().is_none())
            );
            assert!(shore.client_gone(id), "laid to rest");
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        if let Some(shuttle) = shore.recv() {
            drop(shuttle);
        }
        drop(shore);
        tx.join().unwrap();
    });
}

/// A graceful end: the worker waits for its last shuttle, leaves, and TX wakes up to that.
#[test]
fn loom_shutdown_drain_r27_r30_r31() {
    loom::model(|| {
        let rope = Rope::new();
        let (worker, tx) = link::<u8>(1, rope.clone(), Arc::new(NoBell));
        let tx = thread::spawn(move || {
            let mut shore = tx.land();
            let look = |shore: &mut TxShore<u8>| {
                while let Some(shuttle) = shore.recv() {
                    shore.send(shuttle);
                }
                shore.worker_has_left().then_some(())
            };
            sleep_until(
                &mut shore,
                &rope,
                TxShore::prepare_sleep,
                TxShore::woke,
                look,
            );
            assert!(
                shore.recv().is_none(),
                "R30: nothing is served after the end"
            );
        });
        let mut shore = worker.land();
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        shore.flush();
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
        assert_eq!(shore.travelling(), 0);
        drop(shore);
        tx.join().unwrap();
    });
}

/// Both leave at once, one of them with a shuttle in its hands.
#[test]
fn loom_shutdown_both_leave_r29_r32() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<u8>| {
            let held = shore.recv();
            drop(shore);
            drop(held);
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        drop(shore);
        tx.join().unwrap();
    });
}
