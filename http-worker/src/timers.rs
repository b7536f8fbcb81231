//! A coarse timer wheel with at most one deadline per connection.
//!
//! Setting and removing cost a few stores and no allocation (beyond growing with the connection
//! table), because nearly every deadline is removed or moved before it passes. The wheel promises
//! never to report a timer early, and late by at most one tick. A timer further away than the
//! horizon is reported at the horizon with its true deadline still in the future: whoever gets it
//! asks again, which is also how a deadline is moved *later* for free.

use std::time::{Duration, Instant};

use crate::limits::{TIMER_SLOTS_COUNT, TIMER_TICK_MS};

const NIL: u32 = u32::MAX;
const WORDS: usize = TIMER_SLOTS_COUNT / 64;
const TICK: Duration = Duration::from_millis(TIMER_TICK_MS);

#[derive(Clone, Copy, Debug)]
struct Node {
    prev: u32,
    next: u32,
    /// The tick at which it is due, or `None` while it is not in the wheel.
    tick: Option<u64>,
    /// What it was set for.
    at: Instant,
}

/// Deadlines by connection index.
#[derive(Debug)]
pub(crate) struct Wheel {
    start: Instant,
    /// All ticks below it have been reported.
    done: u64,
    heads: Box<[u32]>,
    /// One bit per slot that is not empty, so that the next deadline is found without a walk.
    filled: [u64; WORDS],
    nodes: Vec<Node>,
}

impl Wheel {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            done: 0,
            heads: vec![NIL; TIMER_SLOTS_COUNT].into_boxed_slice(),
            filled: [0; WORDS],
            nodes: Vec::new(),
        }
    }

    /// Makes sure that `index` is reported no later than one tick after `at`. A timer already set
    /// for an earlier time stays: its report is a question that the owner answers.
    pub(crate) fn arm(&mut self, index: u32, at: Instant) {
        if self.nodes.len() <= index as usize {
            let unset = Node {
                prev: NIL,
                next: NIL,
                tick: None,
                at,
            };
            self.nodes.resize(index as usize + 1, unset);
        }
        let node = &self.nodes[index as usize];
        // The usual case, a deadline that moves to later, without a division.
        if node.tick.is_some() && node.at <= at {
            return;
        }
        let horizon = self.done + TIMER_SLOTS_COUNT as u64 - 1;
        let tick = self.tick_after(at).clamp(self.done, horizon);
        match node.tick {
            Some(armed) if armed <= tick => return,
            Some(_) => self.disarm(index),
            None => {}
        }
        self.link(index, tick, at);
    }

    /// Forgets the timer of `index`, if there is one.
    pub(crate) fn disarm(&mut self, index: u32) {
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return;
        };
        let Some(tick) = node.tick.take() else { return };
        let Node { prev, next, .. } = *node;
        let slot = slot_of(tick);
        match prev {
            NIL => self.heads[slot] = next,
            _ => self.nodes[prev as usize].next = next,
        }
        if next != NIL {
            self.nodes[next as usize].prev = prev;
        }
        if self.heads[slot] == NIL {
            self.filled[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// Takes one timer that is due, or `None` when there is no more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let current = self.whole_ticks(now);
        let Some((slot, tick)) = self.first_filled().filter(|(_, tick)| *tick <= current) else {
            self.done = self.done.max(current + 1);
            return None;
        };
        self.done = tick;
        let index = self.heads[slot];
        self.disarm(index);
        Some(index)
    }

    /// When to look again, or `None` when nothing is set.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let (_, tick) = self.first_filled()?;
        let ticks = u32::try_from(tick).unwrap_or(u32::MAX);
        Some(self.start + TICK * ticks)
    }

    fn link(&mut self, index: u32, tick: u64, at: Instant) {
        let slot = slot_of(tick);
        let head = self.heads[slot];
        self.nodes[index as usize] = Node {
            prev: NIL,
            next: head,
            tick: Some(tick),
            at,
        };
        if head != NIL {
            self.nodes[head as usize].prev = index;
        }
        self.heads[slot] = index;
        self.filled[slot / 64] |= 1 << (slot % 64);
    }

    /// The first slot in use, in the order of time, and its tick. All timers set lie within one
    /// round of `done`, so a slot holds only one tick's.
    fn first_filled(&self) -> Option<(usize, u64)> {
        let from = slot_of(self.done);
        for step in 0..=WORDS {
            let word = (from / 64 + step) % WORDS;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= !0 << (from % 64);
            } else if step == WORDS {
                bits &= !(!0 << (from % 64));
            }
            if bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (slot + TIMER_SLOTS_COUNT - from) % TIMER_SLOTS_COUNT;
                return Some((slot, self.done + ahead as u64));
            }
        }
        None
    }

    fn whole_ticks(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX) / TIMER_TICK_MS
    }

    /// The first tick that is not before `at`: never early.
    fn tick_after(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        let ticks = since.as_nanos().div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

fn slot_of(tick: u64) -> usize {
    // Below the slot count, so it fits.
    (tick % TIMER_SLOTS_COUNT as u64) as usize
}

#[cfg(test)]
mod tests;
