//! What a connection holds in memory, and who is refused when all together hold too much.

use http_proto::PeerErrorKind;

use super::{Conn, Fate, Wait};
use crate::access::NOT_READ;
use crate::context::Cx;
use crate::limits::HELD_SHARE_BYTES;

impl Conn {
    /// Notes what it holds. When connections together hold more than they may, one that has more
    /// than its share gives up what it does not use, and if that is not enough it is refused.
    pub(super) fn hold(&mut self, cx: &mut Cx) -> Fate {
        self.weigh(cx);
        if !cx.is_overweight() || self.weight <= HELD_SHARE_BYTES {
            return Fate::Stays;
        }
        self.input.shrink_to_fit();
        self.outbox.shrink();
        self.weigh(cx);
        if !cx.is_overweight() {
            return Fate::Stays;
        }
        let head_len = self
            .incoming
            .as_ref()
            .map_or(0, |incoming| incoming.head.len_bytes());
        let unread = self.input.len() + head_len;
        if unread > HELD_SHARE_BYTES && self.end.is_none() {
            self.refuse(cx)
        } else if self.wait() == Wait::Reader && self.outbox.held_bytes() > HELD_SHARE_BYTES {
            self.blame_all(NOT_READ);
            self.reset()
        } else {
            Fate::Stays
        }
    }

    fn weigh(&mut self, cx: &mut Cx) {
        let incoming = self.incoming.as_ref();
        let head = incoming.map_or(0, |incoming| incoming.head.held_bytes());
        let weight = self.input.capacity() + head + self.outbox.held_bytes();
        cx.weigh(std::mem::replace(&mut self.weight, weight), weight);
    }

    /// Answers what was asked, and then that there is no room for more.
    fn refuse(&mut self, cx: &mut Cx) -> Fate {
        self.input = Vec::new();
        self.fail(PeerErrorKind::Overloaded.into(), cx);
        self.drive(cx)
    }

    /// Takes what it holds off the sum: the connection is over.
    pub(super) fn let_go_of_weight(&mut self, cx: &mut Cx) {
        cx.weigh(std::mem::take(&mut self.weight), 0);
    }
}
