//! Model 5: TX appends while the shuttle is away, and closes; the worker sends what it finds. What
//! arrives is what was appended, each byte once, in order, and the end comes after the last of it.
//! A model's area has four bytes, and room for two lent pieces.

use super::pair::{Leg, at_tx, at_worker, pair};
use crate::{Appended, BerthId, MustClose, Progress, Shuttle, Tx, TxShore, Worker, WorkerShore};

/// What the client does, and what it has received.
#[derive(Clone, Default)]
struct Client {
    /// At first it takes one byte, and the shuttle goes home with the rest if it may.
    is_slow: bool,
    /// It leaves when the worker has received the shuttle.
    leaves: bool,
    received: Vec<u8>,
}

fn send(shore: &mut TxShore<Leg>, mut shuttle: Shuttle<Tx, Leg>, leg: Leg) {
    *shuttle = leg;
    shore.send(shuttle);
}

/// Receives a request and sends it back, so that it is away.
fn begin(shore: &mut TxShore<Leg>) -> BerthId {
    let shuttle = at_tx(shore);
    let id = shuttle.berth();
    send(shore, shuttle, Leg::Write(0));
    id
}

/// The fiber, from the close on, and the dispatcher: it sends what the worker cannot have seen.
fn finish(mut shore: TxShore<Leg>, id: BerthId, appended: u64) {
    let verdict = shore.must_close(id);
    let mut shuttle = at_tx(&mut shore);
    if *shuttle == Leg::Continue {
        assert_eq!(verdict, MustClose::TooLate);
        assert!(shuttle.must_close_pending());
        send(&mut shore, shuttle, Leg::Close);
        shuttle = at_tx(&mut shore);
    } else {
        assert!(verdict == MustClose::InTime || shuttle.client_gone());
    }
    assert_eq!(*shuttle, Leg::Closed);
    let left = shuttle.discard_chunks();
    assert!(left == 0 || shuttle.client_gone(), "{left} bytes were lost");
    assert_eq!(shuttle.progress().sent_bytes + left as u64, appended);
    assert_eq!((shuttle.lent_count(), shuttle.unsent_bytes()), (0, 0));
    send(&mut shore, shuttle, Leg::Release);
}

/// The worker's side of one request. The answer is what the client received.
fn serve(shore: &mut WorkerShore<Leg>, mut client: Client) -> Vec<u8> {
    let shuttle = shore.board().unwrap();
    let id = shuttle.berth();
    shore.send(shuttle);
    loop {
        let shuttle = at_worker(shore);
        if client.leaves {
            shore.hail_client_gone(id);
        }
        if *shuttle == Leg::Release {
            shore.release(shuttle);
            assert_eq!(shore.travelling(), 0);
            return client.received;
        }
        let mut here = Some(shuttle);
        while let Some(shuttle) = here {
            here = serve_once(shore, shuttle, &mut client);
        }
    }
}

/// Writes to the client once. The answer is the shuttle, if it may not leave yet.
fn serve_once(
    shore: &mut WorkerShore<Leg>,
    mut shuttle: Shuttle<Worker, Leg>,
    client: &mut Client,
) -> Option<Shuttle<Worker, Leg>> {
    let found = shuttle.find_chunks();
    let is_stuck = std::mem::take(&mut client.is_slow) && found > 1;
    let ends = match client.leaves || is_stuck {
        true => client.leaves,
        false => *shuttle == Leg::Close || shuttle.accept_close(),
    };
    if !client.leaves {
        let taken = if is_stuck { 1 } else { found };
        let bytes = shuttle.chunks().flatten().take(taken);
        client.received.extend(bytes);
        shuttle.consumed(taken);
    }
    if ends {
        *shuttle = Leg::Closed;
        shore.send(shuttle);
        return None;
    }
    let asked = std::mem::replace(&mut *shuttle, Leg::Continue);
    let mut kept = shore.send_continue(shuttle).err()?;
    *kept = asked;
    Some(kept)
}

fn check(client: &Client, expected: &'static [u8], tx_side: fn(TxShore<Leg>)) {
    let client = client.clone();
    loom::model(move || {
        let (mut shore, tx) = pair(1, tx_side);
        let received = serve(&mut shore, client.clone());
        tx.join().unwrap();
        match client.leaves {
            true => assert_eq!(received, []),
            false => assert_eq!(received, expected),
        }
    });
}

fn clients() -> [Client; 3] {
    let fast = Client::default();
    let slow = Client {
        is_slow: true,
        ..Client::default()
    };
    let gone = Client {
        leaves: true,
        ..Client::default()
    };
    [fast, slow, gone]
}

/// Copied bytes and then the close.
#[test]
fn loom_chunks_copied_then_close_r6_r8() {
    for client in clients() {
        check(&client, &[1, 2, 3], |mut shore| {
            let id = begin(&mut shore);
            assert_ne!(shore.append(id, &[1, 2]), Appended::Full);
            assert_ne!(shore.append(id, &[3]), Appended::Full);
            finish(shore, id, 3);
        });
    }
}

/// Copied and lent in turn: the order is that of appending.
#[test]
fn loom_chunks_keep_their_order() {
    for client in &clients()[1..] {
        check(client, &[1, 2, 3], |mut shore| {
            let id = begin(&mut shore);
            assert_ne!(shore.append(id, &[1]), Appended::Full);
            assert_ne!(shore.append_static(id, &[2, 3]), Appended::Full);
            finish(shore, id, 3);
        });
    }
}

/// What was too late is found by whoever receives the shuttle, and goes out with it again; without
/// a close that would carry it.
#[test]
fn loom_chunks_too_late_are_sent_again() {
    for is_slow in [false, true] {
        let client = Client {
            is_slow,
            ..Client::default()
        };
        check(&client, &[1, 2, 3], |mut shore| {
            let id = begin(&mut shore);
            let verdict = shore.append(id, &[1, 2]);
            let shuttle = at_tx(&mut shore);
            assert_eq!(*shuttle, Leg::Continue);
            // "Too late" may still have been taken, by a worker that left before it was said.
            let sent = shuttle.progress().sent_bytes as usize;
            assert_eq!(shuttle.unsent_bytes() + sent, 2);
            assert!(verdict == Appended::TooLate || sent != 0);
            assert_eq!(shore.append(id, &[3]), Appended::TooLate);
            send(&mut shore, shuttle, Leg::Write(1));
            finish(shore, id, 3);
        });
    }
}

/// The area is full, and the fiber waits until the worker has sent some of it. Bytes that are being
/// read are never written over.
#[test]
fn loom_chunks_wait_for_room() {
    check(&Client::default(), &[1, 2, 3, 4, 5], |mut shore| {
        let mut shuttle = at_tx(&mut shore);
        let id = shuttle.berth();
        assert_eq!(shore.append(id, &[1, 2, 3]), Appended::TooLate);
        *shuttle = Leg::Write(0);
        shore.send(shuttle);
        while shore.append(id, &[4, 5]) == Appended::Full {
            loom::thread::yield_now();
        }
        finish(shore, id, 5);
    });
}

/// The same with the places of lent pieces, of which the first two come with the request.
#[test]
fn loom_chunks_wait_for_a_place() {
    check(&Client::default(), &[1, 2, 3], |mut shore| {
        let mut shuttle = at_tx(&mut shore);
        let id = shuttle.berth();
        assert_eq!(shore.append_static(id, &[1]), Appended::TooLate);
        assert_eq!(shore.append_static(id, &[2]), Appended::TooLate);
        assert_eq!(shore.append_static(id, &[3]), Appended::Full);
        *shuttle = Leg::Write(0);
        shore.send(shuttle);
        while shore.append_static(id, &[3]) == Appended::Full {
            loom::thread::yield_now();
        }
        finish(shore, id, 3);
    });
}

/// TX appends to a trip that it has ended itself: the next client receives none of it.
#[test]
fn loom_chunks_never_reach_the_next_client_r11() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<Leg>| {
            let id = begin(&mut shore);
            let shuttle = at_tx(&mut shore);
            assert_eq!(shore.append(id, &[1, 2]), Appended::TooLate);
            send(&mut shore, shuttle, Leg::Answer);
            let verdict = shore.append(id, &[3]);
            assert!(matches!(verdict, Appended::InTime | Appended::Stale));
            let shuttle = at_tx(&mut shore);
            assert_eq!(shuttle.unsent_bytes(), 0);
            send(&mut shore, shuttle, Leg::Release);
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        let shuttle = at_worker(&mut shore);
        shore.send(shuttle);
        let mut shuttle = at_worker(&mut shore);
        assert!(shuttle.find_chunks() >= 2);
        shuttle.consumed(1);
        shore.release(shuttle);
        let mut next = shore.board().unwrap();
        assert_eq!((next.find_chunks(), next.chunks().count()), (0, 0));
        shore.send(next);
        let mut next = at_worker(&mut shore);
        assert_eq!(next.find_chunks(), 0);
        shore.release(next);
        tx.join().unwrap();
    });
}

/// What one trip left in the middle is nothing to the next one, which counts from 0.
#[test]
fn loom_chunks_begin_anew_with_each_trip_r11() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<Leg>| {
            let shuttle = at_tx(&mut shore);
            assert_eq!(shore.append(shuttle.berth(), &[1, 2]), Appended::TooLate);
            send(&mut shore, shuttle, Leg::Release);
            let id = begin(&mut shore);
            assert_eq!(shore.progress(id), Some(Progress::default()));
            assert_ne!(shore.append(id, &[3, 4, 5, 6]), Appended::Full);
            finish(shore, id, 4);
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        let mut shuttle = at_worker(&mut shore);
        assert_eq!(shuttle.find_chunks(), 2);
        shuttle.consumed(1);
        shore.release(shuttle);
        assert_eq!(serve(&mut shore, Client::default()), [3, 4, 5, 6]);
        tx.join().unwrap();
    });
}
