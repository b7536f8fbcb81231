//! From the configured addresses to listening sockets, one set per worker.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_worker::{Listener, SPREADS_BY_PORT, TlsConfig, TlsOptions, TlsVersion, bind};
use lua_bindings::{ListenAddr, ServerConfig, TlsPairs};

/// Listeners ready for the workers: `sets[i]` belongs to worker `i`.
#[derive(Debug)]
pub struct Sockets {
    /// One set of listeners per worker.
    pub sets: Vec<Vec<Listener>>,
    /// What is listened on, with the ports that the system chose, and whether by TLS.
    pub bound: Vec<(SocketAddr, bool)>,
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

/// Opens every address of the configuration for each of `workers` workers (at least one).
///
/// # Errors
/// One line: the step that failed, the address, the system's reason.
pub fn open(config: &ServerConfig, tls: &TlsConfigs, workers: usize) -> Result<Sockets, String> {
    let mut sockets = Sockets {
        sets: (0..workers).map(|_| Vec::new()).collect(),
        bound: Vec::new(),
    };
    for wanted in &config.listeners {
        match open_one(wanted, tls, workers) {
            Ok((addr, listeners)) => {
                sockets.bound.push((addr, wanted.tls.is_some()));
                for (set, listener) in sockets.sets.iter_mut().zip(listeners) {
                    set.push(listener);
                }
            }
            Err(error) if may_do_without(wanted.addr, config, &error) => {
                log::warn!("IPv6 is not available here, serving IPv4 only: {error}");
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(sockets)
}

/// "Everywhere" means both families; on a machine without IPv6 the other one is meant.
fn may_do_without(addr: SocketAddr, config: &ServerConfig, error: &std::io::Error) -> bool {
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

/// The same address for each worker. Where the kernel spreads connections over sockets of one
/// port, each worker gets its own; elsewhere they share one.
fn open_one(
    wanted: &ListenAddr,
    tls: &TlsConfigs,
    workers: usize,
) -> std::io::Result<(SocketAddr, Vec<Listener>)> {
    let spread = SPREADS_BY_PORT && workers > 1;
    if spread && wanted.addr.port() != 0 {
        // Sockets that share a port also share it with a second copy of this program, which would
        // silently take half of the connections. An unshared bind tells whether it is free.
        drop(bind(wanted.addr, false)?);
    }
    let first = Listener {
        socket: bind(wanted.addr, spread)?,
        tls: tls.of(wanted),
    };
    let addr = first.socket.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < workers {
        listeners.push(if spread {
            Listener {
                socket: bind(addr, true)?,
                tls: tls.of(wanted),
            }
        } else {
            listeners[0].try_clone()?
        });
    }
    Ok((addr, listeners))
}
