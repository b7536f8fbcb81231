//! A network thread for HTTP servers: sockets, TLS, HTTP/1.1, HTTP/2 and limits on one mio loop,
//! with the application on another thread, or on the same.
//!
//! A [`Worker`] owns sockets. It reads requests, packs each into a shuttle of its
//! [link](shuttle_core::link) and sends it to the other shore, "TX"; what comes back it writes to
//! the client. It knows nothing of who answers: a plain Rust thread does (see
//! `examples/plain_rust.rs`), and so does a Lua runtime.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::sync::Arc;
//!
//! use http_proto::Exchange;
//! use http_worker::{Command, Listener, Worker, WorkerConfig};
//! use shuttle_core::{NoBell, link};
//!
//! // Both shores in this thread, so nobody has to be woken.
//! let mut config = WorkerConfig::default();
//! config.listeners.push(Listener::plain("127.0.0.1:0".parse()?, false)?);
//! let addr = config.listeners[0].socket.local_addr()?;
//! let (worker, bell) = Worker::new(config)?;
//! let (end, tx) = link::<Exchange>(16, Arc::new(NoBell), bell);
//! let (mut worker, mut tx) = (worker.embed(end), tx.land());
//!
//! let mut client = std::net::TcpStream::connect(addr)?;
//! client.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
//! let mut exchange = loop {
//!     worker.turn(None)?;
//!     if let Some(exchange) = tx.recv() {
//!         break exchange;
//!     }
//! };
//! assert_eq!(exchange.request.path(), b"/hello");
//! exchange.answer(200, &[("Content-Type", "text/plain")], b"hi")?;
//! tx.send(exchange);
//! worker.command(Command::Drain { deadline_ms: Some(1000) });
//! while !worker.is_finished() {
//!     worker.turn(None)?;
//! }
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhi"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A trip
//! The shuttle's cargo is an [`Exchange`](http_proto::Exchange); its
//! [`Leg`](http_proto::Leg) says what each crossing means, and the table in
//! [`http_proto::exchange`] has every legal step. The worker's part:
//!
//! * A request crosses when it is complete: head, body (bounded), trailers. While no berth is
//!   free the connection waits its turn, unread; nothing is ever dropped for it.
//! * In a site that [streams](App::streams_body) a request crosses when its head is there, and
//!   names a second shuttle that brings its body, piece by piece, for as long as the other shore
//!   sends it back for more. When it does not, the socket is not read.
//! * Answers leave in the order of the requests, however they come back. Those that are ready
//!   together leave in one vectored write, lent bytes straight from where they lie.
//! * `Continue` goes back when the socket has taken the part, so a slow client slows its handler.
//!
//! # HTTP/2
//! A connection speaks it when its client has chosen it in the TLS handshake, or, in clear text,
//! when its first bytes are the preface. Each stream is a trip of its own; answers leave as they
//! come back. A stream that its client resets is to its trip what a connection that is lost is to
//! the trips on it.
//!
//! # A client that leaves
//! The worker watches for it always, also while nothing is to be read.
//!
//! * A reset, or an error when writing, means *gone*: every unanswered trip of the connection is
//!   hailed at once, what comes back for it is sent home unread, and the connection is freed.
//! * The end of the client's stream (FIN) looks the same for a client that has left and for one
//!   that has only finished asking (`nc -N`). So the trips are hailed, which lets a handler
//!   stop early, **and** what the application sends nevertheless is delivered for as long as
//!   the socket takes it; the first write to a client that has really left ends in a reset. No
//!   new request is read, and the connection is closed after the last answer.
//!
//! # Files
//! A site of the [`Routes`] may be a [folder](Files). Its requests never cross: the worker
//! answers them itself, in their place among the others, and sends what is large from the kernel's
//! cache. Reading a disk may block the worker; how much it reads in one go is bounded.
//!
//! # Threads
//! [`Worker::spawn`] gives it a thread; [`Worker::embed`] makes it part of a foreign loop. The
//! API is the same, and so is everything a client sees.

#![forbid(unsafe_code)]

mod accept;
mod access;
mod bodies;
mod cargo;
mod clock;
mod compress;
mod config;
mod conn;
mod context;
mod control;
mod core;
mod files;
mod guests;
mod http2;
pub mod limits;
mod line;
mod listener;
mod reports;
mod routes;
mod socket;
mod stats;
mod timers;
mod tls;
mod token;
mod transport;
mod worker;

pub use access::{AccessLog, AccessRecord, Legs, NO_ANSWER_STATUS, Reporting};
pub use config::WorkerConfig;
pub use control::{Command, Listening, Receipt, Receipts};
pub use files::{FileOptions, Files, FilesError};
pub use guests::Guests;
pub use limits::Limits;
pub use listener::{Listener, SPREADS_BY_PORT, bind, probe};
pub use routes::{App, Routes, Serve};
pub use stats::{Snapshot, WorkerStats};
pub use tls::{TlsConfig, TlsError, TlsOptions, TlsVersion};
pub use worker::{Embedded, Worker, WorkerHandle};

#[cfg(test)]
mod tests;
