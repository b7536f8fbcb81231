//! Where stacks come from: one reservation of address space per thread, cut into equal slots.
//!
//! A slot is a guard below the stack that grows down towards it. Memory comes page by page as a
//! stack is used, so its size costs addresses only. The kernel sees one mapping for all of them:
//! guards are page-table markers where the kernel has those (Linux 6.13), and protected pages,
//! two mappings per stack, elsewhere.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::ptr;
use std::rc::Rc;

use corosensei::stack::valgrind::ValgrindStackRegistration;
use corosensei::stack::{Stack, StackPointer};

use crate::limits::{GUARD_BYTES, OPENED_AT_ONCE_COUNT, STACKS_MIN_COUNT};

/// How the guards of an arena are made.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Guard {
    /// `MADV_GUARD_INSTALL`: no mapping of its own.
    Marker,
    /// `PROT_NONE`: splits the mapping around it.
    Protection,
}

/// The reservation of one thread. Unmapped when the last of its stacks is gone, so a stack that
/// is leaked keeps it.
struct Reservation {
    low: usize,
    slot_bytes: usize,
    guard_bytes: usize,
    slots_count: usize,
    /// Slots, from the lowest, whose memory may be touched.
    opened_count: Cell<usize>,
    /// Slots, from the lowest, that were handed out at least once and have their guard.
    guarded_count: Cell<usize>,
    guard: Cell<Guard>,
    free_slots: RefCell<Vec<usize>>,
}

/// Hands out stacks of one size.
pub(crate) struct Arena(Rc<Reservation>);

impl Arena {
    /// Reserves address space for so many stacks, or for as many as the system grants.
    pub(crate) fn reserve(stack_bytes: usize, stacks_max_count: usize) -> io::Result<Self> {
        let page_bytes = page_bytes();
        let guard_bytes = GUARD_BYTES.next_multiple_of(page_bytes);
        let slot_bytes = stack_bytes.next_multiple_of(page_bytes);
        let mut slots_count = stacks_max_count;
        let low = loop {
            match map_reserved(slots_count * slot_bytes) {
                Ok(low) => break low,
                // A limit on address space (`ulimit -v`) is no reason to have no fibers at all.
                Err(_) if slots_count / 2 >= STACKS_MIN_COUNT as usize => slots_count /= 2,
                Err(error) => return Err(error),
            }
        };
        Ok(Self(Rc::new(Reservation {
            low,
            slot_bytes,
            guard_bytes,
            slots_count,
            opened_count: Cell::new(0),
            guarded_count: Cell::new(0),
            guard: Cell::new(Guard::Marker),
            free_slots: RefCell::new(Vec::new()),
        })))
    }

    /// A stack that nobody uses. Its content is rubbish or zero.
    pub(crate) fn take(&self) -> io::Result<FiberStack> {
        let freed = self.0.free_slots.borrow_mut().pop();
        let slot = match freed {
            Some(slot) => slot,
            None => self.0.first_use()?,
        };
        let low = self.0.low + slot * self.0.slot_bytes;
        let valgrind = ValgrindStackRegistration::new(low as *mut u8, self.0.slot_bytes);
        Ok(FiberStack {
            low,
            slot,
            _valgrind: valgrind,
            reservation: Rc::clone(&self.0),
        })
    }

    /// How guards are made here, as far as was tried.
    #[cfg(test)]
    pub(crate) fn guard(&self) -> Guard {
        self.0.guard.get()
    }

    /// Makes the following guards by protection, as on a kernel without markers.
    #[cfg(test)]
    pub(crate) fn forgo_markers(&self) {
        self.0.guard.set(Guard::Protection);
    }
}

impl Reservation {
    fn first_use(&self) -> io::Result<usize> {
        let slot = self.guarded_count.get();
        if slot == self.slots_count {
            return Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "no address space is left",
            ));
        }
        if slot == self.opened_count.get() {
            self.open_more()?;
        }
        self.install_guard(self.low + slot * self.slot_bytes)?;
        self.guarded_count.set(slot + 1);
        Ok(slot)
    }

    /// Allows access to the next few slots at once: neighbours with equal access are one mapping.
    fn open_more(&self) -> io::Result<()> {
        let opened_count = self.opened_count.get();
        let more_count = (OPENED_AT_ONCE_COUNT as usize).min(self.slots_count - opened_count);
        let low = self.low + opened_count * self.slot_bytes;
        protect(
            low,
            more_count * self.slot_bytes,
            libc::PROT_READ | libc::PROT_WRITE,
        )?;
        self.opened_count.set(opened_count + more_count);
        Ok(())
    }

    fn install_guard(&self, low: usize) -> io::Result<()> {
        if self.guard.get() == Guard::Marker {
            if install_guard_marker(low, self.guard_bytes).is_ok() {
                return Ok(());
            }
            self.guard.set(Guard::Protection);
        }
        protect(low, self.guard_bytes, libc::PROT_NONE)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is what `map_reserved` gave, and every stack in it held a reference
        // to this reservation, so none is left.
        unsafe { libc::munmap(self.low as *mut _, self.slots_count * self.slot_bytes) };
    }
}

/// One slot of an arena, owned. Goes back to the arena, and its memory to the system, when
/// dropped.
pub(crate) struct FiberStack {
    low: usize,
    slot: usize,
    /// Tells valgrind, if it watches, that this is a stack. Nothing else otherwise.
    _valgrind: ValgrindStackRegistration,
    reservation: Rc<Reservation>,
}

impl FiberStack {
    /// The addresses of the guard.
    pub(crate) fn guard_range(&self) -> Range<usize> {
        self.low..self.low + self.reservation.guard_bytes
    }

    fn high(&self) -> usize {
        self.low + self.reservation.slot_bytes
    }

    fn range(&self) -> StackRange {
        StackRange {
            low: self.guard_range().end,
            high: self.high(),
        }
    }
}

/// The part of a stack between its guard and its base, for [`trim`].
#[derive(Copy, Clone)]
struct StackRange {
    low: usize,
    high: usize,
}

// SAFETY: the range from `limit` to `base` belongs to this value alone: slots do not overlap, a
// slot is handed out once until it is dropped, and its mapping lives as long as the reservation,
// which this value keeps. Its lowest part is a guard that faults on access, and
// STACK_MIN_BYTES leaves far more than corosensei's MIN_STACK_SIZE above it. Slots are made of
// pages, so both ends are aligned.
unsafe impl Stack for FiberStack {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.high()).expect("a stack is not at address zero")
    }

    fn limit(&self) -> StackPointer {
        StackPointer::new(self.low).expect("the system maps nothing at address zero")
    }
}

impl Drop for FiberStack {
    fn drop(&mut self) {
        let range = self.range();
        // SAFETY: the stack is going away, so nothing in it is used any more.
        unsafe { discard(range.low, range.high) };
        self.reservation.free_slots.borrow_mut().push(self.slot);
    }
}

/// Gives the pages between two addresses back to the system; they read as rubbish or zero then.
///
/// # Safety
/// The range lies in one stack, above its guard, and nothing in it is used before it is written.
pub(crate) unsafe fn discard(low: usize, high: usize) {
    let high = high - high % page_bytes();
    if low >= high {
        return;
    }
    // SAFETY: the caller's promise. A failure changes nothing: the pages stay.
    unsafe { libc::madvise(low as *mut _, high - low, DISCARD) };
}

/// Where the kernel has it, `MADV_DONTNEED` frees at once; macOS and the BSDs only promise to
/// look at `MADV_FREE` when they need memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DISCARD: libc::c_int = libc::MADV_DONTNEED;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DISCARD: libc::c_int = libc::MADV_FREE;

/// FreeBSD has no such flag, and reserves nothing anyway.
#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
const NO_RESERVE: libc::c_int = 0;
#[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;

fn map_reserved(bytes: usize) -> io::Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE;
    // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
    let low = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
    if low == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    forgo_huge_pages(low.addr(), bytes);
    Ok(low.addr())
}

/// One touched byte would otherwise bring 2 MiB of memory. A kernel without huge pages refuses,
/// which is as good.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn forgo_huge_pages(low: usize, bytes: usize) {
    // SAFETY: the range is a mapping of ours, and the advice changes no content.
    unsafe { libc::madvise(low as *mut _, bytes, libc::MADV_NOHUGEPAGE) };
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn forgo_huge_pages(_low: usize, _bytes: usize) {}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn install_guard_marker(low: usize, bytes: usize) -> io::Result<()> {
    /// From the kernel's `uapi/asm-generic/mman-common.h`, since Linux 6.13.
    const MADV_GUARD_INSTALL: libc::c_int = 102;
    // SAFETY: the range is the guard of a slot of ours, in which nothing is ever kept.
    match unsafe { libc::madvise(low as *mut _, bytes, MADV_GUARD_INSTALL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn install_guard_marker(_low: usize, _bytes: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn protect(low: usize, bytes: usize, access: libc::c_int) -> io::Result<()> {
    // SAFETY: the range belongs to a reservation of ours; its callers open slots that are not in
    // use yet, or close guards, in which nothing is kept.
    match unsafe { libc::mprotect(low as *mut _, bytes, access) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn page_bytes() -> usize {
    // SAFETY: the call reads a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("every system knows the size of its pages")
}

#[cfg(test)]
mod tests;
