//! From the configured addresses to listening sockets, and from these to the workers.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_worker::{Listener, SPREADS_BY_PORT, TlsConfig, TlsOptions, TlsVersion, bind};
use lua_bindings::{ListenAddr, ServerConfig, TlsPairs};

/// The listening sockets of a server, for as long as it serves.
///
/// Workers get second handles of them. So a worker that ends closes nothing: what the kernel has
/// queued in a socket is for the next worker that gets a handle of it. A socket that was closed
/// would reset those clients, at however good a moment that is done.
#[derive(Debug)]
pub struct Sockets {
    /// Each set listens on all addresses. There is one per worker of the time when there were the
    /// most, or only one where the kernel does not spread connections over sockets of one port.
    sets: Vec<Vec<Listener>>,
    /// What is listened on, with the ports that the system chose, and whether by TLS.
    pub bound: Vec<(SocketAddr, bool)>,
}

impl Sockets {
    /// Opens every address of the configuration, for `workers` workers (at least one).
    ///
    /// # Errors
    /// One line: the step that failed, the address, the system's reason.
    pub fn open(config: &ServerConfig, tls: &TlsConfigs, workers: usize) -> Result<Self, String> {
        let mut set = Vec::new();
        let mut bound = Vec::new();
        for wanted in &config.listeners {
            match open_one(wanted, tls) {
                Ok((addr, listener)) => {
                    bound.push((addr, wanted.tls.is_some()));
                    set.push(listener);
                }
                Err(error) if may_do_without(wanted.addr, config, &error) => {
                    log::warn!("IPv6 is not available here, serving IPv4 only: {error}");
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        let sets = vec![set];
        let mut sockets = Self { sets, bound };
        sockets.grow(workers).map_err(|error| error.to_string())?;
        Ok(sockets)
    }

    /// Opens more sockets at the same addresses, if that many workers want them.
    ///
    /// # Errors
    /// The system's.
    pub fn grow(&mut self, workers: usize) -> io::Result<()> {
        while SPREADS_BY_PORT && self.sets.len() < workers {
            let mut set = Vec::new();
            for (listener, (addr, _)) in self.sets[0].iter().zip(&self.bound) {
                set.push(Listener {
                    socket: bind(*addr, true)?,
                    tls: listener.tls.clone(),
                });
            }
            self.sets.push(set);
        }
        Ok(())
    }

    /// How many sets there are.
    pub fn sets_count(&self) -> usize {
        self.sets.len()
    }

    /// Closes the newest sets, those beyond the first `count`.
    pub fn shrink(&mut self, count: usize) {
        self.sets.truncate(count.max(1));
    }

    /// Handles for each of `workers` workers: every socket has somebody who accepts from it, and
    /// all of them have about equally many.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn shares(&self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        (0..workers)
            .map(|worker| self.share(worker, workers))
            .collect()
    }

    fn share(&self, worker: usize, workers: usize) -> io::Result<Vec<Listener>> {
        let sets = self.sets.len();
        // With fewer sets than workers, several share a set.
        (worker % sets..sets)
            .step_by(workers)
            .flat_map(|set| &self.sets[set])
            .map(Listener::try_clone)
            .collect()
    }
}

/// Reads every certificate of the configuration, once each, and opens nothing else.
///
/// # Errors
/// One line: the first file that is not usable.
pub fn load_tls(config: &ServerConfig) -> Result<TlsConfigs, String> {
    let mut loaded = HashMap::new();
    for pairs in config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref())
    {
        let key = (pairs.pairs.clone(), pairs.uses_sni);
        if loaded.contains_key(&key) {
            continue;
        }
        let tls = TlsConfig::load(&options(pairs, config)).map_err(|error| error.to_string())?;
        loaded.insert(key, Arc::new(tls));
    }
    Ok(TlsConfigs(loaded))
}

type PairsKey = (Vec<(std::path::PathBuf, std::path::PathBuf)>, bool);

/// Certificates that were read.
#[derive(Debug)]
pub struct TlsConfigs(HashMap<PairsKey, Arc<TlsConfig>>);

impl TlsConfigs {
    fn of(&self, listener: &ListenAddr) -> Option<Arc<TlsConfig>> {
        let pairs = listener.tls.as_ref()?;
        self.0.get(&(pairs.pairs.clone(), pairs.uses_sni)).cloned()
    }
}

fn options(pairs: &TlsPairs, config: &ServerConfig) -> TlsOptions {
    let min_version = match config.min_tls {
        lua_bindings::TlsVersion::V12 => TlsVersion::V12,
        lua_bindings::TlsVersion::V13 => TlsVersion::V13,
    };
    TlsOptions {
        pairs: pairs.pairs.clone(),
        uses_sni: pairs.uses_sni,
        min_version,
    }
}

/// "Everywhere" means both families; on a machine without IPv6 the other one is meant.
fn may_do_without(addr: SocketAddr, config: &ServerConfig, error: &io::Error) -> bool {
    use std::io::ErrorKind::{AddrInUse, PermissionDenied};
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), addr.port());
    addr.is_ipv6()
        && addr.ip().is_unspecified()
        && !matches!(error.kind(), AddrInUse | PermissionDenied)
        && config
            .listeners
            .iter()
            .any(|other| other.addr == everywhere)
}

/// One address. Where the kernel spreads connections over sockets of one port, more may join.
fn open_one(wanted: &ListenAddr, tls: &TlsConfigs) -> io::Result<(SocketAddr, Listener)> {
    if SPREADS_BY_PORT && wanted.addr.port() != 0 {
        // Sockets that share a port also share it with a second copy of this program, which would
        // silently take half of the connections. An unshared bind tells whether it is free.
        drop(bind(wanted.addr, false)?);
    }
    let listener = Listener {
        socket: bind(wanted.addr, SPREADS_BY_PORT)?,
        tls: tls.of(wanted),
    };
    Ok((listener.socket.local_addr()?, listener))
}
