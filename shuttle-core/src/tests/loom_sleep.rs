//! Model 6: two rings, two sleepers. Loom finds the deadlock that a lost wake-up is; the count of
//! rings shows that none is wasted.

use loom::thread;

use super::pair::{Rope, sleep_until};
use crate::{TxShore, WorkerShore, link};

/// `batches` of the worker, each of that many shuttles; TX answers each as it comes.
fn check(berths: u16, batches: usize) {
    loom::model(move || {
        let (tx_rope, worker_rope) = (Rope::new(), Rope::new());
        let (worker, tx) = link::<u8>(berths, tx_rope.clone(), worker_rope.clone());
        let trips = usize::from(berths) * batches;
        let rope = tx_rope.clone();
        let tx = thread::spawn(move || {
            let mut shore = tx.land();
            let (prepare, woke) = (TxShore::prepare_sleep, TxShore::woke);
            let mut slept = 0;
            for _ in 0..trips {
                let (shuttle, sleeps) =
                    sleep_until(&mut shore, &rope, prepare, woke, |shore| shore.recv());
                slept += sleeps;
                shore.send(shuttle);
            }
            shore.flush();
            (slept, shore)
        });
        let mut shore = worker.land();
        let (prepare, woke) = (WorkerShore::prepare_sleep, WorkerShore::woke);
        let mut slept = 0;
        for _ in 0..batches {
            while let Some(shuttle) = shore.board() {
                shore.send(shuttle);
            }
            shore.flush();
            for _ in 0..berths {
                let (shuttle, sleeps) =
                    sleep_until(&mut shore, &worker_rope, prepare, woke, |shore| {
                        shore.recv()
                    });
                slept += sleeps;
                shore.release(shuttle);
            }
        }
        let (tx_slept, tx_shore) = tx.join().unwrap();
        // A look that found work after all may have been rung for: one more than the sleeps.
        assert!(
            worker_rope.rung() <= slept + trips,
            "the worker was rung while awake"
        );
        assert!(
            tx_rope.rung() <= tx_slept + batches,
            "TX was rung more than once per batch"
        );
        drop(tx_shore);
    });
}

#[test]
fn loom_sleep_one_berth_r17_r19() {
    check(1, 2);
}

#[test]
fn loom_sleep_two_berths_r18_r20() {
    check(2, 1);
}

/// One announced sleep is rung for once, however much is sent meanwhile.
#[test]
fn loom_sleep_is_rung_once_r19() {
    loom::model(|| {
        let rope = Rope::new();
        let (worker, tx) = link::<u8>(2, rope.clone(), Rope::new());
        let sleeper = thread::spawn(move || {
            let mut shore = tx.land();
            let sleep = shore.prepare_sleep();
            (shore, sleep)
        });
        let mut shore = worker.land();
        while let Some(shuttle) = shore.board() {
            shore.send(shuttle);
            shore.flush();
        }
        assert!(rope.rung() <= 1);
        let (mut tx_shore, _) = sleeper.join().unwrap();
        assert_eq!(std::iter::from_fn(|| tx_shore.recv()).map(drop).count(), 2);
    });
}
