//! The end of a fiber that ran out of stack: a sentence with its name, then an abort.
//!
//! Below every stack is a guard that faults on access. The handler of that fault runs on the
//! thread's signal stack, says which fiber it was, and aborts: the frames of the fiber cannot be
//! trusted any more. Faults anywhere else go to the handler that was there before (Rust's own,
//! which knows the stacks of threads).
//!
//! In the handler nothing but plain reads of this thread's own memory and `write` happen; the
//! name is copied to a fixed place when it is given.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Once, OnceLock};

use crate::limits::{LABEL_BYTES, SIGNAL_STACK_BYTES};
use crate::switch;

/// What the handler says about a fiber: its id and the beginning of its name.
pub(crate) struct Label {
    id: Cell<u64>,
    len: Cell<usize>,
    name: [Cell<u8>; LABEL_BYTES],
}

impl Label {
    pub(crate) const fn new() -> Self {
        Self {
            id: Cell::new(0),
            len: Cell::new(0),
            name: [const { Cell::new(0) }; LABEL_BYTES],
        }
    }

    /// Copies what fits.
    pub(crate) fn set(&self, id: u64, name: &str) {
        self.id.set(id);
        self.len.set(name.len().min(LABEL_BYTES));
        for (to, from) in self.name.iter().zip(name.bytes()) {
            to.set(from);
        }
    }
}

thread_local! {
    static SIGNAL_STACK: SignalStack = SignalStack::ensure();
}

/// Makes the handler ready for guards on this thread. Cheap to repeat.
pub(crate) fn arm() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Linux faults with the first; macOS with the second when the page exists.
        for (signal, previous) in [(libc::SIGSEGV, &SEGV_BEFORE), (libc::SIGBUS, &BUS_BEFORE)] {
            install(signal, previous);
        }
    });
    // In a thread whose end has begun there may be none; its fibers are over.
    let _ = SIGNAL_STACK.try_with(|_| ());
}

static SEGV_BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
static BUS_BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

fn install(signal: libc::c_int, previous: &OnceLock<libc::sigaction>) {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action the call only fills `before`, for which all zeroes is valid.
    let before = unsafe {
        libc::sigaction(signal, ptr::null(), before.as_mut_ptr());
        before.assume_init()
    };
    // Kept before the new handler can run.
    previous.get_or_init(|| before);
    // SAFETY: all zeroes is a valid value, and the action is complete before it is installed.
    // The handler keeps to what is allowed in one; SA_ONSTACK because the stack has ended.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the system gives a valid `info` to a handler with SA_SIGINFO, and both signals
    // carry an address unless somebody sent them, which a positive code rules out.
    let (address, is_fault) = unsafe { ((*info).si_addr().addr(), (*info).si_code > 0) };
    if let Some(label) = switch::owner_of_guard(address).filter(|_| is_fault) {
        // SAFETY: the fault is of this thread, in the middle of a job: the strand, which keeps
        // its owner and so the label, waits below.
        report(unsafe { &*label });
        // SAFETY: allowed in a handler, and does not return.
        unsafe { libc::abort() }
    }
    pass_on(signal, info, context);
}

fn report(label: &Label) {
    let mut text = Text::new();
    text.push(b"fiber ");
    text.push_number(label.id.get());
    text.push(b" (");
    for byte in &label.name[..label.len.get()] {
        text.push(&[byte.get()]);
    }
    text.push(b") has overflowed its stack; aborting\n");
    // SAFETY: the bytes are initialised and alive for the call. There is nobody to tell of an
    // error.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, text.bytes.as_ptr().cast(), text.len) };
}

/// A line put together without an allocator.
struct Text {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Text {
    /// The fixed words, twenty digits and a label.
    const CAPACITY: usize = 96 + LABEL_BYTES;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }
}

/// Does what would have happened without our handler.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = if signal == libc::SIGSEGV {
        SEGV_BEFORE.get()
    } else {
        BUS_BEFORE.get()
    };
    let handler = previous.map_or(libc::SIG_DFL, |action| action.sa_sigaction);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // SAFETY: as in `install`. The instruction faults again after the return, and then the
        // system ends the process as it would have.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
        return;
    }
    let takes_info = previous.is_some_and(|action| action.sa_flags & libc::SA_SIGINFO != 0);
    // SAFETY: the system itself would have called this address with this signature, by the flag
    // with which it was installed.
    unsafe {
        if takes_info {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            std::mem::transmute::<libc::sighandler_t, Handler>(handler)(signal, info, context);
        } else {
            type Handler = extern "C" fn(libc::c_int);
            std::mem::transmute::<libc::sighandler_t, Handler>(handler)(signal);
        }
    }
}

/// The stack on which this thread handles signals. Rust's own threads have one; a thread that
/// somebody else made may not, and gets this.
struct SignalStack {
    own: Option<*mut libc::c_void>,
}

impl SignalStack {
    fn ensure() -> Self {
        // SAFETY: with no new stack the call only fills `now`, for which all zeroes is valid.
        let now = unsafe {
            let mut now: libc::stack_t = MaybeUninit::zeroed().assume_init();
            libc::sigaltstack(ptr::null(), &raw mut now);
            now
        };
        if now.ss_flags & libc::SS_DISABLE == 0 {
            return Self { own: None };
        }
        Self {
            own: Self::install(),
        }
    }

    fn install() -> Option<*mut libc::c_void> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping touches nothing that exists, and it stays until this value is
        // dropped, which first takes the signal stack away.
        unsafe {
            let low = libc::mmap(ptr::null_mut(), SIGNAL_STACK_BYTES, access, flags, -1, 0);
            if low == libc::MAP_FAILED {
                return None;
            }
            let stack = libc::stack_t {
                ss_sp: low,
                ss_flags: 0,
                ss_size: SIGNAL_STACK_BYTES,
            };
            libc::sigaltstack(&raw const stack, ptr::null_mut());
            Some(low)
        }
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let Some(low) = self.own else { return };
        // SAFETY: this thread's signals leave the stack before it is unmapped.
        unsafe {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: SIGNAL_STACK_BYTES,
            };
            libc::sigaltstack(&raw const none, ptr::null_mut());
            libc::munmap(low, SIGNAL_STACK_BYTES);
        }
    }
}

/// Takes this thread's signal stack away, as in a thread that somebody else made.
#[cfg(test)]
fn forgo_signal_stack() {
    // SAFETY: no handler runs now, and the system only forgets the address.
    unsafe {
        let mut none: libc::stack_t = MaybeUninit::zeroed().assume_init();
        none.ss_flags = libc::SS_DISABLE;
        libc::sigaltstack(&raw const none, ptr::null_mut());
    }
}

/// Faults at an address that is no guard.
#[cfg(test)]
fn fault() {
    let nowhere = std::hint::black_box(ptr::without_provenance::<u8>(8));
    // SAFETY: none: the process is meant to die of this.
    unsafe { nowhere.read_volatile() };
}

#[cfg(test)]
mod tests;
