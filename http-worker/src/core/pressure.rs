//! No berth is free and somebody waits for one: clients that do not read what waits for them have
//! to give theirs up.
//!
//! An answer stays in its shuttle until its client takes it, which is what keeps slow readers from
//! taking memory. So those who read nothing take berths instead, one for each stream whose window
//! they keep shut. While there are others that costs nobody anything, and they have the time of
//! the write timeout. When there are none, who has read nothing for longest goes first, and no
//! more go than others wait.

use std::time::{Duration, Instant};

use super::{Core, find};
use crate::limits::PRESS_RETRY_MS;
use crate::line::Line;
use crate::token::ConnToken;

const PRESS_RETRY: Duration = Duration::from_millis(PRESS_RETRY_MS);

impl Core {
    /// When to call [`press`](Self::press) although nothing happens.
    pub(super) fn next_press(&self) -> Option<Instant> {
        let waits = !self.cx.waiting.is_empty();
        waits.then_some(self.press_at)
    }

    /// Makes berths free for those that wait, if somebody has been too slow to keep his.
    pub(super) fn press(&mut self) {
        if self.next_press().is_none_or(|at| self.cx.now < at) {
            return;
        }
        self.press_at = self.cx.now + PRESS_RETRY;
        let mut wanted = self.cx.waiting.len();
        for (_, token) in self.too_slow() {
            if wanted == 0 {
                return;
            }
            let mut given = 0;
            self.serve(token, |conn, cx| conn.give_berths(wanted, &mut given, cx));
            wanted = wanted.saturating_sub(given);
        }
    }

    /// Those who have a berth and have been too slow, the longest first.
    fn too_slow(&mut self) -> Vec<(Instant, ConnToken)> {
        let owners = self.cx.berth_owners().into_iter();
        let mut slow: Vec<_> = owners
            .filter_map(|token| {
                let conn: &Line = find(&mut self.conns, token)?;
                Some((conn.too_slow_since(&self.cx)?, token))
            })
            .collect();
        slow.sort_unstable();
        slow
    }
}
