//! Two real threads, two real doorbells, and everything that may happen to a shuttle, mixed by a
//! fixed seed. Bounded by the number of trips: a second or two in a debug build.

use std::sync::Arc;
use std::thread;

use crate::{MustClose, Shuttle, Sleep, ThreadBell, Tx, TxShore, Worker, WorkerShore, link};

const TRIPS: u64 = 100_000;
const BERTHS: u16 = 37;

/// What crosses: a number, what became of it, and where the trip is.
#[derive(Default)]
struct Cargo {
    number: u64,
    answer: u64,
    leg: Leg,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
enum Leg {
    #[default]
    Request,
    Write,
    Continue,
    Close,
    Closed,
    Release,
}

/// Mixes a number into one that looks like chance (splitmix64).
fn chance(number: u64, one_in: u64) -> bool {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).is_multiple_of(one_in)
}

static BYTES: &[u8] = b"0123456789";

#[derive(Default)]
struct WorkerTotals {
    released: u64,
    abandoned: u64,
    hailed: u64,
}

fn serve(shore: &mut WorkerShore<Cargo>, bell: &ThreadBell) -> WorkerTotals {
    let mut totals = WorkerTotals::default();
    let mut boarded = 0;
    while totals.released < TRIPS {
        while boarded < TRIPS {
            let Some(mut shuttle) = shore.board() else {
                break;
            };
            let id = shuttle.berth();
            *shuttle = Cargo {
                number: boarded,
                answer: 0,
                leg: Leg::Request,
            };
            boarded += 1;
            shore.send(shuttle);
            if chance(boarded, 5) {
                totals.hailed += 1;
                shore.hail_client_gone(id);
            }
        }
        while let Some(shuttle) = shore.recv() {
            land(shore, shuttle, &mut totals);
        }
        let is_full = shore.travelling() == BERTHS;
        let is_draining = boarded == TRIPS && totals.released < TRIPS;
        if (is_full || is_draining) && shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
    }
    totals
}

fn land(
    shore: &mut WorkerShore<Cargo>,
    mut shuttle: Shuttle<Worker, Cargo>,
    totals: &mut WorkerTotals,
) {
    if shuttle.is_abandoned() || shuttle.leg == Leg::Release {
        totals.released += 1;
        totals.abandoned += u64::from(shuttle.is_abandoned());
        return shore.release(shuttle);
    }
    if shuttle.leg == Leg::Close {
        shuttle.leg = Leg::Closed;
        return shore.send(shuttle);
    }
    assert_eq!(shuttle.leg, Leg::Write);
    assert_eq!(shuttle.answer, shuttle.number * 2);
    assert!(shuttle.lent().all(|bytes| bytes == BYTES));
    assert_eq!(shuttle.lent_count(), 2);
    shuttle.leg = Leg::Continue;
    if let Err(mut shuttle) = shore.send_continue(shuttle) {
        assert!(shuttle.accept_close());
        shuttle.leg = Leg::Closed;
        shore.send(shuttle);
    }
}

#[derive(Default)]
struct TxTotals {
    dropped: u64,
    in_time: u64,
    too_late: u64,
    closed_early: u64,
    closed_late: u64,
    hailed: u64,
}

fn answer(shore: &mut TxShore<Cargo>, bell: &ThreadBell) -> TxTotals {
    let mut totals = TxTotals::default();
    loop {
        while let Some(shuttle) = shore.recv() {
            step(shore, shuttle, &mut totals);
        }
        totals.hailed += std::iter::from_fn(|| shore.hailed()).count() as u64;
        if shore.worker_has_left() {
            return totals;
        }
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
    }
}

fn step(shore: &mut TxShore<Cargo>, mut shuttle: Shuttle<Tx, Cargo>, totals: &mut TxTotals) {
    match shuttle.leg {
        Leg::Request if chance(shuttle.number, 7) => {
            totals.dropped += 1;
            drop(shuttle);
        }
        Leg::Request => write(shore, shuttle, totals),
        Leg::Continue => {
            assert_eq!(shuttle.unpin(), 2);
            totals.closed_late += u64::from(shuttle.must_close_pending());
            shuttle.leg = Leg::Close;
            shore.send(shuttle);
        }
        Leg::Closed => {
            totals.closed_early += u64::from(shuttle.unpin() == 2);
            shuttle.leg = Leg::Release;
            shore.send(shuttle);
        }
        leg => panic!("{leg:?} arrived at TX"),
    }
}

fn write(shore: &mut TxShore<Cargo>, mut shuttle: Shuttle<Tx, Cargo>, totals: &mut TxTotals) {
    let (id, number) = (shuttle.berth(), shuttle.number);
    shuttle.answer = number * 2;
    shuttle.leg = Leg::Write;
    shuttle.lend_static(BYTES);
    shuttle.lend_static(BYTES);
    shore.send(shuttle);
    if chance(number, 3) {
        match shore.must_close(id) {
            MustClose::InTime => totals.in_time += 1,
            MustClose::TooLate => totals.too_late += 1,
            MustClose::Stale => panic!("it cannot have been freed without us"),
        }
    }
}

#[test]
fn two_threads_and_everything_at_once_r1_r4_r8_r12_r18_r19_r21() {
    let (tx_bell, worker_bell) = (Arc::new(ThreadBell::new()), Arc::new(ThreadBell::new()));
    let (worker, tx) = link(BERTHS, tx_bell.clone(), worker_bell.clone());
    let tx = thread::spawn(move || answer(&mut tx.land(), &tx_bell));
    let mut shore = worker.land();
    let totals = serve(&mut shore, &worker_bell);
    assert_eq!(shore.travelling(), 0, "R21: exact at the end");
    assert!(shore.recv().is_none());
    drop(shore);
    let tx_totals = tx.join().unwrap();
    assert_eq!(totals.released, TRIPS);
    assert_eq!(totals.abandoned, tx_totals.dropped);
    assert_eq!(
        tx_totals.in_time, tx_totals.closed_early,
        "in time: the worker said Closed"
    );
    assert_eq!(
        tx_totals.too_late, tx_totals.closed_late,
        "too late: the dispatcher saw it"
    );
    assert!(tx_totals.hailed <= totals.hailed);
}
