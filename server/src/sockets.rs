//! From the configured addresses to listening sockets, and from these to the workers.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
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
    /// Each set listens at all places. There is one per worker of the time when there were the
    /// most, or only one where the kernel does not spread connections over sockets of one port.
    sets: Vec<Vec<Listener>>,
    places: Vec<Place>,
}

/// Where is listened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// As it was asked for: the port may be 0.
    wanted: SocketAddr,
    /// With the port that the system chose.
    pub addr: SocketAddr,
    /// Whether TLS is spoken.
    pub is_tls: bool,
}

impl Sockets {
    /// Opens every address of the configuration, for `workers` workers (at least one).
    ///
    /// # Errors
    /// One line: the step that failed, the address, the system's reason.
    pub fn open(config: &ServerConfig, tls: &TlsConfigs, workers: usize) -> Result<Self, String> {
        let nothing = Self {
            sets: vec![Vec::new()],
            places: Vec::new(),
        };
        nothing.changed(config, tls, workers)
    }

    /// The sockets of another configuration: at addresses that are in both they are the same, with
    /// the other's certificates; others are opened. These here stay as they are.
    ///
    /// # Errors
    /// One line: the step that failed, the address, the system's reason.
    pub fn changed(
        &self,
        config: &ServerConfig,
        tls: &TlsConfigs,
        workers: usize,
    ) -> Result<Self, String> {
        let mut new = Self {
            sets: self.sets.iter().map(|_| Vec::new()).collect(),
            places: Vec::new(),
        };
        for wanted in &config.listeners {
            if let Some(place) = self.kept(wanted, &new.places) {
                let taken = new.take_over(self, place, wanted, tls);
                taken.map_err(|error| error.to_string())?;
                continue;
            }
            match new.add(wanted, tls, self.shadows(wanted.addr)) {
                Ok(()) => {}
                Err(error) if may_do_without(wanted.addr, config, &error) => {
                    log::warn!("IPv6 is not available here, serving IPv4 only: {error}");
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        new.grow(workers).map_err(|error| error.to_string())?;
        Ok(new)
    }

    /// Which of our places is the wanted one and not yet taken over. Of several with port 0 each
    /// stands for one.
    fn kept(&self, wanted: &ListenAddr, taken: &[Place]) -> Option<usize> {
        let is_taken = |place: &Place| taken.iter().any(|other| other.addr == place.addr);
        self.places
            .iter()
            .position(|place| place.wanted == wanted.addr && !is_taken(place))
    }

    /// Whether a socket of ours listens at a part of this address, or at more than it.
    fn shadows(&self, addr: SocketAddr) -> bool {
        self.places.iter().any(|place| {
            place.addr.port() == addr.port()
                && place.addr.is_ipv4() == addr.is_ipv4()
                && (place.addr.ip().is_unspecified() || addr.ip().is_unspecified())
        })
    }

    fn take_over(
        &mut self,
        from: &Self,
        place: usize,
        wanted: &ListenAddr,
        tls: &TlsConfigs,
    ) -> io::Result<()> {
        let sockets = from.sets.iter().map(|set| set[place].socket.try_clone());
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        self.push(from.places[place], sockets, tls.of(wanted));
        Ok(())
    }

    fn add(&mut self, wanted: &ListenAddr, tls: &TlsConfigs, shadowed: bool) -> io::Result<()> {
        if !shadowed {
            probe(wanted.addr)?;
        }
        let mut addr = wanted.addr;
        let mut sockets = Vec::new();
        for _ in &self.sets {
            let socket = bind(addr, SPREADS_BY_PORT)?;
            addr = socket.local_addr()?;
            sockets.push(socket);
        }
        let place = Place {
            wanted: wanted.addr,
            addr,
            is_tls: false,
        };
        self.push(place, sockets, tls.of(wanted));
        Ok(())
    }

    /// One more place, with a socket for each set.
    fn push(&mut self, place: Place, sockets: Vec<TcpListener>, tls: Option<Arc<TlsConfig>>) {
        let is_tls = tls.is_some();
        self.places.push(Place { is_tls, ..place });
        for (set, socket) in self.sets.iter_mut().zip(sockets) {
            let tls = tls.clone();
            set.push(Listener { socket, tls });
        }
    }

    /// Opens more sockets at the same addresses, if that many workers want them.
    ///
    /// # Errors
    /// The system's.
    pub fn grow(&mut self, workers: usize) -> io::Result<()> {
        while SPREADS_BY_PORT && self.sets.len() < workers {
            let mut set = Vec::new();
            for (listener, place) in self.sets[0].iter().zip(&self.places) {
                set.push(Listener {
                    socket: bind(place.addr, true)?,
                    tls: listener.tls.clone(),
                });
            }
            self.sets.push(set);
        }
        Ok(())
    }

    /// Where is listened, in the order of the configuration.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// At which of these addresses the others do not listen.
    pub fn given_up_by(&self, others: &Self) -> Vec<SocketAddr> {
        let is_kept = |addr| others.places.iter().any(|place| place.addr == addr);
        let addrs = self.places.iter().map(|place| place.addr);
        addrs.filter(|addr| !is_kept(*addr)).collect()
    }

    /// Whether it is listened there, in the same way.
    pub fn has(&self, place: &Place) -> bool {
        self.places.contains(place)
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

/// Sockets that share a port also share it with a second copy of this program, which would
/// silently take half of the connections. An unshared bind tells whether it is free.
fn probe(addr: SocketAddr) -> io::Result<()> {
    if SPREADS_BY_PORT && addr.port() != 0 {
        drop(bind(addr, false)?);
    }
    Ok(())
}
