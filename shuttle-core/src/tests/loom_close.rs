//! Model 4: stage 3. TX asks for the close while the shuttle is away; either the worker sees it
//! before it says "Continue", or the dispatcher finds it on the shuttle that comes home. Never
//! neither, never both.

use super::pair::{Leg, at_tx, at_worker, pair};
use crate::{MustClose, TxShore, WorkerShore};

fn tx_side(mut shore: TxShore<Leg>, reads_hail: bool) {
    let mut shuttle = at_tx(&mut shore);
    let id = shuttle.berth();
    *shuttle = Leg::Write(1);
    shore.send(shuttle);
    let verdict = shore.must_close(id);
    let mut shuttle = at_tx(&mut shore);
    match *shuttle {
        Leg::Closed => {
            assert_eq!(verdict, MustClose::InTime);
            assert!(!shuttle.must_close_pending(), "the worker accepted it");
        }
        Leg::Continue => {
            assert_eq!(verdict, MustClose::TooLate);
            assert!(shuttle.must_close_pending(), "the dispatcher must see it");
            *shuttle = Leg::Close;
            shore.send(shuttle);
            shuttle = at_tx(&mut shore);
            assert_eq!(*shuttle, Leg::Closed);
        }
        leg => panic!("{leg:?} is not a reply"),
    }
    assert!(
        !reads_hail || shuttle.client_gone(),
        "the other flag is not lost"
    );
    *shuttle = Leg::Release;
    shore.send(shuttle);
    assert!(matches!(
        shore.must_close(id),
        MustClose::Stale | MustClose::InTime
    ));
}

fn worker_side(shore: &mut WorkerShore<Leg>, hails: bool) {
    let shuttle = shore.board().unwrap();
    let id = shuttle.berth();
    shore.send(shuttle);
    if hails {
        shore.hail_client_gone(id);
    }
    let mut shuttle = at_worker(shore);
    *shuttle = Leg::Continue;
    if let Err(mut shuttle) = shore.send_continue(shuttle) {
        assert!(shuttle.accept_close() && !shuttle.must_close());
        *shuttle = Leg::Closed;
        shore.send(shuttle);
    } else {
        let mut shuttle = at_worker(shore);
        assert_eq!(*shuttle, Leg::Close);
        assert!(
            !shuttle.must_close(),
            "the request came with the cargo, not twice"
        );
        *shuttle = Leg::Closed;
        shore.send(shuttle);
    }
    let shuttle = at_worker(shore);
    assert_eq!(*shuttle, Leg::Release);
    shore.release(shuttle);
}

fn check(hails: bool) {
    loom::model(move || {
        let (mut shore, tx) = pair(1, move |shore| tx_side(shore, hails));
        worker_side(&mut shore, hails);
        tx.join().unwrap();
    });
}

#[test]
fn loom_close_in_time_or_too_late_r6_r8() {
    check(false);
}

#[test]
fn loom_close_and_client_gone_r8() {
    check(true);
}
