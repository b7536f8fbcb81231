//! From the configured addresses to listening sockets, and from these to the workers.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use http_worker::{Listener, SPREADS_BY_PORT, TlsConfig, TlsOptions, TlsVersion, bind};
use lua_bindings::{ListenAddr, ServerConfig, TlsPairs};

use crate::ports::{Board, Parting, Stand};

/// The listening sockets of one Lua thread, for as long as it serves.
///
/// Workers get second handles of them. So a worker that ends closes nothing: what the kernel has
/// queued in a socket is for the next worker that gets a handle of it. A socket that was closed
/// would reset those clients, at however good a moment that is done. What is left to it by other
/// Lua threads ([`Board::leave`]) is not here but on the board.
#[derive(Debug)]
pub struct Sockets {
    stand: Stand,
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
    pub fn open(
        config: &ServerConfig,
        tls: &TlsConfigs,
        workers: usize,
        stand: &Stand,
    ) -> Result<Self, String> {
        let nothing = Self {
            stand: stand.clone(),
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
            stand: self.stand.clone(),
            sets: self.sets.iter().map(|_| Vec::new()).collect(),
            places: Vec::new(),
        };
        // Another thread of this process may want the same addresses at this moment: each asks
        // whether they are free by binding them for itself alone.
        let mut board = self.stand.board();
        let filled = new.fill(self, config, tls, &mut board);
        let filled = filled.and_then(|()| new.grow_with(workers, &mut board));
        if let Err(error) = filled {
            new.leave(&mut board);
            return Err(error.to_string());
        }
        drop(board);
        Ok(new)
    }

    fn fill(
        &mut self,
        before: &Self,
        config: &ServerConfig,
        tls: &TlsConfigs,
        board: &mut Board,
    ) -> io::Result<()> {
        for wanted in &config.listeners {
            if let Some(place) = before.kept(wanted, &self.places) {
                self.take_over(before, place, wanted, tls, board)?;
                continue;
            }
            match self.add(wanted, tls, board) {
                Ok(()) => {}
                Err(error) if may_do_without(wanted.addr, config, &error) => {
                    log::warn!("IPv6 is not available here, serving IPv4 only: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Which of our places is the wanted one and not yet taken over. Of several with port 0 each
    /// stands for one.
    fn kept(&self, wanted: &ListenAddr, taken: &[Place]) -> Option<usize> {
        let is_taken = |place: &Place| taken.iter().any(|other| other.addr == place.addr);
        self.places
            .iter()
            .position(|place| place.wanted == wanted.addr && !is_taken(place))
    }

    fn take_over(
        &mut self,
        from: &Self,
        place: usize,
        wanted: &ListenAddr,
        tls: &TlsConfigs,
        board: &mut Board,
    ) -> io::Result<()> {
        let sockets = from.sets.iter().map(|set| set[place].socket.try_clone());
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        self.push(from.places[place], sockets, (wanted, tls), board);
        Ok(())
    }

    fn add(&mut self, wanted: &ListenAddr, tls: &TlsConfigs, board: &mut Board) -> io::Result<()> {
        let known = board.joinable(wanted.addr, self.stand.tx);
        if known.is_none() && !board.shadows(wanted.addr) {
            probe(wanted.addr)?;
        }
        let mut addr = known.unwrap_or(wanted.addr);
        let mut sockets = Vec::new();
        for _ in board.orphans_count(addr)..self.sets.len() {
            let socket = match board.only_at(addr) {
                Some(socket) => socket?,
                None => bind(addr, SPREADS_BY_PORT)?,
            };
            addr = socket.local_addr()?;
            sockets.push(socket);
        }
        // Last, for there are clients in those that were left: nothing may go wrong any more.
        sockets.extend(board.reclaim(addr, self.sets.len() - sockets.len()));
        let place = Place {
            wanted: wanted.addr,
            addr,
            is_tls: false,
        };
        self.push(place, sockets, (wanted, tls), board);
        Ok(())
    }

    /// One more place, with a socket for each set.
    fn push(
        &mut self,
        place: Place,
        sockets: Vec<TcpListener>,
        (wanted, tls): (&ListenAddr, &TlsConfigs),
        board: &mut Board,
    ) {
        board.hold(place.wanted, place.addr, self.stand.tx, &sockets[0]);
        let tls = tls.of(wanted);
        let is_tls = tls.is_some();
        self.places.push(Place { is_tls, ..place });
        for (set, socket) in self.sets.iter_mut().zip(sockets) {
            set.push(Listener {
                socket,
                tls: tls.clone(),
                http2: wanted.http2,
            });
        }
    }

    /// Parts with all places, and says how each is left.
    pub fn leave(&mut self, board: &mut Board) -> Vec<(SocketAddr, Parting)> {
        let mut partings = Vec::new();
        for place in std::mem::take(&mut self.places) {
            let first = |set: &mut Vec<Listener>| set.remove(0).socket;
            let sockets = self.sets.iter_mut().map(first).collect();
            let parting = board.leave(place.addr, self.stand.tx, sockets);
            partings.push((place.addr, parting));
        }
        partings
    }

    /// Opens more sockets at the same addresses, if that many workers want them.
    ///
    /// # Errors
    /// The system's.
    pub fn grow(&mut self, workers: usize) -> io::Result<()> {
        let stand = self.stand.clone();
        self.grow_with(workers, &mut stand.board())
    }

    fn grow_with(&mut self, workers: usize, board: &mut Board) -> io::Result<()> {
        while SPREADS_BY_PORT && self.sets.len() < workers {
            let mut fresh = Vec::new();
            for place in &self.places {
                let is_left = board.orphans_count(place.addr) > 0;
                let socket = (!is_left).then(|| bind(place.addr, true)).transpose()?;
                fresh.push(socket);
            }
            let mut set = Vec::new();
            for (place, fresh) in self.places.iter().zip(fresh) {
                let socket = fresh.or_else(|| board.reclaim(place.addr, 1).pop());
                let own = &self.sets[0][set.len()];
                set.extend(socket.map(|socket| own.with(socket)));
            }
            self.sets.push(set);
        }
        Ok(())
    }

    /// Where is listened, in the order of the configuration.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// How many sets there are.
    pub fn sets_count(&self) -> usize {
        self.sets.len()
    }

    /// Parts with the newest sets, those beyond the first `count`.
    pub fn shrink(&mut self, count: usize) {
        let mut board = self.stand.board();
        for set in self.sets.split_off(count.max(1).min(self.sets.len())) {
            for (place, listener) in self.places.iter().zip(set) {
                board.offer(place.addr, self.stand.tx, listener.socket);
            }
        }
    }

    /// Handles for each of `workers` workers: every socket has somebody who accepts from it, those
    /// too that others left to this thread, and all workers have about equally many.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn shares(&self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        self.shares_with(workers, &self.stand.board())
    }

    /// The same for whoever looks at the board.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn shares_with(&self, workers: usize, board: &Board) -> io::Result<Vec<Vec<Listener>>> {
        let shares = (0..workers).map(|worker| self.share(worker, workers));
        let mut shares = shares.collect::<io::Result<Vec<_>>>()?;
        let mut turn = self.sets.len();
        for (place, own) in self.places.iter().zip(&self.sets[0]) {
            for socket in board.left_to(self.stand.tx, place.addr)? {
                shares[turn % workers].push(own.with(socket));
                turn += 1;
            }
        }
        Ok(shares)
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

impl Drop for Sockets {
    fn drop(&mut self) {
        if !self.places.is_empty() {
            let stand = self.stand.clone();
            self.leave(&mut stand.board());
        }
    }
}

/// Reads every certificate of the configuration, once each, and opens nothing else.
///
/// # Errors
/// One line: the first file that is not usable.
pub fn load_tls(config: &ServerConfig) -> Result<TlsConfigs, String> {
    let mut loaded = HashMap::new();
    for listener in &config.listeners {
        let Some((pairs, key)) = listener.tls.as_ref().zip(key_of(listener)) else {
            continue;
        };
        if loaded.contains_key(&key) {
            continue;
        }
        let options = options(pairs, listener.http2, config);
        let tls = TlsConfig::load(&options).map_err(|error| error.to_string())?;
        loaded.insert(key, Arc::new(tls));
    }
    Ok(TlsConfigs(loaded))
}

/// Certificates, whether they are chosen by name, and whether HTTP/2 is offered.
type PairsKey = (Vec<(std::path::PathBuf, std::path::PathBuf)>, bool, bool);

fn key_of(listener: &ListenAddr) -> Option<PairsKey> {
    let tls = listener.tls.as_ref()?;
    Some((tls.pairs.clone(), tls.uses_sni, listener.http2))
}

/// Certificates that were read.
#[derive(Debug)]
pub struct TlsConfigs(HashMap<PairsKey, Arc<TlsConfig>>);

impl TlsConfigs {
    fn of(&self, listener: &ListenAddr) -> Option<Arc<TlsConfig>> {
        self.0.get(&key_of(listener)?).cloned()
    }
}

fn options(pairs: &TlsPairs, http2: bool, config: &ServerConfig) -> TlsOptions {
    let min_version = match config.min_tls {
        lua_bindings::TlsVersion::V12 => TlsVersion::V12,
        lua_bindings::TlsVersion::V13 => TlsVersion::V13,
    };
    TlsOptions {
        pairs: pairs.pairs.clone(),
        uses_sni: pairs.uses_sni,
        min_version,
        without_http2: !http2,
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
        http_worker::probe(addr)?;
    }
    Ok(())
}
