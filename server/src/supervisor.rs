//! The network side as Lua steers it: makes workers and the links to them, and ends them.
//!
//! With `threads = N` each worker is a thread; with `threads = 0` one worker is a part of the Lua
//! thread's loop, which then sleeps in it. What is started is owned here until it has ended: a
//! thread is joined, its sockets are closed by it.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::Exchange;
use http_worker::{Command, Embedded, Limits, Snapshot, Worker, WorkerConfig, WorkerHandle};
use lua_bindings::{HttpControl, ListenAddr, ServerConfig};
use shuttle_core::limits::BERTHS_MAX_COUNT;
use shuttle_core::{NoBell, TxEnd, link};

use crate::bells::TxBell;
use crate::clock;
use crate::drawing::{Shore, Watch};
use crate::sockets::{self, Sockets};

/// Why nobody is started once the program ends.
pub const ENDING: &str = "the program is ending: no server is started any more";

/// What the command line decides, whatever `httpng.cfg` says.
#[derive(Default)]
pub struct Overrides {
    /// Listen here instead.
    pub listeners: Option<Vec<ListenAddr>>,
    /// This many threads instead.
    pub threads: Option<u16>,
    /// Validate only: nothing is opened, nobody serves.
    pub check: bool,
    /// Is told each address that is listened on.
    pub on_listen: Option<Box<dyn Fn(SocketAddr)>>,
    /// Watches each worker.
    pub watch: Option<Arc<dyn Watch>>,
}

/// A handle on the workers. Clones are the same supervisor; all live on the Lua thread.
#[derive(Clone)]
pub struct Supervisor(Rc<RefCell<Inner>>);

struct Inner {
    overrides: Overrides,
    bell: Arc<TxBell>,
    crew: Crew,
    config: Option<ServerConfig>,
    /// What the workers that have ended counted.
    past: Tally,
    /// The last refusal of the machine, for the exit code.
    refusal: Option<String>,
    was_checked: bool,
    draining: bool,
    /// The program ends: a start would let in clients only to cut them.
    is_ending: bool,
}

/// Who serves now.
enum Crew {
    Nobody,
    Threads(Vec<WorkerHandle>),
    Embedded(Box<Embedded>),
}

/// Sums over workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Connections open now.
    pub connections: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Responses finished, the workers' own included.
    pub responses: u64,
    /// Responses of the classes 4xx and 5xx.
    pub errors: u64,
    /// Shuttles that are not free now.
    pub shuttles: u64,
    /// Clients that left while a request of theirs was unanswered.
    pub clients_gone: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
}

impl Tally {
    fn add(&mut self, seen: &Snapshot) {
        self.connections += seen.open;
        self.accepted += seen.accepted;
        self.responses += seen.responses.iter().sum::<u64>();
        self.errors += seen.responses[3] + seen.responses[4];
        self.shuttles += seen.travelling;
        self.clients_gone += seen.client_gone;
        self.bytes_in += seen.bytes_in;
        self.bytes_out += seen.bytes_out;
    }
}

impl Supervisor {
    /// Nobody serves yet. `bell` wakes the Lua thread, wherever it sleeps.
    pub fn new(overrides: Overrides, bell: Arc<TxBell>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            overrides,
            bell,
            crew: Crew::Nobody,
            config: None,
            past: Tally::default(),
            refusal: None,
            was_checked: false,
            draining: false,
            is_ending: false,
        })))
    }

    /// One step of the embedded worker, which sleeps for at most `timeout`; `None` when there is
    /// no such worker and the caller has to sleep elsewhere.
    pub fn turn_embedded(&self, timeout: Option<Duration>) -> Option<io::Result<usize>> {
        match &mut self.0.borrow_mut().crew {
            Crew::Embedded(worker) if !worker.is_finished() => Some(worker.turn(timeout)),
            _ => None,
        }
    }

    /// Whether anybody serves, or has not yet ended.
    pub fn is_serving(&self) -> bool {
        !matches!(self.0.borrow().crew, Crew::Nobody)
    }

    /// Whether `httpng.cfg` was called in check mode, and found nothing wrong.
    pub fn was_checked(&self) -> bool {
        self.0.borrow().was_checked
    }

    /// Why the machine refused the last start, if it did.
    pub fn refusal(&self) -> Option<String> {
        self.0.borrow().refusal.clone()
    }

    /// What all workers counted, those that have ended included.
    pub fn tally(&self) -> Tally {
        let inner = self.0.borrow();
        let mut tally = inner.past;
        match &inner.crew {
            Crew::Nobody => {}
            Crew::Threads(workers) => {
                workers
                    .iter()
                    .for_each(|worker| tally.add(&worker.stats().snapshot()));
            }
            Crew::Embedded(worker) => tally.add(&worker.stats().snapshot()),
        }
        tally
    }

    /// Nobody is started any more: what of the program still runs may ask for it, on its way out.
    pub fn end(&self) {
        self.0.borrow_mut().is_ending = true;
    }

    /// Nobody new is served, now or [later](Self::end); what runs may go on, until a
    /// [`stop`](HttpControl::stop).
    pub fn drain(&self) {
        self.end();
        let mut inner = self.0.borrow_mut();
        inner.draining = true;
        inner.command_all(|| Command::Drain { deadline_ms: None });
    }

    /// Whether a worker has ended that was not told to.
    pub fn has_lost_worker(&self) -> bool {
        let inner = self.0.borrow();
        match &inner.crew {
            Crew::Threads(workers) if !inner.draining => {
                workers.iter().any(WorkerHandle::is_finished)
            }
            _ => false,
        }
    }

    /// Whether the workers were told to end.
    pub fn is_draining(&self) -> bool {
        self.0.borrow().draining
    }
}

impl HttpControl for Supervisor {
    fn start(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        let mut inner = self.0.borrow_mut();
        let config = inner.overridden(config);
        let result = inner.start(&config);
        inner.refusal = result.as_ref().err().cloned();
        inner.config = Some(config);
        result
    }

    fn reconfigure(&mut self, config: &ServerConfig) -> Result<(), String> {
        let mut inner = self.0.borrow_mut();
        let config = inner.overridden(config);
        inner.reconfigure(config);
        Ok(())
    }

    fn stop(&mut self, deadline: Option<Instant>) {
        self.0.borrow_mut().stop(deadline);
    }

    fn stopped(&mut self) -> bool {
        self.0.borrow_mut().stopped()
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        let tally = self.tally();
        vec![
            ("connections", tally.connections),
            ("accepted", tally.accepted),
            ("responses", tally.responses),
            ("errors", tally.errors),
            ("shuttles", tally.shuttles),
            ("clients_gone", tally.clients_gone),
            ("bytes_in", tally.bytes_in),
            ("bytes_out", tally.bytes_out),
            ("draining", u64::from(self.is_draining())),
        ]
    }
}

impl Inner {
    fn overridden(&self, config: &ServerConfig) -> ServerConfig {
        let mut config = config.clone();
        if let Some(listeners) = &self.overrides.listeners {
            config.listeners.clone_from(listeners);
        }
        config.threads = self.overrides.threads.unwrap_or(config.threads);
        config
    }

    fn start(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        if self.is_ending {
            return Err(ENDING.to_owned());
        }
        if !self.stopped() {
            return Err("the last server has not ended yet".to_owned());
        }
        let tls = sockets::load_tls(config)?;
        if self.overrides.check {
            self.was_checked = true;
            return Ok(Vec::new());
        }
        let workers = usize::from(config.threads.max(1));
        let sockets = sockets::open(config, &tls, workers)?;
        let bound = sockets.bound.clone();
        let started = if config.threads == 0 {
            self.start_embedded(config, sockets)
        } else {
            self.start_threads(config, sockets)
        };
        let ends = started.map_err(|error| format!("cannot start a worker: {error}"))?;
        self.draining = false;
        announce(&bound, config.threads);
        if let Some(tell) = &self.overrides.on_listen {
            bound.iter().for_each(|(addr, _)| tell(*addr));
        }
        Ok(ends)
    }

    fn start_threads(
        &mut self,
        config: &ServerConfig,
        sockets: Sockets,
    ) -> io::Result<Vec<TxEnd<Exchange>>> {
        let mut ends = Vec::new();
        let mut workers = Vec::new();
        for (index, listeners) in sockets.sets.into_iter().enumerate() {
            let name = format!("http-{index}");
            match self.start_thread(config, name, listeners) {
                Ok((worker, end)) => {
                    workers.push(worker);
                    ends.push(end);
                }
                Err(error) => {
                    // The ends go first: a worker without its other shore has nothing to wait for.
                    drop(ends);
                    workers
                        .iter()
                        .for_each(|worker| worker.command(Command::Stop));
                    workers.into_iter().for_each(join);
                    return Err(error);
                }
            }
        }
        self.crew = Crew::Threads(workers);
        Ok(ends)
    }

    fn start_thread(
        &self,
        config: &ServerConfig,
        name: String,
        listeners: Vec<http_worker::Listener>,
    ) -> io::Result<(WorkerHandle, TxEnd<Exchange>)> {
        let (worker, to_worker) = Worker::new(self.worker_config(config, name, listeners))?;
        if let Some(watch) = &self.overrides.watch {
            watch.add_bell(Arc::clone(&to_worker));
        }
        let (worker_end, tx_end) = link(berths(config), self.bell.reactor(), to_worker);
        Ok((worker.spawn(worker_end)?, tx_end))
    }

    fn start_embedded(
        &mut self,
        config: &ServerConfig,
        mut sockets: Sockets,
    ) -> io::Result<Vec<TxEnd<Exchange>>> {
        let listeners = sockets.sets.pop().unwrap_or_default();
        let name = "http".to_owned();
        let (worker, bell) = Worker::new(self.worker_config(config, name, listeners))?;
        // Both shores are one thread, which is awake whenever either has something to send.
        let (worker_end, tx_end) = link(berths(config), Arc::new(NoBell), Arc::new(NoBell));
        self.crew = Crew::Embedded(Box::new(worker.embed(worker_end)));
        self.bell.also_ring(Some(bell));
        Ok(vec![tx_end])
    }

    fn worker_config(
        &self,
        config: &ServerConfig,
        name: String,
        listeners: Vec<http_worker::Listener>,
    ) -> WorkerConfig {
        let witness = self
            .overrides
            .watch
            .as_ref()
            .map(|watch| watch.witness(Shore::Worker));
        WorkerConfig {
            name,
            limits: limits(config),
            listeners,
            witness,
            ..WorkerConfig::default()
        }
    }

    fn reconfigure(&mut self, config: ServerConfig) {
        let served = self.config.as_ref().map(|now| now.threads);
        if served.is_some_and(|threads| threads != config.threads) {
            log::warn!("the number of threads changes at the next start, not while serving");
        }
        let command = || Command::Limits(Box::new(limits(&config)));
        self.command_all(command);
        let threads = served.unwrap_or(config.threads);
        self.config = Some(ServerConfig { threads, ..config });
    }

    fn command_all(&self, command: impl Fn() -> Command) {
        match &self.crew {
            Crew::Nobody => {}
            Crew::Threads(workers) => workers.iter().for_each(|worker| worker.command(command())),
            Crew::Embedded(worker) => worker.command(command()),
        }
    }

    fn stop(&mut self, deadline: Option<Instant>) {
        self.draining = true;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        self.command_all(|| match left {
            Some(left) if !left.is_zero() => {
                let deadline_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
                Command::Drain {
                    deadline_ms: Some(deadline_ms),
                }
            }
            _ => Command::Stop,
        });
    }

    /// Takes leave of the workers that have ended.
    fn stopped(&mut self) -> bool {
        match std::mem::replace(&mut self.crew, Crew::Nobody) {
            Crew::Nobody => {}
            Crew::Threads(workers) => {
                let (ended, alive): (Vec<_>, Vec<_>) =
                    workers.into_iter().partition(WorkerHandle::is_finished);
                for worker in ended {
                    self.past.add(&worker.stats().snapshot());
                    join(worker);
                }
                if !alive.is_empty() {
                    self.crew = Crew::Threads(alive);
                }
            }
            Crew::Embedded(worker) if worker.is_finished() => {
                self.past.add(&worker.stats().snapshot());
                self.bell.also_ring(None);
            }
            Crew::Embedded(worker) => self.crew = Crew::Embedded(worker),
        }
        matches!(self.crew, Crew::Nobody)
    }
}

/// Takes leave of a worker that has ended. Its failure concerns nobody here any more but the log.
fn join(worker: WorkerHandle) {
    if let Err(error) = worker.join() {
        log::error!("a worker ended with an error: {error}");
    }
}

/// What may be with Lua at once, as many as a link can carry at most.
fn berths(config: &ServerConfig) -> u16 {
    let most = u32::from(BERTHS_MAX_COUNT);
    let berths = config.max_shuttles_per_thread.clamp(1, most);
    u16::try_from(berths).unwrap_or(BERTHS_MAX_COUNT)
}

fn limits(config: &ServerConfig) -> Limits {
    let usual = Limits::default();
    // One body of the allowed size must always have room.
    let body_bytes = usize::try_from(config.max_body_len_bytes).unwrap_or(usize::MAX);
    Limits {
        connections_count: config.max_conn_per_thread,
        body_bytes: config.max_body_len_bytes,
        buffered_bodies_bytes: usual.buffered_bodies_bytes.max(body_bytes),
        header_timeout: Duration::from_millis(config.header_timeout_ms),
        body_timeout: Duration::from_millis(config.body_timeout_ms),
        idle_timeout: Duration::from_millis(config.idle_timeout_ms),
        write_timeout: Duration::from_millis(config.write_timeout_ms),
        ..usual
    }
}

/// The one line that everybody looks for.
fn announce(bound: &[(SocketAddr, bool)], threads: u16) {
    for (addr, is_tls) in bound {
        let scheme = if *is_tls { "https" } else { "http" };
        let by = match threads {
            0 => "in the Lua thread".to_owned(),
            1 => "1 worker thread".to_owned(),
            n => format!("{n} worker threads"),
        };
        log::info!("listening on {scheme}://{addr} ({by})");
    }
}
