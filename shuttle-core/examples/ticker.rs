//! A stream of small writes, and a client who is too slow for it.
//!
//! TX writes a tick every time it looks, to one answer that lasts. It never waits: while the worker
//! is busy with the client, ticks gather in the shuttle, and the next write to the client has all
//! of them. When more gather than the client may be behind, TX drops the tick instead of keeping
//! it: the client misses some, but what it gets is fresh, and nobody's memory grows.
//!
//! `cargo run -p shuttle-core --example ticker`

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use shuttle_core::{Appended, BerthId, NoBell, Shuttle, TxShore, Worker, link};

const TICKS: usize = 40;

/// How many bytes the client may be behind.
const WINDOW_BYTES: u64 = 32;

/// What the client takes in one go: plenty, then hardly anything, then plenty again.
fn takes_bytes(round: usize) -> usize {
    match round {
        4..8 => 2,
        _ => 1000,
    }
}

/// One answer as TX sees it.
struct Answer {
    id: BerthId,
    appended_bytes: u64,
    dropped: usize,
}

impl Answer {
    fn tick(&mut self, shore: &mut TxShore<()>, number: usize) {
        let progress = shore.progress(self.id).expect("it goes on");
        let mut tick = String::new();
        write!(tick, "tick {number}; ").expect("a string takes all");
        let behind = self.appended_bytes - progress.sent_bytes + tick.len() as u64;
        if behind > WINDOW_BYTES {
            self.dropped += 1;
            return;
        }
        match shore.append(self.id, tick.as_bytes()) {
            Appended::InTime | Appended::TooLate => self.appended_bytes += tick.len() as u64,
            // The window is smaller than the room in a shuttle; so this is a stale id.
            Appended::Full | Appended::Stale => unreachable!("the answer goes on"),
        }
    }
}

/// One write to the client, as far as it takes it.
fn send_to_client(shuttle: &mut Shuttle<Worker, ()>, round: usize) -> io::Result<()> {
    let found = shuttle.find_chunks();
    let taken = found.min(takes_bytes(round));
    let text: Vec<u8> = shuttle.chunks().flatten().take(taken).copied().collect();
    shuttle.consumed(taken);
    let text = String::from_utf8_lossy(&text);
    writeln!(io::stdout(), "{taken:>3} of {found:>3} bytes: {text}")
}

fn main() -> io::Result<()> {
    // Both shores on this thread, so that each run prints the same; `two_threads` has two.
    let (worker, tx) = link::<()>(1, Arc::new(NoBell), Arc::new(NoBell));
    let (mut worker, mut tx) = (worker.land(), tx.land());
    let shuttle = worker.board().expect("a free berth");
    worker.send(shuttle);
    let shuttle = tx.recv().expect("it has arrived");
    let mut answer = Answer {
        id: shuttle.berth(),
        appended_bytes: 0,
        dropped: 0,
    };
    tx.send(shuttle);

    let mut shuttle = worker.recv().expect("it is back");
    for number in 0..TICKS {
        answer.tick(&mut tx, number);
        if number % 3 == 2 {
            send_to_client(&mut shuttle, number / 3)?;
        }
    }
    let _ = tx.must_close(answer.id);
    while !shuttle.accept_close() {
        send_to_client(&mut shuttle, TICKS)?;
    }
    worker.release(shuttle);
    writeln!(io::stdout(), "{} ticks were dropped", answer.dropped)
}
