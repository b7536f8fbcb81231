//! The program `httpng`: what was said on the command line, put together and run.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use http_worker::Guests;
use httpng::args::{Args, ListenArg};
use httpng::bells::TxBells;
use httpng::drawing::{DrawFile, Watch};
use httpng::exit::Exit;
use httpng::limits;
use httpng::logging;
use httpng::logging::access::{AccessOptions, Hub};
use httpng::ports::Ports;
use httpng::signals::{self, StopFlag};
use httpng::supervisor::{Overrides, Totals};
use httpng::team::{self, Seat, Stop};
use httpng::tx::{Ending, Options, Program};
use lua_bindings::{ListenAddr, TlsPairs};

fn main() -> ExitCode {
    let args = Args::parse()
        .validated()
        .unwrap_or_else(|error| error.exit());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let tx_count = args.tx.count(processors);
    logging::install(args.log_level, tx_count > 1);
    let hub = Hub::default();
    let ending = serve(&args, tx_count, &hub).unwrap_or_else(|ending| ending);
    hub.finish(Duration::from_millis(limits::ACCESS_END_MS));
    if let Some(message) = &ending.message {
        say(message);
    }
    ending.exit.into()
}

/// The one line for the person who typed the command. Not a log record: no time, no level.
#[expect(clippy::print_stderr, reason = "this is what standard error is for")]
fn say(message: &str) {
    eprintln!("httpng: {message}");
}

/// As many descriptors as this process may have: the usual start is 1024 of them, which fewer than
/// a thousand idle clients use up.
fn raise_descriptors() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(count) => log::debug!("{count} descriptors at most"),
        Err(error) => log::warn!("the limit of descriptors cannot be raised: {error}"),
    }
}

fn serve(args: &Args, tx_count: u16, hub: &Hub) -> Result<Ending, Ending> {
    raise_descriptors();
    let program = match args.file() {
        Some(file) => Program::File(file, program_args(args)?),
        None => Program::demo(),
    };
    let common = Common::of(args, hub)?;
    let stop = Stop {
        flag: StopFlag::default(),
        bells: TxBells::default(),
        hard_limit: args.drain_timeout + Duration::from_millis(limits::DRAIN_GRACE_MS),
    };
    watch_signals(&stop, hub)?;
    let bells = stop.bells.clone();
    let (drain_timeout, stuck_after) = (args.drain_timeout, args.stuck_after);
    let options = move |seat| {
        let bells = bells.clone();
        Options {
            program: program.clone(),
            overrides: common.overrides(seat),
            on_bell: Some(Box::new(move |bell| bells.add(bell))),
            drain_timeout,
            stuck_after,
        }
    };
    Ok(team::run(tx_count, options, &stop))
}

fn watch_signals(stop: &Stop, hub: &Hub) -> Result<(), Ending> {
    let wake = Arc::new(stop.bells.clone());
    let watched = signals::watch(stop.flag.clone(), wake, stop.hard_limit, hub.clone());
    let refused = |error| format!("cannot watch for signals: {error}");
    watched.map_err(|error| Ending::failed(Exit::Environment, refused(error)))
}

/// Lua strings are bytes, but the arguments of a program travel as text here.
fn program_args(args: &Args) -> Result<Vec<String>, Ending> {
    let texts = args
        .program_args()
        .into_iter()
        .map(std::ffi::OsString::into_string);
    texts.collect::<Result<_, _>>().map_err(|wrong| {
        let wrong = wrong.to_string_lossy();
        Ending::failed(Exit::Usage, format!("an argument is not UTF-8: {wrong}"))
    })
}

/// What the command line decides for every Lua thread, and what belongs to all of them.
struct Common {
    listeners: Option<Vec<ListenAddr>>,
    threads: Option<u16>,
    check: bool,
    watch: Option<Arc<dyn Watch>>,
    access_log: Option<AccessOptions>,
    access_hub: Hub,
    is_development: bool,
    ports: Ports,
    guests: Arc<Guests>,
    totals: Totals,
}

impl Common {
    fn of(args: &Args, hub: &Hub) -> Result<Self, Ending> {
        Ok(Self {
            listeners: listeners(args)?,
            threads: args.workers(),
            check: args.check,
            watch: watch(args)?,
            access_log: args.access_options(),
            access_hub: hub.clone(),
            is_development: args.dev,
            ports: Ports::default(),
            guests: Arc::default(),
            totals: Totals::default(),
        })
    }

    fn overrides(&self, seat: Seat) -> Overrides {
        Overrides {
            listeners: self.listeners.clone(),
            threads: self.threads,
            check: self.check,
            watch: self.watch.clone(),
            on_listen: None,
            access_log: self.access_log.clone(),
            access_hub: self.access_hub.clone(),
            is_development: self.is_development,
            seat,
            ports: self.ports.clone(),
            guests: Arc::clone(&self.guests),
            totals: self.totals.clone(),
        }
    }
}

fn listeners(args: &Args) -> Result<Option<Vec<ListenAddr>>, Ending> {
    if args.listen.is_empty() {
        return Ok(None);
    }
    let tls = args
        .cert
        .as_ref()
        .zip(args.key.as_ref())
        .map(|(cert, key)| TlsPairs {
            pairs: vec![(cert.clone(), key.clone())],
            uses_sni: false,
        });
    let mut listeners = Vec::new();
    for listen in &args.listen {
        let addrs = ListenArg::resolve(listen);
        let addrs = addrs.map_err(|error| Ending::failed(Exit::Environment, error))?;
        let tls = tls.clone().filter(|_| listen.https);
        listeners.extend(addrs.into_iter().map(|addr| ListenAddr {
            addr,
            tls: tls.clone(),
            http2: true,
        }));
    }
    Ok(Some(listeners))
}

fn watch(args: &Args) -> Result<Option<Arc<dyn Watch>>, Ending> {
    let Some(path) = &args.draw else {
        return Ok(None);
    };
    match DrawFile::create(path) {
        Ok(file) => {
            log::info!("requests are drawn into {}", path.display());
            Ok(Some(Arc::new(file)))
        }
        Err(error) => {
            let message = format!("cannot write {}: {error}", path.display());
            Err(Ending::failed(Exit::Environment, message))
        }
    }
}
