//! The doorbell of a Lua thread, which sleeps in one of two places, and those of all of them.

use std::sync::{Arc, Mutex, PoisonError};

use shuttle_core::Doorbell;

/// Wakes the Lua thread. It sleeps in its reactor, or in its embedded worker when it has one.
pub struct TxBell {
    reactor: Arc<dyn Doorbell>,
    embedded: Mutex<Option<Arc<dyn Doorbell>>>,
}

impl TxBell {
    /// A bell that rings in the reactor.
    pub fn new(reactor: Arc<dyn Doorbell>) -> Arc<Self> {
        Arc::new(Self {
            reactor,
            embedded: Mutex::new(None),
        })
    }

    /// From now on this bell is rung too.
    pub fn also_ring(&self, bell: Option<Arc<dyn Doorbell>>) {
        *self.embedded.lock().unwrap_or_else(PoisonError::into_inner) = bell;
    }
}

impl Doorbell for TxBell {
    fn ring(&self) {
        self.reactor.ring();
        if let Some(bell) = &*self.embedded.lock().unwrap_or_else(PoisonError::into_inner) {
            bell.ring();
        }
    }
}

/// The bells of all Lua threads, for those who have to wake each of them. Clones are the same.
#[derive(Clone, Default)]
pub struct TxBells(Arc<Mutex<Vec<Arc<dyn Doorbell>>>>);

impl TxBells {
    /// From now on this one is rung too.
    pub fn add(&self, bell: Arc<dyn Doorbell>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(bell);
    }
}

impl Doorbell for TxBells {
    fn ring(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().for_each(|bell| bell.ring());
    }
}
