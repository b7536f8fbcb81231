//! Where shuttles lie: one slot per berth, with the word, the cargo, the list of lent bytes and,
//! once something was appended there, the chunks.
//!
//! The right to touch a slot is a value: [`Berth`]. Each is made once, when the link is made, and
//! from then on only moved: free list → handle → ring → handle → … → free list. So there is one
//! handle of one side at any time, which is what makes the references below sound.

use crate::chunk::Chunks;
use crate::lent::LentList;
use crate::limits::BERTHS_MAX_COUNT;
use crate::state::State;
use crate::sync::{CachePadded, UnsafeCell};

/// The right to the cargo and the lent list of one berth. Neither `Clone` nor `Copy`.
pub(crate) struct Berth(u16);

impl Berth {
    /// Not a berth: what is left in a handle that has sailed. No slot has this index.
    pub(crate) const NOWHERE: Self = Self(BERTHS_MAX_COUNT);

    /// # Safety
    /// The index is that of a berth that was given up by [`Self::into_index`], once for each time.
    pub(crate) unsafe fn from_index(index: u16) -> Self {
        Self(index)
    }

    /// Gives the right up: the index alone opens nothing.
    #[inline]
    pub(crate) fn into_index(self) -> u16 {
        self.0
    }

    #[inline]
    pub(crate) fn index(&self) -> u16 {
        self.0
    }

    #[inline]
    pub(crate) fn is_nowhere(&self) -> bool {
        self.0 == BERTHS_MAX_COUNT
    }
}

/// One berth. Both threads write to it, though at different times, hence the padding.
struct Slot<T> {
    state: State,
    cargo: UnsafeCell<T>,
    lent: UnsafeCell<LentList>,
    /// Made by TX before it first appends to this berth, then never changed. See `chunk.rs`.
    chunks: UnsafeCell<Option<Box<Chunks>>>,
}

// SAFETY: `state` is atomic. `cargo` and `lent` are reached only with the slot's one `Berth`, which
// goes from thread to thread through a ring that orders memory, so this is a transfer of `T`, not
// sharing. `chunks` is written once, before the word says that it is there, and what is in it has
// one writer and one reader at a time, by the rules of `chunk.rs`.
unsafe impl<T: Send> Sync for Slot<T> {}

/// All berths of a link.
pub(crate) struct Slots<T>(Box<[CachePadded<Slot<T>>]>);

impl<T> Slots<T> {
    /// The slots and the rights to them. The last index is handed out first.
    pub(crate) fn new(berths: u16) -> (Self, Vec<Berth>)
    where
        T: Default,
    {
        let slot = |_| {
            CachePadded(Slot {
                state: State::new(),
                cargo: UnsafeCell::new(T::default()),
                lent: UnsafeCell::new(LentList::default()),
                chunks: UnsafeCell::new(None),
            })
        };
        (
            Self((0..berths).map(slot).collect()),
            (0..berths).rev().map(Berth).collect(),
        )
    }

    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.0.len()).expect("made from a u16")
    }

    #[inline]
    pub(crate) fn state(&self, index: u16) -> &State {
        &self.0[usize::from(index)].state
    }

    /// The berth must be of these slots: handles keep both together.
    #[inline]
    pub(crate) fn cargo<'a>(&'a self, berth: &'a Berth) -> &'a T {
        // SAFETY: the berth is the only one of its slot and is borrowed for as long as the cargo
        // is.
        self.slot(berth).cargo.with(|cargo| unsafe { &*cargo })
    }

    /// As [`Self::cargo`].
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "borrows the right exclusively"
    )]
    pub(crate) fn cargo_mut<'a>(&'a self, berth: &'a mut Berth) -> &'a mut T {
        // SAFETY: as above, and the berth is borrowed mutably.
        self.slot(berth)
            .cargo
            .with_mut(|cargo| unsafe { &mut *cargo })
    }

    /// As [`Self::cargo`].
    pub(crate) fn lent<'a>(&'a self, berth: &'a Berth) -> &'a LentList {
        // SAFETY: the berth is the only one of its slot and is borrowed for as long as the list is.
        self.slot(berth).lent.with(|lent| unsafe { &*lent })
    }

    /// As [`Self::cargo`].
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "borrows the right exclusively"
    )]
    pub(crate) fn lent_mut<'a>(&'a self, berth: &'a mut Berth) -> &'a mut LentList {
        // SAFETY: as above, and the berth is borrowed mutably.
        self.slot(berth).lent.with_mut(|lent| unsafe { &mut *lent })
    }

    /// Not a right to look into it: who has that is said in `chunk.rs`.
    #[inline]
    pub(crate) fn chunk_cell(&self, index: u16) -> &UnsafeCell<Option<Box<Chunks>>> {
        &self.0[usize::from(index)].chunks
    }

    fn slot(&self, berth: &Berth) -> &Slot<T> {
        &self.0[usize::from(berth.index())]
    }
}
