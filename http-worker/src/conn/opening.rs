//! Which protocol a connection speaks, decided by its first bytes or by its TLS handshake.

use http_proto::h2;

use super::Conn;
use crate::context::Cx;
use crate::http2::Turned;

/// What is known of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opening {
    /// Nothing came, or what may become the preface of HTTP/2.
    Unknown,
    Http1,
    Http2,
}

impl Opening {
    /// Before the first byte: where HTTP/2 is not spoken, nothing has to be found out.
    pub(super) fn of(may_be_http2: bool) -> Self {
        if may_be_http2 {
            Self::Unknown
        } else {
            Self::Http1
        }
    }
}

impl Conn {
    /// Whether these bytes, which came after those that are kept, are of HTTP/1. While it is not
    /// known they are kept.
    pub(super) fn is_http1(&mut self, bytes: &[u8]) -> bool {
        if self.opening == Opening::Unknown {
            self.opening = self.judge(bytes);
        }
        self.opening == Opening::Http1
    }

    fn judge(&self, bytes: &[u8]) -> Opening {
        if self.transport.is_tls() {
            return match self.transport.speaks_http2() {
                true => Opening::Http2,
                false => Opening::Http1,
            };
        }
        let opening = if self.input.is_empty() {
            h2::opening(bytes)
        } else {
            h2::opening(&[&self.input, bytes].concat())
        };
        match opening {
            h2::Opening::Unfinished => Opening::Unknown,
            h2::Opening::Http2 => Opening::Http2,
            h2::Opening::Other => Opening::Http1,
        }
    }

    /// What came cannot become the preface any more when nothing follows.
    pub(super) fn judge_what_is_left(&mut self) {
        if self.opening == Opening::Unknown && self.socket.is_over {
            self.opening = Opening::Http1;
        }
    }

    /// What it consists of, for a connection that speaks HTTP/2.
    pub(crate) fn into_http2(mut self, cx: &mut Cx) -> Turned {
        self.let_go_of_weight(cx);
        debug_assert!(self.trips.is_empty() && self.incoming.is_none());
        Turned {
            token: self.token,
            guest: self.guest,
            transport: self.transport,
            socket: self.socket,
            peer: self.peer,
            local: self.local,
            input: self.input,
            watches_writes: self.watches_writes,
        }
    }
}
