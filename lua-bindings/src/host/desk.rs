//! The Lua thread of a serving fiber, and what lies where on its stack.

use crate::raw::{Slot, Thread};
use crate::realm::Realm;

/// Where a serving thread keeps what every request needs, so that no name has to be looked up:
/// above the error handler.
#[derive(Clone, Copy)]
pub(super) struct Desk;

impl Desk {
    pub(super) const REQ_META: Slot = 2;
    pub(super) const IO_META: Slot = 3;
    pub(super) const STATUS: Slot = 4;
    pub(super) const HEADERS: Slot = 5;
    pub(super) const BODY: Slot = 6;
    pub(super) const TRAILERS: Slot = 7;
    /// The `req` of the handler that runs.
    pub(super) const REQ: Slot = 8;
    pub(super) const TOP: Slot = 8;

    /// A Lua thread with everything in its place.
    pub(super) fn set_up(realm: &Realm) -> Thread {
        let thread = realm.vm.with_main(Thread::new);
        let mut stack = thread.stack();
        let metatables = realm.http.metatables.get();
        stack.push_anchored(metatables.req);
        stack.push_anchored(metatables.io);
        stack.push_str("status");
        stack.push_str("headers");
        stack.push_str("body");
        stack.push_str("trailers");
        stack.push_nil();
        debug_assert_eq!(stack.top(), Self::TOP);
        thread
    }
}
