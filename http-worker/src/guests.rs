//! How many connections each address has, over all workers of a server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Who counts as one: an IPv4 address, or the 64 bits of an IPv6 network, for that is what one
/// customer is given at least (RFC 6177) and may take any address of.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Counts connections by address. Workers that are given the same one count together.
///
/// A lock is taken when a connection comes and when it goes, for the time of one look-up.
#[derive(Debug, Default)]
pub struct Guests(Mutex<HashMap<Network, usize>>);

/// One connection that is counted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    guests: Arc<Guests>,
    network: Network,
}

impl Guests {
    /// Counts one more from `address`, unless there are `max` of it already; zero: no bound.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<Guest> {
        let network = Network::of(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if max != 0 && *count >= max {
            return None;
        }
        *count += 1;
        let guests = Arc::clone(self);
        Some(Guest { guests, network })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let counts = &self.guests.0;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests;
