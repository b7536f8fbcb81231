//! Model 2: two fibers write to one `io`, and are woken at any time for no reason. The queue of
//! writers and the shuttle's place beside it are what the TX side has to add to this crate.

use std::collections::VecDeque;

use super::pair::{Leg, at_worker, pair};
use crate::{Shuttle, Tx, TxShore};

/// The TX side of one request: who waits for the shuttle, and the shuttle while it is here.
struct Io {
    waiting: VecDeque<u8>,
    home: Option<Shuttle<Tx, Leg>>,
}

impl Io {
    /// What a fiber does whenever it wakes up: goes on only if it is first and the shuttle is here.
    fn woken(&mut self, fiber: u8, shore: &mut TxShore<Leg>) {
        if cfg!(mutate = "wake_is_turn") {
            self.waiting.retain(|&other| other != fiber);
        } else if self.waiting.front() != Some(&fiber) || self.home.is_none() {
            return;
        } else {
            self.waiting.pop_front();
        }
        let mut shuttle = self
            .home
            .take()
            .expect("a woken fiber looked for the shuttle first");
        *shuttle = Leg::Write(fiber);
        shore.send(shuttle);
    }
}

/// Writer 2 is woken in vain before each real wake-up.
fn tx_side(mut shore: TxShore<Leg>) {
    let mut io = Io {
        waiting: VecDeque::from([1, 2]),
        home: None,
    };
    while !io.waiting.is_empty() || io.home.is_none() {
        match shore.recv() {
            Some(shuttle) => io.home = Some(shuttle),
            None => loom::thread::yield_now(),
        }
        for fiber in [2, 1] {
            if io.waiting.contains(&fiber) {
                io.woken(fiber, &mut shore);
            }
        }
    }
    let mut shuttle = io.home.take().unwrap();
    *shuttle = Leg::Release;
    shore.send(shuttle);
}

#[test]
fn loom_writers_never_mix_r5_r9_r10() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, tx_side);
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        for expected in [1, 2] {
            let mut shuttle = at_worker(&mut shore);
            assert_eq!(*shuttle, Leg::Write(expected));
            *shuttle = Leg::Continue;
            shore.send(shuttle);
        }
        let shuttle = at_worker(&mut shore);
        assert_eq!(*shuttle, Leg::Release);
        shore.release(shuttle);
        tx.join().unwrap();
    });
}

/// A waiting writer is cancelled: it leaves the queue, and the shuttle stays whose it is.
#[test]
fn loom_writers_cancel_keeps_the_owner_r10() {
    loom::model(|| {
        let (mut shore, tx) = pair(1, |mut shore: TxShore<Leg>| {
            let mut io = Io {
                waiting: VecDeque::from([1, 2]),
                home: None,
            };
            while io.waiting.contains(&1) {
                io.home = shore.recv();
                if io.home.is_some() {
                    io.woken(1, &mut shore);
                } else {
                    loom::thread::yield_now();
                }
            }
            io.waiting.retain(|&fiber| fiber != 2);
            assert!(io.home.is_none());
            drop(super::pair::at_tx(&mut shore));
        });
        let shuttle = shore.board().unwrap();
        shore.send(shuttle);
        let shuttle = at_worker(&mut shore);
        assert_eq!(*shuttle, Leg::Write(1));
        shore.send(shuttle);
        let shuttle = at_worker(&mut shore);
        assert!(shuttle.is_abandoned());
        shore.release(shuttle);
        tx.join().unwrap();
    });
}
