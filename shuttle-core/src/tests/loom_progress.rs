//! Model 5, second half: TX waits until the worker got on with the chunks, which keeps the shuttle.
//! No progress goes unnoticed, although TX sleeps and the worker does not know why.

use std::sync::Arc;

use loom::thread;

use super::pair::{Leg, Rope, at_tx, at_worker, sleep_until};
use crate::{Appended, BerthId, MustClose, NoBell, Shuttle, TxShore, Worker, WorkerShore, link};

/// Sleeps until the worker has sent so many bytes, or has given the shuttle back.
fn wait_for(shore: &mut TxShore<Leg>, rope: &Rope, id: BerthId, bytes: u64) {
    let (prepare, woke) = (TxShore::prepare_sleep, TxShore::woke);
    while shore.await_progress(id).unwrap().sent_bytes < bytes {
        let (hailed, _) = sleep_until(shore, rope, prepare, woke, TxShore::hailed);
        assert_eq!(hailed, id);
        assert!(!shore.client_gone(id));
    }
}

/// Sends what there is, byte by byte, and tells after each.
fn send_all(shore: &mut WorkerShore<Leg>, shuttle: &mut Shuttle<Worker, Leg>) -> usize {
    let found = shuttle.find_chunks();
    for _ in 0..found {
        shuttle.consumed(1);
        shore.tell_progress(shuttle);
        shore.flush();
    }
    found
}

fn check(tx_side: fn(&mut TxShore<Leg>, &Rope, BerthId)) {
    loom::model(move || {
        let rope = Rope::new();
        let (worker, tx) = link::<Leg>(1, rope.clone(), Arc::new(NoBell));
        let tx = thread::spawn(move || {
            let mut shore = tx.land();
            let mut shuttle = at_tx(&mut shore);
            let id = shuttle.berth();
            assert_eq!(shore.append(id, &[1]), Appended::TooLate);
            *shuttle = Leg::Write(0);
            shore.send(shuttle);
            tx_side(&mut shore, &rope, id);
            assert_eq!(shore.must_close(id), MustClose::InTime);
            let mut shuttle = at_tx(&mut shore);
            assert_eq!(shuttle.unsent_bytes(), 0);
            *shuttle = Leg::Release;
            shore.send(shuttle);
        });
        let mut shore = worker.land();
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        shore.flush();
        let mut shuttle = at_worker(&mut shore);
        // It keeps the shuttle until the end is asked for: only a hail tells TX how far it got.
        while !shuttle.accept_close() {
            if send_all(&mut shore, &mut shuttle) == 0 {
                thread::yield_now();
            }
        }
        shore.send(shuttle);
        shore.flush();
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
        tx.join().unwrap();
    });
}

/// One byte, and TX sleeps until it is gone.
#[test]
fn loom_progress_wakes_a_sleeper() {
    check(|shore, rope, id| wait_for(shore, rope, id, 1));
}

/// The wish meets "Continue": whatever comes first, the shuttle comes home once, and the wish of
/// this trip is nothing to the next.
#[test]
fn loom_progress_meets_continue() {
    loom::model(|| {
        let (mut shore, tx) = super::pair::pair(1, |mut shore: TxShore<Leg>| {
            let shuttle = at_tx(&mut shore);
            let id = shuttle.berth();
            assert_eq!(shore.append(id, &[1]), Appended::TooLate);
            shore.send(shuttle);
            assert!(shore.await_progress(id).is_some());
            let shuttle = at_tx(&mut shore);
            assert_eq!(shuttle.progress().sent_bytes, 1);
            shore.send(shuttle);
            // Of a trip that is over, or is just being ended: nobody hears of it.
            let _ = shore.await_progress(id);
            shore
        });
        let shuttle = shore.board().unwrap();
        let id = shuttle.berth();
        shore.send(shuttle);
        let mut shuttle = at_worker(&mut shore);
        assert_eq!(shuttle.find_chunks(), 1);
        shuttle.consumed(1);
        assert!(shore.send_continue(shuttle).is_ok());
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
        let mut tx_shore = tx.join().unwrap();
        let mut next = shore.board().unwrap();
        assert_ne!(next.berth(), id);
        next.find_chunks();
        shore.tell_progress(&next);
        assert_eq!(tx_shore.hailed(), None);
        shore.release(next);
    });
}
