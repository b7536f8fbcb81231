//! Lua strings that a worker reads in place: held from the moment they are lent until the shuttle
//! is home and has forgotten them, or the worker has said that it read them. The crate's only
//! `unsafe` outside of `raw`.

use std::cell::{Cell, RefCell};

use http_proto::Exchange;
use shuttle_core::{Appended, BerthId, Shuttle, Tx, TxShore};

use crate::raw::{Stack, Vm};

/// One held string. Give it back by [`Pins::release`]; a lost pin holds its string for ever, which
/// is safe.
#[derive(Debug)]
#[must_use = "a pin that is lost holds its string for ever"]
pub(crate) struct Pin(usize);

/// The held strings: a Lua table in which each has a slot.
#[derive(Debug)]
pub(crate) struct Pins {
    table: i32,
    free: RefCell<Vec<usize>>,
    slots: Cell<usize>,
}

impl Pins {
    pub(crate) fn new(vm: &Vm) -> Self {
        let table = vm.with_main(|stack| {
            stack.push_table(64, 0);
            stack.anchor()
        });
        Self {
            table,
            free: RefCell::new(Vec::new()),
            slots: Cell::new(0),
        }
    }

    /// How many strings are held.
    pub(crate) fn count(&self) -> usize {
        self.slots.get() - self.free.borrow().len()
    }

    /// Lends the string at `slot` to the worker that `shuttle` goes to, and holds it.
    ///
    /// # Panics
    /// When the value is no string.
    pub(crate) fn lend(
        &self,
        stack: &mut Stack,
        slot: i32,
        shuttle: &mut Shuttle<Tx, Exchange>,
    ) -> Pin {
        let pin = self.hold(stack, slot);
        let bytes = stack.bytes(slot).expect("a string was pinned");
        // SAFETY: the string is in the table of pins, so the collector keeps it, and Lua strings
        // never move or change. It leaves the table only by `release`, which wants the shuttle at
        // home and makes it forget first. If that never happens, the machine itself is never freed:
        // an `Env` that is dropped while pins are out leaks it.
        unsafe { shuttle.lend(bytes) };
        pin
    }

    /// Appends the string at `slot`, where it is, to what a worker sends for this trip, and holds
    /// it. The pin, if it was accepted: give it back by [`let_go`](Self::let_go) once the chunk is
    /// settled.
    ///
    /// # Panics
    /// When the value is no string.
    pub(crate) fn append(
        &self,
        stack: &mut Stack,
        slot: i32,
        shore: &mut TxShore<Exchange>,
        berth: BerthId,
    ) -> (Appended, Option<Pin>) {
        let pin = self.hold(stack, slot);
        let bytes = stack.bytes(slot).expect("a string was pinned");
        // SAFETY: as in `lend`; it leaves the table by `let_go` only, which is for chunks that the
        // shore counts as settled, or here, when it was refused and nobody will read it.
        let appended = unsafe { shore.append_lent(berth, bytes) };
        match appended {
            Appended::InTime | Appended::TooLate => (appended, Some(pin)),
            Appended::Full | Appended::Stale => {
                self.drop_on(stack, std::iter::once(pin));
                (appended, None)
            }
        }
    }

    /// Lets go of strings that were appended and are settled.
    pub(crate) fn let_go(&self, vm: &Vm, pins: impl Iterator<Item = Pin>) {
        vm.with_main(|stack| self.drop_on(stack, pins));
    }

    fn hold(&self, stack: &mut Stack, slot: i32) -> Pin {
        let slot = stack.at(slot);
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.slots.set(self.slots.get() + 1);
            self.slots.get()
        });
        stack.push_anchored(self.table);
        stack.push_copy(slot);
        stack.set_item(-2, place);
        stack.pop(1);
        Pin(place)
    }

    fn drop_on(&self, stack: &mut Stack, pins: impl Iterator<Item = Pin>) {
        stack.push_anchored(self.table);
        for Pin(place) in pins {
            stack.push_nil();
            stack.set_item(-2, place);
            self.free.borrow_mut().push(place);
        }
        stack.pop(1);
    }

    /// Makes the shuttle, which is at home, forget what was lent, and lets go of the strings. How
    /// many there were.
    pub(crate) fn release(
        &self,
        vm: &Vm,
        shuttle: &mut Shuttle<Tx, Exchange>,
        pins: &mut Vec<Pin>,
    ) -> usize {
        let lent = shuttle.unpin();
        debug_assert_eq!(lent, pins.len(), "each lent string has its pin");
        if pins.is_empty() {
            return 0;
        }
        self.let_go(vm, pins.drain(..));
        lent
    }
}
