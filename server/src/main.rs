//! The program `httpng`: what was said on the command line, put together and run.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use httpng::args::{Args, ListenArg};
use httpng::drawing::{DrawFile, Watch};
use httpng::exit::Exit;
use httpng::limits;
use httpng::logging::{self, access::Hub};
use httpng::signals::{self, StopFlag};
use httpng::supervisor::Overrides;
use httpng::tx::{self, Ending, Options, Program};
use lua_bindings::{ListenAddr, TlsPairs};

fn main() -> ExitCode {
    let args = Args::parse()
        .validated()
        .unwrap_or_else(|error| error.exit());
    logging::install(args.log_level);
    let hub = Hub::default();
    let ending = serve(&args, &hub).unwrap_or_else(|ending| ending);
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

fn serve(args: &Args, hub: &Hub) -> Result<Ending, Ending> {
    raise_descriptors();
    let stop = StopFlag::default();
    let flag = stop.clone();
    let reopens = hub.clone();
    let hard_limit = args.drain_timeout + Duration::from_millis(limits::DRAIN_GRACE_MS);
    let program = match args.file() {
        Some(file) => Program::File(file, program_args(args)?),
        None => Program::demo(),
    };
    let options = Options {
        program,
        overrides: overrides(args, hub)?,
        on_bell: Some(Box::new(move |bell| {
            signals::watch(flag, bell, hard_limit, reopens)
        })),
        drain_timeout: args.drain_timeout,
        stuck_after: args.stuck_after,
    };
    Ok(tx::run(options, stop))
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

fn overrides(args: &Args, hub: &Hub) -> Result<Overrides, Ending> {
    Ok(Overrides {
        listeners: listeners(args)?,
        threads: args.workers(),
        check: args.check,
        watch: watch(args)?,
        on_listen: None,
        access_log: args.access_options(),
        access_hub: hub.clone(),
        is_development: args.dev,
    })
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
