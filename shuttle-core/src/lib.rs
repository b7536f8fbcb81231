//! Cells that carry work between two threads, one owner at a time: a ferry with berths, rings,
//! doorbells and lent bytes.
//!
//! A **link** joins two threads, called the *worker* and *TX*. It has a fixed number of **berths**,
//! in each of which lies a **shuttle**: room for one piece of work, and for its answer. The worker
//! boards a shuttle, fills it and sends it; TX receives the same memory, changes it and sends it
//! back; so it goes to and fro until the worker releases it. Nothing is copied, allocated or
//! counted on the way, and nothing is locked: whose turn it is, is all there is to agree about.
//!
//! # One trip
//!
//! ```text
//!   worker's thread                    the link                        TX thread
//!   ───────────────                    ────────                        ─────────
//!   board ◄── free berths
//!   fill the cargo
//!   send ─────────────────────► ring of berth numbers ─────────────────────► recv
//!   flush ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ doorbell, if TX sleeps ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ► (woken)
//!                                                                    work, lend bytes
//!   hail_client_gone ─ ─ ─ ─ ─ ─ bit of the berth ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─► hailed
//!   recv ◄───────────────────── ring of berth numbers ◄───────────────────── send
//!   read lent bytes in place
//!   send_continue ────────────► ring, or not: ◄─ ─ flag of the berth ─ ─ ─ must_close
//!   send ─────────────────────►                                              recv, unpin
//!   recv ◄────────────────────                                               send
//!   release ──► free berths
//! ```
//!
//! Solid lines hand the shuttle over, and with it the right to its cargo. Dashed ones are the few
//! things that either side may say about a shuttle it does not have; they are bits of one atomic
//! word per berth, and nothing else is ever touched by both sides at once.
//!
//! # What holds
//!
//! - **One owner.** A [`Shuttle`] is a value that cannot be copied or sent to another thread, typed
//!   by the side that has it. Sending consumes it. What is not the owner's does not compile.
//! - **Nothing is full.** A ring has room for all berths, so sending cannot fail, wait or be tried
//!   again. Back-pressure is [`board`](WorkerShore::board) answering `None`: take in no more work.
//! - **Nothing is lost.** A handle that is dropped goes home [abandoned](Shuttle::is_abandoned).
//!   When a side leaves, the other gets back what was not received there.
//! - **No wake-up is lost and none is wasted.** A side rings the other only if that one
//!   [announced](TxShore::prepare_sleep) its sleep, and once per announcement.
//! - **Freed once**, by the worker, with nothing lent. A [`BerthId`] of a freed shuttle is known to
//!   be stale, and whatever is said about it changes nothing.
//! - **Lent bytes** ([`Shuttle::lend`]) are read in place by the worker and forgotten by TX alone.
//!
//! Each of these is asserted where it is cheap, tested, and, where threads can meet, modelled with
//! loom. `mutations.txt` lists the mistakes that the models are known to catch.
//!
//! # Example
//!
//! Two plain threads: one has lines, the other counts their words.
//!
//! ```
//! use std::sync::Arc;
//! use std::thread;
//!
//! use shuttle_core::{Sleep, ThreadBell, link};
//!
//! /// What a shuttle carries: there a line, back the number of its words.
//! #[derive(Default)]
//! struct Cargo {
//!     line: String,
//!     words: usize,
//! }
//!
//! let (tx_bell, worker_bell) = (Arc::new(ThreadBell::new()), Arc::new(ThreadBell::new()));
//! let (worker, tx) = link::<Cargo>(4, tx_bell.clone(), worker_bell.clone());
//!
//! let counter = thread::spawn(move || {
//!     let mut shore = tx.land();
//!     while !shore.worker_has_left() {
//!         while let Some(mut shuttle) = shore.recv() {
//!             shuttle.words = shuttle.line.split_whitespace().count();
//!             shore.send(shuttle);
//!         }
//!         if shore.prepare_sleep() == Sleep::MaySleep {
//!             tx_bell.wait();
//!             shore.woke();
//!         }
//!     }
//! });
//!
//! let mut shore = worker.land();
//! for line in ["a ferry", "between two shores", ""] {
//!     let mut shuttle = shore.board().expect("four berths, three lines");
//!     shuttle.line.clear();
//!     shuttle.line.push_str(line);
//!     shore.send(shuttle);
//! }
//! let mut words = 0;
//! while shore.travelling() != 0 {
//!     while let Some(shuttle) = shore.recv() {
//!         words += shuttle.words;
//!         shore.release(shuttle);
//!     }
//!     if shore.travelling() != 0 && shore.prepare_sleep() == Sleep::MaySleep {
//!         worker_bell.wait();
//!         shore.woke();
//!     }
//! }
//! assert_eq!(words, 5);
//! drop(shore);
//! counter.join().unwrap();
//! ```
//!
//! On one thread the same link works with [`NoBell`] on both sides.

mod bell;
mod hail;
mod lent;
pub mod limits;
mod link;
mod quay;
mod ring;
mod shore;
mod shuttle;
mod slot;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use bell::{Doorbell, NoBell, Sleep, ThreadBell};
pub use link::{TxEnd, WorkerEnd, link};
pub use shore::{TxShore, WorkerShore};
pub use shuttle::{BerthId, Shuttle, Side, Tx, Worker};
pub use state::MustClose;

/// The code in the README is compiled and run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
