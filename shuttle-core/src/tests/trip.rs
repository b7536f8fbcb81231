//! One thread, both shores: what a trip, its lent bytes and its close promise.

use super::shores;
use crate::MustClose;
use crate::limits::BERTHS_MAX_COUNT;

#[test]
fn a_trip_there_and_back() {
    let (mut worker, mut tx) = shores::<Vec<u8>>(2);
    let mut shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    shuttle.extend_from_slice(b"request");
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    assert_eq!(**shuttle, *b"request");
    assert_eq!(shuttle.berth(), id);
    shuttle.clear();
    shuttle.extend_from_slice(b"response");
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    assert_eq!(**shuttle, *b"response");
    assert_eq!(worker.travelling(), 1);
    worker.release(shuttle);
    assert_eq!(worker.travelling(), 0);
}

#[test]
fn first_sent_is_first_received() {
    let (mut worker, mut tx) = shores::<u8>(3);
    for number in 0..3 {
        let mut shuttle = worker.board().unwrap();
        *shuttle = number;
        worker.send(shuttle);
    }
    for number in 0..3 {
        let shuttle = tx.recv().unwrap();
        assert_eq!(*shuttle, number);
        tx.send(shuttle);
    }
    assert!(tx.recv().is_none());
    for number in 0..3 {
        let shuttle = worker.recv().unwrap();
        assert_eq!(*shuttle, number);
        worker.release(shuttle);
    }
    assert!(worker.recv().is_none());
}

#[test]
fn the_last_used_berth_is_boarded_next_with_its_buffers() {
    let (mut worker, _tx) = shores::<Vec<u8>>(8);
    let mut shuttle = worker.board().unwrap();
    shuttle.reserve(1000);
    let id = shuttle.berth();
    worker.release(shuttle);
    let shuttle = worker.board().unwrap();
    assert_eq!(shuttle.berth().index(), id.index());
    assert_eq!(shuttle.berth().generation(), id.generation() + 1);
    assert!(shuttle.capacity() >= 1000);
    worker.release(shuttle);
}

#[test]
fn back_pressure_is_no_free_berth_r17_r21() {
    let (mut worker, mut tx) = shores::<u8>(2);
    for _ in 0..2 {
        let shuttle = worker.board().unwrap();
        worker.send(shuttle);
    }
    assert!(worker.board().is_none());
    assert_eq!((worker.travelling(), worker.berths()), (2, 2));
    let shuttle = tx.recv().unwrap();
    tx.send(shuttle);
    assert!(worker.board().is_none(), "home is not free yet");
    let shuttle = worker.recv().unwrap();
    worker.release(shuttle);
    assert!(worker.board().is_some());
}

#[test]
fn as_many_berths_as_there_can_be_fill_both_rings_twice_r17_r20() {
    let (mut worker, mut tx) = shores::<u8>(BERTHS_MAX_COUNT);
    for _ in 0..2 {
        while let Some(shuttle) = worker.board() {
            worker.send(shuttle);
        }
        assert_eq!(worker.travelling(), BERTHS_MAX_COUNT);
        while let Some(shuttle) = tx.recv() {
            tx.send(shuttle);
        }
        while let Some(shuttle) = worker.recv() {
            worker.release(shuttle);
        }
        assert_eq!(worker.travelling(), 0);
    }
}

#[test]
fn lent_bytes_are_read_in_place_and_forgotten_at_home_r12_r40() {
    let (mut worker, mut tx) = shores::<Vec<u8>>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    shuttle.extend_from_slice(b"head ");
    static BODY: &[u8] = b"body";
    for piece in [BODY, b"", b" end"] {
        shuttle.lend_static(piece);
    }
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    assert_eq!(shuttle.lent_count(), 3);
    let (cargo, lent) = shuttle.parts();
    let lent: Vec<&[u8]> = lent.collect();
    assert_eq!(
        (&cargo[..], &lent[..]),
        (&b"head "[..], &[BODY, b" end"][..])
    );
    assert_eq!(lent[0].as_ptr(), BODY.as_ptr(), "not copied");
    assert_eq!(
        shuttle.lent().count(),
        2,
        "R40: an empty piece is never shown"
    );
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    assert_eq!(
        (shuttle.unpin(), shuttle.unpin(), shuttle.lent_count()),
        (3, 0, 0)
    );
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    worker.release(shuttle);
}

#[test]
fn a_close_in_time_stops_the_continue() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    worker.send(shuttle);
    let shuttle = tx.recv().unwrap();
    tx.send(shuttle);
    assert_eq!(tx.must_close(id), MustClose::InTime);
    let shuttle = worker.recv().unwrap();
    assert!(shuttle.must_close());
    let mut shuttle = worker.send_continue(shuttle).unwrap_err();
    assert_eq!(shuttle.berth(), id);
    assert!(shuttle.accept_close());
    assert!(!shuttle.accept_close() && !shuttle.must_close());
    worker.send(shuttle);
    assert!(!tx.recv().unwrap().must_close_pending());
}

#[test]
fn a_close_too_late_is_seen_by_who_receives() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    worker.send_continue(shuttle).unwrap();
    assert_eq!(tx.must_close(id), MustClose::TooLate);
    let shuttle = tx.recv().unwrap();
    assert!(shuttle.must_close_pending());
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    assert!(!shuttle.must_close(), "the send took it down");
    worker.release(shuttle);
    assert_eq!(tx.must_close(id), MustClose::Stale);
}

#[test]
fn a_stale_close_touches_nobody_else_r11() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    let old = shuttle.berth();
    worker.release(shuttle);
    let shuttle = worker.board().unwrap();
    assert_ne!(shuttle.berth(), old);
    assert_eq!(tx.must_close(old), MustClose::Stale);
    assert!(!shuttle.must_close());
}

#[test]
fn handles_and_shores_can_be_printed() {
    let (mut worker, mut tx) = shores::<u8>(2);
    let shuttle = worker.board().unwrap();
    assert_eq!(
        format!("{shuttle:?} {worker:?}"),
        "Shuttle<Worker>(0.0) WorkerShore(1 of 2 travelling)"
    );
    worker.send(shuttle);
    let shuttle = tx.recv().unwrap();
    assert_eq!(format!("{shuttle:?} {tx:?}"), "Shuttle<Tx>(0.0) TxShore");
}
