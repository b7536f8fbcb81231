//! The one atomic word of a berth: who owns it, and what either side may say about it meanwhile.
//!
//! A change of the word is a method with a name and, where its answer matters, a verdict that must
//! be looked at. No other file reads or writes the bits.
//!
//! ```text
//!              board           hand_to_tx, continue_to_tx
//!      free ─────────► at the worker ────────────────► at TX
//!       ▲                 │     ▲                        │
//!       └─────────────────┘     └────────────────────────┘
//!              free                  hand_to_worker
//! ```
//! Each bit below says who sets and who clears it, and when; `free` clears all of them.
//!
//! Never again within one generation: after `CLIENT_GONE`, `SAILED` or `ABANDONED` was set it
//! stays; after `BOARDED` was cleared nothing about this generation is true any more, and whoever
//! holds its id is told that it is stale.
//!
//! **The other flags order no memory.** They are relaxed: a flag says nothing but itself, and the
//! cargo is handed over by the ring, whose release and acquire come after and before each change of
//! owner. What the word must give is one order of all changes *of itself*, and that it has because
//! each change is one read-modify-write: this is why MUST-CLOSE and "Continue" never miss each
//! other.
//!
//! **Chunks are published here**, and only they are: how far TX has appended stands in the word
//! itself, so that one step both says "there is more" and learns who will send it. `append`
//! releases the bytes, `look_for_chunks` acquires them. The worker cannot say "Continue", nor take
//! the close upon itself, by a step from a word that names more than it has found.
//!
//! **Progress is asked for here** too. TX sets its wish and then looks how far the worker got; the
//! worker says how far it got and then takes the wish. Both steps on the word acquire and release,
//! and one of them is the first: either the worker finds the wish, or TX finds the progress.

use crate::chunk::Position;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release},
};

/// A shuttle exists. Set by the worker at board, cleared at release, once per generation.
const BOARDED: u64 = 1 << 0;
/// The cargo is TX's, or on its way there. Set by the worker as it sends, cleared by TX as it
/// sends; each of them before the berth goes into the ring.
const TX_OWNS: u64 = 1 << 1;
/// The shuttle left its worker at least once. Set by the worker as it sends, never cleared before
/// release.
const SAILED: u64 = 1 << 2;
/// Nobody waits for the response. Set by the worker at any time, never cleared before release.
const CLIENT_GONE: u64 = 1 << 3;
/// A hail about this shuttle was not taken yet. Set by the worker together with `CLIENT_GONE`, or
/// as it answers `WANTS_PROGRESS`; cleared by TX as it takes the hail.
const HAILED: u64 = 1 << 4;
/// TX wants the end of the response. Set by TX while the shuttle is away, cleared by the worker as
/// it accepts, or by TX as it sends.
const MUST_CLOSE: u64 = 1 << 5;
/// A handle was dropped, or nobody was there to receive it. Set by either side as owner, never
/// cleared before release.
const ABANDONED: u64 = 1 << 6;
/// Something was appended in this generation: the berth has room for chunks, and the worker has to
/// look there. Set by TX with the first of them, never cleared before release.
const CHUNKS: u64 = 1 << 7;
/// How many lent chunks were appended, and how many bytes copied: the position after the last,
/// counted from 0 in each generation and wrapping. Moved by TX alone, at any time.
const TAIL_LENT_SHIFT: u32 = 8;
const TAIL_COPIED_SHIFT: u32 = 16;
const TAIL: u64 = (u8::MAX as u64) << TAIL_LENT_SHIFT | (u16::MAX as u64) << TAIL_COPIED_SHIFT;
/// TX wants a hail as soon as the worker gets on with the chunks. Set by TX at any time, cleared by
/// the worker as it answers, or as it gives the shuttle back by "Continue", which is an answer too.
const WANTS_PROGRESS: u64 = 1 << 32;
/// The rest is the generation: how often the berth was freed. Counted up by release alone.
const GENERATION_SHIFT: u32 = 33;

/// The word as it was at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Seen(u64);

impl Seen {
    fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    pub(crate) fn is_at_worker(self) -> bool {
        self.0 & (BOARDED | TX_OWNS) == BOARDED
    }

    pub(crate) fn is_at_tx(self) -> bool {
        self.0 & (BOARDED | TX_OWNS) == BOARDED | TX_OWNS
    }

    pub(crate) fn has_sailed(self) -> bool {
        self.has(SAILED)
    }

    pub(crate) fn is_client_gone(self) -> bool {
        self.has(CLIENT_GONE)
    }

    pub(crate) fn is_must_close(self) -> bool {
        self.has(MUST_CLOSE)
    }

    pub(crate) fn is_abandoned(self) -> bool {
        self.has(ABANDONED)
    }

    pub(crate) fn has_chunks(self) -> bool {
        self.has(CHUNKS)
    }

    /// The position after the last chunk.
    #[inline]
    pub(crate) fn tail(self) -> Position {
        Position {
            lent: (self.0 >> TAIL_LENT_SHIFT) as u8,
            copied: (self.0 >> TAIL_COPIED_SHIFT) as u16,
        }
    }

    fn with_tail(self, tail: Position) -> u64 {
        let bits =
            u64::from(tail.lent) << TAIL_LENT_SHIFT | u64::from(tail.copied) << TAIL_COPIED_SHIFT;
        self.0 & !TAIL | bits | CHUNKS
    }

    /// Whether something was appended that the worker has not found.
    #[inline]
    fn has_more_than(self, found: impl Fn() -> Position) -> bool {
        self.has_chunks() && self.tail() != found()
    }

    /// Whether chunks may be appended: it is that trip, TX was told of it, and it goes on.
    #[inline]
    pub(crate) fn is_open(self, generation: u32) -> bool {
        let is_of = cfg!(mutate = "append_any_trip") || self.is_of(generation);
        let goes_on = cfg!(mutate = "abandoned_open") || !self.is_abandoned();
        is_of && self.has_sailed() && goes_on
    }

    #[inline]
    pub(crate) fn is_of(self, generation: u32) -> bool {
        self.has(BOARDED) && self.generation() == generation
    }
}

/// What became of a "Continue".
#[must_use]
pub(crate) enum Continued {
    /// TX owns the shuttle now. What the word was before.
    HandedOver(Seen),
    /// MUST-CLOSE came first, or a chunk: the worker keeps the shuttle and looks what it was.
    Kept,
}

/// What became of an appended chunk.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The worker owns the shuttle and cannot give it back by "Continue" before it has found this
    /// chunk.
    InTime,
    /// The chunk is in the shuttle, and the shuttle is TX's: here, or on its way home. Who holds or
    /// receives it finds [`unsent_bytes`](crate::Shuttle::unsent_bytes) and sends it again.
    TooLate,
    /// There is no room. Nothing was changed; some worker has to send something first.
    Full,
    /// That shuttle was freed or abandoned, or was never sent to TX. Nothing was changed.
    Stale,
}

/// What became of the request to close a shuttle that is away.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MustClose {
    /// The worker owns the shuttle and cannot give it back by "Continue" any more.
    InTime,
    /// The shuttle is TX's already, on its way home or there: who receives it sees
    /// [`must_close_pending`](crate::Shuttle::must_close_pending) and sends the close request.
    TooLate,
    /// That shuttle was freed. Nothing was changed.
    Stale,
}

/// Whether TX must hear that the client left.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientGone {
    /// It was not known.
    News,
    /// It was known, and TX has heard it or will see it.
    Known,
    /// That shuttle was freed. Nothing was changed.
    Stale,
}

/// The word itself.
pub(crate) struct State(AtomicU64);

impl State {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn look(&self) -> Seen {
        Seen(self.0.load(Relaxed))
    }

    /// Worker: free → at the worker. The answer is the generation.
    #[inline]
    pub(crate) fn board(&self) -> u32 {
        let before = Seen(self.0.fetch_or(BOARDED, Relaxed));
        assert!(!before.has(BOARDED), "a free berth is boarded already");
        before.generation()
    }

    /// Worker: at the worker → at TX.
    #[inline]
    pub(crate) fn hand_to_tx(&self) -> Seen {
        let before = Seen(self.0.fetch_or(TX_OWNS | SAILED, Relaxed));
        assert!(
            before.is_at_worker(),
            "the worker sent what it does not own"
        );
        before
    }

    /// Worker: at the worker → at TX, unless TX asked for the close meanwhile, or appended more
    /// than up to `found`, which is asked for only if chunks were appended at all.
    pub(crate) fn continue_to_tx(&self, found: impl Fn() -> Position) -> Continued {
        let mut seen = self.look_for_chunks();
        loop {
            assert!(
                seen.is_at_worker(),
                "the worker continued what it does not own"
            );
            if seen.has(MUST_CLOSE) {
                return Continued::Kept;
            }
            if !cfg!(mutate = "continue_past_chunks") && seen.has_more_than(&found) {
                return Continued::Kept;
            }
            let next = (seen.0 | TX_OWNS | SAILED) & !WANTS_PROGRESS;
            match self.exchange(seen, next, Relaxed, cfg!(mutate = "continue_by_store")) {
                Ok(_) => return Continued::HandedOver(seen),
                Err(_) => seen = self.look_for_chunks(),
            }
        }
    }

    /// TX: at TX → at the worker. A close that was asked for too late is done with: whatever TX
    /// sends now is sent by someone who saw it.
    #[inline]
    pub(crate) fn hand_to_worker(&self) -> Seen {
        let cleared = match cfg!(mutate = "close_outlives_send") {
            true => TX_OWNS,
            false => TX_OWNS | MUST_CLOSE,
        };
        let before = match cfg!(mutate = "send_by_store") {
            true => self.overwrite(Relaxed, |word| word & !cleared),
            false => Seen(self.0.fetch_and(!cleared, Relaxed)),
        };
        assert!(before.is_at_tx(), "TX sent what it does not own");
        before
    }

    /// Either side, as owner: the handle was dropped, or is taken back from a shore nobody stands
    /// on.
    pub(crate) fn abandon(&self) -> Seen {
        let before = Seen(self.0.fetch_or(ABANDONED, Relaxed));
        assert!(before.has(BOARDED), "a free shuttle was abandoned");
        before
    }

    /// Whoever is the last to own it: → free. The worker, or TX if the worker has left for good.
    #[inline]
    pub(crate) fn free(&self) {
        let step = u32::from(!cfg!(mutate = "generation_stays"));
        let next = self.look().generation().wrapping_add(step);
        let before = Seen(self.0.swap(u64::from(next) << GENERATION_SHIFT, Relaxed));
        assert!(before.has(BOARDED), "a shuttle was freed twice");
    }

    /// Worker, whoever owns the shuttle: its client left, and TX shall be told by a hail.
    pub(crate) fn hail_client_gone(&self, generation: u32) -> ClientGone {
        // Only the worker frees and only the worker says that a client left, so neither changes
        // before the next step.
        let seen = self.look();
        if !seen.is_of(generation) {
            return ClientGone::Stale;
        }
        if seen.has(CLIENT_GONE) {
            return ClientGone::Known;
        }
        let _ = match cfg!(mutate = "gone_by_store") {
            true => self.overwrite(Relaxed, |word| word | CLIENT_GONE | HAILED),
            false => Seen(self.0.fetch_or(CLIENT_GONE | HAILED, Relaxed)),
        };
        ClientGone::News
    }

    /// Worker, as owner: its client left. TX sees it when it receives the shuttle.
    pub(crate) fn mark_client_gone(&self) {
        let _ = self.0.fetch_or(CLIENT_GONE, Relaxed);
    }

    /// TX: takes the hail, if it is still there. The answer is the generation that it is about.
    pub(crate) fn take_hail(&self) -> Option<u32> {
        let before = match cfg!(mutate = "hail_not_taken") {
            true => self.look(),
            false => Seen(self.0.fetch_and(!HAILED, Relaxed)),
        };
        before.has(HAILED).then(|| before.generation())
    }

    /// TX: whether the client of that shuttle left. A freed shuttle has none.
    pub(crate) fn is_client_gone(&self, generation: u32) -> bool {
        let seen = self.look();
        !seen.is_of(generation) || seen.has(CLIENT_GONE)
    }

    /// TX, while the shuttle is away: wants the end of the response.
    pub(crate) fn must_close(&self, generation: u32) -> MustClose {
        let mut seen = self.look();
        loop {
            if !seen.is_of(generation) {
                return MustClose::Stale;
            }
            let next = seen.0 | MUST_CLOSE;
            match self.exchange(seen, next, Relaxed, cfg!(mutate = "must_close_by_store")) {
                Ok(_) if seen.has(TX_OWNS) => return MustClose::TooLate,
                Ok(_) => return MustClose::InTime,
                Err(now) => seen = now,
            }
        }
    }

    /// Worker, as owner: takes the request to close upon itself, if there is one and nothing was
    /// appended beyond `found`. The answer is whether it did.
    #[must_use]
    pub(crate) fn accept_close(&self, found: impl Fn() -> Position) -> bool {
        let mut seen = self.look_for_chunks();
        loop {
            if !seen.has(MUST_CLOSE) {
                return false;
            }
            if !cfg!(mutate = "close_before_chunks") && seen.has_more_than(&found) {
                return false;
            }
            match self.exchange(seen, seen.0 & !MUST_CLOSE, Relaxed, false) {
                Ok(_) => return true,
                Err(_) => seen = self.look_for_chunks(),
            }
        }
    }

    /// TX, whoever owns the shuttle: publishes what was written up to `tail`. TX alone moves the
    /// tail, so the one it moves is the one it has seen.
    #[inline]
    pub(crate) fn append(&self, mut seen: Seen, generation: u32, tail: Position) -> Appended {
        let order = match cfg!(mutate = "append_relaxed") {
            true => Relaxed,
            false => Release,
        };
        loop {
            if !seen.is_open(generation) {
                return Appended::Stale;
            }
            let next = seen.with_tail(tail);
            match self.exchange(seen, next, order, cfg!(mutate = "append_by_store")) {
                Ok(_) if seen.has(TX_OWNS) => return Appended::TooLate,
                Ok(_) => return Appended::InTime,
                Err(now) => seen = now,
            }
        }
    }

    /// TX, whoever owns the shuttle: wants to hear of the worker's next progress. What the worker
    /// told before it last looked for a wish can be seen afterwards. False for a stale id, and
    /// nothing was changed.
    pub(crate) fn want_progress(&self, generation: u32) -> bool {
        let order = match cfg!(mutate = "wish_relaxed") || cfg!(mutate = "wish_by_store") {
            true => Relaxed,
            false => AcqRel,
        };
        let mut seen = self.look();
        loop {
            if !seen.is_of(generation) {
                return false;
            }
            let next = seen.0 | WANTS_PROGRESS;
            match self.exchange(seen, next, order, cfg!(mutate = "wish_by_store")) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Worker, as owner, after it told how far it got: takes the wish to hear of it, if there is
    /// one. True: a hail is to be raised.
    #[must_use]
    pub(crate) fn answer_wish(&self) -> bool {
        let order = match cfg!(mutate = "answer_relaxed") {
            true => Relaxed,
            false => AcqRel,
        };
        let before = Seen(self.0.fetch_and(!WANTS_PROGRESS, order));
        if before.has(WANTS_PROGRESS) {
            let _ = self.0.fetch_or(HAILED, Relaxed);
        }
        before.has(WANTS_PROGRESS)
    }

    /// Owner: the word, and the right to all chunks up to the tail it names.
    #[inline]
    pub(crate) fn look_for_chunks(&self) -> Seen {
        let order = match cfg!(mutate = "find_relaxed") {
            true => Relaxed,
            false => Acquire,
        };
        Seen(self.0.load(order))
    }

    /// One step from what was seen to what shall be, or what is there now. `is_broken` is a
    /// mutation.
    #[inline]
    fn exchange(
        &self,
        seen: Seen,
        next: u64,
        order: Ordering,
        is_broken: bool,
    ) -> Result<Seen, Seen> {
        if is_broken {
            return Ok(self.overwrite(order, |_| next));
        }
        let exchanged = self.0.compare_exchange_weak(seen.0, next, order, Relaxed);
        exchanged.map(Seen).map_err(Seen)
    }

    /// What a change would be if it were not one step. Mutations alone use it.
    fn overwrite(&self, order: Ordering, change: impl FnOnce(u64) -> u64) -> Seen {
        let before = self.look();
        self.0.store(change(before.0), order);
        before
    }
}
