//! What an access log did not write. Several workers count, anybody reads.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Stats {
    dropped: AtomicU64,
}

impl Stats {
    /// A record is lost.
    pub(super) fn drop_one(&self) {
        self.drop_many(1);
    }

    /// So many records are lost.
    pub(super) fn drop_many(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// How many were lost so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
