//! Two plain threads: this one has lines of text, the other turns them into capitals.
//!
//! The other thread changes the text where it is and lends an ending to it. When the ending is
//! printed the shuttle goes there once more, so that it knows. (Here it is a constant; for bytes
//! that do not live for ever see `Shuttle::lend`.) Each thread sleeps when it has nothing to do.
//!
//! `cargo run -p shuttle-core --example two_threads`

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use shuttle_core::{Shuttle, Sleep, ThreadBell, Tx, TxShore, Worker, WorkerShore, link};

/// What a shuttle carries. Its buffers stay with the berth and are used again.
#[derive(Default)]
struct Cargo {
    number: usize,
    line: String,
    step: Step,
}

/// What a shuttle means: there and back, and once more there and back so that TX can let go.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Question,
    Answer,
    Printed,
    Release,
}

const LINES: [&str; 6] = [
    "a ferry goes between two shores",
    "one owner at a time",
    "nothing is copied",
    "nothing is locked",
    "a ring is never full",
    "and nobody is woken in vain",
];

/// Fewer berths than lines, so that boarding has to wait for a release.
const BERTHS: u16 = 2;

fn main() -> io::Result<()> {
    let (tx_bell, worker_bell) = (Arc::new(ThreadBell::new()), Arc::new(ThreadBell::new()));
    let (worker, tx) = link(BERTHS, tx_bell.clone(), worker_bell.clone());
    let answering = thread::spawn(move || answer(tx.land(), &tx_bell));
    ask(worker.land(), &worker_bell)?;
    answering.join().expect("the other thread does not panic");
    Ok(())
}

/// The worker: boards what it has, prints what comes, sleeps when there is neither.
fn ask(mut shore: WorkerShore<Cargo>, bell: &ThreadBell) -> io::Result<()> {
    let mut lines = LINES.into_iter().enumerate().peekable();
    while lines.peek().is_some() || shore.travelling() != 0 {
        while lines.peek().is_some() {
            let Some(mut shuttle) = shore.board() else {
                break;
            };
            let (number, line) = lines.next().expect("peeked at");
            shuttle.number = number;
            shuttle.line.replace_range(.., line);
            shuttle.step = Step::Question;
            shore.send(shuttle);
        }
        let mut has_released = false;
        while let Some(shuttle) = shore.recv() {
            has_released |= take(&mut shore, shuttle)?;
        }
        if !has_released && shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
    }
    Ok(())
}

/// One shuttle that came home. True if its berth is free now.
fn take(shore: &mut WorkerShore<Cargo>, mut shuttle: Shuttle<Worker, Cargo>) -> io::Result<bool> {
    if shuttle.step == Step::Release || shuttle.is_abandoned() {
        shore.release(shuttle);
        return Ok(true);
    }
    let mut out = io::stdout().lock();
    let (cargo, mut lent) = shuttle.parts();
    write!(out, "{}", cargo.line)?;
    lent.try_for_each(|piece| out.write_all(piece))?;
    writeln!(out)?;
    drop(lent);
    shuttle.step = Step::Printed;
    shore.send(shuttle);
    Ok(false)
}

/// TX: answers what comes and sleeps when nothing does, until the worker has left.
fn answer(mut shore: TxShore<Cargo>, bell: &ThreadBell) {
    while !shore.worker_has_left() {
        while let Some(mut shuttle) = shore.recv() {
            reply(&mut shuttle);
            shore.send(shuttle);
        }
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
            shore.woke();
        }
    }
}

fn reply(shuttle: &mut Shuttle<Tx, Cargo>) {
    if shuttle.step == Step::Question {
        shuttle.line.make_ascii_uppercase();
        shuttle.lend_static(b", ");
        shuttle.lend_static(if shuttle.number + 1 < LINES.len() {
            b"AND"
        } else {
            b"THE END"
        });
        shuttle.step = Step::Answer;
    } else {
        assert_eq!(shuttle.unpin(), 2);
        shuttle.step = Step::Release;
    }
}
