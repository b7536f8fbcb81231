//! The queues of a connection that has something to do. An idle one needs none, and there may be
//! thousands of those: they give theirs back, and who wakes up finds one still in the cache.

use std::collections::VecDeque;

use super::Conn;
use super::outbox::Stretch;
use super::trips::Trip;
use crate::context::Cx;
use crate::limits::{GEAR_KEEP_COUNT, SPARES_COUNT};

/// Room for trips and for output.
#[derive(Default)]
pub(crate) struct Gear {
    trips: VecDeque<Trip>,
    stretches: VecDeque<Stretch>,
}

/// Gear that nobody uses.
#[derive(Default)]
pub(crate) struct Spares(Vec<Gear>);

impl Spares {
    fn take(&mut self) -> Gear {
        self.0.pop().unwrap_or_default()
    }

    /// What has grown large goes back to the system.
    fn give(&mut self, gear: Gear) {
        let is_small = gear.trips.capacity().max(gear.stretches.capacity()) <= GEAR_KEEP_COUNT;
        if is_small && self.0.len() < SPARES_COUNT {
            self.0.push(gear);
        }
    }
}

impl Conn {
    /// Before something is begun.
    pub(super) fn gear_up(&mut self, cx: &mut Cx) {
        if self.trips.capacity() == 0 {
            let Gear { trips, stretches } = cx.gear.take();
            self.trips = trips;
            self.outbox.give_stretches(stretches);
        }
    }

    /// When nothing is left to be done.
    pub(super) fn lay_down_gear(&mut self, cx: &mut Cx) {
        if self.trips.is_empty() && self.trips.capacity() != 0 {
            cx.gear.give(Gear {
                trips: std::mem::take(&mut self.trips),
                stretches: self.outbox.take_stretches(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gear_of(count: usize) -> Gear {
        Gear {
            trips: VecDeque::with_capacity(count),
            stretches: VecDeque::with_capacity(count),
        }
    }

    #[test]
    fn gear_is_used_again_if_it_is_small_and_there_are_few() {
        let mut spares = Spares::default();
        spares.give(gear_of(GEAR_KEEP_COUNT + 1));
        assert_eq!(spares.take().trips.capacity(), 0, "too large to keep");
        for _ in 0..=SPARES_COUNT {
            spares.give(gear_of(GEAR_KEEP_COUNT));
        }
        assert_eq!(spares.0.len(), SPARES_COUNT);
        assert_eq!(spares.take().stretches.capacity(), GEAR_KEEP_COUNT);
    }
}
