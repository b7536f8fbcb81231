//! Model 1, the body of a request: two shuttles for one request, one to and fro with its response,
//! the other with pieces of its body, and the client leaving at any piece.

use super::pair::{Leg, at_tx, at_worker, pair};
use crate::{Shuttle, Tx, TxShore, Worker, WorkerShore};

/// What a shuttle of this model carries. `Write` is the piece of a body, `Continue` the wish for
/// the next, `Closed` its last piece.
#[derive(Default)]
struct Cargo {
    leg: Leg,
    carries_body: bool,
}

/// How much the handler reads before it answers: pieces, or all there are.
const READS: [usize; 3] = [0, 1, usize::MAX];

fn send(shore: &mut TxShore<Cargo>, mut shuttle: Shuttle<Tx, Cargo>, leg: Leg) {
    shuttle.leg = leg;
    shore.send(shuttle);
}

/// The TX side: a piece that nobody reads goes back to be freed, whenever it comes.
fn handle(mut shore: TxShore<Cargo>, reads: usize) {
    let request = at_tx(&mut shore);
    assert!(
        !request.carries_body,
        "the request is first, its body follows"
    );
    let mut request = Some(request);
    let (mut read, mut is_over) = (0, false);
    while !is_over || request.is_some() {
        if read >= reads || is_over {
            if let Some(request) = request.take() {
                send(&mut shore, request, Leg::Answer);
            }
        }
        if is_over {
            continue;
        }
        let body = at_tx(&mut shore);
        assert!(body.carries_body && body.leg != Leg::Continue);
        let is_wanted = read < reads && body.leg != Leg::Closed;
        read += 1;
        is_over = !is_wanted;
        let leg = if is_wanted {
            Leg::Continue
        } else {
            Leg::Release
        };
        send(&mut shore, body, leg);
    }
}

/// The worker's side: two pieces, the second the last; or none after the client has left.
fn serve(shore: &mut WorkerShore<Cargo>, leaves: usize) {
    let request = shore.board().unwrap();
    let mut body = shore.board().unwrap();
    body.carries_body = true;
    let mut sent = 0;
    if cfg!(mutate = "body_before_request") {
        send_piece(shore, body, &mut sent, leaves);
        shore.send(request);
    } else {
        shore.send(request);
        send_piece(shore, body, &mut sent, leaves);
    }
    let mut open = 2;
    while open > 0 {
        let shuttle = at_worker(shore);
        match shuttle.leg {
            Leg::Continue => send_piece(shore, shuttle, &mut sent, leaves),
            Leg::Answer | Leg::Release => {
                assert_eq!(shuttle.carries_body, shuttle.leg == Leg::Release);
                open -= 1;
                shore.release(shuttle);
            }
            leg => panic!("{leg:?} came home"),
        }
    }
}

fn send_piece(
    shore: &mut WorkerShore<Cargo>,
    mut body: Shuttle<Worker, Cargo>,
    sent: &mut usize,
    leaves: usize,
) {
    *sent += 1;
    let is_last = *sent >= 2 || *sent > leaves;
    body.leg = if is_last { Leg::Closed } else { Leg::Write(0) };
    shore.send(body);
}

/// Both are freed, once, wherever the client leaves and however much is read.
#[test]
fn loom_body_client_leaves_at_each_piece_r42() {
    for leaves in 0..3 {
        for reads in READS {
            loom::model(move || {
                let (mut shore, tx) = pair(2, move |shore| handle(shore, reads));
                serve(&mut shore, leaves);
                assert_eq!(shore.travelling(), 0, "freed, and once");
                tx.join().unwrap();
            });
        }
    }
}

/// The worker ends with the shuttle of a body, which TX waits for.
#[test]
fn loom_body_worker_drops_it_r42() {
    loom::model(|| {
        let (mut shore, tx) = pair(2, |mut shore: TxShore<Cargo>| {
            let request = at_tx(&mut shore);
            let body = at_tx(&mut shore);
            send(&mut shore, body, Leg::Continue);
            let body = at_tx(&mut shore);
            assert!(body.is_abandoned(), "whoever waits hears of it");
            send(&mut shore, body, Leg::Release);
            send(&mut shore, request, Leg::Answer);
        });
        let request = shore.board().unwrap();
        let body = shore.board().unwrap();
        shore.send(request);
        shore.send(body);
        drop(at_worker(&mut shore));
        for _ in 0..2 {
            let shuttle = at_worker(&mut shore);
            shore.release(shuttle);
        }
        tx.join().unwrap();
        assert_eq!(shore.travelling(), 0);
    });
}
