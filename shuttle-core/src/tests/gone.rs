//! Clients that leave, handles that are dropped.

use std::collections::BTreeSet;

use super::shores;
use crate::BerthId;

#[test]
fn the_shuttle_carries_the_news_r8() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    assert!(!shuttle.client_gone() && !tx.client_gone(shuttle.berth()));
    shuttle.mark_client_gone();
    worker.send(shuttle);
    let shuttle = tx.recv().unwrap();
    assert!(shuttle.client_gone() && tx.client_gone(shuttle.berth()));
    assert_eq!(tx.hailed(), None, "a mark is no hail");
}

#[test]
fn a_hail_is_reported_once_whoever_owns_the_shuttle_r4() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    worker.send(shuttle);
    for _ in 0..2 {
        worker.hail_client_gone(id);
    }
    assert_eq!(worker.unflushed(), 2, "one send, one hail");
    assert_eq!((tx.hailed(), tx.hailed()), (Some(id), None));
    worker.hail_client_gone(id);
    assert_eq!(tx.hailed(), None, "known");
    assert!(tx.recv().unwrap().client_gone());
}

/// The bit of a berth may be raised still when its next trip has begun; what it finds there is not
/// taken for a hail.
#[test]
fn what_was_marked_is_not_hailed_too_r11() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.hail_client_gone(shuttle.berth());
    worker.release(shuttle);
    let shuttle = worker.board().unwrap();
    shuttle.mark_client_gone();
    worker.hail_client_gone(shuttle.berth());
    assert_eq!(tx.hailed(), None);
    worker.release(shuttle);
}

#[test]
fn stale_ids_are_ignored_r11() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    let old = shuttle.berth();
    worker.hail_client_gone(old);
    worker.release(shuttle);
    assert_eq!(tx.hailed(), None, "a freed shuttle has no client");
    assert!(tx.client_gone(old));
    let shuttle = worker.board().unwrap();
    worker.hail_client_gone(old);
    assert!(!shuttle.client_gone());
    assert_eq!((tx.hailed(), worker.unflushed()), (None, 1));
}

#[test]
fn hails_of_all_groups_are_found() {
    let (mut worker, mut tx) = shores::<u8>(9000);
    let mut shuttles: Vec<_> = std::iter::from_fn(|| worker.board()).collect();
    let wanted: BTreeSet<u16> = [0, 1, 63, 64, 4095, 4096, 8191, 8192, 8999].into();
    for shuttle in &shuttles {
        if wanted.contains(&shuttle.berth().index()) {
            worker.hail_client_gone(shuttle.berth());
        }
    }
    let found: Vec<u16> = std::iter::from_fn(|| tx.hailed())
        .map(BerthId::index)
        .collect();
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(found.len(), wanted.len());
    shuttles
        .drain(..)
        .for_each(|shuttle| worker.release(shuttle));
}

#[test]
fn what_tx_drops_goes_home_and_lends_nothing_r2() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    shuttle.lend_static(b"bytes");
    drop(shuttle);
    let shuttle = worker.recv().unwrap();
    assert!(shuttle.is_abandoned());
    assert_eq!(shuttle.lent_count(), 0);
    worker.release(shuttle);
    assert!(!worker.board().unwrap().is_abandoned());
}

#[test]
fn what_the_worker_drops_unsent_is_freed() {
    let (mut worker, mut tx) = shores::<u8>(1);
    drop(worker.board().unwrap());
    assert_eq!(worker.travelling(), 0);
    assert!(tx.recv().is_none());
}

#[test]
fn what_the_worker_drops_later_wakes_who_waits_at_tx_r4_r12() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    shuttle.lend_static(b"bytes");
    tx.send(shuttle);
    drop(worker.recv().unwrap());
    let mut shuttle = tx.recv().unwrap();
    assert!(shuttle.is_abandoned());
    assert_eq!(shuttle.unpin(), 1);
    drop(shuttle);
    drop(worker.recv().unwrap());
    assert!(tx.recv().is_none(), "it does not go on for ever");
    assert_eq!(worker.travelling(), 0);
}

#[test]
fn an_abandoned_shuttle_with_lent_bytes_is_not_freed_by_a_drop_r12() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    drop(tx.recv().unwrap());
    let shuttle = worker.recv().unwrap();
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    shuttle.lend_static(b"bytes");
    tx.send(shuttle);
    drop(worker.recv().unwrap());
    assert_eq!(tx.recv().unwrap().unpin(), 1);
}
