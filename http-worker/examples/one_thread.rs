//! The same server in one thread: the worker is a part of this loop, and nobody rings.
//! `cargo run -p http-worker --example one_thread -- 127.0.0.1:3300`

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use http_proto::Exchange;
use http_worker::{Listener, Worker, WorkerConfig};
use shuttle_core::{NoBell, link};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1).ok_or("which address and port?")?;
    let mut config = WorkerConfig::default();
    config
        .listeners
        .push(Listener::plain(addr.parse()?, false)?);
    println!("listening on {}", config.listeners[0].socket.local_addr()?);

    let (worker, worker_bell) = Worker::new(config)?;
    let (end, tx) = link::<Exchange>(1024, Arc::new(NoBell), worker_bell);
    let mut worker = worker.embed(end);
    let mut shore = tx.land();
    loop {
        worker.turn(None)?;
        while let Some(mut exchange) = shore.recv() {
            let body = [b"Hello from ", exchange.request.path(), b"\n"].concat();
            exchange.answer(200, &[("Content-Type", "text/plain")], &body)?;
            shore.send(exchange);
        }
    }
}
