//! The case `memory`: how long a server takes until it answers, and what it keeps in memory: alone,
//! for connections that are idle, and for handlers that wait.
//!
//! Each server is started for this alone, so that no load has left anything behind. But before its
//! idle connections are counted it has answered as many requests as there will be, over few
//! connections: what those leave behind, garbage of Lua above all, is no connection's.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::crowd::{Crowd, admitted};
use super::kinds::{Kind, MEMORY_KINDS, Prepared, Tls};
use super::process::Running;
use super::report::{Report, median};
use super::servers::{START_MAX, last_word, wanted_of};
use super::surroundings::Surroundings;

/// So often is each started; with the last one it goes on.
const STARTS_COUNT: usize = 5;

/// Idle connections.
const IDLE_COUNT: usize = 10_000;

/// Connections over which it answers as many requests before.
const FEW_COUNT: usize = 100;

/// Handlers that wait, of requests on some of those connections: fewer than what httpng lets into
/// Lua at once unless told otherwise.
const WAITING_COUNT: usize = 4_000;

/// How often a server is asked for its first answer, and how many handlers wait.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// How long it may take until all handlers wait.
const WAITING_MAX: Duration = Duration::from_secs(60);

/// Where the bench asks from. It is not 127.0.0.1, whose port might connect to itself while nobody
/// listens there.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What was found of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    server: String,
    /// From starting the process to the first answer, of each start.
    start_us: Vec<u64>,
    /// The same with a port for TLS as well, which the others do not have.
    start_tls_us: Vec<u64>,
    /// Resident memory after the first answer, of each start.
    empty_kib: Vec<u64>,
    /// Resident memory after requests over few connections, which are closed; of the last start.
    served_kib: u64,
    idle_connections: usize,
    /// Resident memory with the idle connections, of the last start.
    idle_kib: u64,
    waiting_handlers: usize,
    /// Resident memory when for so many of these connections a handler waits.
    waiting_kib: u64,
}

impl Found {
    fn empty_mib(&self) -> f64 {
        let mib = |kib: &u64| *kib as f64 / 1024.0;
        median(self.empty_kib.iter().map(mib).collect())
    }

    fn kib_per_connection(&self) -> f64 {
        (self.idle_kib as f64 - self.served_kib as f64) / self.idle_connections.max(1) as f64
    }

    /// Beyond what its connection takes anyway.
    fn kib_per_handler(&self) -> f64 {
        (self.waiting_kib as f64 - self.idle_kib as f64) / self.waiting_handlers.max(1) as f64
    }
}

/// The table in Markdown.
pub(super) fn table(found: &[Found]) -> String {
    let mut text = "### memory\n\n\
         | server | start to first answer, ms | with TLS, ms | empty, MiB \
         | an idle connection, KiB | a handler that waits, KiB more | connections | handlers |\n\
         |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for one in found {
        text.push_str(&format!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {} | {} |\n",
            one.server,
            median_ms(&one.start_us),
            median_ms(&one.start_tls_us),
            one.empty_mib(),
            one.kib_per_connection(),
            one.kib_per_handler(),
            one.idle_connections,
            one.waiting_handlers,
        ));
    }
    text
}

fn median_ms(times_us: &[u64]) -> f64 {
    median(times_us.iter().map(|us| *us as f64 / 1e3).collect())
}

/// Looks at every server that is here and wanted; the others go to what is missing.
pub(super) fn measure(surroundings: &Surroundings<'_>, wanted: &[String], report: &mut Report) {
    let (connections, why) = admitted(IDLE_COUNT, surroundings.open_files);
    report
        .missing
        .extend(why.map(|why| format!("memory: {why}")));
    for kind in wanted_of(MEMORY_KINDS, wanted) {
        match look_at(kind, surroundings, connections) {
            Ok(found) => report.memory.push(found),
            Err(why) => report
                .missing
                .push(format!("{} memory: {why}", kind.name())),
        }
    }
    if report.memory.is_empty() {
        report.miss("memory: no server to measure".to_owned());
    }
}

fn look_at(
    kind: Kind,
    surroundings: &Surroundings<'_>,
    connections: usize,
) -> Result<Found, String> {
    let mut found = Found {
        server: kind.name(),
        start_us: Vec::new(),
        start_tls_us: Vec::new(),
        empty_kib: Vec::new(),
        served_kib: 0,
        idle_connections: connections,
        idle_kib: 0,
        waiting_handlers: connections.min(WAITING_COUNT),
        waiting_kib: 0,
    };
    for _ in 0..STARTS_COUNT {
        let (_, took) = start(&kind.prepare(surroundings, Tls::Too)?)?;
        found.start_tls_us.push(micros(took));
    }
    for round in 1..=STARTS_COUNT {
        let prepared = kind.prepare(surroundings, Tls::Not)?;
        let (running, took) = start(&prepared)?;
        running.wait_until_quiet()?;
        found.start_us.push(micros(took));
        found.empty_kib.push(running.resident_kib()?);
        if round == STARTS_COUNT {
            fill(&running, prepared.ports.http1, &mut found)?;
        }
    }
    Ok(found)
}

/// Starts it, and gives the time until its first answer was there.
fn start(prepared: &Prepared) -> Result<(Running, Duration), String> {
    let began = Instant::now();
    let mut running = prepared.start(None)?;
    loop {
        // Nobody listens yet, most of the time. A client that is reset asks again.
        let client = Client::connect(SOURCE, prepared.ports.http1);
        let Err(error) = client.and_then(|mut client| client.ask("/hello")) else {
            return Ok((running, began.elapsed()));
        };
        if running.has_ended() || began.elapsed() > START_MAX {
            let said = last_word(&prepared.log);
            return Err(format!("did not start: {error}; {said}"));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Has it answer, then keep connections, and handlers that wait.
fn fill(running: &Running, port: u16, found: &mut Found) -> Result<(), String> {
    serve(port, found.idle_connections)?;
    running.wait_until_quiet()?;
    found.served_kib = running.resident_kib()?;
    let mut crowd = Crowd::gather(port, found.idle_connections)?;
    running.wait_until_quiet()?;
    found.idle_kib = running.resident_kib()?;
    crowd.send(found.waiting_handlers, "/wait")?;
    wait_until_they_wait(port, found.waiting_handlers)?;
    running.wait_until_quiet()?;
    found.waiting_kib = running.resident_kib()?;
    Ok(())
}

/// So many requests over few connections.
fn serve(port: u16, requests: usize) -> Result<(), String> {
    let mut few = Crowd::gather(port, requests.min(FEW_COUNT))?;
    (1..requests.div_ceil(FEW_COUNT)).try_for_each(|_| few.ask("/hello"))
}

/// The server says itself how many of its handlers wait.
fn wait_until_they_wait(port: u16, count: usize) -> Result<(), String> {
    let deadline = Instant::now() + WAITING_MAX;
    let named = |e: std::io::Error| format!("/waiting: {e}");
    let mut client = Client::connect(SOURCE, port).map_err(named)?;
    loop {
        let said = client.ask("/waiting").map_err(named)?;
        if said == count.to_string() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{said} of {count} handlers wait"));
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            server: "a".to_owned(),
            start_us: vec![9_000, 50_000, 10_400],
            start_tls_us: vec![30_000, 20_000, 40_000],
            empty_kib: vec![4096, 9216, 6144],
            served_kib: 8000,
            idle_connections: 10_000,
            idle_kib: 8000 + 7_000,
            waiting_handlers: 4_000,
            waiting_kib: 8000 + 7_000 + 30_000,
        }
    }

    #[test]
    fn starts_have_medians_and_growth_is_divided() {
        let table = table(&[found()]);
        assert!(
            table.ends_with("| a | 10.4 | 30.0 | 6.0 | 0.70 | 7.50 | 10000 | 4000 |\n"),
            "{table}"
        );
    }

    #[test]
    fn a_server_without_connections_divides_by_nothing() {
        let none = Found {
            idle_connections: 0,
            idle_kib: 8000,
            waiting_handlers: 0,
            waiting_kib: 8000,
            ..found()
        };
        assert!(table(&[none]).contains("| 0.00 | 0.00 | 0 | 0 |"));
    }

    #[test]
    fn what_was_found_goes_through_json() {
        let json = serde_json::to_string(&found()).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Found>(&json).expect("found"),
            found()
        );
    }
}
