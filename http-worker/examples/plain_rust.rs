//! A web server in plain Rust: the worker's thread has the sockets, this one has the answers.
//! `cargo run -p http-worker --example plain_rust -- 127.0.0.1:3300`

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use http_proto::Exchange;
use http_worker::{Listener, Worker, WorkerConfig};
use shuttle_core::{Sleep, ThreadBell, link};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1).ok_or("which address and port?")?;
    let mut config = WorkerConfig::default();
    config
        .listeners
        .push(Listener::plain(addr.parse()?, false)?);
    println!("listening on {}", config.listeners[0].socket.local_addr()?);

    let (worker, worker_bell) = Worker::new(config)?;
    let bell = Arc::new(ThreadBell::new());
    let (end, tx) = link::<Exchange>(1024, bell.clone(), worker_bell);
    let _running = worker.spawn(end)?;
    let mut shore = tx.land();
    loop {
        while let Some(mut exchange) = shore.recv() {
            let body = [b"Hello from ", exchange.request.path(), b"\n"].concat();
            exchange.answer(200, &[("Content-Type", "text/plain")], &body)?;
            shore.send(exchange);
        }
        if shore.prepare_sleep() == Sleep::MaySleep {
            bell.wait();
        }
        shore.woke();
    }
}
