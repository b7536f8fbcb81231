//! Where the workers of one Lua thread listen, when others listen there too.

use std::io;

use http_worker::{Command, Listener};

use super::{Inner, Supervisor};
use crate::ports::Board;

impl Supervisor {
    /// Accepts from the sockets that other Lua threads have left to this one, if those are others
    /// than before. To be called in each turn; then it costs next to nothing.
    pub fn keep_up(&self) {
        let inner = self.0.borrow();
        if inner.stand.was_nudged() {
            inner.relisten(&inner.stand.board());
        }
    }
}

impl Inner {
    /// Others listen on, if there are others; they get our sockets.
    pub(super) fn stop_listening(&mut self) {
        let Some(mut sockets) = self.sockets.take() else {
            return;
        };
        let mut board = self.stand.board();
        if self.stand.was_nudged() {
            // Who waits at a socket that was left to us a moment ago is let in by who drains.
            self.listen_at(sockets.shares_with(self.crew.size(), &board));
        }
        sockets.leave(&mut board);
    }

    /// The workers accept from every socket that is ours now.
    pub(super) fn relisten(&self, board: &Board) {
        if let Some(sockets) = &self.sockets {
            self.listen_at(sockets.shares_with(self.crew.size(), board));
        }
    }

    pub(super) fn listen_at(&self, shares: io::Result<Vec<Vec<Listener>>>) {
        let to_each = |listeners: Vec<Listener>| Command::ListenOnly(listeners.into());
        match shares {
            Ok(shares) => self.crew.command_each(shares.into_iter().map(to_each)),
            Err(error) => log::error!("a socket of another Lua thread waits: {error}"),
        }
    }
}
