//! Lent bytes: memory of the TX side that the worker reads in place.
//!
//! The list of them lives in the berth. TX adds to it while it owns the shuttle, the worker reads
//! them while it owns the shuttle, and TX forgets them when it owns the shuttle again. That the
//! memory stays where it is meanwhile is the promise that [`Shuttle::lend`] is `unsafe` for.
//!
//! Bytes may also be lent as chunks, to a shuttle that is away; those lie in `chunk.rs`.

use std::ptr::NonNull;

use crate::shore::TxShore;
use crate::shuttle::{BerthId, Shuttle, Tx, Worker};
use crate::state::Appended;

/// One piece: its address and its length.
#[derive(Clone, Copy)]
pub(crate) struct LentBytes {
    start: NonNull<u8>,
    len: usize,
}

impl LentBytes {
    pub(crate) const NONE: Self = Self {
        start: NonNull::dangling(),
        len: 0,
    };

    /// # Safety
    /// The bytes stay alive, unmoved and unchanged for as long as [`Self::bytes`] may be called on
    /// this or a copy of it, and what it answers is used.
    pub(crate) unsafe fn new(bytes: &[u8]) -> Self {
        Self {
            start: NonNull::from(bytes).cast(),
            len: bytes.len(),
        }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// # Safety
    /// The caller is within the time that was promised to [`Self::new`], and stays there with what
    /// it gets.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: promised to `new`, and kept by the caller.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: it stands for a `&[u8]` whose lifetime is promised to `lend`, and `&[u8]` is `Send`.
unsafe impl Send for LentBytes {}

/// The pieces of one shuttle, in the order in which they were lent.
#[derive(Default)]
pub(crate) struct LentList(Vec<LentBytes>);

impl LentList {
    /// # Safety
    /// The bytes stay alive and unmoved until [`Self::forget`] was called, and nobody writes to
    /// them.
    unsafe fn lend(&mut self, bytes: &[u8]) {
        // SAFETY: they are read through this list only, up to `forget`.
        self.0.push(unsafe { LentBytes::new(bytes) });
    }

    pub(crate) fn forget(&mut self) -> usize {
        let count = self.0.len();
        self.0.clear();
        count
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(|piece| piece.len != 0).map(|piece| {
            // SAFETY: `lend` was promised that the bytes stay until they are forgotten, and the
            // list cannot be changed while `self` is borrowed.
            unsafe { piece.bytes() }
        })
    }
}

impl<T> Shuttle<Tx, T> {
    /// Lends bytes to the worker: it will read them where they are. Costs no copy and, once the
    /// list has grown, no allocation. An empty piece is counted but never shown to the worker.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # let bell = Arc::new(shuttle_core::NoBell);
    /// # let (worker, tx) = shuttle_core::link::<()>(1, bell.clone(), bell);
    /// # let (mut worker, mut tx) = (worker.land(), tx.land());
    /// # let shuttle = worker.board().unwrap();
    /// # worker.send(shuttle);
    /// let mut shuttle = tx.recv().unwrap();
    /// let text = String::from("a long text");
    /// // SAFETY: `text` stays, unchanged, until the shuttle was unpinned below.
    /// unsafe { shuttle.lend(text.as_bytes()) };
    /// tx.send(shuttle);
    ///
    /// let shuttle = worker.recv().unwrap();
    /// assert_eq!(shuttle.lent().next(), Some(&b"a long text"[..]));
    /// worker.send(shuttle);
    ///
    /// let mut shuttle = tx.recv().unwrap();
    /// assert_eq!(shuttle.unpin(), 1);
    /// drop(text);
    /// # tx.send(shuttle);
    /// ```
    ///
    /// # Safety
    /// The bytes stay alive, unmoved and unchanged until this shuttle is back on the TX shore
    /// **and** [`unpin`](Self::unpin) ran on it, or it was dropped there. If that never happens
    /// (the shuttle was leaked, or the TX shore was left before), they stay for as long as the link
    /// does.
    pub unsafe fn lend(&mut self, bytes: &[u8]) {
        // SAFETY: the list is emptied only on the TX shore, by `unpin` or by dropping the shuttle,
        // or with the link itself; until then the caller keeps the bytes.
        self.lent_list_mut(|list| unsafe { list.lend(bytes) });
    }

    /// Lends bytes that live for ever: a constant part of a response. Otherwise as
    /// [`lend`](Self::lend).
    pub fn lend_static(&mut self, bytes: &'static [u8]) {
        // SAFETY: they stay alive, unmoved and unchanged whatever happens.
        unsafe { self.lend(bytes) };
    }

    /// Forgets the lent bytes and says how many pieces there were. Afterwards the caller may let go
    /// of what it kept alive for them. Doing it twice does nothing: the second answer is 0.
    pub fn unpin(&mut self) -> usize {
        self.lent_list_mut(LentList::forget)
    }
}

impl<T> Shuttle<Worker, T> {
    /// The lent bytes, in the order in which they were lent, without empty pieces.
    pub fn lent(&self) -> impl Iterator<Item = &[u8]> {
        self.lent_list().iter()
    }

    /// The cargo and the lent bytes together, for one vectored write.
    pub fn parts(&self) -> (&T, impl Iterator<Item = &[u8]>) {
        (self, self.lent_list().iter())
    }
}

impl<T> TxShore<T> {
    /// Appends these bytes where they are, without a copy, to what the worker will send for this
    /// trip; otherwise as [`append`](Self::append). At most [`LENT_CHUNKS_MAX_COUNT`] pieces wait
    /// at once, of [`UNSENT_MAX_BYTES`] together with what else was appended; a larger one goes
    /// alone.
    ///
    /// No bytes at all are no chunk, and are not counted as one that gets settled.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use shuttle_core::Appended;
    /// # let bell = Arc::new(shuttle_core::NoBell);
    /// # let (worker, tx) = shuttle_core::link::<()>(1, bell.clone(), bell);
    /// # let (mut worker, mut tx) = (worker.land(), tx.land());
    /// # let shuttle = worker.board().unwrap();
    /// # worker.send(shuttle);
    /// # let shuttle = tx.recv().unwrap();
    /// # let id = shuttle.berth();
    /// # tx.send(shuttle);
    /// # let mut shuttle = worker.recv().unwrap();
    /// let text = String::from("a long text");
    /// // SAFETY: `text` stays, unchanged, until it was settled below.
    /// let appended = unsafe { tx.append_lent(id, text.as_bytes()) };
    /// assert_eq!(appended, Appended::InTime);
    ///
    /// shuttle.find_chunks();
    /// shuttle.consumed(7);
    /// assert_eq!(shuttle.chunks().next(), Some(&b"text"[..]));
    /// assert_eq!(tx.progress(id).unwrap().settled_count, 0);
    /// shuttle.consumed(4);
    /// assert_eq!(tx.progress(id).unwrap().settled_count, 1);
    /// drop(text);
    /// # worker.release(shuttle);
    /// ```
    ///
    /// # Safety
    /// If the verdict is [`InTime`](Appended::InTime) or [`TooLate`](Appended::TooLate), the bytes
    /// stay alive, unmoved and unchanged until [`progress`](Self::progress) counts this chunk as
    /// settled, or the shuttle was dropped on the TX shore. If that never happens (the shuttle was
    /// leaked, or the TX shore was left before), they stay for as long as the link does.
    ///
    /// # Panics
    /// If this link has no berth of that index.
    ///
    /// [`LENT_CHUNKS_MAX_COUNT`]: crate::limits::LENT_CHUNKS_MAX_COUNT
    /// [`UNSENT_MAX_BYTES`]: crate::limits::UNSENT_MAX_BYTES
    pub unsafe fn append_lent(&mut self, berth: BerthId, bytes: &[u8]) -> Appended {
        self.quay.append(berth, bytes.len(), |chunks, tail| {
            // SAFETY: the caller keeps the bytes until the chunk is settled, and if it was not
            // published nobody reads it.
            unsafe { chunks.lend(tail, bytes) }
        })
    }

    /// Appends bytes that live for ever, without a copy. Otherwise as
    /// [`append_lent`](Self::append_lent).
    ///
    /// # Panics
    /// If this link has no berth of that index.
    pub fn append_static(&mut self, berth: BerthId, bytes: &'static [u8]) -> Appended {
        // SAFETY: they stay alive, unmoved and unchanged whatever happens.
        unsafe { self.append_lent(berth, bytes) }
    }
}
