//! What is asked of clients: how fast they have to be, and how much they may have when berths are
//! scarce.

use std::time::Duration;

use super::Cx;
use crate::conn::Rule;
use crate::limits::PRESSED_MS;
use crate::token::ConnToken;

const PRESSED: Duration = Duration::from_millis(PRESSED_MS);

impl Cx {
    /// Requests of one connection that may wait for their answers. When berths are scarce it is
    /// one for each, so that few clients cannot take them all.
    pub(crate) fn pipeline_depth(&self) -> usize {
        let depth = self.limits.pipeline_depth_count;
        if self.is_scarce() {
            depth.min(1)
        } else {
            depth
        }
    }

    /// Whether berths are scarce, so that nobody should have many.
    pub(crate) fn is_scarce(&self) -> bool {
        self.shore.travelling() > self.shore.berths() / 2
    }

    /// How fast the body of a request must come.
    pub(crate) fn receive_rule(&self) -> Rule {
        Rule {
            grace: self.limits.body_timeout,
            rate: self.limits.receive_rate_bytes,
        }
    }

    /// How fast a client must take what waits for it.
    pub(crate) fn send_rule(&self) -> Rule {
        Rule {
            grace: self.limits.write_timeout,
            rate: self.limits.send_rate_bytes,
        }
    }

    /// The same while others wait for a berth, and it has one.
    pub(crate) fn pressed_rule(&self) -> Rule {
        let usual = self.send_rule();
        Rule {
            grace: usual.grace.min(PRESSED),
            ..usual
        }
    }

    /// Who has a berth, each once.
    pub(crate) fn berth_owners(&self) -> Vec<ConnToken> {
        let owners = self.notes.iter().filter_map(|note| note.conn);
        let mut owners: Vec<_> = owners.collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}
