//! The network side as Lua steers it: makes workers and the links to them, and ends them.
//!
//! With `threads = N` each worker is a thread; with `threads = 0` one worker is a part of the Lua
//! thread's loop, which then sleeps in it. What is started is owned here until it has ended.
//!
//! Another number of threads takes effect while they serve ([`HttpControl::reconfigure`]). Both
//! kinds may be there for a while: the one that serves, and the one that finishes what it has.

mod change;
mod crew;
mod numbers;
mod reporting;
mod tally;
mod terms;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::Exchange;
use http_worker::{Command, Guests, Listener, Receipts, Routes, Worker, WorkerConfig};
use lua_bindings::{HttpControl, ListenAddr, ServerConfig};
use shuttle_core::{Doorbell, NoBell, TxEnd, link};

use crate::bells::TxBell;
use crate::clock;
use crate::drawing::{Shore, Watch};
use crate::logging::access::{AccessOptions, Hub};
use crate::sockets::{self, Place, Sockets};
use crew::Crew;
use numbers::Numbers;
use reporting::Access;
pub use tally::Tally;
use terms::{limits, room, routes};

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
    /// Keep this access log instead.
    pub access_log: Option<AccessOptions>,
    /// Knows the access logs that are open.
    pub access_hub: Hub,
    /// Show clients why handlers failed.
    pub is_development: bool,
}

/// A handle on the workers. Clones are the same supervisor; all live on the Lua thread.
#[derive(Clone)]
pub struct Supervisor(Rc<RefCell<Inner>>);

struct Inner {
    overrides: Overrides,
    bell: Arc<TxBell>,
    /// Counts the connections of each address, over all workers.
    guests: Arc<Guests>,
    /// Who serves now.
    crew: Crew,
    /// Who became too many and has not ended yet.
    leaving: Crew,
    /// The numbers of their ends, see [`HttpControl::leaving`].
    numbers: Numbers,
    /// Where they listen. Absent: nobody new is let in.
    sockets: Option<Sockets>,
    /// Whether the workers have heard where they listen.
    receipts: Receipts,
    /// How many requests of a worker its link has room for.
    room: u16,
    config: Option<ServerConfig>,
    /// Who serves what, for all workers.
    routes: Arc<Routes>,
    access: Access,
    /// What the workers that have ended counted.
    past: Tally,
    /// The last refusal of the machine, for the exit code.
    refusal: Option<String>,
    was_checked: bool,
    draining: bool,
    /// The program ends: a start would let in clients only to cut them.
    is_ending: bool,
}

impl Supervisor {
    /// Nobody serves yet. `bell` wakes the Lua thread, wherever it sleeps.
    pub fn new(overrides: Overrides, bell: Arc<TxBell>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            overrides,
            bell,
            guests: Arc::default(),
            crew: Crew::default(),
            leaving: Crew::default(),
            numbers: Numbers::default(),
            sockets: None,
            receipts: Receipts::default(),
            room: 0,
            config: None,
            routes: Arc::default(),
            access: Access::default(),
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
        let inner = &mut *self.0.borrow_mut();
        if inner.crew.embedded.is_none() {
            return inner.leaving.turn(timeout);
        }
        // One may be replaced by another. The thread sleeps in the one that serves, and while
        // somebody ends it never sleeps for long.
        let timeout = match inner.leaving.turn(Some(Duration::ZERO)) {
            Some(Ok(0)) | None => timeout,
            Some(Ok(_)) => Some(Duration::ZERO),
            Some(Err(error)) => return Some(Err(error)),
        };
        inner.crew.turn(timeout)
    }

    /// Whether anybody serves, or has not yet ended.
    pub fn is_serving(&self) -> bool {
        let inner = self.0.borrow();
        !(inner.crew.is_empty() && inner.leaving.is_empty())
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
        inner.crew.count_into(&mut tally);
        inner.leaving.count_into(&mut tally);
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
        inner.sockets = None;
        inner.command_all(|| Command::Drain { deadline_ms: None });
    }

    /// Whether a worker has ended that was not told to.
    pub fn has_lost_worker(&self) -> bool {
        let inner = self.0.borrow();
        !inner.draining && inner.crew.has_left_thread()
    }

    /// Takes leave of workers that became too many and have ended. Whether some are left.
    pub fn see_off(&self) -> bool {
        self.0.borrow_mut().is_shrinking()
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

    fn reconfigure(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        let mut inner = self.0.borrow_mut();
        let config = inner.overridden(config);
        inner.reconfigure(config)
    }

    fn is_shrinking(&mut self) -> bool {
        self.see_off()
    }

    fn is_relistening(&mut self) -> bool {
        self.0.borrow().receipts.are_out()
    }

    fn leaving(&self) -> Vec<u64> {
        self.0.borrow().numbers.leaving.clone()
    }

    fn force_shrink(&mut self) {
        self.0.borrow().leaving.command_all(|| Command::Stop);
    }

    fn stop(&mut self, deadline: Option<Instant>) {
        self.0.borrow_mut().stop(deadline);
    }

    fn stopped(&mut self) -> bool {
        self.0.borrow_mut().stopped()
    }

    fn is_development(&self) -> bool {
        self.0.borrow().overrides.is_development
    }

    fn stats(&self) -> Vec<(&'static str, u64)> {
        let tally = self.tally();
        let inner = self.0.borrow();
        vec![
            ("connections", tally.connections),
            ("accepted", tally.accepted),
            ("responses", tally.responses),
            ("errors", tally.errors),
            ("shuttles", tally.shuttles),
            ("clients_gone", tally.clients_gone),
            ("refused", tally.refused),
            ("evicted", tally.evicted),
            ("timeouts", tally.timeouts),
            ("encoder_bytes", tally.encoder_bytes),
            ("bytes_in", tally.bytes_in),
            ("bytes_out", tally.bytes_out),
            ("threads", inner.crew.threads_count() as u64),
            ("threads_ending", inner.leaving.threads_count() as u64),
            ("draining", u64::from(inner.draining)),
            ("access_dropped", inner.access.dropped()),
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
        let routes = routes(config)?;
        if self.overrides.check {
            self.was_checked = true;
            return Ok(Vec::new());
        }
        let workers = usize::from(config.threads.max(1));
        let log = self.open_log(config)?;
        let sockets = Sockets::open(config, &tls, workers)?;
        self.access.replace(log);
        self.routes = routes;
        let refused = |error: io::Error| format!("cannot start a worker: {error}");
        let shares = sockets.shares(workers).map_err(refused)?;
        self.room = room(config);
        let (crew, ends) = self.hire(config, 0, shares).map_err(refused)?;
        self.enlist(crew);
        self.draining = false;
        self.announce(sockets.places(), config.threads);
        self.sockets = Some(sockets);
        self.numbers.replace(0, ends.len());
        Ok(ends)
    }

    /// Starts a worker for each set of listeners, numbered from `first`. They are not yet ours: if
    /// one cannot be started, none is.
    fn hire(
        &self,
        config: &ServerConfig,
        first: usize,
        sets: Vec<Vec<Listener>>,
    ) -> io::Result<(Crew, Vec<TxEnd<Exchange>>)> {
        let mut crew = Crew::default();
        let mut ends = Vec::new();
        for (index, listeners) in sets.into_iter().enumerate() {
            match self.hire_one(config, first + index, listeners, &mut crew) {
                Ok(end) => ends.push(end),
                Err(error) => {
                    drop(ends);
                    crew.dismiss();
                    return Err(error);
                }
            }
        }
        Ok((crew, ends))
    }

    fn hire_one(
        &self,
        config: &ServerConfig,
        index: usize,
        listeners: Vec<Listener>,
        crew: &mut Crew,
    ) -> io::Result<TxEnd<Exchange>> {
        // All links have the same room.
        let berths = self.room.max(room(config));
        if config.threads == 0 {
            let config_of_it = self.worker_config(config, "http".to_owned(), listeners);
            let (worker, bell) = Worker::new(config_of_it)?;
            // Both shores are one thread, which is awake whenever either has something to send.
            let (worker_end, tx_end) = link(berths, Arc::new(NoBell), Arc::new(NoBell));
            crew.embedded = Some((Box::new(worker.embed(worker_end)), bell));
            return Ok(tx_end);
        }
        let name = format!("http-{index}");
        let (worker, to_worker) = Worker::new(self.worker_config(config, name, listeners))?;
        if let Some(watch) = &self.overrides.watch {
            watch.add_bell(Arc::clone(&to_worker));
        }
        let to_tx = Arc::clone(&self.bell) as Arc<dyn Doorbell>;
        let (worker_end, tx_end) = link(berths, to_tx, to_worker);
        crew.threads.push(worker.spawn(worker_end)?);
        Ok(tx_end)
    }

    /// From now on they serve.
    fn enlist(&mut self, recruits: Crew) {
        self.crew.join_with(recruits);
        self.hang_bell();
    }

    /// The Lua thread is rung where it sleeps.
    fn hang_bell(&self) {
        let embedded = self
            .crew
            .embedded
            .as_ref()
            .or(self.leaving.embedded.as_ref());
        self.bell
            .also_ring(embedded.map(|(_, bell)| Arc::clone(bell)));
    }

    fn worker_config(
        &self,
        config: &ServerConfig,
        name: String,
        listeners: Vec<Listener>,
    ) -> WorkerConfig {
        let witness = self
            .overrides
            .watch
            .as_ref()
            .map(|watch| watch.witness(Shore::Worker));
        WorkerConfig {
            name,
            limits: limits(config),
            guests: Arc::clone(&self.guests),
            listeners,
            routes: Arc::clone(&self.routes),
            witness,
            reporting: self.access.reporting(config),
            ..WorkerConfig::default()
        }
    }

    /// Takes leave of those that became too many and have ended. Whether some are left.
    fn is_shrinking(&mut self) -> bool {
        if self.leaving.reap(&mut self.past) {
            self.hang_bell();
        }
        !self.leaving.is_empty()
    }

    fn command_all(&self, command: impl Fn() -> Command) {
        self.crew.command_all(&command);
        self.leaving.command_all(&command);
    }

    fn stop(&mut self, deadline: Option<Instant>) {
        self.draining = true;
        self.sockets = None;
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
        if self.crew.reap(&mut self.past) {
            self.hang_bell();
        }
        !self.is_shrinking() && self.crew.is_empty()
    }

    /// The one line that everybody looks for.
    fn announce<'a>(&self, places: impl IntoIterator<Item = &'a Place>, threads: u16) {
        for Place { addr, is_tls, .. } in places {
            let scheme = if *is_tls { "https" } else { "http" };
            let by = match threads {
                0 => "in the Lua thread".to_owned(),
                1 => "1 worker thread".to_owned(),
                n => format!("{n} worker threads"),
            };
            log::info!("listening on {scheme}://{addr} ({by})");
            if let Some(tell) = &self.overrides.on_listen {
                tell(*addr);
            }
        }
    }
}
