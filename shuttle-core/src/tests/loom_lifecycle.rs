//! Model 1: every life of a shuttle, with the client leaving at any point of it.

use super::pair::{Leg, at_tx, at_worker, pair};
use crate::{TxShore, WorkerShore};

/// How the handler behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handler {
    Answers,
    WritesAndCloses,
    Fails,
    FailsAfterWrite,
}

/// When the client leaves: after that many sends of the worker.
const LEAVES: [Option<usize>; 4] = [None, Some(1), Some(2), Some(3)];

fn send(shore: &mut TxShore<Leg>, mut shuttle: crate::Shuttle<crate::Tx, Leg>, leg: Leg) {
    *shuttle = leg;
    shore.send(shuttle);
}

/// The TX side of one request, to its last send.
fn handle(mut shore: TxShore<Leg>, handler: Handler) {
    let shuttle = at_tx(&mut shore);
    let id = shuttle.berth();
    assert_eq!(
        *shuttle,
        Leg::Request,
        "R3: only what is complete is published"
    );
    match handler {
        Handler::Answers => send(&mut shore, shuttle, Leg::Answer),
        Handler::Fails => drop(shuttle),
        Handler::WritesAndCloses | Handler::FailsAfterWrite => {
            send(&mut shore, shuttle, Leg::Write(1));
            let shuttle = at_tx(&mut shore);
            if *shuttle == Leg::Closed {
                send(&mut shore, shuttle, Leg::Release);
            } else if handler == Handler::FailsAfterWrite {
                drop(shuttle);
            } else {
                send(&mut shore, shuttle, Leg::Close);
                let shuttle = at_tx(&mut shore);
                assert_eq!(*shuttle, Leg::Closed);
                send(&mut shore, shuttle, Leg::Release);
            }
        }
    }
    let hails = std::iter::from_fn(|| shore.hailed()).inspect(|hailed| assert_eq!(*hailed, id));
    assert!(hails.count() <= 1, "a hail is reported once");
}

/// The worker's side of one request, to the release.
fn serve(shore: &mut WorkerShore<Leg>, leaves: Option<usize>) {
    let mut shuttle = shore.board().unwrap();
    let id = shuttle.berth();
    *shuttle = Leg::Request;
    shore.send(shuttle);
    let mut sends = 1;
    loop {
        if leaves == Some(sends) {
            shore.hail_client_gone(id);
        }
        let mut shuttle = at_worker(shore);
        let leg = *shuttle;
        if shuttle.is_abandoned() || matches!(leg, Leg::Answer | Leg::Release) {
            assert_eq!(shuttle.client_gone(), leaves.is_some_and(|at| at <= sends));
            return shore.release(shuttle);
        }
        let is_over = leg == Leg::Close || shuttle.client_gone();
        *shuttle = if is_over { Leg::Closed } else { Leg::Continue };
        shore.send(shuttle);
        sends += 1;
    }
}

fn check(handler: Handler) {
    for leaves in LEAVES {
        loom::model(move || {
            let (mut shore, tx) = pair(1, move |shore| handle(shore, handler));
            serve(&mut shore, leaves);
            assert_eq!(shore.travelling(), 0, "freed, and once");
            tx.join().unwrap();
            assert!(shore.board().is_some(), "the berth is free again");
        });
    }
}

#[test]
fn loom_lifecycle_answer_r1_r3_r8() {
    check(Handler::Answers);
}

#[test]
fn loom_lifecycle_write_and_close_r1_r6_r8() {
    check(Handler::WritesAndCloses);
}

#[test]
fn loom_lifecycle_no_fiber_or_error_at_once_r2_r7() {
    check(Handler::Fails);
}

#[test]
fn loom_lifecycle_error_after_write_r2_r6() {
    check(Handler::FailsAfterWrite);
}

/// The worker's own error: it drops what it should have sent, and TX does not wait for ever.
#[test]
fn loom_lifecycle_worker_drops_r2_r4() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<Leg>| {
            let shuttle = at_tx(&mut shore);
            send(&mut shore, shuttle, Leg::Write(1));
            let shuttle = at_tx(&mut shore);
            assert!(shuttle.is_abandoned());
            send(&mut shore, shuttle, Leg::Release);
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        drop(at_worker(&mut shore));
        let shuttle = at_worker(&mut shore);
        shore.release(shuttle);
        tx.join().unwrap();
        assert_eq!(shore.travelling(), 0);
    });
}
