//! What the TX side of one request costs: a worker that is played in the same thread sends batches
//! of requests and takes the answers. Prints nanoseconds of processor time per request, for a few
//! handlers, without what the played worker itself takes.
//!
//! `cargo run --release -p lua-bindings --example hello_cost [requests]`
#![allow(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http_proto::{Exchange, Leg, Version};
use lua_bindings::{Env, EnvOptions, HttpControl, MainStatus, ServerConfig};
use shuttle_core::{NoBell, TxEnd, WorkerEnd, WorkerShore, link};

/// A network side that only makes a link.
struct Control(Rc<RefCell<Option<WorkerEnd<Exchange>>>>);

impl HttpControl for Control {
    fn start(&mut self, _: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        let (worker, tx) = link(256, Arc::new(NoBell), Arc::new(NoBell));
        *self.0.borrow_mut() = Some(worker);
        Ok(vec![tx])
    }

    fn reconfigure(&mut self, _: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        Ok(Vec::new())
    }

    fn stop(&mut self, _: Option<Instant>) {}

    fn stopped(&mut self) -> bool {
        true
    }
}

/// Requests that are on their way at a time: about what a busy worker has.
const BATCH: usize = 64;

const HANDLERS: &[(&str, &str)] = &[
    (
        "hello, a constant table",
        "local t = {status = 200, body = 'hello'} return function() return t end",
    ),
    (
        "hello, a new table",
        "return function() return {status = 200, body = 'hello'} end",
    ),
    (
        "hello with a header, four fields read",
        "return function(req) local _ = req.method, req.path, req.query, req.host\n\
         return {status = 200, headers = {['content-type'] = 'text/plain'}, body = 'hello'} end",
    ),
    (
        "req.headers.accept",
        "return function(req) return {body = req.headers.accept} end",
    ),
    (
        "write(body, true)",
        "return function(_, io) io:write('hello', true) end",
    ),
    (
        "yields once",
        "local f = require 'fiber' return function() f.yield() return {body = 'hello'} end",
    ),
    (
        "64 KiB, lent",
        "local b = ('x'):rep(65536) return function() return {body = b} end",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let requests = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let slot = Rc::new(RefCell::new(None));
    let mut env = Env::new(EnvOptions::default(), Box::new(Control(Rc::clone(&slot))))?;
    run(&mut env, "require('httpng').cfg{handler = function() end}")?;
    let end = slot
        .borrow_mut()
        .take()
        .ok_or("the program started no server")?;
    let mut worker = end.land();
    let idle = measure(&mut env, &mut worker, requests, true);
    println!("{:40} {idle:7.0} ns", "(the played worker alone)");
    for (name, source) in HANDLERS {
        run(
            &mut env,
            &format!("require('httpng').cfg{{handler = (function() {source} end)()}}"),
        )?;
        measure(&mut env, &mut worker, requests / 10, false);
        let ns = measure(&mut env, &mut worker, requests, false);
        println!("{name:40} {:7.0} ns", ns - idle);
    }
    Ok(())
}

fn run(env: &mut Env, program: &str) -> Result<(), Box<dyn Error>> {
    let chunk = env.load_text("=program", program.as_bytes())?;
    env.start(chunk)?;
    while env.turn(Instant::now()).is_busy {}
    match env.main_status() {
        MainStatus::Finished => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Nanoseconds per request. `alone`: the worker frees its requests without sending them.
fn measure(env: &mut Env, worker: &mut WorkerShore<Exchange>, requests: usize, alone: bool) -> f64 {
    let (start, before) = (Instant::now(), processor_ns());
    let mut open = 0;
    let mut done = 0;
    while done < requests {
        while open < BATCH && done < requests {
            let mut shuttle = worker.board().expect("there are more berths than that");
            fill(&mut shuttle);
            if alone {
                shuttle.clear(1 << 16);
                worker.release(shuttle);
                done += 1;
                continue;
            }
            worker.send(shuttle);
            open += 1;
        }
        env.turn(start);
        while let Some(mut shuttle) = worker.recv() {
            match shuttle.leg() {
                Leg::Answer | Leg::Release => {
                    worker.release(shuttle);
                    open -= 1;
                    done += 1;
                }
                _ => {
                    shuttle
                        .advance(Leg::Closed)
                        .expect("it was sent with the last part");
                    worker.send(shuttle);
                }
            }
        }
    }
    while open > 0 {
        env.turn(start);
        while let Some(mut shuttle) = worker.recv() {
            if matches!(shuttle.leg(), Leg::Answer | Leg::Release) {
                worker.release(shuttle);
                open -= 1;
            } else {
                shuttle
                    .advance(Leg::Closed)
                    .expect("it was sent with the last part");
                worker.send(shuttle);
            }
        }
    }
    (processor_ns() - before) as f64 / requests as f64
}

/// Processor time of this thread; where the system does not tell it, the time of day.
fn processor_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = told
        .as_deref()
        .and_then(|text| text.split(' ').next()?.parse().ok());
    first.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_nanos() as u64)
    })
}

fn fill(exchange: &mut Exchange) {
    exchange.clear(1 << 16);
    let request = &mut exchange.request;
    request.begin(b"GET", b"/hello?a=b", Version::Http11);
    for (name, value) in [
        ("host", "localhost:3300"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-GB,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("connection", "keep-alive"),
        ("cookie", "session=0123456789abcdef"),
        ("cache-control", "no-cache"),
        ("dnt", "1"),
        ("te", "trailers"),
    ] {
        request
            .push_field(name.as_bytes(), value.as_bytes())
            .expect("good fields");
    }
    request.finish().expect("a good request");
    exchange.advance(Leg::Request).expect("the worker has it");
}
