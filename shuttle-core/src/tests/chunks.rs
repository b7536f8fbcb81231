//! One thread, both shores: what chunks, their verdicts and their limits promise.

use super::shores;
use crate::limits::{COPIED_MAX_BYTES, LENT_CHUNKS_MAX_COUNT, UNSENT_MAX_BYTES};
use crate::{Appended, BerthId, MustClose, Progress, Shuttle, Tx, TxShore, Worker, WorkerShore};

/// A trip that TX has sent out once, so that the shuttle is with the worker.
struct Away {
    worker: WorkerShore<u8>,
    tx: TxShore<u8>,
    id: BerthId,
}

impl Away {
    fn new() -> (Self, Shuttle<Worker, u8>) {
        let (mut worker, mut tx) = shores::<u8>(1);
        let id = board(&mut worker);
        let shuttle = tx.recv().unwrap();
        tx.send(shuttle);
        let shuttle = worker.recv().unwrap();
        (Self { worker, tx, id }, shuttle)
    }

    /// "Continue", and what TX then has in its hands.
    fn home(&mut self, shuttle: Shuttle<Worker, u8>) -> Shuttle<Tx, u8> {
        assert!(self.worker.send_continue(shuttle).is_ok());
        self.tx.recv().unwrap()
    }

    fn out(&mut self, shuttle: Shuttle<Tx, u8>) -> Shuttle<Worker, u8> {
        self.tx.send(shuttle);
        self.worker.recv().unwrap()
    }

    fn progress(&self) -> (u64, u64) {
        let Progress {
            sent_bytes,
            settled_count,
        } = self.tx.progress(self.id).unwrap();
        (sent_bytes, settled_count)
    }
}

fn board(worker: &mut WorkerShore<u8>) -> BerthId {
    let shuttle = worker.board().unwrap();
    let id = shuttle.berth();
    worker.send(shuttle);
    id
}

fn pieces(shuttle: &Shuttle<Worker, u8>) -> Vec<&[u8]> {
    shuttle.chunks().collect()
}

static ZEROS: [u8; UNSENT_MAX_BYTES + 1] = [0; UNSENT_MAX_BYTES + 1];

#[test]
fn small_writes_become_one_piece_and_lent_ones_keep_their_place() {
    let (mut away, mut shuttle) = Away::new();
    for number in 0..100u8 {
        assert_eq!(away.tx.append(away.id, &[number; 16]), Appended::InTime);
    }
    assert_eq!(shuttle.chunks().count(), 0, "nothing was looked for yet");
    assert_eq!(shuttle.find_chunks(), 1600);
    assert_eq!(pieces(&shuttle).len(), 1);
    assert_eq!(pieces(&shuttle)[0][1599], 99);

    assert_eq!(away.tx.append_static(away.id, b"lent"), Appended::InTime);
    assert_eq!(away.tx.append_static(away.id, b"twice"), Appended::InTime);
    assert_eq!(away.tx.append(away.id, b"copied"), Appended::InTime);
    assert_eq!(shuttle.find_chunks(), 1615);
    assert_eq!(pieces(&shuttle)[1..], [&b"lent"[..], b"twice", b"copied"]);

    shuttle.consumed(1598);
    assert_eq!(pieces(&shuttle)[0], [99, 99]);
    shuttle.consumed(4);
    assert_eq!(pieces(&shuttle), [&b"nt"[..], b"twice", b"copied"]);
    assert_eq!(away.progress(), (1602, 0));
    shuttle.consumed(2);
    assert_eq!(away.progress(), (1604, 1));
    assert_eq!(shuttle.lent_count(), 1);
    shuttle.consumed(11);
    assert_eq!((away.progress(), shuttle.find_chunks()), ((1615, 2), 0));
    away.worker.release(shuttle);
}

#[test]
fn what_was_not_found_stays_the_shuttle_and_what_was_found_goes_home_with_it() {
    let (mut away, shuttle) = Away::new();
    assert_eq!(away.tx.append(away.id, b"abc"), Appended::InTime);
    let mut shuttle = away.worker.send_continue(shuttle).unwrap_err();
    assert!(!shuttle.must_close());
    assert_eq!(shuttle.find_chunks(), 3);
    shuttle.consumed(1);

    let shuttle = away.home(shuttle);
    assert_eq!((shuttle.unsent_bytes(), away.progress()), (2, (1, 0)));
    assert_eq!(away.tx.append(away.id, b"d"), Appended::TooLate);
    assert_eq!(shuttle.unsent_bytes(), 3);

    let mut shuttle = away.out(shuttle);
    assert_eq!(pieces(&shuttle), [b"bc"], "the rest was not found yet");
    assert_eq!(shuttle.find_chunks(), 3);
    assert_eq!(pieces(&shuttle), [b"bcd"]);
    shuttle.consumed(3);
    let shuttle = away.home(shuttle);
    assert_eq!(shuttle.unsent_bytes(), 0);
    assert_eq!(shuttle.progress().sent_bytes, 4);
    let shuttle = away.out(shuttle);
    away.worker.release(shuttle);
}

#[test]
fn the_close_comes_after_the_last_chunk_r6() {
    let (mut away, mut shuttle) = Away::new();
    assert_eq!(away.tx.append(away.id, b"last"), Appended::InTime);
    assert_eq!(away.tx.must_close(away.id), MustClose::InTime);
    assert!(shuttle.must_close());
    assert!(!shuttle.accept_close(), "a chunk stands before it");
    assert!(shuttle.must_close(), "the request stands");
    assert_eq!(shuttle.find_chunks(), 4);
    assert!(shuttle.accept_close() && !shuttle.must_close());
    assert!(!shuttle.accept_close(), "once");
    assert_eq!(pieces(&shuttle), [b"last"]);
    shuttle.consumed(4);
    away.worker.release(shuttle);
}

#[test]
fn a_late_close_and_late_chunks_come_home_together_r8() {
    let (mut away, shuttle) = Away::new();
    assert!(away.worker.send_continue(shuttle).is_ok());
    assert_eq!(away.tx.append(away.id, b"late"), Appended::TooLate);
    assert_eq!(away.tx.must_close(away.id), MustClose::TooLate);
    let shuttle = away.tx.recv().unwrap();
    assert!(shuttle.must_close_pending());
    assert_eq!(shuttle.unsent_bytes(), 4);
    let mut shuttle = away.out(shuttle);
    assert_eq!(shuttle.find_chunks(), 4);
    assert!(!shuttle.must_close(), "it comes with the cargo");
    shuttle.consumed(4);
    away.worker.release(shuttle);
}

#[test]
fn chunks_of_a_client_that_left_are_discarded_and_not_counted_as_sent_r12() {
    let (mut away, mut shuttle) = Away::new();
    assert_eq!(away.tx.append_static(away.id, b"sent"), Appended::InTime);
    assert_eq!(away.tx.append(away.id, b"not sent"), Appended::InTime);
    assert_eq!(
        away.tx.append_static(away.id, b"nor this"),
        Appended::InTime
    );
    shuttle.find_chunks();
    shuttle.consumed(5);
    away.worker.hail_client_gone(away.id);
    away.worker.send(shuttle);
    let mut shuttle = away.tx.recv().unwrap();
    assert_eq!(shuttle.lent_count(), 1);
    assert_eq!(shuttle.discard_chunks(), 15);
    assert_eq!((shuttle.lent_count(), shuttle.unsent_bytes()), (0, 0));
    assert_eq!(away.progress(), (5, 2));
    assert_eq!(shuttle.discard_chunks(), 0);
    let shuttle = away.out(shuttle);
    away.worker.release(shuttle);
}

#[test]
fn the_next_trip_begins_from_nothing_r11() {
    let (mut away, mut shuttle) = Away::new();
    assert_eq!(away.tx.append_static(away.id, b"lent"), Appended::InTime);
    assert_eq!(away.tx.append(away.id, b"copied"), Appended::InTime);
    shuttle.find_chunks();
    shuttle.consumed(7);
    away.worker.release(shuttle);
    assert_eq!(away.tx.append(away.id, b"stale"), Appended::Stale);
    assert_eq!(away.tx.append_static(away.id, b"stale"), Appended::Stale);
    assert_eq!(away.tx.progress(away.id), None);

    let old = std::mem::replace(&mut away.id, board(&mut away.worker));
    assert_eq!(away.tx.append(old, b"stale"), Appended::Stale);
    assert_eq!(away.progress(), (0, 0));
    let shuttle = away.tx.recv().unwrap();
    assert_eq!((shuttle.unsent_bytes(), shuttle.lent_count()), (0, 0));
    let filled = away.tx.append(away.id, &ZEROS[..COPIED_MAX_BYTES]);
    assert_eq!(filled, Appended::TooLate, "all the room is there again");
    let mut shuttle = away.out(shuttle);
    assert_eq!(shuttle.find_chunks(), COPIED_MAX_BYTES);
    away.worker.release(shuttle);
}

#[test]
fn nothing_is_appended_to_what_was_dropped_r2_r12() {
    let (mut away, shuttle) = Away::new();
    assert_eq!(away.tx.append_static(away.id, b"lent"), Appended::InTime);
    drop(shuttle);
    let shuttle = away.tx.recv().unwrap();
    assert!(shuttle.is_abandoned());
    assert_eq!(shuttle.lent_count(), 1);
    assert_eq!(away.tx.append(away.id, b"more"), Appended::Stale);
    drop(shuttle);
    assert_eq!(away.progress(), (0, 1), "its bytes may go");
    let shuttle = away.worker.recv().unwrap();
    away.worker.release(shuttle);
}

#[test]
fn chunks_are_forgotten_when_tx_has_left_r30() {
    let (mut away, shuttle) = Away::new();
    assert_eq!(away.tx.append_static(away.id, b"lent"), Appended::InTime);
    drop(away.tx);
    away.worker.send(shuttle);
    let shuttle = away.worker.recv().unwrap();
    assert!(shuttle.is_abandoned());
    assert_eq!(shuttle.lent_count(), 0);
    away.worker.release(shuttle);
}

#[test]
fn copied_bytes_up_to_the_limit() {
    let (mut away, mut shuttle) = Away::new();
    let more = &ZEROS[..=COPIED_MAX_BYTES];
    assert_eq!(away.tx.append(away.id, more), Appended::Full, "never fits");
    let all = &ZEROS[..COPIED_MAX_BYTES];
    assert_eq!(away.tx.append(away.id, all), Appended::InTime);
    assert_eq!(away.tx.append(away.id, b"x"), Appended::Full);
    assert_eq!(
        away.tx.append_static(away.id, b"x"),
        Appended::InTime,
        "another room"
    );
    assert_eq!(shuttle.find_chunks(), COPIED_MAX_BYTES + 1);
    shuttle.consumed(10);
    assert_eq!(away.tx.append(away.id, &[1; 11]), Appended::Full);
    assert_eq!(away.tx.append(away.id, &[1; 10]), Appended::InTime);
    shuttle.consumed(COPIED_MAX_BYTES - 10 + 1);
    assert_eq!(shuttle.find_chunks(), 10);
    assert_eq!(pieces(&shuttle), [[1; 10]]);
    away.worker.release(shuttle);
}

/// Positions go round several times, in steps that do not divide the area.
#[test]
fn copied_bytes_go_round() {
    let (mut away, mut shuttle) = Away::new();
    for round in 0..200u32 {
        let bytes = [round as u8; 1021];
        assert_eq!(away.tx.append(away.id, &bytes), Appended::InTime);
        assert_eq!(shuttle.find_chunks(), 1021);
        let found: Vec<u8> = shuttle.chunks().flatten().copied().collect();
        assert_eq!(found, bytes);
        shuttle.consumed(1021);
    }
    assert_eq!(away.progress(), (204_200, 0));
    away.worker.release(shuttle);
}

#[test]
fn lent_chunks_up_to_the_limit() {
    let (mut away, mut shuttle) = Away::new();
    for _ in 0..LENT_CHUNKS_MAX_COUNT {
        assert_eq!(away.tx.append_static(away.id, b"ab"), Appended::InTime);
    }
    assert_eq!(away.tx.append_static(away.id, b"ab"), Appended::Full);
    shuttle.find_chunks();
    shuttle.consumed(1);
    assert_eq!(away.tx.append_static(away.id, b"ab"), Appended::Full);
    shuttle.consumed(1);
    for _ in 0..1000 {
        assert_eq!(away.tx.append_static(away.id, b"ab"), Appended::InTime);
        assert_eq!(away.tx.append_static(away.id, b"ab"), Appended::Full);
        shuttle.find_chunks();
        shuttle.consumed(2);
    }
    assert_eq!(shuttle.lent_count(), LENT_CHUNKS_MAX_COUNT - 1);
    shuttle.consumed(2 * (LENT_CHUNKS_MAX_COUNT - 1));
    away.worker.release(shuttle);
}

#[test]
fn unsent_bytes_up_to_the_limit() {
    let (mut away, mut shuttle) = Away::new();
    let half = &ZEROS[..UNSENT_MAX_BYTES / 2];
    assert_eq!(away.tx.append_static(away.id, half), Appended::InTime);
    assert_eq!(away.tx.append_static(away.id, half), Appended::InTime);
    assert_eq!(away.tx.append_static(away.id, b"x"), Appended::Full);
    shuttle.find_chunks();
    shuttle.consumed(1);
    assert_eq!(away.tx.append_static(away.id, b"xy"), Appended::Full);
    assert_eq!(away.tx.append_static(away.id, b"x"), Appended::InTime);
    shuttle.consumed(UNSENT_MAX_BYTES - 1);
    shuttle.find_chunks();
    let whole = &ZEROS;
    assert_eq!(
        away.tx.append_static(away.id, whole),
        Appended::Full,
        "not alone"
    );
    shuttle.consumed(1);
    assert_eq!(
        away.tx.append_static(away.id, whole),
        Appended::InTime,
        "alone"
    );
    shuttle.find_chunks();
    shuttle.consumed(UNSENT_MAX_BYTES + 1);
    assert_eq!(away.progress().1, 4);
    away.worker.release(shuttle);
}

#[test]
fn no_bytes_are_no_chunk() {
    let (mut away, shuttle) = Away::new();
    assert_eq!(away.tx.append(away.id, b""), Appended::InTime);
    assert_eq!(away.tx.append_static(away.id, b""), Appended::InTime);
    assert_eq!(shuttle.lent_count(), 0);
    let mut shuttle = away.home(shuttle);
    assert_eq!(away.tx.append(away.id, b""), Appended::TooLate);
    assert_eq!((shuttle.unsent_bytes(), shuttle.discard_chunks()), (0, 0));
    let mut shuttle = away.out(shuttle);
    shuttle.consumed(0);
    away.worker.release(shuttle);
}

/// A trip in which nothing is appended finds nothing, and makes no room.
#[test]
fn without_chunks_nothing_is_found() {
    let (mut away, mut shuttle) = Away::new();
    assert_eq!((shuttle.find_chunks(), shuttle.chunks().count()), (0, 0));
    shuttle.consumed(0);
    assert_eq!(away.progress(), (0, 0));
    let mut shuttle = away.home(shuttle);
    assert_eq!((shuttle.unsent_bytes(), shuttle.discard_chunks()), (0, 0));
    assert_eq!(shuttle.progress(), Progress::default());
    let shuttle = away.out(shuttle);
    away.worker.release(shuttle);
}

#[test]
#[should_panic(expected = "more was consumed than was found")]
fn no_more_is_consumed_than_was_found() {
    let (mut away, mut shuttle) = Away::new();
    assert_eq!(away.tx.append(away.id, b"abc"), Appended::InTime);
    shuttle.find_chunks();
    assert_eq!(away.tx.append(away.id, b"d"), Appended::InTime);
    shuttle.consumed(4);
}

#[test]
#[should_panic(expected = "more was consumed than was found")]
fn nothing_is_consumed_where_nothing_was_appended() {
    let (_away, mut shuttle) = Away::new();
    shuttle.consumed(1);
}

#[test]
#[should_panic(expected = "a shuttle was freed while bytes were lent by it")]
fn invariant_3_no_lent_chunk_at_release_r12() {
    let (mut away, shuttle) = Away::new();
    assert_eq!(away.tx.append_static(away.id, b"lent"), Appended::InTime);
    away.worker.release(shuttle);
}
