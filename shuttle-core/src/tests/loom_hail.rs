//! Model 1, second half: the news that the client left reaches TX although TX sends nothing, once,
//! and never for another client of the same berth.

use std::sync::Arc;

use loom::thread;

use super::pair::{Rope, at_tx, at_worker, pair, sleep_until};
use crate::{NoBell, TxShore, WorkerShore, link};

/// TX holds the shuttle and sleeps; only the hail can wake it.
#[test]
fn loom_hail_wakes_a_sleeper_r4() {
    loom::model(|| {
        let rope = Rope::new();
        let (worker, tx) = link::<u8>(1, rope.clone(), Arc::new(NoBell));
        let tx = thread::spawn(move || {
            let mut shore = tx.land();
            let (prepare, woke) = (TxShore::prepare_sleep, TxShore::woke);
            let (shuttle, _) = sleep_until(&mut shore, &rope, prepare, woke, |s| s.recv());
            let (id, _) = sleep_until(&mut shore, &rope, prepare, woke, |s| s.hailed());
            assert_eq!(id, shuttle.berth());
            assert!(shuttle.client_gone());
            drop(shuttle);
        });
        let mut shore = worker.land();
        let shuttle = shore.board().unwrap();
        let id = shuttle.berth();
        shore.send(shuttle);
        shore.flush();
        shore.hail_client_gone(id);
        shore.flush();
        tx.join().unwrap();
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
    });
}

/// Two clients of one berth leave; TX looks late. Each is reported once at most, the second exactly
/// once.
#[test]
fn loom_hail_names_the_right_trip_once_r8_r11() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<u8>| {
            let first = at_tx(&mut shore);
            let first_id = first.berth();
            shore.send(first);
            let mut hails: Vec<_> = shore.hailed().into_iter().collect();
            let second = at_tx(&mut shore);
            assert_ne!(first_id, second.berth());
            assert!(shore.client_gone(first_id), "R11: a stale id is inert");
            hails.extend(std::iter::from_fn(|| shore.hailed()));
            (hails, first_id, second.berth(), shore, second)
        });
        trip_with_hail(&mut shore);
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
        let id = trip_with_hail(&mut shore);
        let (mut hails, first, second, mut tx_shore, shuttle) = tx.join().unwrap();
        hails.extend(std::iter::from_fn(|| tx_shore.hailed()));
        drop(shuttle);
        assert_eq!(id, second);
        assert_eq!(hails.iter().filter(|&&hailed| hailed == second).count(), 1);
        assert!(hails.iter().filter(|&&hailed| hailed == first).count() <= 1);
    });
}

fn trip_with_hail(shore: &mut WorkerShore<u8>) -> crate::BerthId {
    let shuttle = shore.board().unwrap();
    let id = shuttle.berth();
    shore.send(shuttle);
    shore.hail_client_gone(id);
    id
}
