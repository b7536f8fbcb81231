//! Any sequence of operations on both shores does what a plain model does: two queues and a table.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use self::plain_chunks::PlainChunks;
use super::shores;
use crate::{Appended, BerthId, MustClose, Progress, Shuttle, Tx, TxShore, Worker, WorkerShore};

mod plain_chunks;

const BERTHS: u16 = 3;

/// One step. A number picks among the handles, or among all ids there ever were.
#[derive(Clone, Debug)]
enum Op {
    Board,
    WorkerSend(usize),
    WorkerContinue(usize),
    WorkerRecv,
    WorkerDrop(usize),
    Release(usize),
    Hail(usize),
    MarkGone(usize),
    AcceptClose(usize),
    TxRecv,
    TxSend(usize),
    TxDrop(usize),
    Lend(usize),
    Unpin(usize),
    MustClose(usize),
    Append(usize),
    AppendLent(usize),
    FindChunks(usize),
    Consume(usize, usize),
    DiscardChunks(usize),
    Hailed,
    WorkerLeaves,
    TxLeaves,
}

fn op() -> impl Strategy<Value = Op> {
    let pick = 0..1000usize;
    prop_oneof![
        6 => Just(Op::Board),
        6 => pick.clone().prop_map(Op::WorkerSend),
        4 => pick.clone().prop_map(Op::WorkerContinue),
        8 => Just(Op::WorkerRecv),
        1 => pick.clone().prop_map(Op::WorkerDrop),
        3 => pick.clone().prop_map(Op::Release),
        3 => pick.clone().prop_map(Op::Hail),
        1 => pick.clone().prop_map(Op::MarkGone),
        2 => pick.clone().prop_map(Op::AcceptClose),
        8 => Just(Op::TxRecv),
        8 => pick.clone().prop_map(Op::TxSend),
        1 => pick.clone().prop_map(Op::TxDrop),
        3 => pick.clone().prop_map(Op::Lend),
        3 => pick.clone().prop_map(Op::Unpin),
        3 => pick.clone().prop_map(Op::MustClose),
        12 => pick.clone().prop_map(Op::Append),
        6 => pick.clone().prop_map(Op::AppendLent),
        6 => pick.clone().prop_map(Op::FindChunks),
        8 => (pick.clone(), 0..40_000usize).prop_map(|(nth, bytes)| Op::Consume(nth, bytes)),
        1 => pick.prop_map(Op::DiscardChunks),
        3 => Just(Op::Hailed),
        1 => Just(Op::WorkerLeaves),
        1 => Just(Op::TxLeaves),
    ]
}

/// What the model knows of one trip.
#[derive(Clone, Debug, Default, PartialEq)]
struct Trip {
    cargo: u64,
    at_tx: bool,
    sailed: bool,
    gone: bool,
    must_close: bool,
    abandoned: bool,
    freed: bool,
    lent: usize,
    chunks: PlainChunks,
}

/// The model: a trip is named by its number, from 0 on.
#[derive(Default)]
struct Model {
    trips: Vec<Trip>,
    to_tx: VecDeque<usize>,
    to_worker: VecDeque<usize>,
    hails: BTreeSet<usize>,
    worker_left: bool,
    tx_left: bool,
}

impl Model {
    fn free(&mut self, trip: usize) {
        self.trips[trip] = Trip {
            freed: true,
            ..self.trips[trip].clone()
        };
        self.hails.remove(&trip);
    }

    fn worker_sends(&mut self, trip: usize) {
        let it = &mut self.trips[trip];
        if it.abandoned && self.tx_left {
            return self.free(trip);
        }
        (it.at_tx, it.sailed) = (true, true);
        self.to_tx.push_back(trip);
    }

    fn worker_drops(&mut self, trip: usize) {
        let it = &mut self.trips[trip];
        if self.tx_left {
            it.lent = 0;
            it.chunks.discard();
        }
        let is_lent = it.lent + it.chunks.lent() != 0;
        let is_news = it.sailed && (is_lent || !it.abandoned);
        it.abandoned = true;
        if is_news && !self.tx_left {
            self.worker_sends(trip)
        } else {
            self.free(trip)
        }
    }

    fn tx_sends(&mut self, trip: usize) {
        let it = &mut self.trips[trip];
        if it.abandoned && self.worker_left {
            return self.free(trip);
        }
        (it.at_tx, it.must_close) = (false, false);
        self.to_worker.push_back(trip);
    }

    fn tx_drops(&mut self, trip: usize) {
        (self.trips[trip].abandoned, self.trips[trip].lent) = (true, 0);
        self.trips[trip].chunks.discard();
        self.tx_sends(trip);
    }

    fn worker_receives(&mut self) -> Option<usize> {
        let arrived = self.to_worker.pop_front();
        if arrived.is_some() || !self.tx_left {
            return arrived;
        }
        let trip = self.to_tx.pop_front()?;
        let it = &mut self.trips[trip];
        (it.at_tx, it.abandoned, it.must_close, it.lent) = (false, true, false, 0);
        it.chunks.discard();
        Some(trip)
    }

    fn tx_receives(&mut self) -> Option<usize> {
        let arrived = self.to_tx.pop_front();
        if arrived.is_some() || !self.worker_left {
            return arrived;
        }
        let trip = self.to_worker.pop_front()?;
        let it = &mut self.trips[trip];
        (it.at_tx, it.abandoned, it.sailed) = (true, true, true);
        Some(trip)
    }

    fn travelling(&self) -> usize {
        self.trips.iter().filter(|trip| !trip.freed).count()
    }
}

/// The real thing beside the model, and the handles that each side holds.
struct World {
    model: Model,
    worker: Option<WorkerShore<u64>>,
    tx: Option<TxShore<u64>>,
    ids: Vec<BerthId>,
    at_worker: Vec<(usize, Shuttle<Worker, u64>)>,
    at_tx: Vec<(usize, Shuttle<Tx, u64>)>,
}

/// Takes one of the handles out, if there is any.
fn pick<H>(handles: &mut Vec<H>, nth: usize) -> Option<H> {
    let count = handles.len();
    (count != 0).then(|| handles.remove(nth % count))
}

static BYTES: &[u8] = b"bytes";

/// What is appended: a part of this, so that a byte in a wrong place is noticed.
static TEXT: [u8; 40_000] = {
    let mut text = [0; 40_000];
    let mut at = 0;
    while at < text.len() {
        text[at] = (at % 251) as u8;
        at += 1;
    }
    text
};

impl World {
    fn new() -> Self {
        let (worker, tx) = shores(BERTHS);
        let (worker, tx) = (Some(worker), Some(tx));
        let (at_worker, at_tx) = (Vec::new(), Vec::new());
        Self {
            model: Model::default(),
            worker,
            tx,
            ids: Vec::new(),
            at_worker,
            at_tx,
        }
    }

    /// Does one step on both, if it can be done now.
    fn step(&mut self, op: &Op) -> Option<()> {
        match *op {
            Op::Board => self.board()?,
            Op::WorkerSend(nth) => {
                let shore = self.worker.as_mut()?;
                let (trip, shuttle) = pick(&mut self.at_worker, nth)?;
                shore.send(shuttle);
                self.model.worker_sends(trip);
            }
            Op::WorkerContinue(nth) => self.worker_continue(nth)?,
            Op::WorkerRecv => self.worker_recv()?,
            Op::WorkerDrop(nth) => {
                let (trip, shuttle) = pick(&mut self.at_worker, nth)?;
                drop(shuttle);
                self.model.worker_drops(trip);
            }
            Op::Release(nth) => self.release(nth)?,
            Op::Hail(nth) => self.hail(nth)?,
            Op::MarkGone(nth) => {
                let (trip, shuttle) = pick(&mut self.at_worker, nth)?;
                shuttle.mark_client_gone();
                self.model.trips[trip].gone = true;
                self.at_worker.push((trip, shuttle));
            }
            Op::AcceptClose(nth) => {
                let (trip, mut shuttle) = pick(&mut self.at_worker, nth)?;
                let it = &mut self.model.trips[trip];
                let can = it.must_close && it.chunks.found == it.chunks.waiting.len();
                assert_eq!(shuttle.accept_close(), can);
                it.must_close &= !can;
                self.at_worker.push((trip, shuttle));
            }
            Op::FindChunks(nth) => {
                let (trip, mut shuttle) = pick(&mut self.at_worker, nth)?;
                let chunks = &mut self.model.trips[trip].chunks;
                chunks.found = chunks.waiting.len();
                assert_eq!(shuttle.find_chunks(), chunks.unsent());
                self.at_worker.push((trip, shuttle));
            }
            Op::Consume(nth, bytes) => {
                let (trip, mut shuttle) = pick(&mut self.at_worker, nth)?;
                let chunks = &mut self.model.trips[trip].chunks;
                let bytes = bytes.min(chunks.found_bytes().len());
                shuttle.consumed(bytes);
                chunks.consume(bytes);
                self.at_worker.push((trip, shuttle));
            }
            _ => self.step_at_tx(op)?,
        }
        Some(())
    }

    fn append(&mut self, nth: usize, is_lent: bool) -> Option<()> {
        let shore = self.tx.as_mut()?;
        let trip = nth % self.ids.len().max(1);
        // Mostly small ones, some as large as the limits.
        let len = match nth % 10 {
            0 => nth * 40,
            _ => nth % 50,
        };
        let bytes = &TEXT[nth % 100..][..len.min(TEXT.len() - 100)];
        let id = *self.ids.get(trip)?;
        let verdict = match is_lent {
            true => shore.append_static(id, bytes),
            false => shore.append(id, bytes),
        };
        let it = &mut self.model.trips[trip];
        let has_room = it.chunks.has_room(is_lent, bytes.len());
        let is_open = it.sailed && !it.freed && !it.abandoned;
        let expected = match (!is_open, it.at_tx) {
            (true, _) => Appended::Stale,
            _ if !has_room => Appended::Full,
            (_, true) => Appended::TooLate,
            (_, false) => Appended::InTime,
        };
        assert_eq!(verdict, expected);
        let is_in = matches!(verdict, Appended::InTime | Appended::TooLate);
        if is_in && !bytes.is_empty() {
            it.chunks.waiting.push_back((is_lent, bytes.to_vec()));
        }
        Some(())
    }

    fn step_at_tx(&mut self, op: &Op) -> Option<()> {
        match *op {
            Op::TxRecv => self.tx_recv()?,
            Op::TxSend(nth) => {
                let shore = self.tx.as_mut()?;
                let (trip, mut shuttle) = pick(&mut self.at_tx, nth)?;
                *shuttle += 1;
                self.model.trips[trip].cargo += 1;
                shore.send(shuttle);
                self.model.tx_sends(trip);
            }
            Op::TxDrop(nth) => {
                let (trip, shuttle) = pick(&mut self.at_tx, nth)?;
                drop(shuttle);
                self.model.tx_drops(trip);
            }
            Op::Lend(nth) => {
                let (trip, mut shuttle) = pick(&mut self.at_tx, nth)?;
                shuttle.lend_static(BYTES);
                self.model.trips[trip].lent += 1;
                self.at_tx.push((trip, shuttle));
            }
            Op::Unpin(nth) => {
                let (trip, mut shuttle) = pick(&mut self.at_tx, nth)?;
                let lent = std::mem::take(&mut self.model.trips[trip].lent);
                assert_eq!(shuttle.unpin(), lent);
                self.at_tx.push((trip, shuttle));
            }
            Op::MustClose(nth) => self.must_close(nth)?,
            Op::Append(nth) => self.append(nth, false)?,
            Op::AppendLent(nth) => self.append(nth, true)?,
            Op::DiscardChunks(nth) => {
                let (trip, mut shuttle) = pick(&mut self.at_tx, nth)?;
                let bytes = self.model.trips[trip].chunks.discard();
                assert_eq!(shuttle.discard_chunks(), bytes);
                self.at_tx.push((trip, shuttle));
            }
            Op::Hailed => self.hailed()?,
            Op::WorkerLeaves => {
                self.worker = None;
                self.model.worker_left = true;
            }
            _ => {
                self.tx = None;
                self.model.tx_left = true;
            }
        }
        Some(())
    }

    fn board(&mut self) -> Option<()> {
        let shore = self.worker.as_mut()?;
        let has_room = self.model.travelling() < usize::from(BERTHS);
        let shuttle = shore.board();
        assert_eq!(shuttle.is_some(), has_room);
        let mut shuttle = shuttle?;
        let trip = self.model.trips.len();
        *shuttle = trip as u64 * 1000;
        self.model.trips.push(Trip {
            cargo: *shuttle,
            ..Trip::default()
        });
        self.ids.push(shuttle.berth());
        self.at_worker.push((trip, shuttle));
        Some(())
    }

    fn worker_continue(&mut self, nth: usize) -> Option<()> {
        let shore = self.worker.as_mut()?;
        let (trip, shuttle) = pick(&mut self.at_worker, nth)?;
        match shore.send_continue(shuttle) {
            Ok(()) => {
                let it = &self.model.trips[trip];
                assert!(!it.must_close && it.chunks.found == it.chunks.waiting.len());
                self.model.worker_sends(trip);
            }
            Err(shuttle) => {
                let it = &self.model.trips[trip];
                assert!(it.must_close || it.chunks.found != it.chunks.waiting.len());
                self.at_worker.push((trip, shuttle));
            }
        }
        Some(())
    }

    fn worker_recv(&mut self) -> Option<()> {
        let shuttle = self.worker.as_mut()?.recv();
        let trip = self.model.worker_receives();
        assert_eq!(
            shuttle.as_ref().map(Shuttle::berth),
            trip.map(|trip| self.ids[trip])
        );
        self.at_worker.push((trip?, shuttle?));
        Some(())
    }

    fn tx_recv(&mut self) -> Option<()> {
        let shuttle = self.tx.as_mut()?.recv();
        let trip = self.model.tx_receives();
        assert_eq!(
            shuttle.as_ref().map(Shuttle::berth),
            trip.map(|trip| self.ids[trip])
        );
        self.at_tx.push((trip?, shuttle?));
        Some(())
    }

    fn release(&mut self, nth: usize) -> Option<()> {
        let shore = self.worker.as_mut()?;
        let (trip, shuttle) = pick(&mut self.at_worker, nth)?;
        if shuttle.lent_count() != 0 {
            self.at_worker.push((trip, shuttle));
            return None;
        }
        shore.release(shuttle);
        self.model.free(trip);
        Some(())
    }

    fn hail(&mut self, nth: usize) -> Option<()> {
        let shore = self.worker.as_mut()?;
        let trip = nth % self.ids.len().max(1);
        shore.hail_client_gone(*self.ids.get(trip)?);
        let it = &mut self.model.trips[trip];
        if !it.freed && !it.gone {
            it.gone = true;
            self.model.hails.insert(trip);
        }
        Some(())
    }

    fn hailed(&mut self) -> Option<()> {
        match self.tx.as_mut()?.hailed() {
            Some(id) => {
                let trip = self.ids.iter().position(|known| *known == id).unwrap();
                assert!(
                    self.model.hails.remove(&trip),
                    "hailed for {trip} without reason"
                );
            }
            None => assert!(self.model.hails.is_empty(), "a hail was lost"),
        }
        Some(())
    }

    fn must_close(&mut self, nth: usize) -> Option<()> {
        let shore = self.tx.as_mut()?;
        let trip = nth % self.ids.len().max(1);
        let verdict = shore.must_close(*self.ids.get(trip)?);
        let it = &mut self.model.trips[trip];
        let expected = match (it.freed, it.at_tx) {
            (true, _) => MustClose::Stale,
            (false, true) => MustClose::TooLate,
            (false, false) => MustClose::InTime,
        };
        assert_eq!(verdict, expected);
        it.must_close = !it.freed;
        Some(())
    }

    /// All that can be seen from outside is as the model says.
    fn check(&self) {
        for (trip, shuttle) in &self.at_worker {
            let it = &self.model.trips[*trip];
            assert_eq!(shuttle.must_close(), it.must_close);
            assert_eq!(shuttle.lent().count(), it.lent);
            assert_eq!(shuttle.lent_count(), it.lent + it.chunks.lent());
            let found: Vec<u8> = shuttle.chunks().flatten().copied().collect();
            assert_eq!(found, it.chunks.found_bytes());
            let seen = (**shuttle, shuttle.client_gone(), shuttle.is_abandoned());
            assert_eq!(seen, (it.cargo, it.gone, it.abandoned));
        }
        for (trip, shuttle) in &self.at_tx {
            let it = &self.model.trips[*trip];
            assert_eq!(shuttle.must_close_pending(), it.must_close);
            assert_eq!(shuttle.lent_count(), it.lent + it.chunks.lent());
            assert_eq!(shuttle.unsent_bytes(), it.chunks.unsent());
            let seen = (**shuttle, shuttle.client_gone(), shuttle.is_abandoned());
            assert_eq!(seen, (it.cargo, it.gone, it.abandoned));
        }
        if let Some(worker) = &self.worker {
            assert_eq!(usize::from(worker.travelling()), self.model.travelling());
            assert_eq!(worker.tx_has_left(), self.model.tx_left);
        }
        if let Some(tx) = &self.tx {
            assert_eq!(tx.worker_has_left(), self.model.worker_left);
            for (trip, id) in self.ids.iter().enumerate() {
                let it = &self.model.trips[trip];
                assert_eq!(tx.client_gone(*id), it.freed || it.gone);
                let progress = tx.progress(*id).map(|progress| {
                    let Progress {
                        sent_bytes,
                        settled_count,
                    } = progress;
                    (sent_bytes as usize, settled_count as usize)
                });
                let chunks = &it.chunks;
                let expected = (!it.freed).then_some((chunks.sent_bytes, chunks.settled));
                assert_eq!(progress, expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn shores_do_what_the_model_does_r1_r2_r8_r11_r21_r30(
        ops in proptest::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new();
        for op in &ops {
            let _ = world.step(op);
            world.check();
        }
    }
}
