//! What one hop costs: from the send on one shore to the receipt on the other. And what a small
//! write costs to a shuttle that is away.
//!
//! `cargo run --release -p shuttle-core --example hop_cost`, optionally with the number of trips.
//!
//! The fastest of ten rounds is what is printed: other work on the machine only ever adds.
//!
//! On two virtual cores (Intel Xeon), shared with other builds at the time, 4,000,000 trips:
//! ```text
//! in flight   one thread   two threads
//!         1         24.8         761.7
//!         8         19.4         105.4
//!        64         19.0          31.7
//!
//! append             13.4          14.9
//! ```

#![expect(clippy::print_stdout, reason = "a measurement is there to be printed")]

use std::sync::Arc;
use std::time::Instant;
use std::{env, thread};

use shuttle_core::{
    Appended, NoBell, Shuttle, Sleep, ThreadBell, TxEnd, TxShore, Worker, WorkerEnd, WorkerShore,
    link,
};

/// Boarded and sent together, as a worker does with all that one poll brings.
const BATCHES: [u16; 3] = [1, 8, 64];

/// There and back.
const HOPS: u32 = 2;

fn main() {
    let trips = env::args()
        .nth(1)
        .and_then(|trips| trips.parse().ok())
        .unwrap_or(2_000_000);
    println!("nanoseconds of wall time per hop, of {trips} trips\n");
    println!("in flight   one thread   two threads");
    for batch in BATCHES {
        let alone = fastest(|| on_one_thread(batch, trips / ROUNDS));
        let together = fastest(|| on_two_threads(batch, trips / ROUNDS / 20));
        println!("{batch:>9}   {alone:>10.1}   {together:>11.1}");
    }
    let alone = fastest(|| append_on_one_thread(trips / ROUNDS));
    let together = fastest(|| append_on_two_threads(trips / ROUNDS));
    println!(
        "\nnanoseconds per appended write of {} bytes\n",
        WRITE.len()
    );
    println!("            one thread   two threads");
    println!("            {alone:>10.1}   {together:>11.1}");
}

const ROUNDS: u32 = 10;

/// Nanoseconds per hop of what `run` does; it does so many trips.
fn per_hop(trips: u32, run: impl FnOnce()) -> f64 {
    per(trips * HOPS, run)
}

fn per(count: u32, run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_nanos() as f64 / f64::from(count)
}

fn fastest(round: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn on_one_thread(batch: u16, trips: u32) -> f64 {
    let (worker, tx) = link::<u64>(batch, Arc::new(NoBell), Arc::new(NoBell));
    let (mut worker, mut tx) = (worker.land(), tx.land());
    per_hop(trips, || {
        for _ in 0..trips / u32::from(batch) {
            board_all(&mut worker);
            answer_all(&mut tx);
            release_all(&mut worker);
        }
    })
}

/// Each side sleeps whenever it has nothing to do; at one in flight that is after each hop.
fn on_two_threads(batch: u16, trips: u32) -> f64 {
    let (tx_bell, worker_bell) = (Arc::new(ThreadBell::new()), Arc::new(ThreadBell::new()));
    let (worker, tx) = link::<u64>(batch, tx_bell.clone(), worker_bell.clone());
    let answering = thread::spawn(move || answer_until_left(tx, &tx_bell));
    let cost = per_hop(trips, || ask(worker, &worker_bell, trips));
    answering.join().expect("the other thread does not panic");
    cost
}

fn ask(worker: WorkerEnd<u64>, bell: &ThreadBell, trips: u32) {
    let mut shore = worker.land();
    let mut released = 0;
    while released < trips {
        board_all(&mut shore);
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
        released += release_all(&mut shore);
    }
}

fn answer_until_left(tx: TxEnd<u64>, bell: &ThreadBell) {
    let mut shore = tx.land();
    while !shore.worker_has_left() {
        answer_all(&mut shore);
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
    }
}

fn board_all(shore: &mut WorkerShore<u64>) {
    while let Some(mut shuttle) = shore.board() {
        *shuttle += 1;
        shore.send(shuttle);
    }
    shore.flush();
}

fn answer_all(shore: &mut TxShore<u64>) {
    while let Some(mut shuttle) = shore.recv() {
        *shuttle += 1;
        shore.send(shuttle);
    }
    shore.flush();
}

fn release_all(shore: &mut WorkerShore<u64>) -> u32 {
    let mut released = 0;
    while let Some(shuttle) = shore.recv() {
        shore.release(shuttle);
        released += 1;
    }
    released
}

static WRITE: [u8; 16] = *b"a tick of 16 b.\n";

/// So many writes are found at once: what a client takes in one go.
const WRITES_AT_ONCE: u32 = 512;

/// What is measured is the writing, and that the bytes are found again.
fn append_on_one_thread(writes: u32) -> f64 {
    let (worker, tx) = link::<u64>(1, Arc::new(NoBell), Arc::new(NoBell));
    let (mut worker, mut tx) = (worker.land(), tx.land());
    let mut shuttle = put_away(&mut worker, &mut tx);
    let cost = per(writes, || {
        for nth in 1..=writes {
            let appended = tx.append(shuttle.berth(), &WRITE);
            assert_eq!(appended, Appended::InTime);
            if nth % WRITES_AT_ONCE == 0 {
                take_all(&mut shuttle);
            }
        }
    });
    take_all(&mut shuttle);
    worker.release(shuttle);
    cost
}

/// Sends a shuttle to TX and back, so that it knows of it.
fn put_away(worker: &mut WorkerShore<u64>, tx: &mut TxShore<u64>) -> Shuttle<Worker, u64> {
    board_all(worker);
    answer_all(tx);
    worker.recv().expect("it was answered")
}

fn take_all(shuttle: &mut Shuttle<Worker, u64>) -> usize {
    let found = shuttle.find_chunks();
    let lines = shuttle.chunks().map(|piece| u64::from(piece[0]));
    let sum = lines.sum::<u64>();
    **shuttle += sum;
    shuttle.consumed(found);
    found
}

/// The worker takes what it finds without pause. TX waits when there is no room, which is counted.
fn append_on_two_threads(writes: u32) -> f64 {
    let (worker, tx) = link::<u64>(1, Arc::new(NoBell), Arc::new(NoBell));
    let bytes = writes as usize * WRITE.len();
    let taking = thread::spawn(move || {
        let mut shore = worker.land();
        board_all(&mut shore);
        let mut shuttle = loop {
            match shore.recv() {
                Some(shuttle) => break shuttle,
                None => thread::yield_now(),
            }
        };
        let mut taken = 0;
        while taken < bytes {
            match take_all(&mut shuttle) {
                0 => thread::yield_now(),
                found => taken += found,
            }
        }
        shore.release(shuttle);
    });
    let mut shore = tx.land();
    let shuttle = loop {
        match shore.recv() {
            Some(shuttle) => break shuttle,
            None => thread::yield_now(),
        }
    };
    let id = shuttle.berth();
    shore.send(shuttle);
    let cost = per(writes, || {
        for _ in 0..writes {
            while shore.append(id, &WRITE) == Appended::Full {
                thread::yield_now();
            }
        }
    });
    taking.join().expect("the other thread does not panic");
    cost
}
