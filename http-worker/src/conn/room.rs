//! Room in memory for the body that a connection receives: while there is none its socket is not
//! read.

use super::Conn;
use crate::context::Cx;
use crate::limits::READ_BYTES;

impl Conn {
    /// Whether there is room for what may be of a body in so many bytes that are not parsed yet.
    /// Bodies that cross in pieces, or are thrown away, need none.
    pub(super) fn finds_room(&mut self, unread: usize, cx: &mut Cx) -> bool {
        let wants = self.engine.body_at_most(unread);
        wants == 0 || self.ask_for_room(wants, cx)
    }

    /// Whether there is room for a body whose client waits to be invited.
    pub(super) fn finds_room_to_invite(&mut self, cx: &mut Cx) -> bool {
        let wants = self.engine.body_at_most(READ_BYTES);
        self.ask_for_room(wants, cx)
    }

    fn ask_for_room(&mut self, wants: usize, cx: &mut Cx) -> bool {
        let Some(incoming) = &self.incoming else {
            return true;
        };
        if incoming.is_complete || incoming.files.is_some() {
            return true;
        }
        let sizes = (incoming.body.len(), wants);
        let max = cx.limits.buffered_bodies_bytes;
        cx.bodies.ask(self.token, &mut self.standing, sizes, max)
    }

    /// Nothing more of the body will be taken in.
    pub(super) fn leave_room(&mut self, cx: &mut Cx) {
        cx.bodies.leave(&mut self.standing);
    }
}
