//! The command line: what may be said, and what it means. Nothing here touches the world.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;

use crate::exit::EXIT_CODES_HELP;
use crate::limits;
use crate::logging::access::{AccessOptions, Format};

/// Runs a Lua program in a fiber and serves HTTP for it until SIGINT or SIGTERM.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "httpng",
    version,
    about,
    override_usage = "httpng [OPTIONS] [FILE [ARGS]...]",
    after_help = EXIT_CODES_HELP
)]
pub struct Args {
    /// The Lua program and its arguments (`...` and `arg` there); without it, the built-in demo
    ///
    /// Options of httpng stand before the file: everything behind it belongs to the program.
    #[arg(value_name = "FILE [ARGS]", trailing_var_arg = true)]
    pub program: Vec<OsString>,

    /// Listen here, whatever the program says in `httpng.cfg{ listen = ... }`; may be repeated
    ///
    /// PORT, HOST:PORT or [IPV6]:PORT, with https:// in front for TLS (then --cert and --key are
    /// needed). Port 0 takes a free one; the log says which.
    #[arg(long, value_name = "ADDRESS")]
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "the comment is the help text as well"
    )]
    pub listen: Vec<ListenArg>,

    /// PEM file with the certificate chain for https:// addresses of --listen
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// PEM file with the private key of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Number of HTTP worker threads, whatever the program says; 0: serve in the Lua thread
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(0..=i64::from(limits::THREADS_MAX_COUNT)))]
    pub threads: Option<u16>,

    /// Number of Lua threads, each with its own Lua state and workers; auto: one per processor
    ///
    /// The program runs once in each, and the kernel spreads connections between them. They share
    /// no variables: what a handler keeps in Lua is known only where it ran.
    #[arg(long, value_name = "K", default_value = "1", value_parser = tx_count)]
    pub tx: TxArg,

    /// How long running requests may go on after SIGINT or SIGTERM
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds,
          allow_hyphen_values = true)]
    pub drain_timeout: Duration,

    /// Report a fiber that runs this long without yielding; 0: never
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds,
          allow_hyphen_values = true)]
    pub stuck_after: Duration,

    /// Load the program and check its configuration, without listening or serving
    ///
    /// The program runs. `httpng.cfg` reads certificates and resolves addresses, but opens
    /// nothing; the check ends when the program ends or waits.
    #[arg(long)]
    pub check: bool,

    /// Least important messages to log: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log_level: log::LevelFilter,

    /// Note each request in this file, whatever the program says; -: on standard output
    ///
    /// SIGUSR1 and SIGHUP open the file anew.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,

    /// How the lines of --access-log look: combined or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "combined",
        requires = "access_log"
    )]
    pub access_log_format: Format,

    /// Show clients why a handler failed, with the traceback; not for the public
    #[arg(long)]
    pub dev: bool,

    /// Record every step of every request, drawn as in docs/stage2-unlucky.txt, into this file
    ///
    /// For learning and for finding faults; it makes the server slow, and there is one worker at
    /// most then, so that every step has its place in one order.
    #[arg(long, value_name = "FILE")]
    pub draw: Option<PathBuf>,
}

impl Args {
    /// The Lua program to run, or `None` for the demo.
    pub fn file(&self) -> Option<PathBuf> {
        self.program.first().map(PathBuf::from)
    }

    /// The access log that the command line asks for.
    pub fn access_options(&self) -> Option<AccessOptions> {
        let path = self.access_log.as_ref()?;
        let is_stdout = path.as_os_str() == "-";
        Some(AccessOptions {
            file: (!is_stdout).then(|| path.clone()),
            format: self.access_log_format,
        })
    }

    /// How many workers the command line asks for.
    pub fn workers(&self) -> Option<u16> {
        match self.draw {
            Some(_) => Some(self.threads.unwrap_or(1).min(1)),
            None => self.threads,
        }
    }

    /// What the program gets as `...`.
    pub fn program_args(&self) -> Vec<OsString> {
        self.program.iter().skip(1).cloned().collect()
    }

    /// Checks what clap cannot: options that only make sense together.
    ///
    /// # Errors
    /// A clap error (exit code 2) that names the missing option.
    pub fn validated(self) -> Result<Self, clap::Error> {
        let asks_https = self.listen.iter().any(|listen| listen.https);
        if asks_https && self.cert.is_none() {
            return Err(usage(
                "an https:// address in --listen needs --cert and --key",
            ));
        }
        if self.draw.is_some() && self.tx != TxArg::Count(1) {
            return Err(usage("--draw is for one Lua thread, not for --tx"));
        }
        if self.cert.is_some() && !asks_https {
            return Err(usage(
                "--cert and --key are for https:// addresses of --listen",
            ));
        }
        Ok(self)
    }
}

fn usage(message: &str) -> clap::Error {
    use clap::CommandFactory as _;
    Args::command().error(clap::error::ErrorKind::MissingRequiredArgument, message)
}

/// How many Lua threads are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TxArg {
    /// As many as there are processors.
    Auto,
    /// So many.
    Count(u16),
}

impl TxArg {
    /// How many that is on a machine with so many processors.
    pub fn count(self, processors: usize) -> u16 {
        match self {
            Self::Auto => {
                let processors = u16::try_from(processors).unwrap_or(u16::MAX);
                processors.clamp(1, limits::TX_MAX_COUNT)
            }
            Self::Count(count) => count,
        }
    }
}

/// One `--listen`: scheme, host and port, not yet resolved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenArg {
    /// TLS on this address.
    pub https: bool,
    host: Option<String>,
    port: u16,
}

impl ListenArg {
    /// The addresses to bind. A bare port means every IPv4 and every IPv6 address of the machine.
    /// Blocks on name resolution when the host is a name.
    ///
    /// # Errors
    /// One line with the host that has no address.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let Some(host) = &self.host else {
            return Ok(vec![
                (Ipv4Addr::UNSPECIFIED, self.port).into(),
                (Ipv6Addr::UNSPECIFIED, self.port).into(),
            ]);
        };
        (host.as_str(), self.port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .map_err(|error| format!("--listen: cannot resolve {host}: {error}"))
    }
}

impl FromStr for ListenArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").unwrap_or(text)),
        };
        let (host, port) = match rest.rsplit_once(':') {
            None => (None, rest),
            Some(("", port)) => (None, port),
            Some((host, port)) => (Some(host), port),
        };
        let host = host.map(unbracketed).transpose()?;
        let port = port
            .parse()
            .map_err(|_| "a port from 0 to 65535 is expected at the end")?;
        Ok(Self { https, host, port })
    }
}

/// The host without the brackets of an IPv6 literal; bare IPv6 would make the port ambiguous.
fn unbracketed(host: &str) -> Result<String, &'static str> {
    if let Some(inner) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return Ok(inner.to_owned());
    }
    if host.contains([':', '[', ']', '/']) {
        return Err("expected PORT, HOST:PORT or [IPV6]:PORT, https:// may stand in front");
    }
    Ok(host.to_owned())
}

fn tx_count(text: &str) -> Result<TxArg, String> {
    let most = limits::TX_MAX_COUNT;
    if text == "auto" {
        return Ok(TxArg::Auto);
    }
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    let count = count.ok_or_else(|| format!("expected auto or a number from 1 to {most}"))?;
    Ok(TxArg::Count(count))
}

fn level(text: &str) -> Result<log::LevelFilter, &'static str> {
    text.parse()
        .map_err(|_| "expected off, error, warn, info, debug or trace")
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a number of seconds is expected".to_owned())?;
    let most = limits::SECONDS_MAX_COUNT;
    let duration = Duration::try_from_secs_f64(seconds).ok();
    duration
        .filter(|duration| duration.as_secs() <= most)
        .ok_or_else(|| format!("{text} is not between 0 and {most} seconds"))
}

#[cfg(test)]
mod tests;
