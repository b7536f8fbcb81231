//! Two real threads and long answers, written while the shuttle is away, to clients that take them
//! in pieces of any size, leave in the middle, or wait: each byte arrives once and in its place.

use std::sync::Arc;
use std::thread;

use crate::{
    Appended, BerthId, MustClose, Shuttle, Sleep, ThreadBell, Tx, TxShore, Worker, WorkerShore,
    link,
};

const TRIPS: u32 = 1000;
const BERTHS: u16 = 5;
/// Three times round the copied area, and the 16-bit positions.
const ANSWER_BYTES: usize = 200_000;

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

#[derive(Default)]
struct Cargo {
    leg: Leg,
    /// What the client has received.
    received: usize,
}

/// Numbers that look like chance (xorshift), always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// What the answer says at each place; its period divides no power of two.
static TEXT: [u8; 70_000] = {
    let mut text = [0; 70_000];
    let mut at = 0;
    while at < text.len() {
        text[at] = (at % 251) as u8;
        at += 1;
    }
    text
};

struct Server {
    shore: WorkerShore<Cargo>,
    chance: Chance,
    released: u32,
    received: u64,
}

impl Server {
    fn run(mut self, bell: &ThreadBell) -> u64 {
        let mut boarded = 0;
        while self.released < TRIPS {
            while boarded < TRIPS {
                let Some(mut shuttle) = self.shore.board() else {
                    break;
                };
                *shuttle = Cargo::default();
                boarded += 1;
                self.shore.send(shuttle);
            }
            while let Some(shuttle) = self.shore.recv() {
                self.land(shuttle);
            }
            let is_waiting = boarded == TRIPS || self.shore.travelling() == BERTHS;
            let may_end = self.released == TRIPS;
            if is_waiting && !may_end && self.shore.prepare_sleep() == Sleep::MaySleep {
                bell.wait();
                self.shore.woke();
            }
        }
        self.received
    }

    fn land(&mut self, mut shuttle: Shuttle<Worker, Cargo>) {
        if shuttle.leg == Leg::Release {
            self.released += 1;
            self.received += shuttle.received as u64;
            return self.shore.release(shuttle);
        }
        if self.chance.below(200) == 0 {
            self.shore.hail_client_gone(shuttle.berth());
        }
        let asked = shuttle.leg;
        loop {
            let found = shuttle.find_chunks();
            let is_gone = shuttle.client_gone();
            let ends = asked == Leg::Close || shuttle.accept_close();
            // Seldom it stops in the middle and goes home with the rest.
            let stops = !ends && self.chance.below(4) == 0;
            let taken = if stops {
                self.chance.below(found + 1)
            } else {
                found
            };
            if !is_gone {
                take(&mut shuttle, taken);
            }
            if is_gone || ends {
                let _ = shuttle.accept_close();
                shuttle.leg = Leg::Closed;
                return self.shore.send(shuttle);
            }
            shuttle.leg = Leg::Continue;
            match self.shore.send_continue(shuttle) {
                Ok(()) => return,
                Err(kept) => shuttle = kept,
            }
        }
    }
}

fn take(shuttle: &mut Shuttle<Worker, Cargo>, bytes: usize) {
    let mut at = shuttle.received;
    let mut rest = bytes;
    for piece in shuttle.chunks() {
        let piece = &piece[..piece.len().min(rest)];
        assert!(
            piece == &TEXT[at % 251..][..piece.len()],
            "a byte is out of place"
        );
        (at, rest) = (at + piece.len(), rest - piece.len());
    }
    shuttle.received = at;
    shuttle.consumed(bytes);
}

/// One answer as TX sees it.
struct Writer {
    id: BerthId,
    written: usize,
    home: Option<Shuttle<Tx, Cargo>>,
    has_closed: bool,
}

struct Handler {
    shore: TxShore<Cargo>,
    chance: Chance,
    writers: Vec<Option<Writer>>,
    sent: u64,
    verdicts: [u64; 3],
}

impl Handler {
    fn run(mut self, bell: &ThreadBell) -> (u64, [u64; 3]) {
        loop {
            let mut is_idle = true;
            while let Some(shuttle) = self.shore.recv() {
                is_idle = false;
                self.receive(shuttle);
            }
            while self.shore.hailed().is_some() {}
            for nth in 0..self.writers.len() {
                if let Some(mut writer) = self.writers[nth].take() {
                    is_idle &= !self.write(&mut writer);
                    self.writers[nth] = Some(writer);
                }
            }
            self.shore.flush();
            if self.shore.worker_has_left() {
                return (self.sent, self.verdicts);
            }
            if is_idle && self.shore.prepare_sleep() == Sleep::MaySleep {
                bell.wait();
                self.shore.woke();
            }
        }
    }

    fn receive(&mut self, mut shuttle: Shuttle<Tx, Cargo>) {
        let at = usize::from(shuttle.berth().index());
        match shuttle.leg {
            Leg::Request => {
                self.writers[at] = Some(Writer {
                    id: shuttle.berth(),
                    written: 0,
                    home: Some(shuttle),
                    has_closed: false,
                });
            }
            Leg::Closed => {
                let writer = self.writers[at].take().expect("it was answered");
                let sent = shuttle.progress().sent_bytes;
                let left = shuttle.discard_chunks();
                assert_eq!(sent as usize + left, writer.written);
                assert!(left == 0 && writer.has_closed || shuttle.client_gone());
                self.sent += sent;
                shuttle.leg = Leg::Release;
                self.shore.send(shuttle);
            }
            _ => self.writers[at].as_mut().expect("it is answered").home = Some(shuttle),
        }
    }

    /// Writes until there is no room, and sends out what is home. Whether anything was done.
    fn write(&mut self, writer: &mut Writer) -> bool {
        let mut has_done = false;
        for _ in 0..self.chance.below(60) {
            if writer.has_closed || !self.write_once(writer) {
                break;
            }
            has_done = true;
        }
        if let Some(mut shuttle) = writer.home.take() {
            has_done = true;
            let is_late = shuttle.must_close_pending();
            shuttle.leg = if is_late { Leg::Close } else { Leg::Write };
            self.shore.send(shuttle);
        }
        has_done
    }

    fn write_once(&mut self, writer: &mut Writer) -> bool {
        if writer.written >= ANSWER_BYTES {
            writer.has_closed = true;
            assert_ne!(self.shore.must_close(writer.id), MustClose::Stale);
            return true;
        }
        let is_lent = self.chance.below(8) == 0;
        let len = match is_lent {
            true => self.chance.below(60_000),
            false => self.chance.below(200),
        };
        let bytes = &TEXT[writer.written % 251..][..len];
        let appended = match is_lent {
            true => self.shore.append_static(writer.id, bytes),
            false => self.shore.append(writer.id, bytes),
        };
        match appended {
            Appended::InTime | Appended::TooLate => writer.written += len,
            Appended::Full => {}
            Appended::Stale => panic!("it cannot have been freed without us"),
        }
        self.verdicts[appended as usize] += 1;
        appended != Appended::Full
    }
}

#[test]
fn two_threads_and_long_answers_r6_r8_r12() {
    let (tx_bell, worker_bell) = (Arc::new(ThreadBell::new()), Arc::new(ThreadBell::new()));
    let (worker, tx) = link(BERTHS, tx_bell.clone(), worker_bell.clone());
    let tx = thread::spawn(move || {
        let handler = Handler {
            shore: tx.land(),
            chance: Chance(7),
            writers: (0..BERTHS).map(|_| None).collect(),
            sent: 0,
            verdicts: [0; 3],
        };
        handler.run(&tx_bell)
    });
    let server = Server {
        shore: worker.land(),
        chance: Chance(11),
        released: 0,
        received: 0,
    };
    let received = server.run(&worker_bell);
    let (sent, [in_time, too_late, _]) = tx.join().unwrap();
    assert_eq!(sent, received);
    assert!(received > u64::from(TRIPS) * ANSWER_BYTES as u64 / 2);
    assert!(in_time != 0 && too_late != 0, "both ways were gone");
}
