//! The network side as Lua steers it: makes workers and the links to them, and ends them.
//!
//! With `threads = N` each worker is a thread; with `threads = 0` one worker is a part of the Lua
//! thread's loop, which then sleeps in it. What is started is owned here until it has ended.
//!
//! Another number of threads takes effect while they serve ([`HttpControl::reconfigure`]). Both
//! kinds may be there for a while: the one that serves, and the one that finishes what it has.

mod crew;
mod numbers;
mod terms;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_proto::Exchange;
use http_worker::{Command, Listener, Snapshot, Worker, WorkerConfig};
use lua_bindings::{HttpControl, ListenAddr, ServerConfig};
use shuttle_core::{Doorbell, NoBell, TxEnd, link};

use crate::bells::TxBell;
use crate::clock;
use crate::drawing::{Shore, Watch};
use crate::sockets::{self, Sockets};
use crew::Crew;
use numbers::Numbers;
use terms::{berths, limits, routes};

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
    /// Who serves now.
    crew: Crew,
    /// Who became too many and has not ended yet.
    leaving: Crew,
    /// The numbers of their ends, see [`HttpControl::leaving`].
    numbers: Numbers,
    /// Where they listen. Absent: nobody new is let in.
    sockets: Option<Sockets>,
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
            crew: Crew::default(),
            leaving: Crew::default(),
            numbers: Numbers::default(),
            sockets: None,
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
        let inner = &mut *self.0.borrow_mut();
        inner
            .crew
            .turn(timeout)
            .or_else(|| inner.leaving.turn(timeout))
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
        !inner.draining && inner.crew.has_ended_thread()
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
            ("bytes_in", tally.bytes_in),
            ("bytes_out", tally.bytes_out),
            ("threads", inner.crew.threads_count() as u64),
            ("threads_ending", inner.leaving.threads_count() as u64),
            ("draining", u64::from(inner.draining)),
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
        let sockets = Sockets::open(config, &tls, workers)?;
        let refused = |error: io::Error| format!("cannot start a worker: {error}");
        let shares = sockets.shares(workers).map_err(refused)?;
        let (crew, ends) = self.hire(config, 0, shares).map_err(refused)?;
        self.enlist(crew);
        self.draining = false;
        announce(&sockets.bound, config.threads);
        if let Some(tell) = &self.overrides.on_listen {
            sockets.bound.iter().for_each(|(addr, _)| tell(*addr));
        }
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
        if config.threads == 0 {
            let config_of_it = self.worker_config(config, "http".to_owned(), listeners);
            let (worker, bell) = Worker::new(config_of_it)?;
            // Both shores are one thread, which is awake whenever either has something to send.
            let (worker_end, tx_end) = link(berths(config), Arc::new(NoBell), Arc::new(NoBell));
            crew.embedded = Some((Box::new(worker.embed(worker_end)), bell));
            return Ok(tx_end);
        }
        let name = format!("http-{index}");
        let (worker, to_worker) = Worker::new(self.worker_config(config, name, listeners))?;
        if let Some(watch) = &self.overrides.watch {
            watch.add_bell(Arc::clone(&to_worker));
        }
        let to_tx = Arc::clone(&self.bell) as Arc<dyn Doorbell>;
        let (worker_end, tx_end) = link(berths(config), to_tx, to_worker);
        crew.threads.push(worker.spawn(worker_end)?);
        Ok(tx_end)
    }

    /// From now on they serve.
    fn enlist(&mut self, recruits: Crew) {
        self.crew.join_with(recruits, &self.bell);
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
            listeners,
            routes: routes(config),
            witness,
            ..WorkerConfig::default()
        }
    }

    fn reconfigure(&mut self, config: ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        if self.is_shrinking() {
            return Err("Unable to reconfigure until threads will shut down".to_owned());
        }
        let threads = self.config.as_ref().map_or(0, |config| config.threads);
        let ends = if config.threads == threads || self.crew.is_empty() {
            Vec::new()
        } else {
            self.resize(&config)?
        };
        let routes = routes(&config);
        self.command_all(|| Command::Routes(Arc::clone(&routes)));
        self.command_all(|| Command::Limits(Box::new(limits(&config))));
        self.config = Some(config);
        Ok(ends)
    }

    /// Another number of threads. Everything that can fail comes first, and undoes itself. Then
    /// every socket gets somebody who accepts from it, and who is too many ends in peace.
    fn resize(&mut self, config: &ServerConfig) -> Result<Vec<TxEnd<Exchange>>, String> {
        if self.is_ending || self.draining {
            return Err(ENDING.to_owned());
        }
        let wanted = usize::from(config.threads.max(1));
        let kept = self.crew.threads_count().min(usize::from(config.threads));
        let none = (kept..wanted).map(|_| Vec::new()).collect();
        let refused = |error: io::Error| format!("cannot start a worker: {error}");
        let (recruits, ends) = self.hire(config, kept, none).map_err(refused)?;
        let shares = match self.listeners(wanted) {
            Ok(shares) => shares,
            Err(error) => {
                drop(ends);
                recruits.dismiss();
                return Err(refused(error));
            }
        };
        let leaving = self.crew.split_off(kept);
        self.enlist(recruits);
        self.crew
            .command_each(shares.into_iter().map(Command::ListenOnly));
        let deadline_ms = config.thread_termination_timeout_ms;
        leaving.command_all(|| Command::Drain { deadline_ms });
        self.leaving = leaving;
        self.numbers.replace(kept, ends.len());
        log::info!("threads: {} now", config.threads);
        Ok(ends)
    }

    /// Listeners for each of so many workers, with more sockets if that takes more.
    fn listeners(&mut self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        let Some(sockets) = &mut self.sockets else {
            return Ok(Vec::new());
        };
        let before = sockets.sets_count();
        let shares = sockets.grow(workers).and_then(|()| sockets.shares(workers));
        if shares.is_err() {
            sockets.shrink(before);
        }
        shares
    }

    /// Takes leave of those that became too many and have ended. Whether some are left.
    fn is_shrinking(&mut self) -> bool {
        self.leaving.reap(&mut self.past, &self.bell);
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
        self.crew.reap(&mut self.past, &self.bell);
        !self.is_shrinking() && self.crew.is_empty()
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
