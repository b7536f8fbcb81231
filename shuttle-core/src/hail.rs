//! Hails: "look at this berth" from the worker to TX, outside the rings, for a shuttle that the
//! worker need not own. One bit per berth, so that there is always room, and a summary above, so
//! that looking for none costs one load per 4096 berths.
//!
//! A bit is only a pointer to the berth. What is to be seen there stands in its word (`state.rs`),
//! is written before the bit is raised, and is taken from there exactly once.

use std::cell::Cell;

use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Release},
};

const BITS: usize = u64::BITS as usize;

/// The part that both threads see.
pub(crate) struct Hails {
    berths: Box<[AtomicU64]>,
    summary: Box<[AtomicU64]>,
}

/// What TX has taken and not looked at yet.
#[derive(Default)]
pub(crate) struct Taken {
    group: Cell<usize>,
    bits: Cell<u64>,
}

impl Hails {
    pub(crate) fn new(berths: u16) -> Self {
        let groups = usize::from(berths).div_ceil(BITS);
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            berths: zeros(groups),
            summary: zeros(groups.div_ceil(BITS)),
        }
    }

    /// Worker: raises the bit of this berth. The summary comes last: who finds it finds the bit.
    pub(crate) fn raise(&self, index: u16) {
        let (group, bit) = (usize::from(index) / BITS, usize::from(index) % BITS);
        let in_summary = || self.summary[group / BITS].fetch_or(1 << (group % BITS), Release);
        if cfg!(mutate = "hail_summary_first") {
            in_summary();
        }
        self.berths[group].fetch_or(1 << bit, Release);
        if !cfg!(mutate = "hail_summary_first") {
            in_summary();
        }
    }

    /// TX: takes one raised bit down, and says whose it was.
    pub(crate) fn take(&self, taken: &Taken) -> Option<u16> {
        while taken.bits.get() == 0 {
            let group = self.take_group()?;
            taken.group.set(group);
            taken.bits.set(self.berths[group].swap(0, Acquire));
        }
        let bits = taken.bits.get();
        taken.bits.set(bits & (bits - 1));
        let index = taken.group.get() * BITS + bits.trailing_zeros() as usize;
        Some(u16::try_from(index).expect("bits are raised for u16 indexes only"))
    }

    /// TX: whether none is raised.
    pub(crate) fn is_none_raised(&self, taken: &Taken) -> bool {
        taken.bits.get() == 0 && self.summary.iter().all(|groups| groups.load(Acquire) == 0)
    }

    fn take_group(&self) -> Option<usize> {
        self.summary.iter().enumerate().find_map(|(nth, groups)| {
            let raised = groups.load(Acquire);
            if raised == 0 {
                return None;
            }
            let group = raised & raised.wrapping_neg();
            groups.fetch_and(!group, AcqRel);
            Some(nth * BITS + group.trailing_zeros() as usize)
        })
    }
}
