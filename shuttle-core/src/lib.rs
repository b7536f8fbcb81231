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
//!   read lent bytes in place                  ◄─ ─ chunks of the berth ─ ─ ─ append
//!   find_chunks, consumed ─ ─ ─ ─ how far it got ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─► progress
//!   tell_progress ─ ─ ─ ─ ─ ─ ─ ─ bit of the berth, if asked for ─ ─ ─ ─ ─ ─► hailed
//!   send_continue ────────────► ring, or not: ◄─ ─ flag of the berth ─ ─ ─ must_close
//!   send ─────────────────────►                                              recv, unpin
//!   recv ◄────────────────────                                               send
//!   release ──► free berths
//! ```
//!
//! Solid lines hand the shuttle over, and with it the right to its cargo. Dashed ones are the few
//! things that either side may say about a shuttle it does not have; they are bits of one atomic
//! word per berth. Beside it, both sides touch at once only the chunks, and of those each byte is
//! written before the word says that it is there.
//!
//! # Writing to a shuttle that is away
//!
//! TX need not have the shuttle to write more of an answer: it [appends](TxShore::append) a chunk,
//! copied or lent, without waiting, and is told in the same step what will become of it. The worker
//! [finds](Shuttle::find_chunks) all that was appended, sends it in one go, says how much of it
//! went out, and cannot [give the shuttle back](WorkerShore::send_continue) while there is more; so
//! nobody has to be woken for a chunk, and a thousand small writes may be one write to a socket.
//!
//! - [`InTime`](Appended::InTime): the worker has the shuttle, and finds the chunk before it can
//!   say "Continue".
//! - [`TooLate`](Appended::TooLate): the shuttle is TX's, or on its way there, with the chunk in
//!   it. Who receives it sends it again, if [`unsent_bytes`](Shuttle::unsent_bytes) is not zero.
//! - [`Full`](Appended::Full): refused. Wait until the worker [got on](TxShore::await_progress) or
//!   the shuttle is home; a slow client costs no more memory than [`limits`] says.
//! - [`Stale`](Appended::Stale): refused, for that trip is over.
//!
//! Chunks and the request to close keep their order: the worker can
//! [accept the close](Shuttle::accept_close) only when it has found all that stands before it. How
//! far the worker got, and which lent chunks may go, TX [sees](TxShore::progress) at any time.
//! Who appends nothing pays nothing: the room for chunks is made at the first append to a berth.
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
//! - **A chunk** that was accepted is sent once, in its place, or is found unsent when the shuttle
//!   is home. None reaches the next trip.
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

mod append;
mod bell;
mod chunk;
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
pub use chunk::Progress;
pub use link::{TxEnd, WorkerEnd, link};
pub use shore::{TxShore, WorkerShore};
pub use shuttle::{BerthId, Shuttle, Side, Tx, Worker};
pub use state::{Appended, MustClose};

/// The code in the README is compiled and run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
