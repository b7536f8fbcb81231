//! Where the Lua threads of this process listen together.
//!
//! Each of them has sockets of its own at an address, and the kernel spreads connections over all
//! of them. A socket that is closed resets whom the kernel has queued in it; so whoever gives an
//! address up, or ends, leaves the sockets there to somebody who still listens at it, and that one
//! accepts from them too.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::{Receiver, Sender, unbounded};
use http_worker::SPREADS_BY_PORT;
use shuttle_core::Doorbell;

/// The addresses of a process. Clones are the same; any thread may have one.
#[derive(Clone, Debug, Default)]
pub struct Ports(Arc<Mutex<Board>>);

impl Ports {
    /// The view of one Lua thread; `bell` wakes it when something was left to it.
    pub fn stand(&self, tx: u16, bell: Arc<dyn Doorbell>) -> Stand {
        let (nudge, nudges) = unbounded();
        let stand = Stand {
            ports: self.clone(),
            tx,
            nudges,
        };
        stand.board().neighbours.push(Neighbour { tx, nudge, bell });
        stand
    }
}

/// What one Lua thread knows the others by.
#[derive(Clone, Debug)]
pub struct Stand {
    ports: Ports,
    /// Its number.
    pub tx: u16,
    nudges: Receiver<()>,
}

impl Stand {
    /// Everything that is shared, for as long as the guard lives. Others who open or close sockets
    /// wait meanwhile; nobody who serves does.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.ports.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the sockets that were left to this thread are others than when this was asked last.
    /// Cheap: it is asked in each turn.
    pub fn was_nudged(&self) -> bool {
        self.nudges.try_iter().count() > 0
    }
}

/// What all of them know.
#[derive(Default)]
pub struct Board {
    places: Vec<Shared>,
    neighbours: Vec<Neighbour>,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.places).finish()
    }
}

/// One address, as long as somebody listens there.
#[derive(Debug)]
struct Shared {
    /// As it was asked for: the port may be 0.
    wanted: SocketAddr,
    addr: SocketAddr,
    /// Who listens here; somebody who changes from one configuration to another, twice.
    holders: Vec<u16>,
    orphans: Vec<Orphan>,
    /// The socket that everybody has a handle of, where the kernel does not spread connections over
    /// several.
    only: Option<TcpListener>,
}

/// A socket that was left by somebody who listens here no more.
#[derive(Debug)]
struct Orphan {
    socket: TcpListener,
    /// Who accepts from it.
    keeper: u16,
}

struct Neighbour {
    tx: u16,
    nudge: Sender<()>,
    bell: Arc<dyn Doorbell>,
}

/// How an address is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parting {
    /// The same thread goes on to listen there.
    Stays,
    /// Others listen there, and accept from what was left.
    HandedOver,
    /// Nobody listens there any more.
    Last,
}

impl Board {
    /// Where others listen who wanted the same, or who were given it, and `tx` does not yet.
    pub fn joinable(&self, wanted: SocketAddr, tx: u16) -> Option<SocketAddr> {
        let is_it = |place: &&Shared| [place.wanted, place.addr].contains(&wanted);
        let mut places = self.places.iter().filter(is_it);
        let place = places.find(|place| !place.holders.contains(&tx));
        place.map(|place| place.addr)
    }

    /// Whether a socket of this process listens at a part of this address, or at more than it.
    pub fn shadows(&self, addr: SocketAddr) -> bool {
        self.places.iter().any(|place| {
            place.addr.port() == addr.port()
                && place.addr.is_ipv4() == addr.is_ipv4()
                && (place.addr.ip().is_unspecified() || addr.ip().is_unspecified())
        })
    }

    /// A handle of the socket at `addr`, where there is only one for all.
    pub fn only_at(&self, addr: SocketAddr) -> Option<std::io::Result<TcpListener>> {
        let place = self.places.iter().find(|place| place.addr == addr)?;
        place.only.as_ref().map(TcpListener::try_clone)
    }

    /// `tx` listens at `addr`, by `socket` and perhaps by more.
    pub fn hold(&mut self, wanted: SocketAddr, addr: SocketAddr, tx: u16, socket: &TcpListener) {
        if let Some(place) = self.places.iter_mut().find(|place| place.addr == addr) {
            place.holders.push(tx);
            return;
        }
        self.places.push(Shared {
            wanted,
            addr,
            holders: vec![tx],
            orphans: Vec::new(),
            only: (!SPREADS_BY_PORT)
                .then(|| socket.try_clone().ok())
                .flatten(),
        });
    }

    /// `tx` listens at `addr` no more, or once less; these were its sockets.
    pub fn leave(&mut self, addr: SocketAddr, tx: u16, sockets: Vec<TcpListener>) -> Parting {
        let Some(index) = self.places.iter().position(|place| place.addr == addr) else {
            return Parting::Last;
        };
        let place = &mut self.places[index];
        if let Some(one) = place.holders.iter().position(|holder| *holder == tx) {
            place.holders.swap_remove(one);
        }
        if place.holders.contains(&tx) {
            return Parting::Stays;
        }
        if place.holders.is_empty() {
            self.places.swap_remove(index);
            return Parting::Last;
        }
        let mut keepers = Vec::new();
        for orphan in place.take_orphans_of(tx) {
            keepers.push(place.adopt(orphan, tx));
        }
        if SPREADS_BY_PORT {
            keepers.extend(sockets.into_iter().map(|socket| place.adopt(socket, tx)));
        }
        self.nudge(&keepers);
        Parting::HandedOver
    }

    /// A socket of `tx`, which goes on to listen at `addr` without it: others take it, if others
    /// listen there.
    pub fn offer(&mut self, addr: SocketAddr, tx: u16, socket: TcpListener) {
        let place = self.places.iter_mut().find(|place| place.addr == addr);
        let Some(place) = place.filter(|place| SPREADS_BY_PORT && place.has_others(tx)) else {
            return;
        };
        let keeper = place.adopt(socket, tx);
        self.nudge(&[keeper]);
    }

    /// How many sockets were left at `addr`, to whomever.
    pub fn orphans_count(&self, addr: SocketAddr) -> usize {
        let place = self.places.iter().find(|place| place.addr == addr);
        place.map_or(0, |place| place.orphans.len())
    }

    /// Handles of the sockets that were left to `tx` at `addr`.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn left_to(&self, tx: u16, addr: SocketAddr) -> std::io::Result<Vec<TcpListener>> {
        let places = self.places.iter().filter(|place| place.addr == addr);
        let orphans = places.flat_map(|place| &place.orphans);
        let own = orphans.filter(|orphan| orphan.keeper == tx);
        own.map(|orphan| orphan.socket.try_clone()).collect()
    }

    /// Up to `most` sockets that were left by others at `addr`: who begins to listen takes them, so
    /// that everybody has about equally many again.
    pub fn reclaim(&mut self, addr: SocketAddr, most: usize) -> Vec<TcpListener> {
        let Some(place) = self.places.iter_mut().find(|place| place.addr == addr) else {
            return Vec::new();
        };
        let kept = place.orphans.len().saturating_sub(most);
        let taken = place.orphans.split_off(kept);
        let keepers: Vec<u16> = taken.iter().map(|orphan| orphan.keeper).collect();
        self.nudge(&keepers);
        taken.into_iter().map(|orphan| orphan.socket).collect()
    }

    fn nudge(&self, keepers: &[u16]) {
        for neighbour in &self.neighbours {
            if keepers.contains(&neighbour.tx) {
                // Whoever has ended keeps nothing.
                let _ = neighbour.nudge.send(());
                neighbour.bell.ring();
            }
        }
    }
}

impl Shared {
    fn take_orphans_of(&mut self, tx: u16) -> Vec<TcpListener> {
        let all = std::mem::take(&mut self.orphans);
        let (own, others) = all.into_iter().partition(|orphan| orphan.keeper == tx);
        self.orphans = others;
        own.into_iter()
            .map(|orphan: Orphan| orphan.socket)
            .collect()
    }

    /// Whether others than `tx` listen here.
    fn has_others(&self, tx: u16) -> bool {
        self.holders.iter().any(|holder| *holder != tx)
    }

    /// Gives a socket of `tx` to whoever else has been given the fewest, and says to whom.
    fn adopt(&mut self, socket: TcpListener, tx: u16) -> u16 {
        let burden = |tx: u16| self.orphans.iter().filter(|o| o.keeper == tx).count();
        let others = self.holders.iter().copied().filter(|holder| *holder != tx);
        let lightest = others.min_by_key(|other| (burden(*other), *other));
        let keeper = lightest.expect("asked only while somebody listens");
        self.orphans.push(Orphan { socket, keeper });
        keeper
    }
}

#[cfg(test)]
mod tests;
