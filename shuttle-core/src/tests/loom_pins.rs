//! Model 3: how long lent bytes live. A lent piece holds the number of a cell that loom watches:
//! the worker reads the cell where a real one reads the bytes, TX writes to it as it lets the
//! string go.

use loom::cell::Cell;
use loom::sync::Arc;

use super::pair::{Leg, at_tx, at_worker, pair};
use crate::{Appended, Shuttle, Tx, TxShore, Worker, WorkerShore};

/// The memory of two strings. Nothing but the protocol keeps the two threads from meeting in it.
struct Strings([Cell<u8>; 2]);

impl Strings {
    fn new() -> Arc<Self> {
        Arc::new(Self([Cell::new(7), Cell::new(8)]))
    }

    fn read(&self, shuttle: &Shuttle<Worker, Leg>) -> usize {
        shuttle.lent().flatten().filter(self.is_alive()).count()
    }

    /// Reads one byte of what was appended and leaves the rest.
    fn read_chunk(&self, shuttle: &mut Shuttle<Worker, Leg>) {
        let next = shuttle.chunks().flatten().take(1);
        assert_eq!(next.filter(self.is_alive()).count(), 1);
        shuttle.consumed(1);
    }

    fn is_alive(&self) -> impl FnMut(&&u8) -> bool {
        |&&nth| self.0[usize::from(nth)].get() != 0
    }

    fn let_go(&self, nth: u8) {
        self.0[usize::from(nth)].set(0);
    }
}

static NUMBERS: [u8; 2] = [0, 1];

fn write(shore: &mut TxShore<Leg>, mut shuttle: Shuttle<Tx, Leg>, nth: u8) {
    *shuttle = Leg::Write(nth);
    let nth = usize::from(nth);
    shuttle.lend_static(&NUMBERS[nth..=nth]);
    shore.send(shuttle);
}

/// The worker answers two writes, reading what was lent, and frees.
fn serve(shore: &mut WorkerShore<Leg>, strings: &Strings) {
    let shuttle = shore.board().unwrap();
    shore.send(shuttle);
    loop {
        let shuttle = at_worker(shore);
        if shuttle.is_abandoned() || *shuttle == Leg::Release {
            return shore.release(shuttle);
        }
        assert_eq!(strings.read(&shuttle), shuttle.lent_count());
        shore.send(shuttle);
    }
}

fn check(tx_side: fn(TxShore<Leg>, &Strings)) {
    loom::model(move || {
        let strings = Strings::new();
        let tx_strings = Arc::clone(&strings);
        let (mut shore, tx) = pair(1, move |shore| tx_side(shore, &tx_strings));
        serve(&mut shore, &strings);
        assert_eq!(shore.travelling(), 0);
        tx.join().unwrap();
    });
}

fn home(shore: &mut TxShore<Leg>, strings: &Strings, nth: u8) -> Shuttle<Tx, Leg> {
    let mut shuttle = at_tx(shore);
    if !cfg!(mutate = "unpin_at_send") {
        strings.let_go(nth);
    }
    assert_eq!(shuttle.unpin(), 1);
    shuttle
}

/// Stage 2: the dispatcher unpins as soon as the shuttle is home, whoever waits for it.
#[test]
fn loom_pins_dispatcher_unpins_on_continue_r12() {
    check(|mut shore, strings| {
        let shuttle = at_tx(&mut shore);
        write(&mut shore, shuttle, 0);
        if cfg!(mutate = "unpin_at_send") {
            strings.let_go(0);
        }
        let mut shuttle = home(&mut shore, strings, 0);
        *shuttle = Leg::Release;
        shore.send(shuttle);
    });
}

/// Stage 1: what was lent stays so until the fiber comes to write again.
#[test]
fn loom_pins_next_write_unpins_r12() {
    check(|mut shore, strings| {
        let shuttle = at_tx(&mut shore);
        write(&mut shore, shuttle, 0);
        let mut waiting = at_tx(&mut shore);
        strings.let_go(0);
        assert_eq!(waiting.unpin(), 1);
        write(&mut shore, waiting, 1);
        let mut shuttle = home(&mut shore, strings, 1);
        *shuttle = Leg::Release;
        shore.send(shuttle);
    });
}

/// The handle is dropped with its pins: the bytes are forgotten before the worker can see the
/// shuttle.
#[test]
fn loom_pins_end_with_a_dropped_handle_r2_r12() {
    check(|mut shore, strings| {
        let shuttle = at_tx(&mut shore);
        write(&mut shore, shuttle, 0);
        drop(at_tx(&mut shore));
        strings.let_go(0);
    });
}

static TWICE: [[u8; 2]; 2] = [[0, 0], [1, 1]];

/// The worker takes what was appended byte by byte, so that a piece is left in its middle; after
/// `until` bytes it takes no more, and the shuttle goes home with the rest.
fn serve_chunks(shore: &mut WorkerShore<Leg>, strings: &Strings, until: usize) {
    let shuttle = shore.board().unwrap();
    shore.send(shuttle);
    let mut shuttle = at_worker(shore);
    let mut taken = 0;
    loop {
        while shuttle.find_chunks() != 0 && taken < until {
            strings.read_chunk(&mut shuttle);
            taken += 1;
        }
        match shore.send_continue(shuttle) {
            Ok(()) => break,
            Err(kept) => shuttle = kept,
        }
    }
    let shuttle = at_worker(shore);
    assert_eq!(shuttle.lent_count(), 0);
    shore.release(shuttle);
}

fn check_chunks(until: usize, tx_side: fn(TxShore<Leg>, &Strings)) {
    loom::model(move || {
        let strings = Strings::new();
        let tx_strings = Arc::clone(&strings);
        let (mut shore, tx) = pair(1, move |shore| tx_side(shore, &tx_strings));
        serve_chunks(&mut shore, &strings, until);
        assert_eq!(shore.travelling(), 0);
        tx.join().unwrap();
    });
}

/// Stage 4: TX lets go of what is settled, at once, and at home of the rest. In between stands a
/// piece of which half was sent.
fn appends_two_and_lets_go(mut shore: TxShore<Leg>, strings: &Strings) {
    let shuttle = at_tx(&mut shore);
    let id = shuttle.berth();
    shore.send(shuttle);
    for nth in &TWICE {
        assert_ne!(shore.append_static(id, nth), Appended::Full);
    }
    let settled = shore.progress(id).unwrap().settled_count as u8;
    (0..settled).for_each(|nth| strings.let_go(nth));
    let mut shuttle = at_tx(&mut shore);
    shuttle.discard_chunks();
    assert_eq!(
        (shuttle.progress().settled_count, shuttle.lent_count()),
        (2, 0)
    );
    (settled..2).for_each(|nth| strings.let_go(nth));
    *shuttle = Leg::Release;
    shore.send(shuttle);
}

#[test]
fn loom_pins_of_chunks_end_when_all_was_sent_r12() {
    check_chunks(4, appends_two_and_lets_go);
}

#[test]
fn loom_pins_of_chunks_end_with_one_and_a_half_sent_r12() {
    check_chunks(3, appends_two_and_lets_go);
}

/// The handle is dropped while chunks are lent: they are forgotten before the worker can look.
#[test]
fn loom_pins_of_chunks_end_with_a_dropped_handle_r2_r12() {
    check_chunks(1, |mut shore, strings| {
        let shuttle = at_tx(&mut shore);
        let id = shuttle.berth();
        shore.send(shuttle);
        assert_ne!(shore.append_static(id, &TWICE[0]), Appended::Full);
        drop(at_tx(&mut shore));
        strings.let_go(0);
        assert_eq!(shore.append_static(id, &TWICE[1]), Appended::Stale);
    });
}
